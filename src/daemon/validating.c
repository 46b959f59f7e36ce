/* Did the rollback help? Once enough requests were answered after it (or the window is over), a sample is taken and the
 * specification's criteria are checked; the answer belongs to the run for ever. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "core/names.h"
#include "core/words.h"
#include "daemon/incidents.h"

#include <errno.h>
#include <string.h>

#define SETTLE_US                                                                                                      \
        (1 *                                                                                                           \
         USEC_PER_SEC) /* what was parked arrives all at once: the first moments after a switch are not how the service does */
#define VALIDATE_AFTER_US (5 * USEC_PER_SEC)
#define PICK_UP_MAX 16

/* `answer`: the whole of it, as JSON; may be NULL. */
static void note_verdict(Controller *controller, int64_t run_id, const char *verdict, const char *answer) {
        Error error = {0};
        if (controller->journal && journal_set_validation(controller->journal, run_id, verdict, answer, &error) < 0)
                log_error("the validation of run %lld could not be journalled: %s", (long long)run_id,
                          error_text(&error));
}

void validating_begin(Controller *controller, const Run *run) {
        struct Validating *validating = &controller->validating;
        MetricsPulse pulse = {0};
        (void)watcher_pulse(controller->watcher, &pulse);
        validating->op = op_cancel(validating->op);
        *validating = (struct Validating){.run_id = run->id,
                                          .ended_wall = run->ended_wall,
                                          .since_mono = clock_mono_us(),
                                          .requests_before = pulse.requests};
        memcpy(validating->expected, run->plan.to, sizeof validating->expected);
        note_verdict(controller, run->id, "pending", NULL);
}

void validating_drop(Controller *controller) {
        struct Validating *validating = &controller->validating;
        validating->op = op_cancel(validating->op);
        if (validating->run_id != 0)
                note_verdict(controller, validating->run_id, check_verdict_name(CHECK_NOT_VERIFIED), NULL);
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
                        note_verdict(controller, run->id, check_verdict_name(CHECK_NOT_VERIFIED), NULL);
        }
}

void validating_answer(Controller *controller, Validation *ret_validation) {
        const struct Validating *validating = &controller->validating;
        const Sample *newest = controller->watcher ? engine_newest(watcher_engine(controller->watcher)) : NULL;
        bool own = validating->sampled && (!newest || newest->end_mono < validating->sample.end_mono);
        validation_judge(controller, own ? &validating->sample : newest, ret_validation);
}

/* Which ones, with their numbers: whoever is woken needs to know what is wrong, not that something is. */
static void tell_failed(Controller *controller, const Validation *validation) {
        char message[REASON_MAX] = "";
        words_append(message, sizeof message, "the validation of the rollback failed (auto-rollback validate): ");
        const char *separator = "";
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                const ValidationCheck *check = &validation->checks[i];
                if (check->verdict != CHECK_FAILED)
                        continue;
                words_append(message, sizeof message, "%s%s: %s, wanted %s", separator, check->title, check->measured,
                             check->limit);
                separator = "; ";
        }
        alert_set(controller, "validation", message);
}

static void log_what_is_off(int64_t run_id, const Validation *validation) {
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                const ValidationCheck *check = &validation->checks[i];
                if (check->verdict == CHECK_FAILED || check->verdict == CHECK_NOT_VERIFIED)
                        log_info("run %lld: %s: %s (%s, wanted %s)", (long long)run_id,
                                 check_verdict_name(check->verdict), check->title, check->measured, check->limit);
        }
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
        log_what_is_off(run_id, &validation);
        if (validation.verdict == CHECK_FAILED)
                tell_failed(controller, &validation);
        else
                alert_set(controller, "validation", NULL);
        json_t *answer = wire_validation(&validation, NULL);
        AUTO_FREE char *text = json_dumps(answer, JSON_COMPACT);
        json_decref(answer);
        note_verdict(controller, run_id, verdict, text);
        if (controller->journal && journal_run(controller->journal, run_id, &run, &error) == 1) {
                incidents_validated(controller, &run, &validation);
                controller_tell_run(controller, &run);
        }
}

/* One bad sample is no reason to wake anybody: what failed is looked at again with each new one, until the window is over. */
static void judge(Controller *controller) {
        struct Validating *validating = &controller->validating;
        const Sample *newest = engine_newest(watcher_engine(controller->watcher));
        Validation validation;
        validating_answer(controller, &validation);
        validating->judged_mono = newest ? newest->end_mono : validating->sample.end_mono;
        if (validation.verdict != CHECK_FAILED ||
            clock_mono_us() - validating->since_mono >= controller->config->rules.window_us)
                finish(controller);
}

static void on_sample(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        controller->validating.op = NULL;
        if (result->status == OP_DONE) {
                controller->validating.sample = result->sample;
                controller->validating.sampled = true;
        }
        judge(controller);
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
        int64_t waited = clock_mono_us() - validating->since_mono;
        bool fresh = validation_health_fresh(controller, validating->ended_wall);
        if (!watcher_pulse(controller->watcher, &pulse)) {
                if (prober_view(controller->prober)->known && (fresh || waited >= rules->window_us))
                        judge(controller);
                return;
        }
        if (!validating->settled) {
                if (waited >= SETTLE_US)
                        settle(controller, &pulse);
                return;
        }
        int64_t wanted = VALIDATE_AFTER_US < rules->interval_us ? VALIDATE_AFTER_US : rules->interval_us;
        bool enough = waited >= wanted && fresh && pulse.requests - validating->requests_before >= rules->min_requests;
        if (!enough && waited < rules->window_us)
                return;
        const Sample *newest =
                engine_newest(watcher_engine(controller->watcher)); /* the window began when that had settled */
        if (newest && engine_sample_usable(rules, newest) &&
            (newest->end_mono > validating->judged_mono || waited >= rules->window_us)) {
                judge(controller);
                return;
        }
        if (validating->judged_mono != 0 && waited < rules->window_us)
                return; /* with a short interval one taken now would hold next to nothing */
        Error error = {0};
        int r = watcher_sample_now(controller->watcher, on_sample, controller, &validating->op, &error);
        if (r < 0 && r != -EBUSY)
                finish(controller);
}
