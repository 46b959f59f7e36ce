/* Every shape that the interface speaks in: what is sent has all of a shape's members and no other. Null, never 0, for what isn't
 * known. Times are RFC 3339, UTC, with milliseconds; members that end in _ms, _s and _percent are numbers of that unit and may
 * have decimals. */
#include "api/shapes.h"

#define RELEASE_STATE "=unproven|baking|good|failed"
#define RUN_KIND "=deployment|rollback"
#define RUN_MODE "=automatic|manual|emergency"
#define HEALTH_STATE "=healthy|degraded|unhealthy|unknown"
#define VERDICT "=passed|failed|not_verified|not_applicable"
#define TRIGGERS "=error_rate|latency_p99|success_rate|service_failed|outage|quorum|byzantine"
#define SAMPLE_AGE                                                                                                     \
        { "sample_age_s", "number?", "how old the newest measurement behind it is" }
#define DETAIL                                                                                                         \
        { "detail", "text", "in words, for people" }
#define END                                                                                                            \
        { 0 }

/* ---- runs ---- */

static const ShapeMember step[] = {
        {"step", "integer", "0 proves the target; 1 to 8 as in the specification"},
        {"key", "text", "drain_traffic"},
        {"title", "text", "Drain traffic"},
        {"budget_ms", "integer", "how long it may take"},
        {"critical", "boolean", "whether the run goes back when it fails"},
        {"state", "=pending|acting|done|failed|timed_out|skipped", NULL},
        {"attempt", "integer", "1 for the first; 0: not yet begun"},
        {"started", "time?", NULL},
        {"ended", "time?", NULL},
        {"duration_ms", "number?", NULL},
        {"detail", "text", "what was done, or why it failed"},
        END,
};

static const ShapeMember run[] = {
        {"id", "integer", NULL},
        {"kind", RUN_KIND, NULL},
        {"mode", RUN_MODE, NULL},
        {"from", "text", "the release that was current; empty: none was"},
        {"to", "text", "the target"},
        {"reason", "text", NULL},
        {"initiator", "text", "controller, or who asked for it: root (uid 0)"},
        {"decision", "integer?", "the decision that began it"},
        {"phase", "=new|preflight|forward|undo|recovery|settle|succeeded|failed|holding", NULL},
        {"outcome", "=open|succeeded|refused|cancelled|undone|put_back|held", "open: not ended"},
        {"created", "time", NULL},
        {"ended", "time?", NULL},
        {"duration_ms", "number?", NULL},
        {"failure", "text", "the first critical failure in words; empty: none"},
        {"serving", "text?", "the release that serves since it ended; null: none that is proven, or not ended"},
        {"in_flight_cut", "integer", "requests that the drain gave up"},
        {"requests_failed", "integer?", "requests that failed while it was under way"},
        {"validation", "=pending|passed|failed|not_verified?", "null: it is not one to validate"},
        {"validated", "#validate?", "what its validation came to, in the answer about this one run"},
        {"warning", "text?", "about the target, in the answer that began it"},
        {"remedy", "text?", "of a run that holds: the commands that bring the service back"},
        {"released", "boolean?", "of a run that holds: an operator has released it (resume)"},
        {"steps", "[]#step", "the way to the target"},
        {"recovery", "[]#step", "what was done to go back; empty unless it came to that"},
        END,
};

static const ShapeMember plan[] = {
        {"kind", RUN_KIND, NULL},
        {"mode", RUN_MODE, NULL},
        {"from", "text", "the release that is current; empty: none is"},
        {"to", "text", "the target"},
        {"target_state", RELEASE_STATE "?", NULL},
        {"target_warning", "text?", "what speaks against the target"},
        {"ceiling_ms", "integer", "it takes at most so long: the budgets' sum"},
        {"gate", "boolean?", "whether requests wait while traffic is drained, instead of being refused"},
        {"steps", "[]#step", NULL},
        {"refused", "text?", "why it could not run now; null: it could"},
        END,
};

static const ShapeMember cancel[] = {
        {"cancelled", "boolean", "true: it is being undone; false: too late, it finishes"},
        DETAIL,
        {"id", "integer", "the run's"},
        {"run", "#run?", "null: it has ended by now"},
        END,
};

/* ---- deployments and releases ---- */

static const ShapeMember deployment[] = {
        {"id", "integer", NULL},
        {"version", "text", NULL},
        {"previous", "text?", "the release before it"},
        {"at", "time", NULL},
        {"observed", "boolean", "somebody else did it"},
        {"run", "integer?", "the run that did it"},
        END,
};

static const ShapeMember history[] = {
        {"runs", "[]#run", "newest first"},
        {"deployments", "[]#deployment", "newest first"},
        END,
};

static const ShapeMember deployments[] = {
        {"paused", "boolean", NULL},
        {"by", "text?", "who paused them"},
        {"since", "time?", NULL},
        {"why", "text?", NULL},
        END,
};

static const ShapeMember adopted_release[] = {
        {"version", "text", NULL},
        {"state", RELEASE_STATE, NULL},
        {"taken_in", "boolean", "it has a manifest"},
        DETAIL,
        END,
};

static const ShapeMember adopt[] = {{"releases", "[]#adopted_release", NULL}, END};

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

/* ---- measuring and deciding ---- */

static const ShapeMember sample[] = {
        {"start", "time", NULL},
        {"end", "time", NULL},
        {"measured", "boolean", "false: the source failed; note says why"},
        {"state", "=unknown|healthy|degraded", NULL},
        {"requests", "integer?", "finished requests that count"},
        {"errors", "integer?", "5xx, or cut by the server"},
        {"error_rate_percent", "number?", NULL},
        {"success_rate_percent", "number?", NULL},
        {"latency_p50_ms", "number?", NULL},
        {"latency_p99_ms", "number?", NULL},
        {"dropped", "integer", "requests the source knows that it lost sight of"},
        {"note", "text", NULL},
        {"age_s", "number?", "null: it is from long ago"},
        END,
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

static const ShapeMember decision[] = {
        {"id", "integer", NULL},
        {"at", "time", NULL},
        {"kind", "=none|rollback|review", "review: it would roll back, but a guard forbids it"},
        {"triggers", "[]" TRIGGERS, NULL},
        {"guard",
         "=none|not_armed|no_target|target_unproven|budget_spent|already_rolled_back|same_before|drained_by_operator|run_unsound",
         NULL},
        {"guard_text", "text", "the guard in words; empty: none"},
        {"version", "text?", "what was current"},
        {"target", "text?", NULL},
        {"reason", "text", "the triggers with their numbers"},
        {"expected", "integer", "samples in a whole window"},
        {"needed", "integer", "degraded samples that trigger"},
        {"degraded", "integer", NULL},
        {"unknown", "integer", NULL},
        {"samples", "[]#sample", "the evidence"},
        {"rules", "#rules", "as they stood then"},
        END,
};

static const ShapeMember decisions[] = {{"decisions", "[]#decision", "newest first"}, END};

static const ShapeMember check[] = {
        {"key", "text", "error_rate"},
        {"title", "text", "Error rate"},
        {"lists", "[]=criteria|checklist", "the specification's, in which it stands"},
        {"verdict", VERDICT, NULL},
        {"measured", "text", "0.05 %, or why it could not be measured"},
        {"limit", "text", "< 0.1 %"},
        END,
};

static const ShapeMember validate[] = {
        {"verdict", "=passed|failed|not_verified", "passed: all that apply are; what could not be measured is not"},
        {"checks", "[]#check", NULL},
        {"passed", "integer", "checks that did"},
        {"failed", "integer", NULL},
        {"not_verified", "integer", "checks that apply, but could not be measured"},
        {"not_applicable", "integer", "checks of what isn't configured"},
        {"error_rate_percent", "number?", "since the rollback"},
        {"latency_p99_ms", "number?", "since the rollback"},
        {"success_rate_percent", "number?", "since the rollback"},
        {"note", "text", NULL},
        END,
};

/* ---- the status ---- */

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
        {"alerts", "[]#alert", NULL},
        END,
};

/* ---- health ---- */

static const ShapeMember component[] = {
        {"name", "text", "consensus"},
        {"status", HEALTH_STATE, NULL},
        {"score", "integer?", "0 to 100"},
        {"weight", "integer", "0: shown, not counted"},
        {"critical", "boolean", "unhealthy, it makes the whole unhealthy"},
        {"configured", "boolean", "false: there is nothing to measure"},
        {"reason", "text", "what was measured, against which limit; why it is unknown"},
        {"checked", "time?", "the newest check"},
        {"since", "time?", "in this state since"},
        END,
};

static const ShapeMember arithmetic[] = {
        {"points", "integer", "the sum of weight times score, of the components that are known"},
        {"weights", "integer", "the sum of their weights"},
        {"formula", "text", "with its numbers"},
        {"components", "[]#component", NULL},
        END,
};

static const ShapeMember health[] = {
        {"status", HEALTH_STATE, NULL},
        {"score", "integer?", "0 to 100"},
        {"components", "{}" HEALTH_STATE, NULL},
        {"reasons", "[]text", "what is wrong; empty when all is well"},
        {"arithmetic", "#arithmetic", "how the score came about"},
        {"checked", "time?", "the newest check"},
        END,
};

/* ---- metrics ---- */

static const ShapeMember metrics_requests[] = {
        {"rate_1m", "number?", "requests a second"},
        {"success_rate_1m", "number?", "percent"},
        {"count_1m", "integer?", NULL},
        SAMPLE_AGE,
        {"source", "text", NULL},
        {"connected", "boolean", "the source is being heard"},
        {"note", "text", NULL},
        END,
};

static const ShapeMember metrics_latency[] = {
        {"p50_ms", "number?", NULL},
        {"p99_ms", "number?", NULL},
        {"error_rate_percent", "number?", NULL},
        SAMPLE_AGE,
        {"sample_s", "number?", "the sample is so long"},
        {"requests", "integer?", "in the sample"},
        {"note", "text", NULL},
        END,
};

static const ShapeMember metrics_errors[] = {
        {"count_1m", "integer?", NULL},
        {"rate_1m", "number?", "percent of the requests"},
        SAMPLE_AGE,
        {"note", "text", NULL},
        END,
};

static const ShapeMember metrics_connections[] = {
        {"active", "integer?", "requests being served"},
        {"max", "integer?", "so many are let through at most; null: no limit, or not known"},
        {"parked", "integer?", "requests that wait at the gate"},
        SAMPLE_AGE,
        {"note", "text", NULL},
        END,
};

static const ShapeMember metrics_system[] = {
        {"cpu_percent", "number?", NULL},
        {"memory_percent", "number?", NULL},
        {"disk_percent", "number?", "used"},
        SAMPLE_AGE,
        END,
};

static const ShapeMember metrics_summary[] = {
        {"requests", "#metrics_requests", NULL}, {"latency", "#metrics_latency", NULL},
        {"errors", "#metrics_errors", NULL},     {"connections", "#metrics_connections", NULL},
        {"system", "#metrics_system", NULL},     END,
};

/* ---- traffic, consensus, cluster, data ---- */

static const ShapeMember traffic[] = {
        {"configured", "boolean", "there is a balancer to be asked (traffic.driver)"},
        {"state", "=flowing|draining|drained|restoring|unknown", NULL},
        {"in_flight", "integer?", "requests being served"},
        {"parked", "integer?", "requests that wait at the gate"},
        {"gate", "boolean?", "requests wait while traffic is drained, instead of being refused"},
        {"by", "text?", "who drained it"},
        {"since", "time?", "drained since"},
        {"timed_out", "boolean?", "of the newest drain: its time was over before nothing was in flight"},
        SAMPLE_AGE,
        DETAIL,
        END,
};

static const ShapeMember consensus_member[] = {
        {"name", "text", NULL},
        {"address", "text", NULL},
        {"state", "=leader|follower|unreachable|byzantine", NULL},
        {"applied", "integer?", "the raft index it has applied"},
        {"revision", "integer?", "of its data"},
        {"lag_ms", "number?", "until it had applied what the leader had: at most"},
        DETAIL,
        END,
};

static const ShapeMember consensus[] = {
        {"configured", "boolean", NULL},
        {"leader_elected", "boolean?", NULL},
        {"leader", "text?", "its name"},
        {"term", "integer?", NULL},
        {"quorum_healthy", "boolean?", NULL},
        {"reachable", "integer?", "members that answer"},
        {"needed", "integer?", "members that make a quorum"},
        {"members", "[]#consensus_member", NULL},
        {"replication_lag_ms", "number?", "of the slowest member that answers"},
        {"byzantine_nodes", "integer?", NULL},
        {"byzantine", "[]text", "their names"},
        SAMPLE_AGE,
        DETAIL,
        END,
};

static const ShapeMember election[] = {
        {"moved", "boolean", NULL}, {"from", "text?", NULL}, {"to", "text?", NULL}, DETAIL, END,
};

static const ShapeMember node[] = {
        {"name", "text", NULL},
        {"address", "text", NULL},
        {"state", "=healthy|degraded|unreachable|unknown", NULL},
        {"role", "text?", "leader, follower"},
        DETAIL,
        END,
};

static const ShapeMember cluster[] = {
        {"nodes", "[]#node", NULL},
        {"quorum_healthy", "boolean?", NULL},
        DETAIL,
        END,
};

static const ShapeMember replica[] = {
        {"name", "text", NULL},
        {"state", "text", NULL},
        {"lag_ms", "number?", NULL},
        {"lag_bytes", "integer?", NULL},
        DETAIL,
        END,
};

static const ShapeMember replication[] = {
        {"lag_ms", "number?", "of the slowest replica"},
        {"lag_bytes", "integer?", "of the slowest replica"},
        {"replicas", "[]#replica", NULL},
        SAMPLE_AGE,
        DETAIL,
        END,
};

static const ShapeMember consistency[] = {
        {"job", "integer?", NULL},
        {"state", "=running|passed|failed|not_verified", NULL},
        DETAIL,
        END,
};

/* ---- acting and who acted ---- */

static const ShapeMember hook[] = {
        {"name", "text", NULL},
        {"ok", "boolean", NULL},
        {"duration_ms", "number", NULL},
        {"detail", "text", "the last line it wrote, or how it failed"},
        END,
};

static const ShapeMember cache_clear[] = {
        {"cleared", "boolean", "every command succeeded"},
        {"hooks", "[]#hook", "in their order"},
        END,
};

static const ShapeMember audit_entry[] = {
        {"id", "integer", NULL},
        {"at", "time", NULL},
        {"who", "text", "root (uid 0), token deploy-bot, anonymous, controller"},
        {"uid", "integer?", "null: not known, as of a token's bearer"},
        {"whence", "text", "unix socket, 127.0.0.1:51234, healing"},
        {"method", "text", "of the request; heal: the controller did it by itself"},
        {"path", "text", "heal: the component"},
        {"arguments", "any", "null: it didn't come so far"},
        {"status", "integer", "of the HTTP answer; 202: what takes time is begun, its end follows"},
        {"outcome", "text", "200, begun, or the problem's title"},
        END,
};

static const ShapeMember audit[] = {{"entries", "[]#audit_entry", "newest first"}, END};

static const ShapeMember session[] = {
        {"who", "text", NULL},
        {"may_read", "boolean", NULL},
        {"may_act", "boolean", NULL},
        {"expires", "time?", NULL},
        END,
};

/* ---- what is not an answer ---- */

static const ShapeMember reset[] = {DETAIL, END};

static const ShapeMember healing[] = {
        {"component", "text", NULL},
        {"what", "text", "clearing its cache and restarting payments.service is done, in 0.4 s"},
        {"failed", "boolean", NULL},
        END,
};

static const ShapeMember events[] = {
        {"run", "#run", "it moved"},
        {"sample", "#sample", "one was taken"},
        {"decision", "#decision", NULL},
        {"alert", "#alert", "one was raised"},
        {"status", "#status", "it changed"},
        {"health", "#health", "a component or the score changed"},
        {"healing", "#healing", "a component that fails is healed, and how that ended"},
        {"reset", "#reset", "events were missed: ask for the status again"},
        END,
};

static const ShapeMember holder[] = {
        {"pid", "integer", NULL},       {"since", "time", NULL},
        {"why", "text", NULL},          {"progress", "text+", "what it last did, as far as it has said"},
        {"run", "integer+", "its run"}, END,
};

static const ShapeMember problem[] = {
        {"type", "text", "about:blank"},
        {"title", "text", NULL},
        {"status", "integer", "the HTTP status again"},
        {"detail", "text", "what was wrong, and what to do"},
        {"instance", "text", "the request's path"},
        {"exit_code", "integer", "what the command line exits with"},
        {"holder", "#holder+", "who has the lock"},
        {"retry_after_s", "integer+", "when it may be tried again"},
        END,
};

#define OBJECT(name, summary)                                                                                          \
        { #name, summary, name, NULL }

const Shape shapes[] = {
        OBJECT(status, "What runs, what would be done about it, and how ready that is"),
        OBJECT(version, "The release that is current"),
        OBJECT(version_deployment, "Where the newest deployment stands"),
        OBJECT(controller, "This program"),
        OBJECT(target, "The release a rollback would go to"),
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
        OBJECT(run, "A deployment or a rollback"),
        OBJECT(step, "One step of a run"),
        OBJECT(plan, "The steps a run would take"),
        OBJECT(cancel, "What a cancel came to"),
        OBJECT(sample, "One measurement of the service"),
        OBJECT(decision, "A decision and its evidence"),
        OBJECT(decisions, "Decisions"),
        OBJECT(validate, "Whether the last rollback helped"),
        OBJECT(check, "One of the questions of a validation"),
        OBJECT(history, "Runs and deployments"),
        OBJECT(deployment, "A release was made current"),
        OBJECT(deployments, "Whether deployments are paused"),
        OBJECT(adopt, "The releases on this machine"),
        OBJECT(adopted_release, "One release on this machine"),
        OBJECT(health, "Health of all components"),
        OBJECT(arithmetic, "How the score came about"),
        OBJECT(component, "Health of one component"),
        OBJECT(metrics_summary, "All metrics"),
        OBJECT(metrics_requests, "Requests of the last minute"),
        OBJECT(metrics_latency, "Latency of the newest sample"),
        OBJECT(metrics_errors, "Errors of the last minute"),
        OBJECT(metrics_connections, "Connections to the service"),
        OBJECT(metrics_system, "Load of this machine"),
        OBJECT(traffic, "Whether requests reach the service"),
        OBJECT(consensus, "The consensus cluster"),
        OBJECT(consensus_member, "One member of it"),
        OBJECT(election, "What a forced election came to"),
        OBJECT(cluster, "The nodes"),
        OBJECT(node, "One node"),
        OBJECT(replication, "How far the replicas are behind"),
        OBJECT(replica, "One replica"),
        OBJECT(consistency, "A check of the data"),
        OBJECT(cache_clear, "What clearing the caches came to"),
        OBJECT(hook, "One command that was run"),
        OBJECT(audit, "Who asked for what"),
        OBJECT(audit_entry, "One request to act"),
        OBJECT(session, "A browser's session"),
        OBJECT(events, "The event stream: each event's name, and the shape of its data"),
        OBJECT(healing, "A component that fails is healed"),
        OBJECT(reset, "Events were missed"),
        {"exposition", "Metrics of the controller itself, OpenMetrics", NULL, "text"},
        {"openapi", "An OpenAPI 3.1 document", NULL, "any"},
        OBJECT(problem, "Why a request was refused (RFC 9457)"),
        OBJECT(holder, "The process that has a lock"),
        {0},
};
