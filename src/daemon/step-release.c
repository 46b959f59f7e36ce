/* Step 4: first the schema, then configuration and `current`, each atomically; twice is once. */
#include "daemon/step-schema.h"
#include "daemon/steps.h"

static void switch_release(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        if (release_store_switch(step->world->releases, step->call.target, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_done(step, "%s is current", step->call.target);
}

void step_restore(StepOp *step, const OpResult *result) {
        (void)result;
        step_schema_bring(step, switch_release);
}

void step_probe_restore(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        int r = release_store_switched(step->world->releases, step->call.target, &error);
        if (r > 0)
                step_schema_probe(step);
        else
                step_answer(step, r < 0 ? PROBE_UNKNOWN : PROBE_NO);
}
