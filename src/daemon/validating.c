/* Did the rollback help? Once enough requests were answered after it (or the window is over), a sample is taken and the
 * specification's criteria are checked; the answer belongs to the run for ever. */
#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "daemon/controller.h"

#include <errno.h>
#include <string.h>

#define SETTLE_US                                                                                                      \
        (1 *                                                                                                           \
         USEC_PER_SEC) /* what was parked arrives all at once: the first moments after a switch are not how the service does */
#define VALIDATE_AFTER_US (5 * USEC_PER_SEC)

void validating_begin(Controller *controller, const Run *run) {
        struct Validating *validating = &controller->validating;
        MetricsPulse pulse = {0};
        Error error = {0};
        (void)watcher_pulse(controller->watcher, &pulse);
        validating->op = op_cancel(validating->op);
        *validating = (struct Validating){
                .run_id = run->id, .since_mono = clock_mono_us(), .requests_before = pulse.requests};
        memcpy(validating->expected, run->plan.to, sizeof validating->expected);
        if (controller->journal && journal_set_validation(controller->journal, run->id, "pending", NULL, &error) < 0)
                log_error("the validation of run %lld could not be journalled: %s", (long long)run->id,
                          error_text(&error));
}

void validating_answer(Controller *controller, Validation *ret_validation) {
        const struct Validating *validating = &controller->validating;
        const UnitsState *units = controller->watcher ? watcher_units(controller->watcher) : NULL;
        const ProbeView *probe = prober_view(controller->prober);
        const Sample *newest = controller->watcher ? engine_newest(watcher_engine(controller->watcher)) : NULL;
        bool own = validating->sampled && (!newest || newest->end_mono < validating->sample.end_mono);
        const ValidationInput input = {
                .rules = &controller->config->rules,
                .expected_version = controller->deployment_known ? controller->deployment.version : NULL,
                .current_version = controller->version,
                .units_active = units ? (units->active ? KNOWN_TRUE : KNOWN_FALSE) : KNOWN_NOT,
                .units_detail = units ? units->detail : NULL,
                .probe_healthy = !probe->known                      ? KNOWN_NOT
                                 : probe->consecutive_failures == 0 ? KNOWN_TRUE
                                                                    : KNOWN_FALSE,
                .probe_detail = prober_detail(controller->prober),
                .sample = own ? &validating->sample : newest,
        };
        validate(&input, ret_validation);
}

static void finish(Controller *controller) {
        struct Validating *validating = &controller->validating;
        Validation validation;
        Run run;
        Error error = {0};
        int64_t run_id = validating->run_id;
        validating_answer(controller, &validation);
        validating->run_id = 0;
        const char *verdict = check_verdict_name(validation.verdict);
        log_info("run %lld: rollback validation: %s", (long long)run_id, verdict);
        for (unsigned i = 0; i < VALIDATE_COUNT; i++)
                if (validation.checks[i].verdict != CHECK_PASSED)
                        log_info("run %lld: %s: %s (%s, wanted %s)", (long long)run_id,
                                 check_verdict_name(validation.checks[i].verdict), validation.checks[i].title,
                                 validation.checks[i].measured, validation.checks[i].limit);
        if (validation.verdict == CHECK_FAILED)
                alert_set(controller, "validation",
                          "the rollback did not help: its validation failed (auto-rollback validate says how)");
        if (!controller->journal)
                return;
        if (journal_set_validation(controller->journal, run_id, verdict, NULL, &error) < 0)
                log_error("the validation of run %lld could not be journalled: %s", (long long)run_id,
                          error_text(&error));
        if (journal_run(controller->journal, run_id, &run, &error) == 1)
                controller_tell_run(controller, &run);
}

static void on_sample(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        controller->validating.op = NULL;
        if (result->status == OP_DONE) {
                controller->validating.sample = result->sample;
                controller->validating.sampled = true;
        }
        finish(controller);
}

/* From here on it counts, for the window, too. */
static void settle(Controller *controller, const MetricsPulse *pulse) {
        struct Validating *validating = &controller->validating;
        validating->settled = true;
        validating->since_mono = clock_mono_us();
        validating->requests_before = pulse->requests;
        watcher_resume(controller->watcher);
}

/* Every second: enough seen yet? */
void validating_look(Controller *controller) {
        struct Validating *validating = &controller->validating;
        const Rules *rules = &controller->config->rules;
        if (validating->run_id == 0 || validating->op)
                return;
        MetricsPulse pulse;
        if (!watcher_pulse(controller->watcher, &pulse)) {
                if (prober_view(controller->prober)->known)
                        finish(controller);
                return;
        }
        int64_t waited = clock_mono_us() - validating->since_mono;
        if (!validating->settled) {
                if (waited >= SETTLE_US)
                        settle(controller, &pulse);
                return;
        }
        int64_t wanted = VALIDATE_AFTER_US < rules->interval_us ? VALIDATE_AFTER_US : rules->interval_us;
        bool enough = waited >= wanted && pulse.requests - validating->requests_before >= rules->min_requests;
        if (!enough && waited < rules->window_us)
                return;
        const Sample *newest =
                engine_newest(watcher_engine(controller->watcher)); /* the window began when that had settled */
        if (newest &&
            engine_sample_usable(rules, newest)) { /* with a short interval: one taken now would hold next to nothing */
                finish(controller);
                return;
        }
        Error error = {0};
        int r = watcher_sample_now(controller->watcher, on_sample, controller, &validating->op, &error);
        if (r < 0 && r != -EBUSY)
                finish(controller);
}
