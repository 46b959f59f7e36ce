#include "daemon/steps.h"

/* Always acted again: the preflight and the health check prove something about now; a drain must be asserted again after a
 * crash, because the gate frees itself when nobody extends its deadline. */
static void probe_never_done(StepOp *step, const OpResult *result) {
        (void)result;
        step_answer(step, PROBE_NO);
}

static const struct StepAction {
        StepStage *act;
        StepStage *probe;
} step_actions[STEP_COUNT] = {
        [STEP_PREFLIGHT] = {step_preflight, probe_never_done},
        [STEP_PAUSE_DEPLOYMENTS] = {step_pause, step_probe_pause},
        [STEP_DRAIN_TRAFFIC] = {step_drain, probe_never_done},
        [STEP_STOP_VERSION] = {step_stop, step_probe_stop},
        [STEP_RESTORE_VERSION] = {step_restore, step_probe_restore},
        [STEP_START_VERSION] = {step_start, step_probe_start},
        [STEP_VERIFY_HEALTH] = {step_verify, probe_never_done},
        [STEP_RESTORE_TRAFFIC] = {step_restore_traffic, step_probe_restore_traffic},
        [STEP_RESUME_DEPLOYMENTS] = {step_resume, step_probe_resume},
};

int step_act(const StepTools *tools, const StepCall *call, OpCallback callback, void *userdata, Op **ret_op,
             Error *error) {
        return step_op_begin(tools, call, step_actions[call->step].act, callback, userdata, ret_op, error);
}

int step_probe(const StepTools *tools, const StepCall *call, OpCallback callback, void *userdata, Op **ret_op,
               Error *error) {
        return step_op_begin(tools, call, step_actions[call->step].probe, callback, userdata, ret_op, error);
}
