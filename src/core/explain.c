#include "core/explain.h"

#include "core/names.h"
#include "core/words.h"

#include <inttypes.h>
#include <string.h>

void explain_window(const Decision *decision, char *text, size_t size) {
        char share[WORDS_MAX];
        text[0] = '\0';
        if (decision->expected == 0) {
                words_append(text, size, "no window was judged");
                return;
        }
        int64_t product = decision->rules.degraded_share_ppm * decision->expected; /* in millionths */
        words_append(text, size, "%u of %u samples degraded, %u needed (%s of %u is %" PRId64 ".%02" PRId64 "%s)",
                     decision->degraded, decision->expected, decision->needed,
                     words_ratio(decision->rules.degraded_share_ppm, share), decision->expected, product / PPM,
                     product % PPM / (PPM / 100), product % PPM == 0 ? "" : ", rounded up");
        if (decision->unknown > 0)
                words_append(text, size, "; %u unknown, which count as not degraded", decision->unknown);
}

/* ---- one sample ---- */

static void say_metric(const char *name, MetricState state, const char *measured, const char *limit, bool at_most,
                       char *text, size_t size) {
        const char *relation = state == METRIC_EXCEEDED  ? (at_most ? "is more than" : "is less than")
                               : state == METRIC_HEALTHY ? (at_most ? "is at most" : "is at least")
                                                         : "may be on either side of";
        words_append(text, size, "%s%s %s %s %s", text[0] ? "; " : "", name, measured, relation, limit);
}

static void say_unusable(const Rules *rules, const Sample *sample, char *text, size_t size) {
        if (!sample->measured)
                words_append(text, size, "not measured%s%s", sample->note[0] ? ": " : "", sample->note);
        else if (sample->requests < rules->min_requests || sample->requests == 0)
                words_append(text, size, "%" PRId64 " requests, fewer than %" PRId64 ": too few to say anything",
                             sample->requests, rules->min_requests);
        else
                words_append(text, size, "its numbers contradict each other");
}

void explain_sample(const Rules *rules, const Sample *sample, char *text, size_t size) {
        SampleJudgement judgement;
        char measured[WORDS_MAX], limit[WORDS_MAX];
        text[0] = '\0';
        if (!engine_sample_usable(rules, sample)) {
                say_unusable(rules, sample, text, size);
                return;
        }
        engine_judge_sample(rules, sample, &judgement);
        words_append(text, size, "%" PRId64 " requests, %" PRId64 " failed", sample->requests, sample->errors);
        say_metric(trigger_name(TRIGGER_ERROR_RATE), judgement.error_rate,
                   words_percent(judgement.error_rate_ppm, 2, measured), words_ratio(rules->error_rate_ppm, limit),
                   true, text, size);
        if (judgement.latency_p99_us < 0)
                words_append(text, size, "; %s not known", trigger_name(TRIGGER_LATENCY_P99));
        else
                say_metric(trigger_name(TRIGGER_LATENCY_P99), judgement.latency_p99,
                           words_duration(judgement.latency_p99_us, measured),
                           words_duration(rules->latency_p99_us, limit), true, text, size);
        say_metric(trigger_name(TRIGGER_SUCCESS_RATE), judgement.success_rate,
                   words_percent(judgement.success_rate_ppm, 2, measured), words_ratio(rules->success_rate_ppm, limit),
                   false, text, size);
        if (sample->dropped > 0)
                words_append(text, size, "; %" PRId64 " requests were lost sight of, and count as good and as bad",
                             sample->dropped);
}

/* ---- guards ---- */

/* "24 h", "90 s" */
static const char *span(int64_t us, char buffer[WORDS_MAX]) {
        int64_t seconds = us / USEC_PER_SEC;
        if (us > 0 && us % (3600 * USEC_PER_SEC) == 0)
                snprintf(buffer, WORDS_MAX, "%" PRId64 " h", seconds / 3600);
        else if (seconds >= 7200)
                snprintf(buffer, WORDS_MAX, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
        else if (seconds >= 600)
                snprintf(buffer, WORDS_MAX, "%" PRId64 " min", seconds / 60);
        else
                words_duration(us, buffer);
        return buffer;
}

static void say_triggers(unsigned triggers, char *text, size_t size) {
        const char *separator = "";
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1)
                if (triggers & bit) {
                        words_append(text, size, "%s%s", separator, trigger_name((Trigger)bit));
                        separator = ", ";
                }
        if (triggers == 0)
                words_append(text, size, "nothing");
}

static void say_armed(const PolicyInput *input, bool forbids, char *text, size_t size) {
        char age[WORDS_MAX], limit[WORDS_MAX];
        if (input->rules->armed_for_us == 0) {
                words_append(text, size, "armed always");
                return;
        }
        words_append(text, size, "%s: ", forbids ? "not armed" : "armed");
        if (input->deployment)
                words_append(text, size, "%s was deployed %s ago, ", input->deployment->version,
                             span(input->deployment_age_us, age));
        else
                words_append(text, size, "no deployment is known, ");
        words_append(text, size, "and a deployment is armed for %s", span(input->rules->armed_for_us, limit));
}

static void say_rolled_back(const PolicyInput *input, bool forbids, char *text, size_t size) {
        if (!forbids)
                words_append(text, size, "no rollback was made for this deployment yet, and it is none itself");
        else if (input->deployment_is_rollback)
                words_append(text, size, "the release was put there by a rollback, which never triggers another");
        else
                words_append(text, size, "this deployment had its automatic rollback");
}

/* Only what triggers now counts: that something else could not be ruled out before is nothing to this decision. */
static void say_same_before(const PolicyInput *input, const Decision *decision, char *text, size_t size) {
        unsigned before = input->deployment ? input->deployment->symptoms_before & decision->triggers : 0;
        unsigned since = decision->triggers & ~before;
        if (since) {
                say_triggers(since, text, size);
                words_append(text, size, ": not there before the deployment");
        }
        if (before) {
                words_append(text, size, "%s", since ? "; " : "");
                say_triggers(before, text, size);
                words_append(text, size, ": there before the deployment, or it could not be ruled out");
        }
        if (!decision->triggers)
                words_append(text, size, "nothing triggers");
}

static void say_target(const Decision *decision, GuardAnswer answer, char *text, size_t size) {
        if (answer.forbids)
                words_append(text, size, "%s", guard_text(answer.guard));
        else if (answer.guard == GUARD_NO_TARGET)
                words_append(text, size, "there is a release to go back to: %s", decision->target);
        else
                words_append(text, size, "%s has proven itself here", decision->target[0] ? decision->target : "none");
}

void explain_guard(const PolicyInput *input, const Decision *decision, const GuardAnswer *answer, char *text,
                   size_t size) {
        text[0] = '\0';
        switch (answer->guard) {
        case GUARD_RUN_UNSOUND:
                words_append(text, size, "%s",
                             answer->forbids ? guard_text(answer->guard)
                                             : "no run was left open that can't be gone on with");
                return;
        case GUARD_NOT_ARMED:
                say_armed(input, answer->forbids, text, size);
                return;
        case GUARD_ALREADY_ROLLED_BACK:
                say_rolled_back(input, answer->forbids, text, size);
                return;
        case GUARD_BUDGET_SPENT:
                words_append(text, size, "%" PRId64 " of the day's %" PRId64 " automatic rollbacks were made",
                             input->rollbacks_today, input->rules->rollbacks_per_day);
                return;
        case GUARD_SAME_BEFORE:
                say_same_before(input, decision, text, size);
                return;
        case GUARD_DRAINED_BY_OPERATOR:
                words_append(text, size, "%s",
                             answer->forbids ? guard_text(answer->guard) : "no operator has drained the traffic");
                return;
        case GUARD_SHADOW:
                words_append(text, size, "%s", answer->forbids ? guard_text(answer->guard) : "the mode is act");
                return;
        default:
                say_target(decision, *answer, text, size);
        }
}

/* ---- the target, and what was done ---- */

void explain_target(const PolicyInput *input, const Decision *decision, char *text, size_t size) {
        const Release *release = NULL;
        text[0] = '\0';
        for (unsigned i = 0; i < input->release_count; i++)
                if (strcmp(input->releases[i].version, decision->target) == 0)
                        release = &input->releases[i];
        if (!decision->target[0] || !release) {
                words_append(text, size, "none of %u releases could be gone back to", input->release_count);
                return;
        }
        bool previous = input->deployment && strcmp(input->deployment->previous, decision->target) == 0;
        const char *state = release_state_name(release->state);
        if (previous)
                words_append(text, size, "%s: it was current before %s, and it is %s", decision->target,
                             decision->version, state);
        else
                words_append(text, size, "%s: the highest %s release below %s, among %u", decision->target, state,
                             decision->version[0] ? decision->version : "what is current", input->release_count);
}

void explain_outcome(const Decision *decision, char *text, size_t size) {
        text[0] = '\0';
        if (decision->kind == DECISION_ROLLBACK)
                words_append(text, size, "roll back from %s to %s", decision->version, decision->target);
        else if (decision->guard == GUARD_SHADOW)
                words_append(text, size, "it would roll back from %s to %s; %s", decision->version, decision->target,
                             guard_text(decision->guard));
        else
                words_append(text, size, "manual review of %s, not rolled back: %s", decision->version,
                             guard_text(decision->guard));
}
