/* Draining: hold traffic back, then wait until nothing is in flight. Not a sleep: HAProxy's own counters say when. */
#include "adapters/haproxy-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define POLL_US (3 * USEC_PER_MSEC)
#define RETRY_US (20 * USEC_PER_MSEC)
#define ASK_MAX_US (1000 * USEC_PER_MSEC)
#define ABSENT_MAX_US (2 * USEC_PER_SEC) /* an HAProxy that was never there isn't waited for longer */
#define CUT_MARGIN_US (100 * USEC_PER_MSEC)
#define EMPTY_READS 2 /* one could fall between two requests of a connection */
#define COMMANDS_MAX 8192

typedef struct Drain {
        Op op;
        Haproxy *haproxy;
        HaproxyHold hold;
        LineCall *call;
        sd_event_source *timer;
        void (*next)(struct Drain *drain);    /* what the timer does */
        int64_t begun_us, cut_us, give_up_us; /* moments */
        bool reached;                         /* HAProxy has answered at least once */
        unsigned empty_reads;
        bool never_cut, cut, cut_refused;
        int64_t given_up; /* requests in flight when the rest was cut; never_cut: still in flight at the end */
} Drain;

static void drain_hold(Drain *drain);
static void drain_poll(Drain *drain);

static void drain_destroy(Op *op) {
        Drain *drain = (Drain *)op;
        haproxy_hold_cancel(&drain->hold);
        line_cancel(drain->call);
        sd_event_source_disable_unref(drain->timer);
        op_finish_base(op);
        free(drain);
}

static int on_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Drain *drain = userdata;
        drain->next(drain);
        return 0;
}

static void drain_later(Drain *drain, int64_t in_us, void (*next)(Drain *drain)) {
        drain->next = next;
        (void)sd_event_source_set_time_relative(drain->timer, (uint64_t)in_us);
        (void)sd_event_source_set_enabled(drain->timer, SD_EVENT_ONESHOT);
}

static int64_t ask_budget(const Drain *drain) {
        int64_t left_us = drain->give_up_us - haproxy_mono_us(drain->haproxy);
        if (left_us > ASK_MAX_US)
                return ASK_MAX_US;
        return left_us > USEC_PER_MSEC ? left_us : USEC_PER_MSEC;
}

/* HAProxy couldn't be asked, or said no. It may be restarting: then everything is said again. */
static void drain_trouble(Drain *drain, const Error *error) {
        int64_t now_us = haproxy_mono_us(drain->haproxy);
        bool absent_too_long = !drain->reached && error->code != -ETIMEDOUT && now_us - drain->begun_us > ABSENT_MAX_US;
        if (haproxy_may_return(error->code) && !absent_too_long && now_us + RETRY_US < drain->give_up_us) {
                drain->empty_reads = 0;
                drain_later(drain, RETRY_US, drain_hold);
                return;
        }
        OpResult result = {.status = error->code == -ETIMEDOUT ? OP_TIMED_OUT : OP_FAILED, .error = *error};
        op_complete(&drain->op, &result);
}

static void drain_done(Drain *drain, const HaproxyView *view) {
        Haproxy *haproxy = drain->haproxy;
        OpResult result = {.status = OP_DONE, .number = drain->given_up};
        int64_t waited_ms = (haproxy_mono_us(haproxy) - drain->begun_us) / USEC_PER_MSEC;
        haproxy->total_when_empty = haproxy_total(haproxy, &view->backend);
        char in_flight[112];
        if (drain->never_cut && drain->given_up > 0)
                snprintf(in_flight, sizeof in_flight, "%" PRId64 " requests are still in flight after %" PRId64 " ms",
                         drain->given_up, waited_ms);
        else if (drain->given_up > 0)
                snprintf(in_flight, sizeof in_flight, "%" PRId64 " requests in flight were %s after %" PRId64 " ms",
                         drain->given_up, drain->cut_refused ? "given up (HAProxy refused to cut them)" : "cut",
                         waited_ms);
        else
                snprintf(in_flight, sizeof in_flight, "nothing in flight after %" PRId64 " ms", waited_ms);
        const char *meanwhile = !haproxy->plain ? "requests are parked"
                                : haproxy_others_serve(haproxy, &view->backend)
                                        ? "no gate: the backend's other servers take the requests"
                                : haproxy->gate_map[0]
                                        ? "HAProxy has not loaded the gate's map: requests are refused (503) meanwhile"
                                        : "no gate is configured: requests are refused (503) meanwhile";
        snprintf(result.detail, sizeof result.detail, "%s; %s", in_flight, meanwhile);
        op_complete(&drain->op, &result);
}

static void on_cut(void *userdata, const LineAnswer *answer) {
        Drain *drain = userdata;
        drain->call = NULL;
        if (answer->error.code < 0) {
                Error error = {0};
                error_set(&error, answer->error.code, "HAProxy: %s", error_text(&answer->error));
                drain_trouble(drain, &error);
                return;
        }
        char said[16];
        drain->cut_refused =
                haproxy_complaint(answer->text, said, sizeof said)[0] != '\0'; /* the socket isn't `level admin` */
        drain_poll(drain);
}

/* What is still in flight has had its time, and others wait because of it. */
static void drain_cut(Drain *drain, const HaproxyView *view) {
        Haproxy *haproxy = drain->haproxy;
        char line[COMMANDS_MAX] = "";
        Error error = {0};
        int r = 0;
        if (!drain->cut)
                drain->given_up = haproxy_in_flight(haproxy, &view->backend);
        drain->cut = true; /* what HAProxy has not closed by the next look is shut again, but counted once */
        for (unsigned i = 0; i < view->backend.count && r == 0; i++) {
                const HaproxyServer *server = &view->backend.servers[i];
                if (haproxy_is_ours(haproxy, server->name) && server->in_flight > 0)
                        r = haproxy_append(line, sizeof line, "shutdown sessions server %s/%s", haproxy->backend,
                                           server->name);
        }
        if (r < 0 || !line[0]) { /* only queued ones are left, or too many servers: nothing we could shut */
                drain_done(drain, view);
                return;
        }
        r = haproxy_ask(haproxy, line, ask_budget(drain), on_cut, drain, &drain->call, &error);
        if (r < 0)
                drain_trouble(drain, &error);
}

/* While others are parked, what is in flight has until `park_cut`; with nobody waiting, until the budget is nearly spent. */
static int64_t cut_moment(const Drain *drain) {
        int64_t last_us = drain->give_up_us - CUT_MARGIN_US;
        return drain->haproxy->plain || drain->never_cut || drain->cut_us > last_us ? last_us : drain->cut_us;
}

static void drain_is_over(Drain *drain, const HaproxyView *view) {
        if (!drain->never_cut) {
                drain_cut(drain, view);
                return;
        }
        drain->given_up = haproxy_in_flight(drain->haproxy, &view->backend);
        drain_done(drain, view);
}

static void on_polled(void *userdata, const LineAnswer *answer) {
        Drain *drain = userdata;
        Haproxy *haproxy = drain->haproxy;
        HaproxyView view = {0};
        Error error = {0};
        drain->call = NULL;
        if (haproxy_view_read(haproxy, answer, &view, &error) < 0) {
                drain_trouble(drain, &error);
                return;
        }
        int64_t now_us = haproxy_mono_us(haproxy);
        drain->empty_reads = haproxy_in_flight(haproxy, &view.backend) == 0 ? drain->empty_reads + 1 : 0;
        if (drain->empty_reads >= EMPTY_READS || drain->cut_refused || (drain->cut && now_us >= drain->give_up_us))
                drain_done(drain, &view);
        else if (drain->empty_reads == 0 && now_us >= cut_moment(drain))
                drain_is_over(drain, &view);
        else
                drain_later(drain, POLL_US, drain_poll);
        haproxy_view_done(&view);
}

static void drain_poll(Drain *drain) {
        Error error = {0};
        if (haproxy_ask(drain->haproxy, drain->haproxy->view_command, ask_budget(drain), on_polled, drain, &drain->call,
                        &error) < 0)
                drain_trouble(drain, &error);
}

static void on_held(void *userdata, const Error *error) {
        Drain *drain = userdata;
        if (error->code < 0) {
                drain_trouble(drain, error);
                return;
        }
        drain->reached = true;
        int r = haproxy_keep_start(drain->haproxy);
        if (r < 0) {
                Error trouble = {0};
                error_set(&trouble, r, "HAProxy: cannot keep the gate closed: %s", strerror(-r));
                op_fail(&drain->op, &trouble);
                return;
        }
        drain_poll(drain);
}

static void drain_hold(Drain *drain) {
        Error error = {0};
        if (haproxy_hold_begin(&drain->hold, drain->haproxy, ask_budget(drain), on_held, drain, &error) < 0)
                drain_trouble(drain, &error);
}

int haproxy_drain(void *self, int64_t park_cut_us, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                  Error *error) {
        Haproxy *haproxy = self;
        Drain *drain = calloc(1, sizeof *drain);
        if (!drain)
                return error_set(error, -ENOMEM, "HAProxy: out of memory");
        drain->haproxy = haproxy;
        drain->begun_us = haproxy_mono_us(haproxy);
        drain->never_cut = park_cut_us < 0;
        drain->cut_us = drain->begun_us + park_cut_us;
        drain->give_up_us =
                drain->begun_us + budget_us - budget_us / 20; /* before the Op's own time-out, which can't say why */
        int r = op_begin(&drain->op, haproxy->context.event, "HAProxy drain", budget_us, callback, userdata,
                         drain_destroy);
        if (r >= 0)
                r = sd_event_add_time(haproxy->context.event, &drain->timer, CLOCK_BOOTTIME, 0, 1, on_timer, drain);
        if (r >= 0)
                r = sd_event_source_set_enabled(drain->timer, SD_EVENT_OFF);
        if (r < 0)
                error_set(error, r, "HAProxy: cannot begin to drain: %s", strerror(-r));
        else
                r = haproxy_hold_begin(&drain->hold, haproxy, ask_budget(drain), on_held, drain, error);
        if (r < 0) {
                op_cancel(&drain->op);
                return r;
        }
        *ret_op = &drain->op;
        return 0;
}
