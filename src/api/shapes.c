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
        {"allow_row_loss", "boolean", "rows that the way back of the schema can't keep may go"},
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
        {"none_left", "text?", "of a deployment: why no target that is proven ready would be left; null: one would"},
        {"steps", "[]#step", NULL},
        {"database", "#schema_gate?", "whether the target can work with the schema; null: there is nothing to ask"},
        {"refused", "text?", "why it could not run now; null: it could"},
        END,
};

static const ShapeMember schema_gate[] = {
        {"verdict", "=pending|unknown|compatible|reversible|refused", "pending: being asked, ask again in a moment"},
        {"current", "text?", "the schema that is there"},
        {"wanted", "text?", "the one it is taken back to"},
        {"script", "text?", "by which"},
        {"estimate_ms", "number?", "what that will take"},
        {"detail", "text", "what goes, or why not and what to do"},
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
         "=none|not_armed|no_target|target_unproven|budget_spent|already_rolled_back|same_before|drained_by_operator|run_unsound|shadow",
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

static const ShapeMember guard_answer[] = {
        {"guard", "text", "not_armed, budget_spent ... in the order in which they are asked"},
        {"forbids", "boolean", "the first that does is the decision's guard"},
        {"answer", "text", "what was found, with its numbers"},
        END,
};

static const ShapeMember immediate[] = {{"trigger", TRIGGERS, NULL}, {"said", "text", "with its numbers"}, END};

static const ShapeMember replay[] = {
        {"id", "integer", "the decision"},
        {"verdict", "=identical|differs|no_evidence|other_rules", "recomputed from its evidence"},
        {"detail", "text", "the first member that differs, or why it can't be recomputed; empty when identical"},
        {"rule_version", "integer", "of the program that decided"},
        END,
};

static const ShapeMember explanation[] = {
        {"decision", "#decision", NULL},
        {"outcome", "text", "what was decided, and which guard forbade it"},
        {"window", "text", "the arithmetic: 4 of 5 samples degraded, 4 needed (75.0 % of 5 is 3.75, rounded up)"},
        {"samples", "[]text", "of each sample of the decision why it is degraded, or isn't"},
        {"immediate", "[]#immediate", "what triggers without a window"},
        {"guards", "[]#guard_answer", "as they were asked; empty: no evidence was kept"},
        {"target", "text?", "which release it would go to, and why that"},
        {"replay", "#replay", NULL},
        {"run", "#run?", "the run that it began"},
        END,
};

static const ShapeMember chain_head[] = {
        {"records", "integer?", "in the chain"},
        {"at", "time?", "when the newest was added"},
        {"newest", "text?",
         "the newest link: noted elsewhere, it shows when the journal's end was cut off or made anew"},
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

/* ---- incidents ---- */

#define INCIDENT_MEMBERS                                                                                               \
        {"id", "integer", NULL}, {"cause", "=automatic|emergency|hold|review", "what opened it"},                      \
                {"severity", "=P0|P1|P2|P3", "P0 pages"}, {"state", "=open|acknowledged|resolved", NULL},              \
                {"title", "text", NULL}, {"version", "text?", "the release that misbehaved"},                          \
                {"target", "text?", "what it was, or would be, rolled back to"},                                       \
                {"source", "text?", "of a review of the machine: cpu, memory or disk"}, {"opened", "time", NULL},      \
                {"acknowledged", "time?", NULL}, {"acknowledged_by", "text?", NULL}, {"resolved", "time?", NULL},      \
                {"resolved_by", "text?", NULL}, {"deployment", "integer?", NULL}, {"decision", "integer?", NULL},      \
                {"run", "integer?", "the newest that belongs to it"}, {"outcome", "text", "how it stands"},            \
                {"release_state", RELEASE_STATE "?", "of the release that misbehaved, now"}, {                         \
                "report", "text", "the file that its report is written to"                                             \
        }

static const ShapeMember incident[] = {INCIDENT_MEMBERS, END};

static const ShapeMember incidents[] = {
        {"incidents", "[]#incident", "newest first"},
        {"unresolved", "integer", "of all"},
        END,
};

static const ShapeMember timeline_entry[] = {
        {"at", "time", NULL},
        {"kind", "text", "opened, run, step, decision, deployment, alert, escalated, validation, acknowledged ..."},
        {"text", "text", NULL},
        END,
};

static const ShapeMember changed_file[] = {
        {"path", "text", "within the release"}, {"change", "=added|removed|changed", NULL},
        {"type", "text", "file or link"},       {"size_before", "integer?", "bytes"},
        {"size_after", "integer?", NULL},       END,
};

static const ShapeMember changed_text[] = {
        {"name", "text", "a file, or: configuration"},
        {"diff", "text", "unified; secrets are masked"},
        {"cut", "boolean", "there is more"},
        END,
};

static const ShapeMember difference[] = {
        {"before", "text", "the release that it is compared with"},
        {"after", "text", "the release that misbehaved"},
        {"added", "integer", "files"},
        {"removed", "integer", NULL},
        {"changed", "integer", NULL},
        {"files", "[]#changed_file", NULL},
        {"left_out", "integer", "files that differ, too"},
        {"texts", "[]#changed_text", "the lines of those that configure something"},
        {"notes", "[]text", "what could not be compared, and why"},
        END,
};

static const ShapeMember log_line[] = {{"at", "time?", NULL}, {"text", "text", "secrets are masked"}, END};

static const ShapeMember unit_log[] = {
        {"version", "text", NULL},
        {"units", "[]text", NULL},
        {"lines", "[]#log_line", "oldest first"},
        {"note", "text", "why there are none, or not all"},
        END,
};

static const ShapeMember incident_details[] = {
        INCIDENT_MEMBERS,
        {"timeline", "[]#timeline_entry", "oldest first"},
        {"trigger", "#decision?", "the decision, with its numbers"},
        {"run_record", "#run?", NULL},
        {"difference", "#difference?", "null: not gathered yet, or there is nothing to compare"},
        {"log", "#unit_log?", "of the release that misbehaved, until the incident was opened"},
        {"target_log", "#unit_log?", "of the one that should have replaced it, when that failed"},
        {"samples", "[]#sample", "before, meanwhile and after"},
        {"thresholds", "#thresholds", "as they stood then"},
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

static const ShapeMember metrics_history_sample[] = {
        {"start", "time", NULL},
        {"end", "time", NULL},
        {"measured", "boolean", "false: the source failed; note says why"},
        {"state", "=unknown|healthy|degraded", "by the thresholds of today"},
        {"requests", "integer?", "finished requests that count"},
        {"errors", "integer?", "5xx, or cut by the server"},
        {"error_rate_percent", "number?", NULL},
        {"success_rate_percent", "number?", NULL},
        {"latency_p50_ms", "number?", NULL},
        {"latency_p99_ms", "number?", NULL},
        {"dropped", "integer", "requests the source knows that it lost sight of"},
        {"note", "text", NULL},
        {"age_s", "number?", "always null"},
        {"version", "text?", "that was live"},
        END,
};

static const ShapeMember metrics_history[] = {
        {"from", "time?", NULL},
        {"to", "time?", NULL},
        {"thinned", "boolean", "there were more: each is one of several"},
        {"samples", "[]#metrics_history_sample", "oldest first"},
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
        {"name", "text", "the application_name it is connected by"},
        {"address", "text?", "null: a Unix socket, or not connected"},
        {"state", "text", "streaming, catchup, startup; missing, paused, stale; not known"},
        {"sync", "text?", "async, sync, potential, quorum"},
        {"paused", "boolean", "it says that replay is paused; false also when it can't be asked"},
        {"stale", "boolean", "it lacks something, and was seen to replay nothing: lag_ms is at least so much"},
        {"missing", "boolean", "expected (data.postgres.replicas), but not connected to the primary"},
        {"lag_ms", "number?", "0 when it lacks nothing; lag_is says what it is"},
        {"lag_is", "text", "what lag_ms is, and of what"},
        {"lag_bytes", "integer?", "of WAL that it has not replayed"},
        {"idle_ms", "number?",
         "since the transaction that it replayed last: no lag, it grows while nothing is written"},
        DETAIL,
        END,
};

static const ShapeMember replication[] = {
        {"state", "=healthy|degraded|unknown",
         "healthy: a primary, and every replica is near, neither paused nor stale"},
        {"lag_ms", "number?", "of the slowest replica; null: not known of each, or there is none"},
        {"lag_bytes", "integer?", "of the slowest replica"},
        {"primary", "boolean?", "the server that is configured is no standby itself"},
        {"expected", "integer?", "replicas that are configured"},
        {"replicas", "[]#replica", NULL},
        SAMPLE_AGE,
        DETAIL,
        END,
};

static const ShapeMember consistency[] = {
        {"state", "=none|running|passed|damaged|failed|stopped",
         "failed: it could not be told; stopped: by a run, or with the controller"},
        {"begun", "time?", NULL},
        {"ended", "time?", NULL},
        {"by", "text?", "who asked for it"},
        {"done", "integer?", "checks that are done"},
        {"total", "integer?", "checks there are; null: not known yet"},
        {"now", "text?", "what is being looked at"},
        {"problems", "integer?", "found until now"},
        {"findings", "[]text", "the first ones; also what could not be checked"},
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

static const ShapeMember receiver[] = {
        {"name", "text", NULL},
        {"form", "=alertmanager|notify|webhook|otlp", "what it is told in"},
        {"address", "text", "without user, password and query"},
        {"state", "=delivering|failing|gone|unused",
         "gone: it wants nothing any more; unused: it was told nothing yet"},
        {"waiting", "integer?", "messages that it has not got yet; null: the journal can't tell"},
        {"oldest", "time?", "when the oldest of them was made"},
        {"delivered_at", "time?", "when it last took one"},
        {"failing_since", "time?", NULL},
        {"error", "text?", "what it last said, when that was no yes, or why it could not be asked"},
        {"delivered", "integer", "messages, since the controller began"},
        {"failed", "integer", "tries, since the controller began"},
        {"dropped", "integer", "messages that were given up, since the controller began"},
        END,
};

static const ShapeMember receivers[] = {{"receivers", "[]#receiver", "in the configuration's order"}, END};

static const ShapeMember receiver_test[] = {
        {"name", "text", NULL},
        {"delivered", "boolean", NULL},
        {"detail", "text", "the answer's status, or why there was none"},
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
        {"incident", "#incident", "one was opened or has changed"},
        {"healing", "#healing", "a component that fails is healed, and how that ended"},
        {"consistency", "#consistency", "a check of the data goes on, or has ended"},
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
        {"hint", "text+", "how to have it done all the same"},
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
        OBJECT(run, "A deployment or a rollback"),
        OBJECT(step, "One step of a run"),
        OBJECT(plan, "The steps a run would take"),
        OBJECT(schema_gate, "What the database says of a release"),
        OBJECT(cancel, "What a cancel came to"),
        OBJECT(sample, "One measurement of the service"),
        OBJECT(decision, "A decision and its evidence"),
        OBJECT(decisions, "Decisions"),
        OBJECT(explanation, "A decision in plain words"),
        OBJECT(guard_answer, "One guard, asked"),
        OBJECT(immediate, "What triggers without a window"),
        OBJECT(replay, "A decision, recomputed from its evidence"),
        OBJECT(chain_head, "The chain of records"),
        OBJECT(validate, "Whether the last rollback helped"),
        OBJECT(check, "One of the questions of a validation"),
        OBJECT(incidents, "Incidents"),
        OBJECT(incident, "What a rollback, a hold or a manual review has opened"),
        OBJECT(incident_details, "All of one incident"),
        OBJECT(timeline_entry, "Something that happened"),
        OBJECT(difference, "What differs between two releases"),
        OBJECT(changed_file, "A file that differs"),
        OBJECT(changed_text, "The lines that differ"),
        OBJECT(unit_log, "What a release's units have logged"),
        OBJECT(log_line, "One line of it"),
        OBJECT(history, "Runs and deployments"),
        OBJECT(deployment, "A release was made current"),
        OBJECT(deployments, "Whether deployments are paused"),
        OBJECT(adopt, "The releases on this machine"),
        OBJECT(adopted_release, "One release on this machine"),
        OBJECT(health, "Health of all components"),
        OBJECT(arithmetic, "How the score came about"),
        OBJECT(component, "Health of one component"),
        OBJECT(metrics_history_sample, "One recorded measurement of the service"),
        OBJECT(metrics_history, "Recorded samples"),
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
        OBJECT(consistency, "The newest check of the data"),
        OBJECT(cache_clear, "What clearing the caches came to"),
        OBJECT(hook, "One command that was run"),
        OBJECT(receivers, "Who is told"),
        OBJECT(receiver, "One who is told"),
        OBJECT(receiver_test, "What became of a test message"),
        OBJECT(audit, "Who asked for what"),
        OBJECT(audit_entry, "One request to act"),
        OBJECT(session, "A browser's session"),
        OBJECT(events, "The event stream: each event's name, and the shape of its data"),
        OBJECT(healing, "A component that fails is healed"),
        OBJECT(reset, "Events were missed"),
        {"exposition", "Metrics of the controller itself, OpenMetrics", NULL, "text"},
        {"report", "An incident's report, Markdown", NULL, "text"},
        {"plot", "A picture, SVG", NULL, "text"},
        {"openapi", "An OpenAPI 3.1 document", NULL, "any"},
        OBJECT(problem, "Why a request was refused (RFC 9457)"),
        OBJECT(holder, "The process that has a lock"),
        {0},
};
