/* Traffic that an operator holds back. Who drained is written before the drain, and stays until `restore`: over a run (which leaves it
 * drained) and over a restart (the gate opens by itself when a controller dies; its successor closes it again). That it
 * is given back is written before, too. What is in flight is never cut. One act at a time; who asks for a drain while one is under way is answered with it. */
#include "daemon/operator-drain.h"

#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"

#include <string.h>

/* ---- asked ---- */

static OperatorDrain *state_of(Controller *controller) {
        if (!controller->operator_drain)
                controller->operator_drain = calloc(1, sizeof *controller->operator_drain);
        return controller->operator_drain;
}

static int check_asked(Controller *controller, Problem *problem) {
        if (!controller->config->traffic_driver)
                return problem_set(problem, 501, EXIT_CONFIG, "No balancer",
                                   "no balancer is configured (traffic.driver): there is nothing to drain or restore");
        if (controller_refuse_during_run(controller, problem) < 0 || controller_unusable(controller, problem) < 0)
                return -1;
        if (!state_of(controller))
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory",
                                   "no memory left to keep what is asked");
        if (controller->operator_drain->restoring)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Traffic is being restored",
                                   "it is being given back at this moment, as %s asked; ask again in a moment",
                                   controller->operator_drain->by);
        return 0;
}

/* The first owner stays. */
static int take_hold(Controller *controller, const Caller *caller, Problem *problem) {
        OperatorDrain *drain = controller->operator_drain;
        Error error = {0};
        Hold hold;
        if (hold_read(controller->journal, HOLD_TRAFFIC, &hold, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(&error));
        if (!hold_stays(&hold)) {
                hold = (Hold){.held = true, .since_wall = clock_wall_us(), .why = "drained by an operator"};
                snprintf(hold.by, sizeof hold.by, "%s", caller->name);
                if (hold_take(controller->journal, HOLD_TRAFFIC, &hold, &error) < 0)
                        return problem_set(problem, 503, EXIT_IO, "Journal unusable", "%s", error_text(&error));
                drain->taken = false;
                log_info("traffic is drained, as %s asks; it stays so until it is restored", hold.by);
        } else
                drain->taken = true; /* should it fail now, what stands isn't given up */
        drain->hold = hold;
        drain->looked = true;
        return 0;
}

int operator_drain_begin(Controller *controller, const Caller *caller, int64_t timeout_us, ApiReply *reply,
                         Problem *problem) {
        Error error = {0};
        if (check_asked(controller, problem) < 0)
                return -1;
        OperatorDrain *drain = controller->operator_drain;
        if (drain->count == WAITERS_MAX)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Too many wait",
                                   "%d others wait for the drain already; GET /api/v3/traffic/status tells how it goes",
                                   WAITERS_MAX);
        if (take_hold(controller, caller, problem) < 0)
                return -1;
        if (!drain->op && operator_drain_act(controller, timeout_us, &error) < 0) {
                if (!drain->taken)
                        operator_drain_forget(controller);
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "Not drained", "%s", error_text(&error));
        }
        int64_t now = clock_mono_us();
        drain->waiters[drain->count++] = (Waiter){reply, now, now + timeout_us};
        operator_drain_tell(controller);
        return 0;
}

int operator_restore_begin(Controller *controller, const Caller *caller, ApiReply *reply, Problem *problem) {
        char message[INITIATOR_MAX + 64];
        Error error = {0};
        if (check_asked(controller, problem) < 0)
                return -1;
        OperatorDrain *drain = controller->operator_drain;
        if (operator_drain_note_restoring(controller, caller->name, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "Journal unusable", "%s", error_text(&error));
        drain->op = op_cancel(drain->op);
        snprintf(message, sizeof message, "%s has given traffic back meanwhile", caller->name);
        operator_drain_refuse(drain, 409, EXIT_CANCELLED, "Restored meanwhile", message);
        drain->give_back = true;
        if (operator_drain_give_back(controller, &error) < 0)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "Not restored", "%s; it is tried again",
                                   error_text(&error));
        drain->restorer = reply;
        operator_drain_tell(controller);
        return 0;
}

void operator_drain_yield(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        if (!drain || !(drain->restoring || drain->give_back))
                return;
        drain->op = op_cancel(drain->op);
        drain->restoring = drain->give_back =
                false; /* what is journalled stays: the run gives it back, or we do after it */
        drain->looked = false;
        ApiReply *restorer = drain->restorer;
        drain->restorer = NULL;
        if (!restorer)
                return;
        Problem problem = {0};
        problem_set(&problem, 409, EXIT_TRY_LATER, "A run is under way",
                    "a run has just begun; it gives traffic back when it ends");
        api_reply(restorer, 0, NULL, &problem);
}

/* ---- every second ---- */

static void look_at_hold(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        Error error = {0};
        if (drain->looked || hold_read(controller->journal, HOLD_TRAFFIC, &drain->hold, &error) < 0)
                return;
        drain->looked = true;
        drain->taken = drain->taken && hold_stays(&drain->hold);
        drain->give_back |= drain->hold.restoring;
        if (drain->hold.restoring)
                snprintf(drain->by, sizeof drain->by, "%s", drain->hold.by);
}

static bool must_drain(const Controller *controller) {
        const OperatorDrain *drain = controller->operator_drain;
        const TrafficState *state = watcher_traffic(controller->watcher);
        return hold_stays(&drain->hold) && (!drain->taken || (state && !state->drained));
}

static void drain_again(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        char since[CLOCK_TEXT_MAX];
        Error error = {0};
        log_warn("traffic is drained again: %s has drained it at %s, and it stays so until it is restored",
                 drain->hold.by, clock_format_rfc3339(drain->hold.since_wall, since, sizeof since));
        drain->taken = true;
        if (operator_drain_act(controller, controller->config->budgets_us[STEP_DRAIN_TRAFFIC], &error) < 0)
                alert_set(controller, "drain", error_text(&error));
}

void operator_drain_look(Controller *controller) {
        Error error = {0};
        if (controller->role != ROLE_DAEMON || !controller->config->traffic_driver || !controller->journal ||
            !state_of(controller))
                return;
        OperatorDrain *drain = controller->operator_drain;
        if (drain->count > 0)
                operator_drain_answer(controller);
        if (!controller_at_rest(controller)) {
                drain->looked = false; /* a run may change it */
                return;
        }
        if (drain->op)
                return;
        look_at_hold(controller);
        if (clock_mono_us() < drain->again_mono)
                return;
        if (drain->give_back)
                (void)operator_drain_give_back(controller, &error);
        else if (must_drain(controller))
                drain_again(controller);
}

void operator_drain_cancel(Controller *controller) {
        OperatorDrain *drain = controller->operator_drain;
        if (!drain)
                return;
        drain->op = op_cancel(drain->op);
        operator_drain_refuse(drain, 503, EXIT_UNAVAILABLE, "The controller ends",
                              "traffic stays drained as asked, but nobody waits for it any more");
        if (drain->restorer) {
                Problem problem = {0};
                problem_set(&problem, 503, EXIT_UNAVAILABLE, "The controller ends", "ask again when it is back");
                api_reply(drain->restorer, 0, NULL, &problem);
        }
        free(drain);
        controller->operator_drain = NULL;
}

const char *operator_drain_state(const Controller *controller) {
        const OperatorDrain *drain = controller->operator_drain;
        const TrafficState *state = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        if (!drain)
                return NULL;
        if (drain->restoring)
                return "restoring";
        bool flying = state && state->drained && state->in_flight > 0;
        return drain->count > 0 || (drain->taken && flying) || (drain->op && drain->hold.held) ? "draining" : NULL;
}

Tristate operator_drain_timed_out(const Controller *controller) {
        return controller->operator_drain ? controller->operator_drain->timed_out : KNOWN_NOT;
}
