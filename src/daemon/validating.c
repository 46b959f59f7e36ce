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
#define PICK_UP_MAX 16

static void note_verdict(Controller *controller, int64_t run_id, const char *verdict) {
        Error error = {0};
        if (controller->journal && journal_set_validation(controller->journal, run_id, verdict, NULL, &error) < 0)
                log_error("the validation of run %lld could not be journalled: %s", (long long)run_id,
                          error_text(&error));
}

void validating_begin(Controller *controller, const Run *run) {
        struct Validating *validating = &controller->validating;
        MetricsPulse pulse = {0};
        (void)watcher_pulse(controller->watcher, &pulse);
        validating->op = op_cancel(validating->op);
        *validating = (struct Validating){
                .run_id = run->id, .since_mono = clock_mono_us(), .requests_before = pulse.requests};
        memcpy(validating->expected, run->plan.to, sizeof validating->expected);
        note_verdict(controller, run->id, "pending");
}

void validating_drop(Controller *controller) {
        struct Validating *validating = &controller->validating;
        validating->op = op_cancel(validating->op);
        if (validating->run_id != 0)
                note_verdict(controller, validating->run_id, check_verdict_name(CHECK_NOT_VERIFIED));
        validating->run_id = 0;
}

typedef struct Pending {
        Journal *journal;
        unsigned seen, count;
        bool newest; /* runs[0] is the newest run there is */
        Run runs[PICK_UP_MAX];
} Pending;

static int collect_pending(void *userdata, const Run *run) {
        Pending *pending = userdata;
        char verdict[32] = "";
        Error error = {0};
        bool first = pending->seen++ == 0;
        if (journal_validation(pending->journal, run->id, verdict, sizeof verdict, NULL, &error) != 1 ||
            strcmp(verdict, "pending") != 0)
                return 0;
        pending->newest = pending->newest || first;
        pending->runs[pending->count++] = *run;
        return 0;
}

/* A validation lasts longer than the run, and a process may end in between: it is begun again while its run is the newest and its
 * target still live. Else nobody will ever know. */
void validating_pick_up(Controller *controller) {
        Error error = {0};
        AUTO_FREE Pending *pending = calloc(1, sizeof *pending);
        if (!pending || !controller->journal || controller->validating.run_id != 0)
                return;
        pending->journal = controller->journal;
        if (journal_runs(controller->journal, PICK_UP_MAX, collect_pending, pending, &error) < 0)
                return; /* the journal's trouble is told elsewhere */
        for (unsigned i = 0; i < pending->count; i++) {
                const Run *run = &pending->runs[i];
                bool live = strcmp(run->plan.to, controller->version) == 0 && !runner_run(controller->runner);
                if (i == 0 && pending->newest && live && controller->watcher)
                        validating_begin(controller, run);
                else
                        note_verdict(controller, run->id, check_verdict_name(CHECK_NOT_VERIFIED));
        }
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
        alert_set(controller, "validation",
                  validation.verdict == CHECK_FAILED
                          ? "the rollback did not help: its validation failed (auto-rollback validate says how)"
                          : NULL);
        note_verdict(controller, run_id, verdict);
        if (controller->journal && journal_run(controller->journal, run_id, &run, &error) == 1)
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
        if (strcmp(controller->version, validating->expected) != 0) { /* somebody has deployed meanwhile */
                validating_drop(controller);
                return;
        }
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
