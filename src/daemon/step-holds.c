/* Steps 1 and 8: deployments are paused and resumed. The pause is a record that `deploy` respects; a run undoes only its own. */
#include "base/clock.h"
#include "daemon/holds.h"
#include "daemon/steps.h"

void step_pause(StepOp *step, const OpResult *result) {
        (void)result;
        Hold hold;
        Error error = {0};
        if (hold_read(step->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        if (hold.held && hold.run_id != step->run_id) {
                step_done(step, "already paused by %s, which stays", hold.by);
                return;
        }
        hold = (Hold){.held = true, .run_id = step->run_id, .since_wall = clock_wall_us()};
        snprintf(hold.by, sizeof hold.by, "run %lld", (long long)step->run_id);
        snprintf(hold.why, sizeof hold.why, "%s", step->why);
        if (hold_take(step->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_done(step, "deployments paused");
}

void step_resume(StepOp *step, const OpResult *result) {
        (void)result;
        Hold hold;
        Error error = {0};
        int r = hold_read(step->journal, HOLD_DEPLOYMENTS, &hold, &error);
        if (r >= 0 && hold.held && hold.run_id != step->run_id) {
                step_done(step, "left paused: by %s", hold.by);
                return;
        }
        if (r >= 0)
                r = hold_release(step->journal, HOLD_DEPLOYMENTS, &error);
        if (r < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_done(step, "deployments resumed");
}

static void probe_hold(StepOp *step, bool want_ours) {
        Hold hold;
        Error error = {0};
        if (hold_read(step->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0)
                step_answer(step, PROBE_UNKNOWN);
        else
                step_answer(step, (hold.held && hold.run_id == step->run_id) == want_ours ? PROBE_YES : PROBE_NO);
}

void step_probe_pause(StepOp *step, const OpResult *result) {
        (void)result;
        probe_hold(step, true);
}

void step_probe_resume(StepOp *step, const OpResult *result) {
        (void)result;
        probe_hold(step, false);
}
