/* Step 6: the service answers its health URL well, several times in a row. One good answer may be luck. When the budget ends, the
 * message says what the last answer was, not only that time is up (StepOp.what). */
#include "base/clock.h"
#include "daemon/steps.h"

#include <errno.h>

static void ask(StepOp *step);

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        StepOp *step = userdata;
        (void)source;
        (void)usec;
        ask(step);
        return 0;
}

static void ask_later(StepOp *step, int64_t after_us) {
        step->pause = sd_event_source_disable_unref(step->pause);
        int r = sd_event_add_time_relative(step->world->event, &step->pause, CLOCK_BOOTTIME, (uint64_t)after_us, 1,
                                           on_pause_over, step);
        if (r >= 0)
                return;
        Error error = {0};
        error_set(&error, r, "cannot set a timer for the next health request");
        op_fail(&step->op, &error);
}

/* A unit that has failed will not get healthy: no need to wait for the whole budget. */
static void on_units(StepOp *step, const OpResult *result) {
        if (result->units.failed && !result->units.alive) {
                Error error = {0};
                error_set(&error, -ESRCH, "%s died before it was healthy: %s", step->call.target, result->units.detail);
                op_fail(&step->op, &error);
                return;
        }
        ask_later(step, step->world->config->health_gap_us);
}

static void on_units_unknown(StepOp *step, const OpResult *result) {
        (void)result;
        ask_later(step, step->world->config->health_gap_us);
}

static void look_at_units(StepOp *step) {
        World *world = step->world;
        Error error = {0};
        step_expect(step, on_units, on_units_unknown);
        int r = world->config->units_driver->query(world->units, &step->target, step_budget_left(step), step_on_child,
                                                   step, &step->child, &error);
        step_began(step, r, &error);
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        StepOp *step = userdata;
        const Config *config = step->world->config;
        step->http = NULL;
        if (answer->code >= 200 && answer->code < 300) {
                if (++step->successes >= config->health_successes)
                        step_done(step, "healthy %lld times in a row", (long long)step->successes);
                else
                        ask_later(step, config->health_gap_us);
                return;
        }
        step->successes = 0;
        const char *title = step_spec(step->call.step)->title;
        if (answer->code == 0)
                snprintf(step->what, sizeof step->what, "%s (last: %.200s)", title, error_text(&answer->error));
        else
                snprintf(step->what, sizeof step->what, "%s (last: %.200s answered %d)", title, config->health_url,
                         answer->code);
        look_at_units(step);
}

static void ask(StepOp *step) {
        const Config *config = step->world->config;
        int64_t left = step_budget_left(step);
        const HttpRequest request = {.url = config->health_url, .answer_max = 1024 * 1024, .reuse = true};
        Error error = {0};
        int r = http_begin(step->world->http, &request,
                           left < config->health_timeout_us ? left : config->health_timeout_us, on_answer, step,
                           &step->http, &error);
        if (r < 0)
                op_fail(&step->op, &error);
}

void step_verify(StepOp *step, const OpResult *result) {
        (void)result;
        step->successes = 0;
        ask(step);
}
