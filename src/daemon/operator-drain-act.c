/* What an operator has asked for, done at the balancer: the drain, the restore, and what came of it. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "daemon/operator-drain.h"

#define LOOK_BUDGET_US (2 * USEC_PER_SEC)
#define DRAIN_MARGIN_US (150 * USEC_PER_MSEC)

static const TrafficDriver *driver(const Controller *controller) {
        return controller->config->traffic_driver;
}

void operator_drain_tell(Controller *controller) {
        const OperatorDrain *drain = controller->operator_drain;
        bool closely = drain->op || drain->count > 0 || drain->taken;
        if (controller->watcher)
                watcher_follow_traffic(controller->watcher, closely);
        controller_tell(controller, "status", status_answer(controller));
}

/* ---- answers ---- */

static void describe(char *text, size_t size, const TrafficState *state, int64_t waited_us) {
        char after[112], meanwhile[160];
        if (state->in_flight > 0)
                snprintf(after, sizeof after, "%lld still in flight after %lld ms, which are left to end",
                         (long long)state->in_flight, (long long)(waited_us / USEC_PER_MSEC));
        else
                snprintf(after, sizeof after, "%s after %lld ms",
                         state->in_flight == 0 ? "nothing in flight" : "how many are in flight isn't known",
                         (long long)(waited_us / USEC_PER_MSEC));
        if (state->gated && state->park_max_us > 0)
                snprintf(meanwhile, sizeof meanwhile, "requests wait at the gate for at most %lld s, then get 503",
                         (long long)((state->park_max_us + USEC_PER_SEC - 1) / USEC_PER_SEC));
        else
                snprintf(meanwhile, sizeof meanwhile, "%s",
                         state->gated ? "requests wait at the gate" : "there is no gate: requests are refused");
        snprintf(text, size, "%s; until traffic is restored %s", after, meanwhile);
}

static void answer_waiter(Controller *controller, unsigned index, bool timed_out) {
        OperatorDrain *drain = controller->operator_drain;
        const Waiter waiter = drain->waiters[index];
        const TrafficState *state = watcher_traffic(controller->watcher);
        char detail[400] = "what is in flight isn't known: the balancer doesn't answer";
        if (state)
                describe(detail, sizeof detail, state, clock_mono_us() - waiter.begun_mono);
        drain->waiters[index] = drain->waiters[--drain->count];
        drain->timed_out = timed_out ? KNOWN_TRUE : KNOWN_FALSE;
        json_t *value = status_traffic(controller);
        if (value)
                json_object_set_new(value, "detail", json_string(detail));
        api_reply(waiter.reply, 200, value, NULL);
}

void operator_drain_refuse(OperatorDrain *drain, int status, int exit_code, const char *title, const char *detail) {
        while (drain->count > 0) {
                Problem problem = {0};
                problem_set(&problem, status, exit_code, title, "%s", detail);
                api_reply(drain->waiters[--drain->count].reply, 0, NULL, &problem);
        }
}

/* Nothing in flight answers all; else whose time is over is told how many there are. */
void operator_drain_answer(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        const TrafficState *state = watcher_traffic(controller->watcher);
        bool empty = drain->drained || (state && state->drained && state->in_flight == 0);
        for (unsigned i = drain->count; i-- > 0;)
                if (empty || clock_mono_us() >= drain->waiters[i].deadline_mono)
                        answer_waiter(controller, i, !empty);
}

/* ---- what was asked for, and what came of it ---- */

void operator_drain_forget(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        Error error = {0};
        if (hold_release(controller->journal, HOLD_TRAFFIC, &error) < 0) {
                log_error("who holds traffic back could not be taken out of the journal: %s", error_text(&error));
                drain->looked = false;
                return;
        }
        drain->hold = (Hold){0};
        drain->taken = drain->drained = false;
}

int operator_drain_note_restoring(Controller *controller, const char *by, Error *error) {
        OperatorDrain *drain = controller->operator_drain;
        Hold hold = {.held = true, .restoring = true, .since_wall = clock_wall_us(), .why = "being given back"};
        snprintf(hold.by, sizeof hold.by, "%s", by);
        int r = hold_take(controller->journal, HOLD_TRAFFIC, &hold, error);
        if (r < 0)
                return r;
        snprintf(drain->by, sizeof drain->by, "%s", by);
        drain->hold = hold;
        drain->looked = true;
        drain->taken = drain->drained = false;
        return 0;
}

/* What came of it is what the balancer says, not what the act said. */
static void look_after(Controller *controller, OpCallback callback) {
        OperatorDrain *drain = controller->operator_drain;
        Error error = {0};
        if (driver(controller)
                    ->query(controller->world->traffic, LOOK_BUDGET_US, callback, controller, &drain->op, &error) >= 0)
                return;
        const OpResult result = {.status = OP_FAILED, .error = error};
        callback(controller, &result);
}

static void on_restored(void *userdata, const OpResult *result);

int operator_drain_give_back(Controller *controller, Error *error) {
        OperatorDrain *drain = controller->operator_drain;
        int r = driver(controller)
                        ->restore(controller->world->traffic, drain->hold.run_id == 0 /* else only what the run took */,
                                  controller->config->budgets_us[STEP_RESTORE_TRAFFIC], on_restored, controller,
                                  &drain->op, error);
        drain->restoring = r >= 0;
        drain->again_mono = clock_mono_us() + OPERATOR_AGAIN_US;
        return r;
}

/* The drain has failed, so requests shall flow; the hold would only be in the way of the next run. */
static void undo_drain(Controller *controller, const Error *failure) {
        OperatorDrain *drain = controller->operator_drain;
        Error error = {0};
        const Hold hold = drain->hold;
        log_error("traffic could not be drained for %s: %s", hold.by, error_text(failure));
        operator_drain_refuse(drain, 503, EXIT_UNAVAILABLE, "Not drained", error_text(failure));
        if (!controller_at_rest(controller))
                return; /* traffic is a run's now */
        if (operator_drain_note_restoring(controller, hold.by, &error) < 0)
                log_error("that traffic is given back could not be journalled: %s", error_text(&error));
        drain->give_back = true;
        (void)operator_drain_give_back(controller, &error);
        operator_drain_tell(controller);
}

static void on_drain_looked(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        OperatorDrain *drain = controller->operator_drain;
        bool seen = result->status == OP_DONE;
        drain->op = NULL;
        if (seen)
                watcher_note_traffic(controller->watcher, &result->traffic);
        bool again = drain->taken; /* it was drained once: that it isn't now is tried again, not given up */
        bool held = seen ? result->traffic.drained : drain->failure.code == 0;
        if (!held && !again) {
                undo_drain(controller, drain->failure.code ? &drain->failure : &result->error);
                return;
        }
        drain->taken = true;
        alert_set(controller, "drain",
                  held                  ? NULL
                  : drain->failure.code ? error_text(&drain->failure)
                                        : "traffic doesn't stay drained, as an operator wants it: it is tried again");
        operator_drain_answer(controller);
        operator_drain_tell(controller);
}

static void on_drained(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        OperatorDrain *drain = controller->operator_drain;
        drain->op = NULL;
        drain->failure = result->status == OP_DONE ? (Error){0} : result->error;
        drain->drained = result->status == OP_DONE && result->number == 0;
        look_after(controller, on_drain_looked);
}

int operator_drain_act(Controller *controller, int64_t budget_us, Error *error) {
        OperatorDrain *drain = controller->operator_drain;
        drain->drained = drain->give_back = false;
        drain->again_mono = clock_mono_us() + OPERATOR_AGAIN_US;
        /* drivers keep a little of a budget for themselves: whoever waits shall have all of it */
        budget_us += budget_us / 16 + DRAIN_MARGIN_US;
        return driver(controller)
                ->drain(controller->world->traffic, -1, budget_us, on_drained, controller, &drain->op, error);
}

static void on_restore_looked(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        OperatorDrain *drain = controller->operator_drain;
        bool seen = result->status == OP_DONE;
        drain->op = NULL;
        drain->restoring = false;
        if (seen)
                watcher_note_traffic(controller->watcher, &result->traffic);
        bool flows = seen ? !result->traffic.drained : drain->failure.code == 0;
        const Error *failure = drain->failure.code ? &drain->failure : &result->error;
        char message[REASON_MAX];
        snprintf(message, sizeof message, "traffic could not be given back, it is tried again: %.300s",
                 failure->code ? error_text(failure) : "the balancer still holds it back");
        drain->give_back = !flows;
        if (flows)
                operator_drain_forget(controller);
        alert_set(controller, "drain", flows ? NULL : message);
        ApiReply *restorer = drain->restorer;
        drain->restorer = NULL;
        operator_drain_tell(controller);
        if (flows)
                log_info("traffic flows again: given back by %s", drain->by);
        if (!restorer)
                return;
        Problem problem = {0};
        if (!flows)
                problem_set(&problem, 503, EXIT_UNAVAILABLE, "Not restored", "%s", message);
        api_reply(restorer, 0, flows ? status_traffic(controller) : NULL, &problem);
}

static void on_restored(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        OperatorDrain *drain = controller->operator_drain;
        drain->op = NULL;
        drain->failure = result->status == OP_DONE ? (Error){0} : result->error;
        look_after(controller, on_restore_looked);
}
