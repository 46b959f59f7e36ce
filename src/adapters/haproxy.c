/* TrafficDriver "haproxy", over the runtime socket. Tried on HAProxy 2.6. */
#include "adapters/haproxy-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static const SettingSpec haproxy_settings[] = {
        {"socket", SETTING_PATH, NULL, 0, 0, NULL, "HAProxy's runtime socket (`stats socket ... level admin`)"},
        {"backend", SETTING_STRING, NULL, 0, 0, NULL, "the backend that serves the releases; also the gate's key"},
        {"servers", SETTING_LIST, "", 0, 0, NULL, "its servers that run the releases; all of them when absent"},
        {"gate_map", SETTING_PATH, "", 0, 0, NULL,
         "the map file of novacron-gate.lua; without it requests are refused while drained"},
        {"park_max", SETTING_DURATION, "15s", 100 * USEC_PER_MSEC, 300 * USEC_PER_SEC, NULL,
         "a parked request is answered 503 after this"},
        {"gate_horizon", SETTING_DURATION, "5s", 1 * USEC_PER_SEC, 60 * USEC_PER_SEC, NULL,
         "the gate opens by itself this long after we died"},
        {0},
};

int64_t haproxy_mono_us(const Haproxy *haproxy) {
        uint64_t now = 0;
        (void)sd_event_now(haproxy->context.event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

int64_t haproxy_wall_ms(const Haproxy *haproxy) {
        uint64_t now = 0;
        (void)sd_event_now(haproxy->context.event, CLOCK_REALTIME, &now);
        return (int64_t)now / USEC_PER_MSEC;
}

int haproxy_ask(const Haproxy *haproxy, const char *commands, int64_t budget_us, LineCallback callback, void *userdata,
                LineCall **ret_call, Error *error) {
        int r = line_begin(haproxy->context.event, haproxy->socket, commands, (size_t)4 * 1024 * 1024, budget_us,
                           callback, userdata, ret_call, error);
        if (r < 0)
                error_prefix(error, "HAProxy");
        return r;
}

int haproxy_append(char *line, size_t size, const char *format, ...) {
        size_t used = strlen(line);
        if (used > 0 && used + 1 < size)
                line[used++] = ';';
        va_list args;
        va_start(args, format);
        int more = vsnprintf(line + used, size - used, format, args);
        va_end(args);
        return more < 0 || (size_t)more >= size - used ? -E2BIG : 0;
}

bool haproxy_may_return(int code) {
        return code == -ENOENT || code == -ECONNREFUSED || code == -ECONNRESET || code == -EPIPE || code == -ETIMEDOUT;
}

/* ---- looking ---- */

bool haproxy_is_ours(const Haproxy *haproxy, const char *server) {
        for (const char *const *name = haproxy->servers; *name; name++)
                if (strcmp(*name, server) == 0)
                        return true;
        return !haproxy->servers[0];
}

int64_t haproxy_in_flight(const Haproxy *haproxy, const HaproxyBackend *backend) {
        int64_t sum = backend->queued;
        for (unsigned i = 0; i < backend->count; i++)
                if (haproxy_is_ours(haproxy, backend->servers[i].name))
                        sum += backend->servers[i].in_flight;
        return sum;
}

int64_t haproxy_total(const Haproxy *haproxy, const HaproxyBackend *backend) {
        int64_t sum = 0;
        for (unsigned i = 0; i < backend->count; i++)
                if (haproxy_is_ours(haproxy, backend->servers[i].name))
                        sum += backend->servers[i].total;
        return sum;
}

bool haproxy_others_serve(const Haproxy *haproxy, const HaproxyBackend *backend) {
        for (unsigned i = 0; i < backend->count; i++)
                if (!haproxy_is_ours(haproxy, backend->servers[i].name) && backend->servers[i].state == HAPROXY_UP)
                        return true;
        return false;
}

static bool has_server(const HaproxyBackend *backend, const char *name) {
        for (unsigned i = 0; i < backend->count; i++)
                if (strcmp(backend->servers[i].name, name) == 0)
                        return true;
        return false;
}

static int check_servers(const Haproxy *haproxy, const HaproxyBackend *backend, Error *error) {
        if (backend->count == 0)
                return error_set(error, -ENOENT, "the backend has no server");
        for (const char *const *name = haproxy->servers; *name; name++)
                if (!has_server(backend, *name))
                        return error_set(
                                error, -ENOENT,
                                "the backend has no server \"%s\"; `echo 'show servers conn %s' | socat - %s` lists them",
                                *name, haproxy->backend, haproxy->socket);
        return 0;
}

void haproxy_view_done(HaproxyView *view) {
        haproxy_backend_free(&view->backend);
}

int haproxy_view_read(const Haproxy *haproxy, const LineAnswer *answer, HaproxyView *ret_view, Error *error) {
        if (answer->error.code < 0) {
                error_set(error, answer->error.code, "HAProxy: %s", error_text(&answer->error));
                return answer->error.code;
        }
        HaproxyView view = {0};
        int r = haproxy_backend_parse(answer->text, &view.backend, error);
        if (r >= 0)
                r = check_servers(haproxy, &view.backend, error);
        if (r < 0) {
                haproxy_view_done(&view);
                error_prefix(error, "HAProxy at %s, backend \"%s\"", haproxy->socket, haproxy->backend);
                if (r == -ENOENT)
                        error->code = r = -ENXIO; /* ENOENT would read as a missing socket, which may come back */
                return r;
        }
        haproxy_backend_note_drained(&view.backend, answer->text);
        if (haproxy->gate_map[0]) {
                const char *map = haproxy_next_answer(answer->text);
                view.map = haproxy_map_parse(map, haproxy->backend, &view.deadline_ms);
                view.park_map = haproxy_map_parse(map, haproxy->park_key, &view.park_ms);
        }
        *ret_view = view;
        return 0;
}

/* ---- query ---- */

typedef struct Query {
        Op op;
        Haproxy *haproxy;
        LineCall *call;
} Query;

static void query_destroy(Op *op) {
        Query *query = (Query *)op;
        line_cancel(query->call);
        op_finish_base(op);
        free(query);
}

static void describe_state(const Haproxy *haproxy, const HaproxyView *view, unsigned out, unsigned down, unsigned ours,
                           TrafficState *state) {
        char *text = state->detail;
        size_t size = sizeof state->detail;
        if (state->drained && state->gated)
                snprintf(text, size, "the gate is closed for another %" PRId64 " ms%s",
                         view->deadline_ms - haproxy_wall_ms(haproxy),
                         haproxy->held ? " and kept so" : "; nobody here keeps it closed");
        else if (state->drained)
                snprintf(text, size, "all %u servers of %s are drained or in maintenance: requests are refused", ours,
                         haproxy->backend);
        else if (haproxy->gate_map[0] && view->map == HAPROXY_MAP_UNKNOWN)
                snprintf(
                        text, size,
                        "no gate: HAProxy has not loaded %s (see haproxy.cfg.example); requests are refused while drained",
                        haproxy->gate_map);
        else if (down + out == ours)
                snprintf(text, size, "no server of %s is up", haproxy->backend);
        else if (down + out > 0)
                snprintf(text, size, "%u of %u servers of %s are up", ours - down - out, ours, haproxy->backend);
        else
                snprintf(text, size, "flowing");
}

/* The `maxconn` of the servers that take requests; where one has none, HAProxy's own `maxconn`, which all frontends share and which
 * counts idle connections, too. */
static int64_t connection_limit(const Haproxy *haproxy, const HaproxyView *view, const char *answer) {
        int64_t sum = 0, global = 0;
        bool limited = false;
        for (unsigned i = 0; i < view->backend.count; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                if (!haproxy_is_ours(haproxy, server->name) || server->state == HAPROXY_MAINT)
                        continue;
                limited = server->limit > 0;
                if (!limited)
                        break;
                sum += server->limit;
        }
        if (haproxy_info_number(answer, "Maxconn", &global) < 0 || global == 0)
                return limited ? sum : -1;
        return limited && sum < global ? sum : global;
}

/* `gated` while flowing: a drain would park requests. */
static void read_state(const Haproxy *haproxy, const HaproxyView *view, const char *answer, TrafficState *ret_state) {
        unsigned ours = 0, out = 0, down = 0;
        for (unsigned i = 0; i < view->backend.count; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                if (!haproxy_is_ours(haproxy, server->name))
                        continue;
                ours++;
                out += server->state == HAPROXY_DRAIN || server->state == HAPROXY_MAINT;
                down += server->state == HAPROXY_DOWN;
        }
        bool closed = view->map == HAPROXY_MAP_VALUE && view->deadline_ms > haproxy_wall_ms(haproxy);
        *ret_state = (TrafficState){
                .drained = closed || out == ours,
                .gated = closed || (out < ours && haproxy->gate_map[0] && view->map != HAPROXY_MAP_UNKNOWN),
                .in_flight = haproxy_in_flight(haproxy, &view->backend),
                .parked = -1, /* HAProxy counts connections at the frontend, not requests at the gate */
                .limit = connection_limit(haproxy, view, answer),
                .park_max_us = haproxy->park_max_us,
        };
        describe_state(haproxy, view, out, down, ours, ret_state);
}

static void on_query_answer(void *userdata, const LineAnswer *answer) {
        Query *query = userdata;
        HaproxyView view = {0};
        OpResult result = {.status = OP_DONE};
        query->call = NULL;
        int r = haproxy_view_read(query->haproxy, answer, &view, &result.error);
        if (r < 0)
                result.status = answer->error.code == -ETIMEDOUT ? OP_TIMED_OUT : OP_FAILED;
        else
                read_state(query->haproxy, &view, answer->text, &result.traffic);
        haproxy_view_done(&view);
        op_complete(&query->op, &result);
}

static int haproxy_query(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                         Error *error) {
        Haproxy *haproxy = self;
        Query *query = calloc(1, sizeof *query);
        if (!query)
                return error_set(error, -ENOMEM, "HAProxy: out of memory");
        query->haproxy = haproxy;
        int r = op_begin(&query->op, haproxy->context.event, "HAProxy query", budget_us, callback, userdata,
                         query_destroy);
        if (r < 0)
                error_set(error, r, "HAProxy: cannot begin a query: %s", strerror(-r));
        else /* a little less than the Op's budget: the socket's own message says more */
                r = haproxy_ask(haproxy, haproxy->query_command, budget_us - budget_us / 20, on_query_answer, query,
                                &query->call, error);
        if (r < 0) {
                op_cancel(&query->op);
                return r;
        }
        *ret_op = &query->op;
        return 0;
}

/* ---- open, close ---- */

/* What goes into a command must not be able to end it and begin another. */
static int check_word(const char *key, const char *text, Error *error) {
        if (strpbrk(text, " \t\r\n;\\<#\""))
                return error_set(error, -EINVAL,
                                 "traffic.haproxy.%s: \"%s\" has characters that HAProxy's commands can't carry", key,
                                 text);
        return 0;
}

static int check_settings(const Settings *settings, Error *error) {
        const char *backend = settings_string(settings, "backend");
        int r = check_word("backend", backend, error);
        if (r == 0 && (!backend[0] || strlen(backend) >= HAPROXY_NAME_MAX))
                r = error_set(error, -EINVAL, "traffic.haproxy.backend: a name has 1 to %d characters",
                              HAPROXY_NAME_MAX - 1);
        if (r == 0)
                r = check_word("gate_map", settings_string(settings, "gate_map"), error);
        for (const char *const *name = settings_list(settings, "servers"); r == 0 && *name; name++)
                r = check_word("servers", *name, error);
        return r;
}

static void haproxy_close(void *self) {
        Haproxy *haproxy = self;
        haproxy_keep_stop(
                haproxy); /* a gate that is closed opens at its deadline: whoever takes over closes it again if it must */
        haproxy_backend_free(&haproxy->before);
        free(haproxy->view_command);
        free(haproxy->query_command);
        free(haproxy);
}

static int haproxy_open(const DriverContext *context, const Settings *settings, void **ret_self, Error *error) {
        int r = check_settings(settings, error);
        if (r < 0)
                return r;
        Haproxy *haproxy = calloc(1, sizeof *haproxy);
        if (!haproxy)
                return error_set(error, -ENOMEM, "HAProxy: out of memory");
        *haproxy = (Haproxy){
                .context = *context,
                .socket = settings_string(settings, "socket"),
                .gate_map = settings_string(settings, "gate_map"),
                .servers = settings_list(settings, "servers"),
                .park_max_us = settings_int(settings, "park_max"),
                .horizon_us = settings_int(settings, "gate_horizon"),
                .total_when_empty = -1,
        };
        snprintf(haproxy->backend, sizeof haproxy->backend, "%s", settings_string(settings, "backend"));
        snprintf(haproxy->park_key, sizeof haproxy->park_key, "%s:park_max", haproxy->backend);
        int length = haproxy->gate_map[0]
                             ? asprintf(&haproxy->view_command, "show stat %s 6 -1;show map %s;show servers state %s",
                                        haproxy->backend, haproxy->gate_map, haproxy->backend)
                             : asprintf(&haproxy->view_command, "show stat %s 6 -1;show servers state %s",
                                        haproxy->backend, haproxy->backend);
        if (length < 0)
                haproxy->view_command = NULL;
        else if (asprintf(&haproxy->query_command, "%s;show info", haproxy->view_command) < 0)
                haproxy->query_command = NULL;
        if (!haproxy->query_command) {
                haproxy_close(haproxy);
                return error_set(error, -ENOMEM, "HAProxy: out of memory");
        }
        *ret_self = haproxy;
        return 0;
}

const TrafficDriver haproxy_traffic_driver = {
        .name = "haproxy",
        .settings = haproxy_settings,
        .open = haproxy_open,
        .close = haproxy_close,
        .drain = haproxy_drain,
        .restore = haproxy_restore,
        .query = haproxy_query,
};
