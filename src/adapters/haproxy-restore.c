/* Letting traffic through again: servers first, then the gate, so that what was parked finds somebody to serve it. Undoes what a
 * drain did and no more: a server that somebody else took out stays out, unless `everything` is to be given back. */
#include "adapters/haproxy-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RETRY_US (20 * USEC_PER_MSEC)
#define ASK_MAX_US (1000 * USEC_PER_MSEC)
#define COMMANDS_MAX 8192

typedef struct Restore {
        Op op;
        Haproxy *haproxy;
        LineCall *call;
        sd_event_source *timer;
        int64_t give_up_us;
        bool everything;
        Error nobody; /* set when all is given back and still no server takes requests */
        char detail[DETAIL_MAX];
} Restore;

static void restore_destroy(Op *op) {
        Restore *restore = (Restore *)op;
        line_cancel(restore->call);
        sd_event_source_disable_unref(restore->timer);
        op_finish_base(op);
        free(restore);
}

static int64_t ask_budget(const Restore *restore) {
        int64_t left_us = restore->give_up_us - haproxy_mono_us(restore->haproxy);
        if (left_us > ASK_MAX_US)
                return ASK_MAX_US;
        return left_us > USEC_PER_MSEC ? left_us : USEC_PER_MSEC;
}

static void restore_trouble(Restore *restore, const Error *error) {
        if (haproxy_may_return(error->code) && haproxy_mono_us(restore->haproxy) + RETRY_US < restore->give_up_us) {
                (void)sd_event_source_set_time_relative(restore->timer, (uint64_t)RETRY_US);
                (void)sd_event_source_set_enabled(restore->timer, SD_EVENT_ONESHOT);
                return;
        }
        OpResult result = {.status = error->code == -ETIMEDOUT ? OP_TIMED_OUT : OP_FAILED, .error = *error};
        op_complete(&restore->op, &result);
}

static void restore_done(Restore *restore) {
        Haproxy *haproxy = restore->haproxy;
        haproxy->held = haproxy->plain = false;
        haproxy->total_when_empty = -1;
        haproxy_backend_free(&haproxy->before);
        if (restore->nobody.code < 0)
                op_fail(&restore->op, &restore->nobody);
        else
                op_succeed(&restore->op, restore->detail);
}

/* A server's state when the hold began, which it is to have again; up, when we don't know: another process began it. */
static HaproxyServerState state_before(const Restore *restore, const char *name) {
        const Haproxy *haproxy = restore->haproxy;
        for (unsigned i = 0; i < haproxy->before.count && !restore->everything; i++)
                if (strcmp(haproxy->before.servers[i].name, name) == 0)
                        return haproxy->before.servers[i].state;
        return HAPROXY_UP;
}

/* Whether a drain of ours takes servers out, or only closes the gate. */
static bool drains_servers(const Restore *restore, const HaproxyView *view) {
        const Haproxy *haproxy = restore->haproxy;
        if (restore->everything)
                return true;
        return haproxy->held ? haproxy->plain : view->map == HAPROXY_MAP_UNKNOWN;
}

/* After a slow start, or an outage of the release that left, HAProxy may still think that the server is down: it mustn't wait for its
 * next health checks. `nobody` takes requests: then also one that was down before is tried; the release on it has just been verified. */
static int compose_server(const Restore *restore, const HaproxyServer *server, bool undrain, bool nobody, char *line,
                          size_t size) {
        const Haproxy *haproxy = restore->haproxy;
        HaproxyServerState before = state_before(restore, server->name);
        /* one in maintenance may be so for a reason of its own */
        bool may_be_drained = server->state == HAPROXY_DRAIN || server->state == HAPROXY_DOWN ||
                              (server->state == HAPROXY_MAINT && restore->everything && nobody);
        bool ready = undrain && may_be_drained && before != HAPROXY_DRAIN;
        bool trusted = before == HAPROXY_UP || (before == HAPROXY_DOWN && nobody);
        bool up = server->checked && trusted && (ready || server->state == HAPROXY_DOWN);
        int r = ready ? haproxy_append(line, size, "set server %s/%s state ready", haproxy->backend, server->name) : 0;
        return up && r == 0 ? haproxy_append(line, size, "set server %s/%s health up", haproxy->backend, server->name)
                            : r;
}

/* Once what was drained is given back. */
static bool nobody_is_up(const Restore *restore, const HaproxyView *view, bool undrain) {
        for (unsigned i = 0; i < view->backend.count; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                bool comes_back =
                        undrain && server->state == HAPROXY_DRAIN && state_before(restore, server->name) == HAPROXY_UP;
                if (server->state == HAPROXY_UP || comes_back)
                        return false;
        }
        return true;
}

static int compose(const Restore *restore, const HaproxyView *view, char *line, size_t size) {
        const Haproxy *haproxy = restore->haproxy;
        bool undrain = drains_servers(restore, view), nobody = nobody_is_up(restore, view, undrain);
        int r = 0;
        for (unsigned i = 0; i < view->backend.count && r == 0; i++)
                if (haproxy_is_ours(haproxy, view->backend.servers[i].name))
                        r = compose_server(restore, &view->backend.servers[i], undrain, nobody, line, size);
        if (r == 0 && view->map == HAPROXY_MAP_VALUE && view->deadline_ms != 0)
                r = haproxy_append(line, size, "set map %s %s 0", haproxy->gate_map, haproxy->backend);
        return r;
}

/* Nothing of ours keeps the traffic away, and still nobody would serve it. */
static void check_somebody_serves(const Restore *restore, const HaproxyView *view, Error *ret_nobody) {
        const Haproxy *haproxy = restore->haproxy;
        bool undrain = drains_servers(restore, view);
        const char *out = NULL;
        for (unsigned i = 0; i < view->backend.count; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                if (!haproxy_is_ours(haproxy, server->name))
                        continue;
                bool stays_out = (server->state == HAPROXY_MAINT && !restore->everything) ||
                                 (server->state == HAPROXY_DRAIN &&
                                  !(undrain && state_before(restore, server->name) != HAPROXY_DRAIN));
                if (!stays_out)
                        return;
                out = server->name;
        }
        if (haproxy_others_serve(haproxy, &view->backend))
                return;
        error_set(
                ret_nobody, -EBUSY,
                "HAProxy at %s: somebody has taken all servers of backend \"%s\" out; `echo 'set server %s/%s state ready' | socat - %s` brings one back",
                haproxy->socket, haproxy->backend, haproxy->backend, out ? out : "SERVER", haproxy->socket);
}

static void describe(Restore *restore, const HaproxyView *view) {
        Haproxy *haproxy = restore->haproxy;
        bool gate = !haproxy->plain;
        int64_t leaked = haproxy_total(haproxy, &view->backend) - haproxy->total_when_empty;
        if (gate && haproxy->held && haproxy->total_when_empty >= 0 && leaked > 0)
                snprintf(
                        restore->detail, sizeof restore->detail,
                        "traffic flows; %" PRId64
                        " requests got to backend %.80s past the closed gate: repeated after a refused connection, or is the gate's rule not in every frontend?",
                        leaked, haproxy->backend);
        else
                snprintf(restore->detail, sizeof restore->detail, "traffic flows");
}

static void on_said(void *userdata, const LineAnswer *answer) {
        Restore *restore = userdata;
        const Haproxy *haproxy = restore->haproxy;
        Error error = {0};
        char said[160];
        restore->call = NULL;
        if (answer->error.code < 0)
                error_set(&error, answer->error.code, "HAProxy: %s", error_text(&answer->error));
        else if (haproxy_complaint(answer->text, said, sizeof said)[0])
                error_set(&error, -EPROTO, "HAProxy at %s refused to restore backend \"%s\": %s%s", haproxy->socket,
                          haproxy->backend, said,
                          strstr(said, "ermission") ? " (the stats socket needs `level admin`)" : "");
        if (error.code < 0)
                restore_trouble(restore, &error);
        else
                restore_done(restore);
}

static void on_seen(void *userdata, const LineAnswer *answer) {
        Restore *restore = userdata;
        Haproxy *haproxy = restore->haproxy;
        HaproxyView view = {0};
        Error error = {0};
        char line[COMMANDS_MAX] = "";
        restore->call = NULL;
        int r = haproxy_view_read(haproxy, answer, &view, &error);
        if (r >= 0 && compose(restore, &view, line, sizeof line) < 0)
                r = error_set(&error, -E2BIG, "HAProxy at %s: too many servers in backend \"%s\" to restore at once",
                              haproxy->socket, haproxy->backend);
        if (r >= 0) {
                describe(restore, &view);
                check_somebody_serves(restore, &view, &restore->nobody);
                if (line[0])
                        r = haproxy_ask(haproxy, line, ask_budget(restore), on_said, restore, &restore->call, &error);
        }
        haproxy_view_done(&view);
        if (r < 0)
                restore_trouble(restore, &error);
        else if (!line[0])
                restore_done(restore);
}

static void restore_look(Restore *restore) {
        Error error = {0};
        if (haproxy_ask(restore->haproxy, restore->haproxy->view_command, ask_budget(restore), on_seen, restore,
                        &restore->call, &error) < 0)
                restore_trouble(restore, &error);
}

static int on_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        restore_look(userdata);
        return 0;
}

int haproxy_restore(void *self, bool everything, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                    Error *error) {
        Haproxy *haproxy = self;
        Restore *restore = calloc(1, sizeof *restore);
        if (!restore)
                return error_set(error, -ENOMEM, "HAProxy: out of memory");
        restore->haproxy = haproxy;
        restore->everything = everything;
        restore->give_up_us = haproxy_mono_us(haproxy) + budget_us - budget_us / 20;
        haproxy_keep_stop(haproxy); /* even if we never get through: the gate then opens by itself at its deadline */
        int r = op_begin(&restore->op, haproxy->context.event, "HAProxy restore", budget_us, callback, userdata,
                         restore_destroy);
        if (r >= 0)
                r = sd_event_add_time(haproxy->context.event, &restore->timer, CLOCK_BOOTTIME, 0, 1, on_timer, restore);
        if (r >= 0)
                r = sd_event_source_set_enabled(restore->timer, SD_EVENT_OFF);
        if (r < 0)
                error_set(error, r, "HAProxy: cannot begin to restore: %s", strerror(-r));
        else
                r = haproxy_ask(haproxy, haproxy->view_command, ask_budget(restore), on_seen, restore, &restore->call,
                                error);
        if (r < 0) {
                op_cancel(&restore->op);
                return r;
        }
        *ret_op = &restore->op;
        return 0;
}
