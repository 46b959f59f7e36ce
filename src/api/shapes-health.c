/* Health and metrics. */
#include "api/shapes-tables.h"

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
        MEASURED,
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

const Shape health_shapes[] = {
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
        {0},
};
