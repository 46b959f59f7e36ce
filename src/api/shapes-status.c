/* The status: what runs, what would be done about it, and by which rules. */
#include "api/shapes-tables.h"

static const ShapeMember version_deployment[] = {
        {"state", RELEASE_STATE "?", "of the newest deployment's release; null: no deployment is known"},
        {"armed", "boolean", "within the time after a deployment in which automatic rollback is allowed"},
        {"paused", "boolean", "deployments are paused"},
        END,
};

static const ShapeMember version[] = {
        {"version", "text?", "the release that is current"}, {"previous_version", "text?", "the release before it"},
        {"deployment", "#version_deployment", NULL},         {"state", RELEASE_STATE "?", "of the current release"},
        {"controller_version", "text", "of this program"},   END,
};

#define THRESHOLDS                                                                                                     \
        {"error_rate_percent", "number", "more is degraded"}, {"latency_p99_ms", "number", "more is degraded"},        \
                {"success_rate_percent", "number", "less is degraded"}, {                                              \
                "degradation_window_s", "number", "how long it must last"                                              \
        }

static const ShapeMember thresholds[] = {THRESHOLDS, END};

static const ShapeMember rules[] = {
        THRESHOLDS,
        {"interval_s", "number", "one sample"},
        {"degraded_share_percent", "number", "of the expected samples that must be degraded"},
        {"min_requests", "integer", "a sample with fewer is unknown"},
        {"outage_window_s", "number", NULL},
        {"restart_limit", "integer", "restarts within the outage window that mean failed"},
        {"armed_for_s", "number", "after a deployment; 0: always armed"},
        {"bake_for_s", "number", "a deployment that lived so long without a trigger is good"},
        {"rollbacks_per_day", "integer", "automatic ones"},
        END,
};

static const ShapeMember controller[] = {
        {"version", "text", NULL},
        {"pid", "integer", NULL},
        {"since", "time", NULL},
        {"state", "=watching|running|breakglass", "running: a run is under way"},
        END,
};

static const ShapeMember target[] = {
        {"version", "text", NULL},
        {"state", RELEASE_STATE, NULL},
        {"ready", "boolean?", "whether it could be started right now"},
        DETAIL,
        {"checks", "[]#ready_check", "what that rests on; empty: not yet looked at"},
        END,
};

static const ShapeMember ready_check[] = {
        {"key", "text", "libraries"},
        {"title", "text", "Shared libraries"},
        {"verdict", "=ok|failed|unknown|not_applicable", NULL},
        {"measured", "text", "what was found"},
        {"next", "text", "what to do about it; empty: nothing"},
        END,
};

static const ShapeMember ready_current[] = {
        {"version", "text", NULL},
        {"ready", "boolean?", "null: not known"},
        DETAIL,
        {"checked", "time?", "null: not yet looked at"},
        {"checks", "[]#ready_check", "what is about the release itself"},
        END,
};

static const ShapeMember ready[] = {
        {"ready", "boolean?", "false: it isn't, or there is no target; null: not known"},
        {"version", "text?", "the target; null: there is none"},
        DETAIL,
        {"checked", "time?", "null: not yet looked at"},
        {"checks", "[]#ready_check", NULL},
        {"current", "#ready_current?", "the release that is current: after the next deployment it would be the target"},
        END,
};

static const ShapeMember automatic[] = {
        {"possible", "boolean", NULL},
        {"why", "text", "why not; possible, but not for every trigger: which; else empty"},
        END,
};

static const ShapeMember review[] = {
        {"version", "text", "the release that misbehaves"},
        {"reason", "text", "the triggers, with their numbers"},
        {"guard_text", "text", "why it isn't rolled back automatically"},
        END,
};

static const ShapeMember score[] = {
        {"status", HEALTH_STATE, NULL},
        {"score", "integer?", "0 to 100"},
        {"reason", "text", "the worst component's; empty: none is worse than healthy"},
        END,
};

static const ShapeMember status_deployment[] = {
        {"id", "integer", NULL},
        {"version", "text", NULL},
        {"previous", "text?", NULL},
        {"at", "time", NULL},
        {"observed", "boolean", "somebody else did it"},
        {"armed", "boolean", "it is within the time after a deployment in which automatic rollback is allowed"},
        {"armed_until", "time?", "null: not armed, or for ever"},
        {"automatic", "#automatic", "whether anything would really be rolled back automatically now"},
        {"state", RELEASE_STATE, NULL},
        END,
};

static const ShapeMember units[] = {
        {"names", "[]text", NULL},
        {"state", "=active|failed|inactive|unknown", NULL},
        DETAIL,
        END,
};

static const ShapeMember probe[] = {
        {"state", "=healthy|unhealthy|unknown", NULL},
        {"since", "time?", NULL},
        {"url", "text", "the service's own health check"},
        DETAIL,
        END,
};

static const ShapeMember metrics[] = {
        {"source", "text", "its driver; none"},
        {"connected", "boolean", "it is being heard"},
        DETAIL,
        {"sample", "#sample?", "the newest"},
        END,
};

static const ShapeMember window[] = {
        {"expected", "integer", "samples in a whole window"},
        {"needed", "integer", "degraded samples that trigger"},
        {"degraded", "integer", NULL},
        {"unknown", "integer", NULL},
        {"samples", "[]#sample", NULL},
        {"verdict", "text", "in words"},
        END,
};

static const ShapeMember alert[] = {
        {"since", "time", NULL},
        {"source", "text", "what it is about"},
        {"message", "text", NULL},
        END,
};

static const ShapeMember status[] = {
        {"controller", "#controller", NULL},
        {"version", "text?", "the release that is current"},
        {"version_problem", "text?", "why it isn't known"},
        {"target", "#target?", "where a rollback would go"},
        {"deployment", "#status_deployment?", "the newest"},
        {"deployments", "#deployments", NULL},
        {"traffic", "#traffic", NULL},
        {"units", "#units", NULL},
        {"health", "#probe", "what the service says of itself"},
        {"metrics", "#metrics", NULL},
        {"score", "#score?", "of the components, as GET /api/v3/health has it; null: not yet measured"},
        {"review", "#review?", "it would be rolled back, but a person has to decide"},
        {"window", "#window?", "null: nothing is measured"},
        {"thresholds", "#thresholds", NULL},
        {"run", "#run?", "the run under way"},
        {"last_run", "#run?", "the newest run"},
        {"rollbacks_today", "integer", "automatic ones in the last 24 hours"},
        {"rollbacks_per_day", "integer", "that many are allowed"},
        {"mode", "=act|shadow", "shadow: what would be rolled back is only recorded"},
        {"chain", "#chain_head", "of the journal's records"},
        {"alerts", "[]#alert", NULL},
        END,
};

const Shape status_shapes[] = {
        OBJECT(status, "What runs, what would be done about it, and how ready that is"),
        OBJECT(version, "The release that is current"),
        OBJECT(version_deployment, "Where the newest deployment stands"),
        OBJECT(controller, "This program"),
        OBJECT(target, "The release a rollback would go to"),
        OBJECT(ready, "Whether the rollback target could be started right now"),
        OBJECT(ready_current, "The same of the release that is current"),
        OBJECT(ready_check, "One item of it"),
        OBJECT(automatic, "Would anything be rolled back automatically"),
        OBJECT(review, "A manual review that stands"),
        OBJECT(score, "The health score in short"),
        OBJECT(status_deployment, "The newest deployment"),
        OBJECT(units, "The service's units"),
        OBJECT(probe, "The service's own health check, as it was last answered"),
        OBJECT(metrics, "The source of the samples"),
        OBJECT(window, "The samples that a decision would rest on now"),
        OBJECT(thresholds, "What is degraded"),
        OBJECT(rules, "The rules of a decision"),
        OBJECT(alert, "Something that a person should know"),
        {0},
};
