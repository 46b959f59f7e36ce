/* What the files of the HAProxy driver share. haproxy.c opens, closes and queries; haproxy-hold.c closes the gate (or takes
 * servers out) and keeps it so; haproxy-drain.c waits until nothing is in flight; haproxy-restore.c lets traffic through again.
 *
 * The gate is a map entry <backend> = a moment (epoch ms) until which novacron-gate.lua parks requests. We keep moving that
 * moment `gate_horizon` ahead; if we die, the gate opens by itself. */
#pragma once

#include "adapters/adapter.h"
#include "adapters/haproxy-text.h"
#include "io/line-client.h"

typedef struct Haproxy Haproxy;

/* What HAProxy says at one moment. */
typedef struct HaproxyView {
        HaproxyBackend backend;
        HaproxyMap map;      /* of the gate's entry; UNKNOWN also when no gate is configured */
        int64_t deadline_ms; /* the entry's value */
        HaproxyMap park_map; /* of the entry that tells the gate how long a request may wait */
        int64_t park_ms;
} HaproxyView;

/* Closing the gate, or taking servers out: looks, then says what has to be said. Embedded in whoever needs it. */
typedef struct HaproxyHold HaproxyHold;
typedef void (*HaproxyHeld)(void *userdata, const Error *error); /* error->code 0: held */
struct HaproxyHold {
        Haproxy *haproxy;
        LineCall *call;
        int64_t budget_us, begun_us;
        HaproxyHeld callback;
        void *userdata;
};

struct Haproxy {
        DriverContext context;
        const char *socket, *gate_map;
        char backend[HAPROXY_NAME_MAX], park_key[HAPROXY_NAME_MAX + 16]; /* the map's keys */
        const char *const *servers;                                      /* empty: all of the backend */
        int64_t park_max_us, horizon_us;
        char *view_command, *query_command; /* the latter asks for the limits, too */

        bool held;             /* by this process: to be extended until restored */
        bool plain;            /* without the gate: requests are refused, not parked */
        HaproxyBackend before; /* as it was when the hold began; empty when we don't know */
        int64_t total_when_empty; /* requests given to the servers until nothing was in flight; -1: it never came to that */
        bool map_missing_warned;
        sd_event_source *keep_timer;
        HaproxyHold keep;
        bool keep_failing;
};

int64_t haproxy_mono_us(const Haproxy *haproxy);
int64_t haproxy_wall_ms(const Haproxy *haproxy);

/* Sends one line of commands. The callback is as line_begin()'s. */
int haproxy_ask(const Haproxy *haproxy, const char *commands, int64_t budget_us, LineCallback callback, void *userdata,
                LineCall **ret_call, Error *error);

/* Reads the answer to `view_command`; what the view holds is freed by haproxy_view_done(). Errors name socket and
 * backend; `error` may not be NULL. */
int haproxy_view_read(const Haproxy *haproxy, const LineAnswer *answer, HaproxyView *ret_view, Error *error);
void haproxy_view_done(HaproxyView *view);

bool haproxy_is_ours(const Haproxy *haproxy, const char *server);
int64_t haproxy_in_flight(const Haproxy *haproxy, const HaproxyBackend *backend);
int64_t haproxy_total(const Haproxy *haproxy, const HaproxyBackend *backend);
bool haproxy_others_serve(const Haproxy *haproxy,
                          const HaproxyBackend *backend); /* a server that isn't ours takes requests */

/* Whether it is worth asking again: HAProxy isn't there at this moment, it may be restarting. */
bool haproxy_may_return(int code);

/* Appends a command to a line of commands; -E2BIG when it is full. */
int haproxy_append(char *line, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

int haproxy_hold_begin(HaproxyHold *hold, Haproxy *haproxy, int64_t budget_us, HaproxyHeld callback, void *userdata,
                       Error *error);
void haproxy_hold_cancel(HaproxyHold *hold);

int haproxy_keep_start(Haproxy *haproxy); /* extends the hold until haproxy_keep_stop() */
void haproxy_keep_stop(Haproxy *haproxy);

int haproxy_drain(void *self, int64_t park_cut_us, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                  Error *error);
int haproxy_restore(void *self, bool everything, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                    Error *error);
