#include "io/op.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int on_deadline(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Op *op = userdata;
        OpResult result = {.status = OP_TIMED_OUT};
        error_set(&result.error, -ETIMEDOUT, "%s: no answer within its budget of %" PRId64 " ms", op->what,
                  op->budget_us / USEC_PER_MSEC);
        op_complete(op, &result);
        return 0;
}

int op_begin(Op *op, sd_event *event, const char *what, int64_t budget_us, OpCallback callback, void *userdata,
             void (*destroy)(Op *op)) {
        op->event = sd_event_ref(event);
        op->what = what;
        op->budget_us = budget_us;
        op->callback = callback;
        op->userdata = userdata;
        op->destroy = destroy;
        return sd_event_add_time_relative(event, &op->deadline, CLOCK_BOOTTIME, (uint64_t)budget_us, 1000, on_deadline,
                                          op);
}

void op_complete(Op *op, const OpResult *result) {
        OpCallback callback = op->callback;
        void *userdata = op->userdata;
        OpResult copy = *result; /* `result` may live inside the request */
        op->destroy(op);
        callback(userdata, &copy);
}

void op_succeed(Op *op, const char *detail) {
        OpResult result = {.status = OP_DONE};
        snprintf(result.detail, sizeof result.detail, "%s", detail ? detail : "");
        op_complete(op, &result);
}

void op_fail(Op *op, const Error *error) {
        OpResult result = {.status = OP_FAILED, .error = *error};
        op_complete(op, &result);
}

static int on_deferred(UNUSED sd_event_source *source, void *userdata) {
        Op *op = userdata;
        op_complete(op, op->early);
        return 0;
}

int op_complete_soon(Op *op, const OpResult *result) {
        op->early = malloc(sizeof *op->early);
        if (!op->early)
                return -ENOMEM;
        *op->early = *result;
        return sd_event_add_defer(op->event, &op->deferred, on_deferred, op);
}

Op *op_cancel(Op *op) {
        if (op)
                op->destroy(op);
        return NULL;
}

void op_finish_base(Op *op) {
        op->deadline = sd_event_source_disable_unref(op->deadline);
        op->deferred = sd_event_source_disable_unref(op->deferred);
        op->event = sd_event_unref(op->event);
        free(op->early);
        op->early = NULL;
}
