#include "core/validate.h"

#include "base/macros.h"
#include "core/engine.h"
#include "core/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STALE_INTERVALS 2 /* monitoring is alive while its newest answer is no older than this many of its intervals */
#define RATE_DECIMALS_BELOW 10

#define BOTH (LIST_CRITERIA | LIST_CHECKLIST)
static const struct {
        const char *key, *title; /* the specification's own words */
        unsigned lists;
} rows[] = {
        [VALIDATE_VERSION] = {"version", "Previous version running", BOTH},
        [VALIDATE_HEALTH_SCORE] = {"health_score", "Health score", BOTH},
        [VALIDATE_ERROR_RATE] = {"error_rate", "Error rate", BOTH},
        [VALIDATE_LATENCY] = {"latency_p99", "P99 latency", LIST_CHECKLIST},
        [VALIDATE_BASELINE] = {"latency_baseline", "Latency within baseline", LIST_CRITERIA},
        [VALIDATE_SUCCESS_RATE] = {"success_rate", "Success rate", LIST_CHECKLIST},
        [VALIDATE_SERVICES] = {"services", "All services operational", BOTH},
        [VALIDATE_DATA_LOSS] = {"data_loss", "Zero data loss confirmed", LIST_CRITERIA},
        [VALIDATE_CONSENSUS] = {"consensus", "Consensus healthy", LIST_CHECKLIST},
        [VALIDATE_BYZANTINE] = {"byzantine", "No Byzantine nodes", LIST_CHECKLIST},
        [VALIDATE_DATABASE] = {"database", "Database replication healthy", LIST_CHECKLIST},
        [VALIDATE_TRAFFIC] = {"traffic", "Traffic flowing normally", LIST_CHECKLIST},
        [VALIDATE_INCIDENTS] = {"incidents", "No active incidents", LIST_CHECKLIST},
        [VALIDATE_MONITORING] = {"monitoring", "Monitoring functioning", LIST_CHECKLIST},
        [VALIDATE_LOGS] = {"logs", "Logs being generated", LIST_CHECKLIST},
        [VALIDATE_ALERTS] = {"alerts", "Alerts configured", LIST_CHECKLIST},
};
_Static_assert(ARRAY_SIZE(rows) == VALIDATE_COUNT, "every check has its row");

const char *check_verdict_name(CheckVerdict verdict) {
        static const char *const names[] = {
                [CHECK_NOT_VERIFIED] = "not_verified",
                [CHECK_PASSED] = "passed",
                [CHECK_FAILED] = "failed",
                [CHECK_NOT_APPLICABLE] = "not_applicable",
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

static CheckVerdict verdict_of_state(Tristate state) {
        return state == KNOWN_TRUE ? CHECK_PASSED : state == KNOWN_FALSE ? CHECK_FAILED : CHECK_NOT_VERIFIED;
}

static bool told(const char *words) {
        return words && words[0];
}

/* Nothing of that kind is configured: that is all there is to say. */
static bool does_not_apply(const ValidationFact *fact, ValidationCheck *check) {
        if (!fact->absent)
                return false;
        check->verdict = CHECK_NOT_APPLICABLE;
        words_append(check->measured, sizeof check->measured, "%s", fact->absent);
        return true;
}

/* `good` and `bad` are said when the fact has no words of its own. */
static void check_fact(const ValidationFact *fact, const char *limit, const char *good, const char *bad,
                       ValidationCheck *check) {
        words_append(check->limit, sizeof check->limit, "%s", limit);
        if (does_not_apply(fact, check))
                return;
        check->verdict = verdict_of_state(fact->state);
        words_append(check->measured, sizeof check->measured, "%s",
                     told(fact->words)            ? fact->words
                     : fact->state == KNOWN_TRUE  ? good
                     : fact->state == KNOWN_FALSE ? bad
                                                  : "not measured yet");
}

/* The units are active, and what they run says it is well: both, since a unit may be active and its service dumb. */
static void check_services(const ValidationInput *input, ValidationCheck *check) {
        const ValidationFact *units = &input->units, *probe = &input->probe;
        static const char *const units_words[] = {"units not known", "units not active", "units active"};
        static const char *const probe_words[] = {"not asked yet", "not healthy", "healthy"};
        bool down = units->state == KNOWN_FALSE || probe->state == KNOWN_FALSE;
        bool up = units->state == KNOWN_TRUE && probe->state == KNOWN_TRUE;
        check->verdict = down ? CHECK_FAILED : up ? CHECK_PASSED : CHECK_NOT_VERIFIED;
        words_append(check->limit, sizeof check->limit, "active and healthy");
        words_append(check->measured, sizeof check->measured, "%s; %s",
                     told(units->words) ? units->words : units_words[units->state],
                     told(probe->words) ? probe->words : probe_words[probe->state]);
}

static void check_health_score(const ValidationInput *input, ValidationCheck *check) {
        words_append(check->limit, sizeof check->limit, "> %" PRId64 "/100", input->health_score_limit);
        if (input->health_score < 0) {
                words_append(check->measured, sizeof check->measured, "%s",
                             told(input->health_words) ? input->health_words : "not measured yet");
                return;
        }
        check->verdict = input->health_score > input->health_score_limit ? CHECK_PASSED : CHECK_FAILED;
        words_append(check->measured, sizeof check->measured, "%" PRId64 "/100", input->health_score);
        if (told(input->health_words))
                words_append(check->measured, sizeof check->measured, " (%s)", input->health_words);
}

/* What was acknowledged must not be lost. A request that was refused or answered with an error was not acknowledged; what was cut
 * in the hands of the release that left may or may not have been done: that isn't known, so nothing is confirmed. */
static void check_requests_cut(const ValidationInput *input, ValidationCheck *check) {
        if (input->requests_failed < 0) {
                words_append(check->measured, sizeof check->measured, "%s",
                             told(input->run_words) ? input->run_words : "failed requests were not counted");
                return;
        }
        check->verdict = input->in_flight_cut > 0 ? CHECK_NOT_VERIFIED : CHECK_PASSED;
        words_append(check->measured, sizeof check->measured,
                     "%" PRId64 " cut%s; %" PRId64 " failed or refused, none of them acknowledged",
                     input->in_flight_cut,
                     input->in_flight_cut > 0 ? " in the bad release's hands: what became of them is not known" : "",
                     input->requests_failed);
}

/* Rows that went fail it, allowed or not, and so does a check of the data that found damage, however no request was cut; one that
 * found none proves nothing about requests. */
static void check_data_loss(const ValidationInput *input, ValidationCheck *check) {
        words_append(check->limit, sizeof check->limit, "0 cut");
        if (input->rows_lost)
                words_append(check->measured, sizeof check->measured, "%s; ", input->rows_lost);
        check_requests_cut(input, check);
        if (input->data.state == KNOWN_FALSE || input->rows_lost)
                check->verdict = CHECK_FAILED;
        if (input->data.state != KNOWN_NOT)
                words_append(check->measured, sizeof check->measured, "; %s", input->data.words);
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

/* The p99 latency is known and few enough requests were lost sight of to stand by it. */
static bool latency_counts(const ValidationInput *input) {
        const Sample *sample = input->sample;
        return sample && engine_sample_usable(input->rules, sample) && sample->latency_p99_us >= 0 &&
               sample->dropped * 100 < sample->requests + sample->dropped;
}

static void check_latency(const ValidationInput *input, ValidationCheck *check) {
        if (latency_counts(input))
                check->verdict =
                        input->sample->latency_p99_us < input->rules->latency_p99_us ? CHECK_PASSED : CHECK_FAILED;
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
                        check_latency(input, latency);
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

int64_t validate_baseline_limit(const ValidationInput *input) {
        int64_t share = input->baseline_p99_us / PPM * input->baseline_tolerance_ppm +
                        input->baseline_p99_us % PPM * input->baseline_tolerance_ppm / PPM;
        return input->baseline_p99_us + (share > input->baseline_floor_us ? share : input->baseline_floor_us);
}

static void check_baseline(const ValidationInput *input, ValidationCheck *check) {
        char number[WORDS_MAX];
        if (input->baseline_p99_us < 0) { /* nothing to compare with: the limit of the P99 latency stands alone */
                check->verdict = CHECK_NOT_APPLICABLE;
                words_append(check->measured, sizeof check->measured, "%s",
                             told(input->baseline_words) ? input->baseline_words : "no latency to compare with");
                return;
        }
        words_append(check->limit, sizeof check->limit, "<= %s",
                     words_duration(validate_baseline_limit(input), number));
        bool counts = latency_counts(input);
        if (counts)
                check->verdict =
                        input->sample->latency_p99_us <= validate_baseline_limit(input) ? CHECK_PASSED : CHECK_FAILED;
        describe_sample(input, counts ? words_duration(input->sample->latency_p99_us, number) : "not known",
                        check->measured, sizeof check->measured);
        words_append(check->measured, sizeof check->measured, ", before the deployment %s",
                     words_duration(input->baseline_p99_us, number));
        if (told(input->baseline_words))
                words_append(check->measured, sizeof check->measured, " (%s)", input->baseline_words);
}

static void say_rate(const Sample *sample, char *text, size_t size) {
        int64_t length = sample->end_mono - sample->start_mono;
        if (length <= 0) {
                words_append(text, size, "%" PRId64 " requests", sample->requests);
                return;
        }
        int64_t tenths = sample->requests * 10 * USEC_PER_SEC / length;
        if (tenths < RATE_DECIMALS_BELOW * 10)
                words_append(text, size, "%" PRId64 ".%" PRId64 " requests/s", tenths / 10, tenths % 10);
        else
                words_append(text, size, "%" PRId64 " requests/s", tenths / 10);
}

/* Flowing is the balancer's word, that requests arrive the source's. Without a balancer to ask, what arrives has come through. */
static void check_traffic(const ValidationInput *input, ValidationCheck *check) {
        const ValidationFact *traffic = &input->traffic, *source = &input->source;
        const Sample *sample = input->sample && input->sample->measured ? input->sample : NULL;
        words_append(check->limit, sizeof check->limit, "flowing, requests arrive");
        if (traffic->absent && source->absent && does_not_apply(traffic, check))
                return;
        if (!traffic->absent)
                words_append(check->measured, sizeof check->measured, "%s, ",
                             told(traffic->words)            ? traffic->words
                             : traffic->state == KNOWN_TRUE  ? "flowing"
                             : traffic->state == KNOWN_FALSE ? "drained"
                                                             : "the balancer's state is not known");
        if (!sample)
                words_append(check->measured, sizeof check->measured, "%s",
                             source->absent ? source->absent : "no measured sample since the run");
        else if (sample->requests == 0)
                words_append(check->measured, sizeof check->measured, "nobody has asked anything");
        else
                say_rate(sample, check->measured, sizeof check->measured);
        bool arrive = sample && sample->requests > 0, flows = traffic->absent || traffic->state == KNOWN_TRUE;
        check->verdict = !traffic->absent && traffic->state == KNOWN_FALSE ? CHECK_FAILED
                         : arrive && flows                                 ? CHECK_PASSED
                                                                           : CHECK_NOT_VERIFIED;
}

static Tristate fresh(int64_t age_us, int64_t interval_us) {
        return age_us < 0 ? KNOWN_NOT : age_us <= STALE_INTERVALS * interval_us ? KNOWN_TRUE : KNOWN_FALSE;
}

static void say_age(const char *what, int64_t age_us, char *text, size_t size) {
        char number[WORDS_MAX];
        if (age_us < 0)
                words_append(text, size, "; no %s yet", what);
        else
                words_append(text, size, "; newest %s %s ago", what,
                             words_duration(age_us / USEC_PER_MSEC * USEC_PER_MSEC, number));
}

static void check_monitoring(const ValidationInput *input, ValidationCheck *check) {
        const ValidationFact *source = &input->source;
        char samples[WORDS_MAX], answers[WORDS_MAX];
        Tristate parts[] = {
                fresh(input->probe_age_us, input->probe_interval_us),
                source->absent ? KNOWN_TRUE : source->state,
                source->absent ? KNOWN_TRUE : fresh(input->sample_age_us, input->rules->interval_us),
        };
        words_append(check->limit, sizeof check->limit, "sample <= %s, answer <= %s",
                     words_duration(STALE_INTERVALS * input->rules->interval_us, samples),
                     words_duration(STALE_INTERVALS * input->probe_interval_us, answers));
        check->verdict = CHECK_PASSED;
        for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
                if (parts[i] == KNOWN_FALSE)
                        check->verdict = CHECK_FAILED;
                else if (parts[i] == KNOWN_NOT && check->verdict == CHECK_PASSED)
                        check->verdict = CHECK_NOT_VERIFIED;
        words_append(check->measured, sizeof check->measured, "%s",
                     source->absent                 ? source->absent
                     : told(source->words)          ? source->words
                     : source->state == KNOWN_TRUE  ? "the source is heard"
                     : source->state == KNOWN_FALSE ? "the source is not heard"
                                                    : "whether the source is heard is not known");
        if (!source->absent)
                say_age("sample", input->sample_age_us, check->measured, sizeof check->measured);
        say_age("health answer", input->probe_age_us, check->measured, sizeof check->measured);
}

static void sum_up(Validation *validation) {
        unsigned *const counts[] = {
                [CHECK_NOT_VERIFIED] = &validation->not_verified,
                [CHECK_PASSED] = &validation->passed,
                [CHECK_FAILED] = &validation->failed,
                [CHECK_NOT_APPLICABLE] = &validation->not_applicable,
        };
        for (unsigned i = 0; i < VALIDATE_COUNT; i++)
                (*counts[validation->checks[i].verdict])++;
        validation->verdict = validation->failed         ? CHECK_FAILED
                              : validation->not_verified ? CHECK_NOT_VERIFIED
                                                         : CHECK_PASSED;
}

void validate(const ValidationInput *input, Validation *ret) {
        ValidationCheck *checks = ret->checks;
        memset(ret, 0, sizeof *ret);
        ret->error_rate_ppm = ret->latency_p99_us = ret->success_rate_ppm = -1;
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                checks[i].key = rows[i].key;
                checks[i].title = rows[i].title;
                checks[i].lists = rows[i].lists;
        }
        check_version(input, &checks[VALIDATE_VERSION]);
        check_health_score(input, &checks[VALIDATE_HEALTH_SCORE]);
        check_sample(input, ret);
        check_baseline(input, &checks[VALIDATE_BASELINE]);
        check_services(input, &checks[VALIDATE_SERVICES]);
        check_data_loss(input, &checks[VALIDATE_DATA_LOSS]);
        check_fact(&input->consensus, "in quorum, with a leader", "quorum", "no quorum", &checks[VALIDATE_CONSENSUS]);
        check_fact(&input->byzantine, "0 members", "0 members", "a member differs", &checks[VALIDATE_BYZANTINE]);
        check_fact(&input->database, "replicating", "replicating", "not replicating", &checks[VALIDATE_DATABASE]);
        check_traffic(input, &checks[VALIDATE_TRAFFIC]);
        check_fact(&input->incidents, "0 alerts, 0 unresolved incidents", "0 alerts", "alerts stand",
                   &checks[VALIDATE_INCIDENTS]);
        check_monitoring(input, &checks[VALIDATE_MONITORING]);
        check_fact(&input->logs, "written since the run", "written", "not written", &checks[VALIDATE_LOGS]);
        check_fact(&input->alerts, "a command that works", "set", "failed", &checks[VALIDATE_ALERTS]);
        sum_up(ret);
}
