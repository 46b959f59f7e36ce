#include "core/validate.h"

#include "base/macros.h"
#include "core/engine.h"
#include "core/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *key, *title;
} rows[] = {
        [VALIDATE_VERSION] = {"version", "Previous version running"},
        [VALIDATE_SERVICES] = {"services", "All services operational"},
        [VALIDATE_HEALTH] = {"health", "Health check"},
        [VALIDATE_ERROR_RATE] = {"error_rate", "Error rate"},
        [VALIDATE_LATENCY] = {"latency_p99", "P99 latency"},
        [VALIDATE_SUCCESS_RATE] = {"success_rate", "Success rate"},
};
_Static_assert(ARRAY_SIZE(rows) == VALIDATE_COUNT, "every check has its row");

const char *check_verdict_name(CheckVerdict verdict) {
        static const char *const names[] = {
                [CHECK_NOT_VERIFIED] = "not_verified",
                [CHECK_PASSED] = "passed",
                [CHECK_FAILED] = "failed",
        };
        return (unsigned)verdict < ARRAY_SIZE(names) ? names[verdict] : "invalid";
}

static void check_version(const ValidationInput *input, ValidationCheck *check) {
        const char *expected = input->expected_version ? input->expected_version : "";
        const char *current = input->current_version ? input->current_version : "";
        words_append(check->measured, sizeof check->measured, "%s", *current ? current : "not known");
        words_append(check->limit, sizeof check->limit, "%s", *expected ? expected : "no run to go by");
        if (*expected && *current)
                check->verdict = strcmp(expected, current) == 0 ? CHECK_PASSED : CHECK_FAILED;
}

static void check_state(Tristate state, const char *good, const char *bad, const char *detail, ValidationCheck *check) {
        const char *words = state == KNOWN_TRUE ? good : state == KNOWN_FALSE ? bad : "not known";
        words_append(check->limit, sizeof check->limit, "%s", good);
        words_append(check->measured, sizeof check->measured, "%s", words);
        if (detail && *detail)
                words_append(check->measured, sizeof check->measured, " (%s)", detail);
        if (state != KNOWN_NOT)
                check->verdict = state == KNOWN_TRUE ? CHECK_PASSED : CHECK_FAILED;
}

/* Passed only when it holds whatever became of the requests the source lost sight of; failed only when it fails either way. */
static CheckVerdict verdict_of(bool holds_at_worst, bool holds_at_best) {
        if (holds_at_worst)
                return CHECK_PASSED;
        return holds_at_best ? CHECK_NOT_VERIFIED : CHECK_FAILED;
}

static void check_error_rate(const Sample *sample, ValidationCheck *check) {
        int64_t limit = VALIDATE_ERROR_RATE_PPM * (sample->requests + sample->dropped);
        check->verdict = verdict_of((sample->errors + sample->dropped) * PPM < limit, sample->errors * PPM < limit);
}

static void check_success_rate(const Sample *sample, ValidationCheck *check) {
        int64_t limit = VALIDATE_SUCCESS_RATE_PPM * (sample->requests + sample->dropped);
        check->verdict =
                verdict_of(sample->successes * PPM > limit, (sample->successes + sample->dropped) * PPM > limit);
}

static void check_latency(const Rules *rules, const Sample *sample, ValidationCheck *check) {
        if (sample->latency_p99_us >= 0 && sample->dropped * 100 < sample->requests + sample->dropped)
                check->verdict = sample->latency_p99_us < rules->latency_p99_us ? CHECK_PASSED : CHECK_FAILED;
}

/* Why nothing can be said, or how much is behind the number. */
static void describe_sample(const ValidationInput *input, const char *number, char *text, size_t size) {
        const Sample *sample = input->sample;
        if (!sample)
                words_append(text, size, "no sample since the run");
        else if (!sample->measured)
                words_append(text, size, "not measured%s%s", sample->note[0] ? ": " : "", sample->note);
        else if (!engine_sample_usable(input->rules, sample) && sample->requests >= input->rules->min_requests &&
                 sample->requests > 0)
                words_append(text, size, "the source contradicts itself");
        else if (!engine_sample_usable(input->rules, sample))
                words_append(text, size, "only %" PRId64 " requests, %" PRId64 " needed", sample->requests,
                             input->rules->min_requests);
        else
                words_append(text, size, "%s", number);
}

static void check_sample(const ValidationInput *input, Validation *ret) {
        char limit[WORDS_MAX], number[WORDS_MAX];
        ValidationCheck *error_rate = &ret->checks[VALIDATE_ERROR_RATE];
        ValidationCheck *latency = &ret->checks[VALIDATE_LATENCY];
        ValidationCheck *success_rate = &ret->checks[VALIDATE_SUCCESS_RATE];
        words_append(error_rate->limit, sizeof error_rate->limit, "< %s", words_ratio(VALIDATE_ERROR_RATE_PPM, limit));
        words_append(latency->limit, sizeof latency->limit, "< %s",
                     words_duration(input->rules->latency_p99_us, limit));
        words_append(success_rate->limit, sizeof success_rate->limit, "> %s",
                     words_ratio(VALIDATE_SUCCESS_RATE_PPM, limit));

        if (input->sample) {
                SampleJudgement judgement;
                engine_judge_sample(input->rules, input->sample, &judgement);
                ret->error_rate_ppm = judgement.error_rate_ppm;
                ret->latency_p99_us = judgement.latency_p99_us;
                ret->success_rate_ppm = judgement.success_rate_ppm;
                if (engine_sample_usable(input->rules, input->sample)) {
                        check_error_rate(input->sample, error_rate);
                        check_latency(input->rules, input->sample, latency);
                        check_success_rate(input->sample, success_rate);
                }
        }
        describe_sample(input, words_percent(ret->error_rate_ppm, 2, number), error_rate->measured,
                        sizeof error_rate->measured);
        describe_sample(input, ret->latency_p99_us < 0 ? "not known" : words_duration(ret->latency_p99_us, number),
                        latency->measured, sizeof latency->measured);
        describe_sample(input, words_percent(ret->success_rate_ppm, 2, number), success_rate->measured,
                        sizeof success_rate->measured);
}

static CheckVerdict sum_up(const Validation *validation) {
        CheckVerdict verdict = CHECK_PASSED;
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                if (validation->checks[i].verdict == CHECK_FAILED)
                        return CHECK_FAILED;
                if (validation->checks[i].verdict == CHECK_NOT_VERIFIED)
                        verdict = CHECK_NOT_VERIFIED;
        }
        return verdict;
}

void validate(const ValidationInput *input, Validation *ret) {
        memset(ret, 0, sizeof *ret);
        ret->error_rate_ppm = ret->latency_p99_us = ret->success_rate_ppm = -1;
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                ret->checks[i].key = rows[i].key;
                ret->checks[i].title = rows[i].title;
        }
        check_version(input, &ret->checks[VALIDATE_VERSION]);
        check_state(input->units_active, "active", "not active", input->units_detail, &ret->checks[VALIDATE_SERVICES]);
        check_state(input->probe_healthy, "healthy", "not healthy", input->probe_detail, &ret->checks[VALIDATE_HEALTH]);
        check_sample(input, ret);
        ret->verdict = sum_up(ret);
}
