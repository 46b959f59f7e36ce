#include "daemon/step-op.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void destroy(Op *op) {
        StepOp *step = (StepOp *)op;
        step->first = sd_event_source_disable_unref(step->first);
        step->pause = sd_event_source_disable_unref(step->pause);
        step->child = op_cancel(step->child);
        step->http = http_cancel(step->http);
        op_finish_base(op);
        free(step->schema);
        free(step);
}

static int on_first(sd_event_source *source, void *userdata) {
        StepOp *step = userdata;
        (void)source;
        step->first = sd_event_source_disable_unref(step->first);
        step->next(step, NULL);
        return 0;
}

static int resolve_units(StepOp *step, Error *error) {
        const Config *config = step->world->config;
        if (step->call.leaving[0] != '\0') {
                int r = config_units(config, step->call.leaving, &step->leaving, error);
                if (r < 0)
                        return r;
        }
        if (step->call.target[0] == '\0')
                return 0;
        return config_units(config, step->call.target, &step->target, error);
}

int step_op_begin(const StepTools *tools, const StepCall *call, StepStage *first, OpCallback callback, void *userdata,
                  Op **ret_op, Error *error) {
        StepOp *step = calloc(1, sizeof *step);
        if (!step)
                return error_set(error, -ENOMEM, "out of memory");
        step->world = tools->world;
        step->journal = tools->journal;
        step->call = *call;
        step->run = tools->run;
        step->progress = tools->progress;
        step->progress_userdata = tools->userdata;
        step->run_id = tools->run->id;
        step->kind = tools->run->plan.kind;
        step->mode = tools->run->plan.mode;
        memcpy(step->why, tools->run->reason, sizeof step->why);
        step->next = first;
        step->begun_mono = clock_mono_us();

        snprintf(step->what, sizeof step->what, "%s", step_spec(call->step)->title);
        int r = op_begin(&step->op, tools->world->event, step->what, call->budget_us, callback, userdata, destroy);
        if (r >= 0) {
                r = resolve_units(step, error);
                if (r >= 0)
                        r = sd_event_add_defer(tools->world->event, &step->first, on_first, step);
        }
        if (r < 0) {
                if (error && error->code == 0)
                        error_set(error, r, "cannot set up the step: %s", strerror(-r));
                destroy(&step->op);
                return r;
        }
        *ret_op = &step->op;
        return 0;
}

int64_t step_budget_left(const StepOp *step) {
        int64_t left = step->call.budget_us - (clock_mono_us() - step->begun_mono);
        return left > 0 ? left : 1;
}

void step_expect(StepOp *step, StepStage *next, StepStage *on_failure) {
        step->next = next;
        step->on_failure = on_failure;
}

void step_on_child(void *userdata, const OpResult *result) {
        StepOp *step = userdata;
        step->child = NULL;
        if (result->status == OP_DONE)
                step->next(step, result);
        else if (step->on_failure)
                step->on_failure(step, result);
        else
                op_complete(&step->op, result);
}

void step_began(StepOp *step, int begun, const Error *error) {
        if (begun >= 0)
                return;
        OpResult result = {.status = OP_FAILED, .error = *error};
        step->child = NULL;
        step_on_child(step, &result);
}

void step_done(StepOp *step, const char *format, ...) {
        OpResult result = {.status = OP_DONE};
        int used = snprintf(result.detail, sizeof result.detail, "%s", step->note);
        if (used < 0 || (size_t)used >= sizeof result.detail)
                used = 0;
        va_list args;
        va_start(args, format);
        vsnprintf(result.detail + used, sizeof result.detail - (size_t)used, format, args);
        va_end(args);
        op_complete(&step->op, &result);
}

void step_answer(StepOp *step, ProbeAnswer answer) {
        OpResult result = {.status = OP_DONE, .number = answer};
        op_complete(&step->op, &result);
}
