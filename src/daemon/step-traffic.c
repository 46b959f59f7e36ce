/* Steps 2 and 7: traffic. What an operator drained by hand stays drained; a run gives back only what it took. */
#include "base/clock.h"
#include "daemon/holds.h"
#include "daemon/steps.h"

#define LOOK_AGAIN_US (10 * USEC_PER_MSEC)
#define LOOK_MARGIN_US (200 * USEC_PER_MSEC)

static const TrafficDriver *driver(const StepOp *step) {
        return step->world->config->traffic_driver;
}

/* Who drained is written before the drain. In an emergency a journal that can't be written doesn't stop it. */
static int record_drain(StepOp *step, Error *error) {
        Hold hold = {.held = true, .run_id = step->run_id, .since_wall = clock_wall_us()};
        snprintf(hold.by, sizeof hold.by, "run %lld", (long long)step->run_id);
        snprintf(hold.why, sizeof hold.why, "%s", step->why);
        int r = hold_take(step->journal, HOLD_TRAFFIC, &hold, error);
        return step->mode == MODE_EMERGENCY ? 0 : r;
}

static void on_drained(StepOp *step, const OpResult *result) {
        OpResult answer = {.status = OP_DONE, .number = result->number};
        char stays[INITIATOR_MAX + 40] = "";
        if (step->drained_by[0])
                snprintf(stays, sizeof stays, "drained by %s, which stays; ", step->drained_by);
        if (result->number > 0)
                snprintf(answer.detail, sizeof answer.detail, "%s%lld requests still in flight were given up", stays,
                         (long long)result->number);
        else
                snprintf(answer.detail, sizeof answer.detail, "%s%s", stays,
                         result->detail[0] ? result->detail : "nothing in flight");
        op_complete(&step->op, &answer);
}

static void drain_now(StepOp *step, bool record) {
        Error error = {0};
        if (record && record_drain(step, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_expect(step, on_drained, NULL);
        int r = driver(step)->drain(step->world->traffic, step->world->config->drain_park_max_us,
                                    step_budget_left(step), step_on_child, step, &step->child, &error);
        step_began(step, r, &error);
}

/* ---- what an operator has drained stays so; what was in flight then may still be ---- */

static void look_again(StepOp *step);
static void on_traffic_before(StepOp *step, const OpResult *result);

static int on_pause(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        look_again(userdata);
        return 0;
}

/* As long as a drain of the run's own would wait. */
static bool waited_enough(const StepOp *step, bool gated) {
        int64_t waited = clock_mono_us() - step->begun_mono;
        return (gated && waited >= step->world->config->drain_park_max_us) || step_budget_left(step) <= LOOK_MARGIN_US;
}

static void on_looked_again(StepOp *step, const OpResult *result) {
        int64_t in_flight = result->traffic.in_flight;
        if (!result->traffic.drained) { /* given back meanwhile */
                on_traffic_before(step, result);
                return;
        }
        if (in_flight <= 0) {
                step_done(step, "already drained by %s, which stays; %s", step->drained_by,
                          in_flight == 0 ? "nothing in flight" : "how many are in flight isn't known");
                return;
        }
        if (waited_enough(step, result->traffic.gated)) {
                OpResult answer = {.status = OP_DONE, .number = in_flight};
                snprintf(answer.detail, sizeof answer.detail,
                         "already drained by %.80s, which stays; %lld requests still in flight were given up",
                         step->drained_by, (long long)in_flight);
                op_complete(&step->op, &answer);
                return;
        }
        step->pause = sd_event_source_disable_unref(step->pause);
        if (sd_event_add_time_relative(step->world->event, &step->pause, CLOCK_BOOTTIME, (uint64_t)LOOK_AGAIN_US, 1000,
                                       on_pause, step) < 0)
                step_done(step, "already drained by %s, which stays", step->drained_by);
}

static void look_again(StepOp *step) {
        Error error = {0};
        step_expect(step, on_looked_again, NULL);
        int r = driver(step)->query(step->world->traffic, step_budget_left(step), step_on_child, step, &step->child,
                                    &error);
        step_began(step, r, &error);
}

/* Drained, and by no run: an operator did it at the balancer itself. Written down, so that step 7 leaves it alone. */
static int record_drain_by_hand(StepOp *step, Hold *hold, Error *error) {
        if (hold->held)
                return 0;
        *hold = (Hold){.held = true,
                       .at_balancer = true,
                       .since_wall = clock_wall_us(),
                       .by = "an operator",
                       .why = "drained at the balancer itself"};
        return hold_take(step->journal, HOLD_TRAFFIC, hold, error);
}

static void on_traffic_before(StepOp *step, const OpResult *result) {
        Hold hold;
        Error error = {0};
        bool known = hold_read(step->journal, HOLD_TRAFFIC, &hold, &error) >= 0;
        bool a_runs = known && hold.held && hold.run_id != 0;
        if (known && hold.restoring) { /* nobody's any more: now it is the run's, which gives it back */
                drain_now(step, true);
                return;
        }
        if (known &&
            hold_stays(&hold)) { /* kept by a controller that may be gone: held here, too, and still the operator's */
                snprintf(step->drained_by, sizeof step->drained_by, "%s", hold.by);
                drain_now(step, false);
                return;
        }
        if (result->traffic.drained && !a_runs && known && record_drain_by_hand(step, &hold, &error) >= 0) {
                snprintf(step->drained_by, sizeof step->drained_by, "%s", hold.by);
                on_looked_again(step, result);
                return;
        }
        drain_now(step, true);
}

void step_drain(StepOp *step, const OpResult *result) {
        (void)result;
        if (!driver(step)) {
                step_done(step, "no balancer is configured: nothing to drain");
                return;
        }
        Error error = {0};
        step_expect(step, on_traffic_before, NULL);
        int r = driver(step)->query(step->world->traffic, step_budget_left(step), step_on_child, step, &step->child,
                                    &error);
        step_began(step, r, &error);
}

static void on_restored(StepOp *step, const OpResult *result) {
        Error error = {0};
        (void)hold_release(step->journal, HOLD_TRAFFIC, &error);
        step_done(step, "%s", result->detail[0] ? result->detail : "traffic flows");
}

/* A hold that isn't recorded at all (an emergency on a broken disk) counts as ours: flowing is the safer mistake. */
static bool drained_by_somebody_else(StepOp *step, Hold *ret_hold) {
        Error error = {0};
        return hold_read(step->journal, HOLD_TRAFFIC, ret_hold, &error) >= 0 && ret_hold->held && ret_hold->run_id == 0;
}

void step_restore_traffic(StepOp *step, const OpResult *result) {
        (void)result;
        Hold hold;
        if (!driver(step)) {
                step_done(step, "no balancer is configured: nothing to restore");
                return;
        }
        if (drained_by_somebody_else(step, &hold)) {
                step_done(step, "left drained: by %s", hold.by);
                return;
        }
        Error error = {0};
        step_expect(step, on_restored, NULL);
        int r = driver(step)->restore(step->world->traffic, false, step_budget_left(step), step_on_child, step,
                                      &step->child, &error);
        step_began(step, r, &error);
}

static void on_probed(StepOp *step, const OpResult *result) {
        Hold hold;
        Error error = {0};
        /* it died between the act and the record: what a run leaves behind would later be taken for a drain of a run's */
        if (!result->traffic.drained && hold_read(step->journal, HOLD_TRAFFIC, &hold, &error) >= 0 && hold.held &&
            hold.run_id == step->run_id)
                (void)hold_release(step->journal, HOLD_TRAFFIC, &error);
        step_answer(step, result->traffic.drained ? PROBE_NO : PROBE_YES);
}

static void on_probe_failed(StepOp *step, const OpResult *result) {
        (void)result;
        step_answer(step, PROBE_UNKNOWN);
}

void step_probe_restore_traffic(StepOp *step, const OpResult *result) {
        (void)result;
        if (!driver(step)) {
                step_answer(step, PROBE_YES);
                return;
        }
        Error error = {0};
        step_expect(step, on_probed, on_probe_failed);
        int r = driver(step)->query(step->world->traffic, step_budget_left(step), step_on_child, step, &step->child,
                                    &error);
        step_began(step, r, &error);
}
