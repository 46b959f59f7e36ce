/* What the service works with: traffic, consensus, the nodes, the data. */
#include "api/shapes-tables.h"

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

const Shape cluster_shapes[] = {
        OBJECT(traffic, "Whether requests reach the service"),
        OBJECT(consensus, "The consensus cluster"),
        OBJECT(consensus_member, "One member of it"),
        OBJECT(election, "What a forced election came to"),
        OBJECT(cluster, "The nodes"),
        OBJECT(node, "One node"),
        OBJECT(replication, "How far the replicas are behind"),
        OBJECT(replica, "One replica"),
        OBJECT(consistency, "The newest check of the data"),
        {0},
};
