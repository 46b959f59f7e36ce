#include "core/engine.h"

#include "base/macros.h"
#include "core/names.h"
#include "core/words.h"

#include <string.h>

/* ---- one sample ---- */

/* A source that contradicts itself has measured nothing. */
static bool sample_sane(const Sample *sample) {
        return sample->requests >= 0 && sample->errors >= 0 && sample->successes >= 0 && sample->dropped >= 0 &&
               sample->requests <= REQUESTS_MAX && sample->dropped <= REQUESTS_MAX &&
               sample->errors + sample->successes <= sample->requests;
}

bool engine_sample_usable(const Rules *rules, const Sample *sample) {
        return sample->measured && sample_sane(sample) && sample->requests > 0 &&
               sample->requests >= rules->min_requests;
}

/* The share of `part` in all requests, the lost ones included, lies between `low` and `high` parts per million times all. */
typedef struct Bounds {
        int64_t low, high; /* the lost requests were all not such, or all such */
        int64_t all;
} Bounds;

static Bounds bounds_of(const Sample *sample, int64_t part) {
        return (Bounds){
                .low = part * PPM,
                .high = (part + sample->dropped) * PPM,
                .all = sample->requests + sample->dropped,
        };
}

static MetricState judge_at_most(Bounds bounds, int64_t limit_ppm) {
        if (bounds.low > limit_ppm * bounds.all)
                return METRIC_EXCEEDED;
        return bounds.high <= limit_ppm * bounds.all ? METRIC_HEALTHY : METRIC_UNKNOWN;
}

static MetricState judge_at_least(Bounds bounds, int64_t limit_ppm) {
        if (bounds.high < limit_ppm * bounds.all)
                return METRIC_EXCEEDED;
        return bounds.low >= limit_ppm * bounds.all ? METRIC_HEALTHY : METRIC_UNKNOWN;
}

/* The slowest 1 % decide the p99: when as many were lost, nothing is known of it. */
static MetricState judge_latency(const Rules *rules, const Sample *sample) {
        if (sample->latency_p99_us < 0 || sample->dropped * 100 >= sample->requests + sample->dropped)
                return METRIC_UNKNOWN;
        return sample->latency_p99_us > rules->latency_p99_us ? METRIC_EXCEEDED : METRIC_HEALTHY;
}

static SampleState sum_up(const SampleJudgement *judgement) {
        if (judgement->triggers)
                return SAMPLE_DEGRADED;
        bool all_known = judgement->error_rate == METRIC_HEALTHY && judgement->latency_p99 == METRIC_HEALTHY &&
                         judgement->success_rate == METRIC_HEALTHY;
        return all_known ? SAMPLE_HEALTHY : SAMPLE_UNKNOWN;
}

void engine_judge_sample(const Rules *rules, const Sample *sample, SampleJudgement *ret) {
        *ret = (SampleJudgement){.error_rate_ppm = -1, .success_rate_ppm = -1, .latency_p99_us = -1};
        if (!sample->measured || !sample_sane(sample))
                return;
        if (sample->requests > 0) {
                ret->error_rate_ppm = sample->errors * PPM / sample->requests;
                ret->success_rate_ppm = sample->successes * PPM / sample->requests;
                ret->latency_p99_us = sample->latency_p99_us < 0 ? -1 : sample->latency_p99_us;
        }
        if (!engine_sample_usable(rules, sample))
                return;
        ret->error_rate = judge_at_most(bounds_of(sample, sample->errors), rules->error_rate_ppm);
        ret->success_rate = judge_at_least(bounds_of(sample, sample->successes), rules->success_rate_ppm);
        ret->latency_p99 = judge_latency(rules, sample);
        ret->triggers = (ret->error_rate == METRIC_EXCEEDED ? TRIGGER_ERROR_RATE : 0U) |
                        (ret->latency_p99 == METRIC_EXCEEDED ? TRIGGER_LATENCY_P99 : 0U) |
                        (ret->success_rate == METRIC_EXCEEDED ? TRIGGER_SUCCESS_RATE : 0U);
        ret->state = sum_up(ret);
}

/* ---- the window ---- */

unsigned engine_expected(const Rules *rules) {
        if (rules->interval_us <= 0 || rules->window_us < 0)
                return 1;
        int64_t expected = rules->window_us / rules->interval_us + 1;
        return expected < WINDOW_SAMPLES_MAX ? (unsigned)expected : WINDOW_SAMPLES_MAX;
}

unsigned engine_needed(const Rules *rules) {
        int64_t needed = (rules->degraded_share_ppm * engine_expected(rules) + PPM - 1) / PPM;
        return needed > 1 ? (unsigned)needed : 1;
}

void engine_init(Engine *engine, const Rules *rules) {
        memset(engine, 0, sizeof *engine);
        engine->rules = *rules;
        engine->not_before_mono = INT64_MIN;
}

void engine_set_rules(Engine *engine, const Rules *rules) {
        bool same_shape =
                engine->rules.window_us == rules->window_us && engine->rules.interval_us == rules->interval_us;
        engine->rules = *rules;
        if (!same_shape)
                engine->count = 0;
}

void engine_restart(Engine *engine, int64_t mono) {
        engine->count = 0;
        engine->not_before_mono = mono;
}

const Sample *engine_newest(const Engine *engine) {
        return engine->count > 0 ? &engine->samples[engine->newest] : NULL;
}

bool engine_add(Engine *engine, const Sample *sample) {
        const Sample *newest = engine_newest(engine);
        if (sample->start_mono < engine->not_before_mono || (newest && sample->start_mono < newest->end_mono))
                return false;
        if (sample->end_mono - sample->start_mono < engine->rules.interval_us / 2)
                return false;
        engine->newest = engine->count > 0 ? (engine->newest + 1) % WINDOW_SAMPLES_MAX : 0;
        engine->samples[engine->newest] = *sample;
        if (engine->count < WINDOW_SAMPLES_MAX)
                engine->count++;
        return true;
}

/* Timers are late by a few milliseconds, and not always by the same: the far edge gives half an interval, so that a full window
 * holds `expected` samples however its edges fall. It can't hold more: the sample before begins a whole interval earlier. */
bool engine_in_window(const Rules *rules, int64_t end_mono, int64_t now_mono) {
        return end_mono <= now_mono && end_mono > now_mono - rules->window_us - rules->interval_us / 2;
}

static void collect_window(const Engine *engine, int64_t now_mono, Verdict *verdict) {
        for (unsigned back = 0; back < engine->count && verdict->count < verdict->expected; back++) {
                const Sample *sample =
                        &engine->samples[(engine->newest + WINDOW_SAMPLES_MAX - back) % WINDOW_SAMPLES_MAX];
                if (engine_in_window(&engine->rules, sample->end_mono, now_mono))
                        verdict->samples[verdict->count++] = sample;
        }
        for (unsigned i = 0; i < verdict->count / 2; i++) { /* oldest first */
                const Sample *other = verdict->samples[i];
                verdict->samples[i] = verdict->samples[verdict->count - 1 - i];
                verdict->samples[verdict->count - 1 - i] = other;
        }
}

static const unsigned counted_triggers[] = {TRIGGER_ERROR_RATE, TRIGGER_LATENCY_P99, TRIGGER_SUCCESS_RATE};

void engine_count(WindowSums *sums, SampleState state, unsigned triggers, int sign) {
        sums->degraded += (unsigned)(state == SAMPLE_DEGRADED ? sign : 0);
        sums->healthy += (unsigned)(state == SAMPLE_HEALTHY ? sign : 0);
        for (unsigned i = 0; i < ARRAY_SIZE(counted_triggers); i++)
                sums->exceeded[i] += (unsigned)(triggers & counted_triggers[i] ? sign : 0);
}

/* Exceeded in at least half of the degraded samples; when none was, the ones that were exceeded most. */
unsigned engine_leading_triggers(const WindowSums *sums) {
        unsigned most = 0, triggers = 0;
        for (unsigned i = 0; i < ARRAY_SIZE(counted_triggers); i++)
                most = sums->exceeded[i] > most ? sums->exceeded[i] : most;
        unsigned enough = most * 2 >= sums->degraded ? (sums->degraded + 1) / 2 : most;
        for (unsigned i = 0; i < ARRAY_SIZE(counted_triggers); i++)
                if (sums->exceeded[i] > 0 && sums->exceeded[i] >= enough)
                        triggers |= counted_triggers[i];
        return triggers;
}

static void name_triggers(unsigned triggers, char *text, size_t size) {
        const char *separator = ": ";
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1)
                if (triggers & bit) {
                        words_append(text, size, "%s%s", separator, trigger_name((Trigger)bit));
                        separator = ", ";
                }
}

static void describe(Verdict *verdict, unsigned triggers, bool enough, bool fresh) {
        char *words = verdict->words;
        if (verdict->count == 0) {
                words_append(words, sizeof verdict->words, "no sample yet, %u make a window", verdict->expected);
                return;
        }
        words_append(words, sizeof verdict->words, "%u of %u samples degraded, %u needed", verdict->degraded,
                     verdict->expected, verdict->needed);
        if (verdict->unknown > 0)
                words_append(words, sizeof verdict->words, ", %u unknown", verdict->unknown);
        if (verdict->degraded > 0)
                name_triggers(triggers, words, sizeof verdict->words);
        if (enough && !verdict->triggered)
                words_append(words, sizeof verdict->words, "; %s",
                             fresh ? "the newest is not degraded" : "the newest is too old");
}

void engine_verdict(const Engine *engine, int64_t now_mono, Verdict *ret) {
        const Rules *rules = &engine->rules;
        *ret = (Verdict){.at_mono = now_mono, .expected = engine_expected(rules), .needed = engine_needed(rules)};
        collect_window(engine, now_mono, ret);

        WindowSums sums = {0};
        SampleJudgement judgement = {0};
        for (unsigned i = 0; i < ret->count; i++) {
                engine_judge_sample(rules, ret->samples[i], &judgement);
                engine_count(&sums, judgement.state, judgement.triggers, 1);
        }
        ret->degraded = sums.degraded;
        ret->healthy = sums.healthy;
        ret->unknown = ret->expected - ret->degraded - ret->healthy;

        unsigned triggers = engine_leading_triggers(&sums);
        bool fresh = ret->count > 0 && now_mono - ret->samples[ret->count - 1]->end_mono < rules->interval_us * 3 / 2;
        bool enough = ret->degraded >= ret->needed;
        ret->triggered = enough && fresh && judgement.state == SAMPLE_DEGRADED; /* the newest was judged last */
        ret->triggers = ret->triggered ? triggers : 0;
        describe(ret, triggers, enough, fresh);
}
