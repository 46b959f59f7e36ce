/* The control interface: HTTP with JSON over a Unix socket and TCP, served in the controller's own event loop. This room knows nothing
 * of the controller: it is given a table of operations and calls them. An operation answers at once from what the controller
 * knows (a run is begun, and followed by the event stream), or, when it must wait for the world, later, by api_reply().
 *
 * The shapes of all answers are in shapes-*.c, the routes that give them in routes.c; openapi.json is made from the two. Null,
 * never 0, stands for what isn't known.
 * Every JSON answer has the header Last-Event-ID: the newest event that it already contains, so that a client which then opens
 * the event stream with that id misses nothing. */
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

/* Who asks, and what they may. Reading and acting are separate rights; GET /api/v3/health* needs neither. */
typedef struct Caller {
        uid_t uid; /* (uid_t)-1: not known, as of a token's bearer */
        gid_t gid;
        pid_t pid; /* 0: not known */
        char name
                [96]; /* "root (uid 0)", "token deploy-bot", "anonymous": the audit trail's and a run's initiator's word */
        char whence[64]; /* "unix socket", "127.0.0.1:51234", "10.0.0.7:4711 (TLS)" */
        bool may_read, may_act;
} Caller;

/* Why an operation said no. `status` is the HTTP status; `exit_code` is what the command line exits with (sysexits or ours). */
typedef struct Problem {
        int status;
        int exit_code;
        char title[96];
        char detail[ERROR_MESSAGE_MAX];
        json_t *extra; /* owned; members merged into the problem document; may be NULL */
} Problem;

/* `arguments`: the request's JSON object, or its query parameters; never NULL; and what the route adds: "id" or "name" from the
 * path, "part" from the table. Returns 0 (or the HTTP status, when it isn't 200) and a new reference in *ret_answer; or -1
 * with `problem` filled. */
typedef int ApiOperation(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                         Problem *problem);

/* The same for what must wait for the world: 0, and api_reply() exactly once and later, from the event loop; or -1 at once. The
 * caller may hang up meanwhile: the reply is still to be given, and goes nowhere. */
typedef struct ApiReply ApiReply;
typedef int ApiSlowOperation(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply,
                             Problem *problem);
/* Takes over `answer`; NULL: `problem` is the answer (cleared by this). `status` 0: 200. */
void api_reply(ApiReply *reply, int status, json_t *answer, Problem *problem);

typedef struct ApiOps {
        /* reading */
        ApiOperation *status, *version, *plan, *ready, *run_show, *history, *decisions, *explain, *validate,
                *deployment_status;
        ApiOperation *health;          /* "name": one component; without: all. 503 when unhealthy */
        ApiOperation *metrics;         /* "part": summary, requests, latency, errors, connections, system */
        ApiOperation *metrics_history; /* recorded samples: "from", "to", "points" */
        ApiOperation *traffic_status, *consensus_status, *cluster_status, *database_replication, *consistency, *audit;
        ApiOperation *receivers;
        ApiOperation *incidents;       /* the newest; and how many are open */
        ApiOperation *incident;        /* all of one: "id" */
        ApiOperation *incident_report; /* the same as a text: Markdown */
        ApiOperation *incident_plot;   /* one metric of it, "name", as a text: SVG */
        ApiOperation *exposition;      /* a text: OpenMetrics of ourselves */
        /* acting */
        ApiOperation *incident_acknowledge, *incident_resolve;
        ApiOperation *rollback, *deploy, *run_cancel, *pause, *resume, *adopt, *consistency_check;
        ApiSlowOperation *traffic_drain, *traffic_restore, *force_election, *cache_clear;
        ApiSlowOperation *receiver_test; /* "name" */

        /* Every request to act, when it is answered, also one that was refused: for the audit trail. `arguments` NULL: it didn't come so far; `outcome`:
         * "200", or the problem's title. Never NULL. */
        void (*acted)(void *self, const Caller *caller, const char *method, const char *path, const json_t *arguments,
                      int status, const char *outcome);
} ApiOps;

/* Where to listen, and whom to believe; borrowed, must outlive the server. NULL or "" is: not that. */
typedef struct ApiSettings {
        const char *socket_path;          /* required */
        const char *group;                /* its members may act */
        const char *listen;               /* "127.0.0.1:8080": plain HTTP, loopback alone */
        const char *const *health_listen; /* "10.0.0.3:8080": GET /api/v3/health* alone, for anybody */
        const char *const *hosts;         /* names that a Host header may say */
        const char *tokens;               /* the file of hashes */
        const char *tls_listen, *tls_certificate, *tls_key, *tls_client_ca;
        bool (*tls_client)(void *self, const char *common_name, bool *ret_may_act); /* false: not one of ours */
        bool readers_group; /* on this machine only who may act may read */
        unsigned connections;
} ApiSettings;

typedef struct ApiServer ApiServer;

/* Serves on the Unix socket (everybody on the machine may connect; a stale one is replaced, a live one is an error that names
 * its owner), and as far as it can on the other addresses: api_server_look() tries those again. */
int api_server_new(sd_event *event, const ApiSettings *settings, const ApiOps *ops, void *self, ApiServer **ret_server,
                   Error *error);
ApiServer *api_server_free(ApiServer *server); /* NULL allowed; returns NULL */

/* To be called every few seconds: makes the Unix socket anew when its file is gone, and tries again what could not be listened on.
 * `problem` is called for each ("socket", "api", "api-tls", "api-health"), with NULL when all is well with it. */
void api_server_look(ApiServer *server, void (*problem)(void *userdata, const char *source, const char *message),
                     void *userdata);

/* While a run is under way requests wait a little (API_CALM_US), so that no flood of them delays it. NULL allowed. */
#define API_CALM_US 20000
void api_server_calm(ApiServer *server, bool calm);

/* Tells every open event stream (GET /api/v3/events, server-sent events); the types are those of `events` in shapes-events.c.
 * Never blocks; NULL allowed. A stream that missed events is told "reset". */
void api_server_publish(ApiServer *server, const char *type, const json_t *event);

/* Requests under way, and streams that haven't been sent everything yet: at a shutdown the loop may be run until it is 0, or a
 * short deadline. NULL allowed. */
unsigned api_server_pending(const ApiServer *server);
