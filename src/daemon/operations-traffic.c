/* Traffic, drained and given back by an operator: what is asked, and how it stands. */
#include "daemon/operations.h"

int op_traffic_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                      Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(status_traffic(self), ret_answer, problem);
}

int op_traffic_drain(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        Controller *controller = self;
        int64_t seconds = number_of(arguments, "timeout_seconds", 0);
        int64_t timeout_us = seconds > 0 ? seconds * USEC_PER_SEC : controller->config->budgets_us[STEP_DRAIN_TRAFFIC];
        return operator_drain_begin(controller, caller, timeout_us, reply, problem);
}

int op_traffic_restore(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        (void)arguments;
        return operator_restore_begin(self, caller, reply, problem);
}
