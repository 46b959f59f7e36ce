/* Samples to verdict, with integers only, so that every decision can be replayed bit for bit from its evidence.
 * Specification, "Decision Engine". Times are `mono` microseconds; nothing here reads a clock. */
#pragma once

#include "core/types.h"
#include "core/watch.h" /* what triggers at once: engine_outage(), engine_units() */

#define REQUESTS_MAX INT64_C(1000000000000) /* a sample that claims more is nonsense, and PPM times it still fits */

/* ---- one sample ---- */

typedef struct SampleJudgement {
        SampleState state; /* degraded: any metric is exceeded; healthy: all three are; else unknown */
        MetricState error_rate, latency_p99, success_rate;
        unsigned triggers; /* of the metrics that are exceeded */
        int64_t error_rate_ppm, success_rate_ppm,
                latency_p99_us; /* as measured; -1: not known. For display, not for deciding */
} SampleJudgement;

/* Measured, not contradicting itself, and with enough requests to say anything. */
bool engine_sample_usable(const Rules *rules, const Sample *sample);

/* Thin (fewer than min_requests), unmeasured and contradictory samples are unknown. Requests that the source lost sight of are
 * counted as good and as bad: only what holds either way is said. */
void engine_judge_sample(const Rules *rules, const Sample *sample, SampleJudgement *ret);

/* ---- the window ---- */

typedef struct Engine {
        Rules rules;
        int64_t not_before_mono; /* samples that began earlier are left out */
        unsigned count, newest;  /* a ring: `newest` is the index of the newest when count > 0 */
        Sample samples[WINDOW_SAMPLES_MAX];
} Engine;

typedef struct Verdict {
        int64_t at_mono; /* as of then */
        bool triggered;
        unsigned triggers; /* exceeded in at least half of the degraded samples; 0 unless triggered */
        unsigned expected, needed, degraded, healthy;
        unsigned unknown; /* of the expected: unknown or missing */
        unsigned count;
        const Sample *samples[WINDOW_SAMPLES_MAX]; /* oldest first; they belong to the engine, until its next sample */
        char words[DETAIL_MAX];                    /* "4 of 5 samples degraded, 4 needed: error rate, success rate" */
} Verdict;

unsigned
engine_expected(const Rules *rules); /* samples of a full window: window / interval + 1, at most WINDOW_SAMPLES_MAX */
unsigned engine_needed(const Rules *rules); /* degraded ones that trigger: the share, rounded up; at least 1 */

void engine_init(Engine *engine, const Rules *rules);
void engine_set_rules(Engine *engine,
                      const Rules *rules); /* after a reload; starts the window again if its shape changed */

/* The window starts empty: a run has restored traffic, or another release is current. Samples that began before are left out. */
void engine_restart(Engine *engine, int64_t mono);

/* False when it was left out: it began before the window's start, doesn't follow the newest, or is shorter than half an
 * interval (it would count as much as a whole one). */
bool engine_add(Engine *engine, const Sample *sample);

void engine_verdict(const Engine *engine, int64_t now_mono, Verdict *ret);

/* ---- its arithmetic ---- */

/* What a verdict rests on: engine_verdict() counts anew over its window, core/backtest.c as samples come and go. */
typedef struct WindowSums {
        unsigned degraded, healthy;
        unsigned exceeded[3]; /* samples beyond each limit: error rate, p99 latency, success rate */
} WindowSums;

/* One sample more (`sign` 1), or one less (-1). */
void engine_count(WindowSums *sums, SampleState state, unsigned triggers, int sign);
unsigned engine_leading_triggers(const WindowSums *sums); /* which triggers a verdict on them would name */
/* A sample that ended then is in the window that ends now. */
bool engine_in_window(const Rules *rules, int64_t end_mono, int64_t now_mono);

/* The newest sample, or NULL. */
const Sample *engine_newest(const Engine *engine);
