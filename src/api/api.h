/* The control interface: HTTP with JSON over a Unix socket, served in the controller's own event loop. This room knows nothing
 * of the controller: it is given a table of operations and calls them. Every operation answers at once from what the
 * controller knows; what takes time (a run) is begun, and followed by the event stream.
 *
 * Shapes (all times RFC 3339 UTC with milliseconds; null, never 0, for what isn't known):
 *
 * run      { id, kind "deployment|rollback", mode "automatic|manual|emergency", from, to, reason, initiator, decision|null,
 *            phase "preflight|forward|undo|recovery|settle|succeeded|failed|holding",
 *            outcome "open|succeeded|refused|cancelled|undone|put_back|held",
 *            created, ended|null, duration_ms|null, failure "", serving|null, in_flight_cut, requests_failed|null,
 *            validation "pending|passed|failed|not_verified|null",
 *            steps [ step ], recovery [ step ] (empty unless it came to that) }
 * step     { step 0..8, key "drain_traffic", title "Drain traffic", budget_ms, critical,
 *            state "pending|acting|done|failed|timed_out|skipped", attempt, started|null, ended|null, duration_ms|null, detail }
 * sample   { start, end, measured, state "unknown|healthy|degraded", requests|null, errors|null, error_rate_percent|null,
 *            success_rate_percent|null, latency_p50_ms|null, latency_p99_ms|null, dropped, note, age_s }
 * status   { controller { version, pid, since, state "watching|running|breakglass" },
 *            version|null, version_problem|null,
 *            target|null { version, state "good|unproven|baking|failed", ready true|false|null, detail },
 *            deployment|null { id, version, previous|null, at, observed, armed, armed_until|null, state },
 *            deployments { paused, by|null, since|null, why|null },
 *            traffic { state "flowing|drained|unknown", in_flight|null, parked|null, gate true|false|null, by|null, detail },
 *            units { names [], state "active|failed|inactive|unknown", detail },
 *            health { state "healthy|unhealthy|unknown", since|null, url, detail },
 *            metrics { source, connected, detail, sample|null },
 *            window { expected, needed, degraded, unknown, samples [ sample ], verdict "words" },
 *            thresholds { error_rate_percent, latency_p99_ms, success_rate_percent, degradation_window_s },
 *            run|null, last_run|null, rollbacks_today, rollbacks_per_day,
 *            alerts [ { since, source, message } ] }
 * plan     { kind, mode, from, to, target_state, target_warning|null, ceiling_ms, gate true|false|null, steps [ step ],
 *            refused|null (why it could not run now) }
 * validate { verdict "passed|failed|not_verified", checks [ { key, title, verdict "passed|failed|not_verified", measured, limit } ],
 *            error_rate_percent|null, latency_p99_ms|null, success_rate_percent|null, note }
 * history  { runs [ run ], deployments [ { id, version, previous|null, at, observed, run|null } ] }
 * decision { id, at, kind "none|rollback|review", triggers [ "error_rate" ], guard "none|not_armed|...", guard_text, version|null,
 *            target|null, reason, expected, needed, degraded, unknown, samples [ sample ], rules { thresholds' members,
 *            interval_s, degraded_share_percent, min_requests, outage_window_s, restart_limit, armed_for_s, bake_for_s,
 *            rollbacks_per_day } }
 * problem  RFC 9457: { type, title, status, detail, instance, exit_code, and what the problem adds, e.g. holder { pid, since,
 *            why } }
 * Durations in ms may have decimals. Every JSON answer has the header Last-Event-ID: the newest event that it already
 * contains, so that a client which then opens the event stream with that id misses nothing. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* A reason or a why, in bytes; it must be one line. Only an emergency's is mended instead of refused: cut to this, control
 * characters made spaces, and when nothing is left REASON_NONE. */
#define REASON_TYPED_MAX 500
#define REASON_NONE "no reason given"

/* Who asks: from the socket's peer credentials. */
typedef struct Caller {
        uid_t uid;
        gid_t gid;
        pid_t pid;
        char name[96]; /* "root (uid 0)": what the audit trail and a run's initiator say */
        bool may_act;  /* root, the controller's own user, or a member of the configured group; else it may only read */
} Caller;

/* Why an operation said no. `status` is the HTTP status; `exit_code` is what the command line exits with (sysexits or ours). */
typedef struct Problem {
        int status;
        int exit_code;
        char title[96];
        char detail[ERROR_MESSAGE_MAX];
        json_t *extra; /* owned; members merged into the problem document; may be NULL */
} Problem;

/* `arguments`: the request's JSON object, or its query parameters; never NULL. Returns 0 and a new reference in *ret_answer,
 * or -1 with `problem` filled. */
typedef int ApiOperation(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                         Problem *problem);

typedef struct ApiOps {
        ApiOperation *status;  /* GET  /api/v3/status */
        ApiOperation *version; /* GET  /api/v3/version */
        ApiOperation *plan;    /* GET  /api/v3/plan ?kind=rollback|deployment &mode= &to= */
        ApiOperation
                *rollback;    /* POST /api/v3/rollback { mode "manual|emergency", reason, to?, expect_from? } -> run */
        ApiOperation *deploy; /* POST /api/v3/deploy { version, reason? } -> run */
        ApiOperation *run_show;   /* GET  /api/v3/rollback (newest), /api/v3/rollback/{id} -> run */
        ApiOperation *run_cancel; /* POST /api/v3/rollback/{id}/cancel -> { cancelled true|false, detail, run } */
        ApiOperation *history;    /* GET  /api/v3/history ?limit= */
        ApiOperation *decisions;  /* GET  /api/v3/decisions ?limit=, /api/v3/decisions/{id} */
        ApiOperation *validate;   /* GET  /api/v3/validate */
        ApiOperation *pause;      /* POST /api/v3/deployment/pause { why? } -> status.deployments */
        ApiOperation *resume;     /* POST /api/v3/deployment/resume */
        ApiOperation *deployment_status; /* GET /api/v3/deployment/status */
        ApiOperation *adopt;             /* POST /api/v3/adopt -> { releases [ { version, state, files, detail } ] } */
} ApiOps;

typedef struct ApiServer ApiServer;

/* Serves on the Unix socket at `path`: everybody on the machine may connect and read, `group`'s members may act ((gid_t)-1:
 * none) besides root and our own user. A stale socket is replaced, a live one is an error that names its owner. */
int api_server_new(sd_event *event, const char *path, gid_t group, const ApiOps *ops, void *self,
                   ApiServer **ret_server, Error *error);
ApiServer *api_server_free(ApiServer *server); /* NULL allowed; returns NULL */

/* Whether the socket's file is still there: without it nobody new can connect. One system call. */
bool api_server_in_place(const ApiServer *server);
/* Makes the socket anew, as api_server_new() did; who is connected stays so. On an error everything is as before. */
int api_server_listen_again(ApiServer *server, Error *error);

/* Tells every open event stream (GET /api/v3/events, server-sent events): type "run", "sample", "decision", "alert", "status".
 * Never blocks; NULL allowed. A stream that missed events is told "reset". */
void api_server_publish(ApiServer *server, const char *type, const json_t *event);

/* Requests under way, and streams that haven't been sent everything yet: at a shutdown the loop may be run until it is 0, or a
 * short deadline. NULL allowed. */
unsigned api_server_pending(const ApiServer *server);
