/* Step 4: configuration and `current` are switched, each atomically; twice is once. */
#include "daemon/steps.h"

void step_restore(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        if (release_store_switch(step->world->releases, step->call.target, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_done(step, "%s is current", step->call.target);
}

void step_probe_restore(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        int r = release_store_switched(step->world->releases, step->call.target, &error);
        step_answer(step, r < 0 ? PROBE_UNKNOWN : r > 0 ? PROBE_YES : PROBE_NO);
}
