#include "core/engine.h"

#include "core-test.h"

#include <string.h>

/* ---- one sample ---- */

typedef struct SampleCase {
        const char *what;
        Sample sample;
        MetricState error_rate, latency, success_rate;
        SampleState state;
} SampleCase;

#define P(p99_us, ...)                                                                                                 \
        { .measured = true, .latency_p99_us = p99_us, __VA_ARGS__ }
#define S(...) P(20000, __VA_ARGS__)
#define U METRIC_UNKNOWN
#define H METRIC_HEALTHY
#define X METRIC_EXCEEDED

static const SampleCase sample_cases[] = {
        {"healthy", S(.requests = 6000, .errors = 3, .successes = 5997), H, H, H, SAMPLE_HEALTHY},
        {"exactly 1 % is not more than 1 %", S(.requests = 6000, .errors = 60, .successes = 5940), H, H, H,
         SAMPLE_HEALTHY},
        {"one more is", S(.requests = 6000, .errors = 61, .successes = 5939), X, H, X, SAMPLE_DEGRADED},
        {"neither error nor success", S(.requests = 1000, .errors = 0, .successes = 950), H, H, X, SAMPLE_DEGRADED},
        {"p99 at the limit", P(100000, .requests = 1000, .successes = 1000), H, H, H, SAMPLE_HEALTHY},
        {"p99 250.4 ms", P(250400, .requests = 1000, .successes = 1000), H, X, H, SAMPLE_DEGRADED},
        {"latency not known", P(-1, .requests = 1000, .successes = 1000), H, U, H, SAMPLE_UNKNOWN},
        {"latency not known, errors are", P(-1, .requests = 1000, .errors = 50, .successes = 950), X, U, X,
         SAMPLE_DEGRADED},
        {"thin: all of 99 failed", S(.requests = 99, .errors = 99), U, U, U, SAMPLE_UNKNOWN},
        {"just enough", S(.requests = 100, .errors = 100), X, H, X, SAMPLE_DEGRADED},
        {"no traffic", S(.requests = 0), U, U, U, SAMPLE_UNKNOWN},
        {"not measured", {.measured = false, .requests = 6000, .errors = 6000}, U, U, U, SAMPLE_UNKNOWN},
        {"negative", S(.requests = -5, .errors = -10), U, U, U, SAMPLE_UNKNOWN},
        {"negative errors", S(.requests = 500, .errors = -10, .successes = 500), U, U, U, SAMPLE_UNKNOWN},
        {"more failed than there were", S(.requests = 500, .errors = 501), U, U, U, SAMPLE_UNKNOWN},
        {"failed and succeeded at once", S(.requests = 500, .errors = 300, .successes = 300), U, U, U, SAMPLE_UNKNOWN},
        {"absurdly many", S(.requests = INT64_MAX, .errors = INT64_MAX / 2), U, U, U, SAMPLE_UNKNOWN},
        {"the most that is believed", S(.requests = REQUESTS_MAX, .errors = REQUESTS_MAX, .dropped = REQUESTS_MAX), X,
         U, X, SAMPLE_DEGRADED},
        /* 9 lost of 1009: the truth lies between 5/1009 and 14/1009 errors */
        {"lost: may be either", S(.requests = 1000, .errors = 5, .successes = 995, .dropped = 9), U, H, U,
         SAMPLE_UNKNOWN},
        {"lost: bad even if all lost were good", S(.requests = 1000, .errors = 50, .successes = 950, .dropped = 9), X,
         H, X, SAMPLE_DEGRADED},
        {"lost: good even if all lost were bad", S(.requests = 10000, .errors = 5, .successes = 9995, .dropped = 9), H,
         H, H, SAMPLE_HEALTHY},
        {"lost: the slowest percent may be among them", S(.requests = 990, .successes = 990, .dropped = 10), H, U, H,
         SAMPLE_UNKNOWN},
};

static void judges_samples(void **state UNUSED) {
        Rules rules = default_rules();
        for (size_t i = 0; i < ARRAY_SIZE(sample_cases); i++) {
                const SampleCase *c = &sample_cases[i];
                SampleJudgement j;
                engine_judge_sample(&rules, &c->sample, &j);
                if (j.error_rate != c->error_rate || j.latency_p99 != c->latency || j.success_rate != c->success_rate ||
                    j.state != c->state)
                        fail_msg("%s: error rate %d, latency %d, success %d, state %d", c->what, (int)j.error_rate,
                                 (int)j.latency_p99, (int)j.success_rate, (int)j.state);
        }
}

static void min_requests_zero_still_needs_one(void **state UNUSED) {
        Rules rules = default_rules();
        rules.min_requests = 0;
        Sample sample = make_sample(0, 30 * SEC, 0, 0);
        SampleJudgement j;
        engine_judge_sample(&rules, &sample, &j);
        assert_int_equal(j.state, SAMPLE_UNKNOWN);
        assert_int_equal(j.error_rate_ppm, -1);
}

/* ---- the window ---- */

static void counts_the_expected_samples(void **state UNUSED) {
        static const struct {
                int64_t window, interval, share;
                unsigned expected, needed;
        } cases[] = {
                {120, 30, 750000, 5, 4},   {8, 2, 750000, 5, 4},
                {120, 120, 750000, 2, 2},  {60, 45, 750000, 2, 2},
                {120, 1, 750000, 121, 91}, {120, 30, 1, 5, 1},
                {120, 30, 0, 5, 1},        {120, 30, 1000000, 5, 5},
                {0, 30, 750000, 1, 1},     {1000, 1, 750000, WINDOW_SAMPLES_MAX, 96},
                {10, 0, 750000, 1, 1},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Rules rules = default_rules();
                rules.window_us = cases[i].window * SEC;
                rules.interval_us = cases[i].interval * SEC;
                rules.degraded_share_ppm = cases[i].share;
                assert_int_equal(engine_expected(&rules), cases[i].expected);
                assert_int_equal(engine_needed(&rules), cases[i].needed);
        }
}

/* Samples written as letters, one an interval: h(ealthy) d(egraded: errors) l(atency) u(nknown) -(missing). Returns the end. */
static int64_t feed(Engine *engine, const char *letters) {
        int64_t at = 0;
        for (; *letters; letters++, at += 30 * SEC) {
                Sample sample = make_sample(at, at + 30 * SEC, *letters == 'u' ? 50 : 6000, *letters == 'd' ? 301 : 3);
                if (*letters == 'l')
                        sample.latency_p99_us = 250400;
                if (*letters != '-')
                        assert_true(engine_add(engine, &sample));
        }
        return at;
}

static void needs_four_of_five_and_the_newest(void **state UNUSED) {
        static const struct {
                const char *samples;
                bool triggered;
                unsigned degraded, unknown;
        } cases[] = {
                {"", false, 0, 5},         {"d", false, 1, 4},     {"ddd", false, 3, 2},  {"dddd", true, 4, 1},
                {"hdddd", true, 4, 0},     {"ddhdd", true, 4, 0},  {"dhddd", true, 4, 0}, {"ddddh", false, 4, 0},
                {"ddddu", false, 4, 1},    {"dudud", false, 3, 2}, {"ddudd", true, 4, 1}, {"dd-dd", true, 4, 1},
                {"d--dd", false, 3, 2},    {"uuuuu", false, 0, 5}, {"ddddd", true, 5, 0}, {"ddddhhh", false, 2, 0},
                {"hhhhhdddd", true, 4, 0}, {"lldd", true, 4, 1},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Rules rules = default_rules();
                Engine engine;
                Verdict verdict;
                engine_init(&engine, &rules);
                int64_t now = feed(&engine, cases[i].samples);
                engine_verdict(&engine, now, &verdict);
                if (verdict.triggered != cases[i].triggered || verdict.degraded != cases[i].degraded ||
                    verdict.unknown != cases[i].unknown)
                        fail_msg("'%s': triggered %d, degraded %u, unknown %u: %s", cases[i].samples, verdict.triggered,
                                 verdict.degraded, verdict.unknown, verdict.words);
                assert_int_equal(verdict.degraded + verdict.healthy + verdict.unknown, verdict.expected);
                assert_int_equal(verdict.triggers != 0, verdict.triggered);
        }
}

static void names_the_triggers_of_at_least_half(void **state UNUSED) {
        static const struct {
                const char *samples;
                unsigned triggers;
        } cases[] = {
                {"dddd", TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE},
                {"llll", TRIGGER_LATENCY_P99},
                {"ddll", TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE | TRIGGER_LATENCY_P99},
                {"dlll", TRIGGER_LATENCY_P99},
                {"lllld", TRIGGER_LATENCY_P99},
                {"llddd", TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Rules rules = default_rules();
                Engine engine;
                Verdict verdict;
                engine_init(&engine, &rules);
                engine_verdict(&engine, feed(&engine, cases[i].samples), &verdict);
                assert_int_equal(verdict.triggers, cases[i].triggers);
        }
}

static void names_at_least_one_trigger(void **state UNUSED) {
        Rules rules = default_rules();
        rules.window_us = 180 * SEC; /* 7 samples, each of the three metrics exceeded in a minority */
        rules.degraded_share_ppm = 1000000;
        Engine engine;
        engine_init(&engine, &rules);
        for (unsigned i = 0; i < 7; i++) {
                Sample sample = make_sample(i * 30 * SEC, (i + 1) * 30 * SEC, 10000, 0);
                if (i % 3 == 0)
                        sample.latency_p99_us = 200 * MSEC;
                else if (i % 3 == 1)
                        sample.successes = 9000;
                else { /* errors alone: the limit for success is lower than that for errors would make it */
                        sample.errors = 200;
                        sample.successes = 9800;
                }
                assert_true(engine_add(&engine, &sample));
        }
        engine.rules.success_rate_ppm = 950000;
        Verdict verdict;
        engine_verdict(&engine, 210 * SEC, &verdict);
        assert_true(verdict.triggered);
        assert_int_equal(verdict.triggers, TRIGGER_LATENCY_P99); /* 3 of 7; the others 2 */
}

static void a_stale_newest_sample_triggers_nothing(void **state UNUSED) {
        Rules rules = default_rules();
        rules.degraded_share_ppm = 500000; /* so that three are enough, when the others have left the window */
        Engine engine;
        Verdict verdict;
        engine_init(&engine, &rules);
        int64_t now = feed(&engine, "ddddd");
        engine_verdict(&engine, now + 45 * SEC - 1, &verdict);
        assert_true(verdict.triggered);
        engine_verdict(&engine, now + 45 * SEC, &verdict);
        assert_false(verdict.triggered);
        assert_non_null(strstr(verdict.words, "too old"));
        engine_verdict(&engine, now + HOUR, &verdict);
        assert_int_equal(verdict.count, 0);
        assert_int_equal(verdict.unknown, 5);
}

static void a_restart_leaves_out_what_began_before(void **state UNUSED) {
        Rules rules = default_rules();
        Engine engine;
        Verdict verdict;
        engine_init(&engine, &rules);
        int64_t now = feed(&engine, "ddddd");
        engine_restart(&engine, now + 10 * SEC);
        engine_verdict(&engine, now, &verdict);
        assert_int_equal(verdict.count, 0);
        Sample overlaps = make_sample(now, now + 30 * SEC, 6000, 6000);
        assert_false(engine_add(&engine, &overlaps));
        Sample after = make_sample(now + 30 * SEC, now + 60 * SEC, 6000, 6000);
        assert_true(engine_add(&engine, &after));
        assert_ptr_equal(engine_newest(&engine), &engine.samples[engine.newest]);
        assert_int_equal(engine.count, 1);
}

static void samples_out_of_order_or_too_short_are_left_out(void **state UNUSED) {
        Rules rules = default_rules();
        Engine engine;
        engine_init(&engine, &rules);
        assert_null(engine_newest(&engine));
        int64_t now = feed(&engine, "h");
        Sample again = make_sample(0, now, 6000, 0), overlaps = make_sample(now - 1, now + 30 * SEC, 6000, 0);
        Sample shorter = make_sample(now, now + 15 * SEC - 1, 6000, 0),
               half = make_sample(now, now + 15 * SEC, 6000, 0);
        Sample backwards = make_sample(now + 30 * SEC, now, 6000, 0);
        assert_false(engine_add(&engine, &again));
        assert_false(engine_add(&engine, &overlaps));
        assert_false(engine_add(&engine, &shorter));
        assert_false(engine_add(&engine, &backwards));
        assert_true(engine_add(&engine, &half));
        assert_int_equal(engine.count, 2);
}

static void the_ring_goes_round(void **state UNUSED) {
        Rules rules = default_rules();
        Engine engine;
        Verdict verdict;
        engine_init(&engine, &rules);
        int64_t at = 0;
        for (unsigned i = 0; i < 3 * WINDOW_SAMPLES_MAX + 7; i++, at += 30 * SEC) {
                Sample sample = make_sample(at, at + 30 * SEC, 1000 + i, 0);
                assert_true(engine_add(&engine, &sample));
        }
        engine_verdict(&engine, at, &verdict);
        assert_int_equal(verdict.count, 5);
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(verdict.samples[i]->requests, 1000 + 3 * WINDOW_SAMPLES_MAX + 2 + i);
}

static void new_rules_keep_the_window_when_its_shape_stays(void **state UNUSED) {
        Rules rules = default_rules();
        Engine engine;
        engine_init(&engine, &rules);
        feed(&engine, "hhh");
        rules.error_rate_ppm = 1;
        engine_set_rules(&engine, &rules);
        assert_int_equal(engine.count, 3);
        rules.interval_us = 10 * SEC;
        engine_set_rules(&engine, &rules);
        assert_int_equal(engine.count, 0);
}

/* ---- promises, over every alignment ---- */

/* Timers are late, each time by something else, and it adds up in no direction. Counted, not random. */
static int64_t lateness(unsigned tick) {
        static const int64_t late[] = {0, 3 * MSEC, 20 * MSEC, 1 * MSEC, 11 * MSEC, 20 * MSEC, 0, 7 * MSEC};
        return late[tick % ARRAY_SIZE(late)];
}

/* 200 requests a second; between `begin` and `end` every `one_in`th fails. Returns the time from `begin` until it triggers, or -1. */
static int64_t simulate(int64_t begin, int64_t end, int64_t one_in, unsigned first_tick, bool late) {
        Rules rules = default_rules();
        static Engine engine;
        static Verdict verdict;
        engine_init(&engine, &rules);
        int64_t start = 0;
        for (unsigned tick = 1; tick <= 16; tick++) {
                int64_t stop = (int64_t)tick * 30 * SEC + (late ? lateness(tick + first_tick) : 0);
                int64_t from = begin > start ? begin : start, to = end < stop ? end : stop;
                int64_t bad = to > from ? (to - from) * 200 / SEC : 0;
                int64_t requests = (stop - start) * 200 / SEC, errors = bad / one_in;
                Sample sample = make_sample(start, stop, requests, errors);
                assert_true(engine_add(&engine, &sample));
                engine_verdict(&engine, stop + (late ? 2 * MSEC : 0), &verdict);
                if (verdict.triggered)
                        return stop - begin;
                start = stop;
        }
        return -1;
}

/* Every millisecond of alignment between the fault and the samples, with exact and with late timers. */
static void a_spike_of_sixty_seconds_never_triggers(void **state UNUSED) {
        for (int64_t phase = 0; phase < 30 * SEC; phase += MSEC)
                for (unsigned late = 0; late <= 1; late++) {
                        int64_t begin = 120 * SEC + phase;
                        int64_t after = simulate(begin, begin + 60 * SEC, 2, (unsigned)(phase / MSEC), late);
                        if (after >= 0)
                                fail_msg("50 %% for 60 s, %d ms into a sample: triggered after %d ms",
                                         (int)(phase / MSEC), (int)(after / MSEC));
                        assert_int_equal(simulate(begin, begin + 20 * SEC, 2, (unsigned)(phase / MSEC), late), -1);
                }
}

static void five_percent_are_found_after_90_to_150_seconds(void **state UNUSED) {
        int64_t soonest = INT64_MAX, latest = 0;
        for (int64_t phase = 0; phase < 30 * SEC; phase += MSEC)
                for (unsigned late = 0; late <= 1; late++) {
                        int64_t after =
                                simulate(120 * SEC + phase, INT64_MAX / 400, 20, (unsigned)(phase / MSEC), late);
                        soonest = after < soonest ? after : soonest;
                        latest = after > latest ? after : latest;
                }
        if (soonest < 90 * SEC || latest > 150 * SEC)
                fail_msg("found after %d to %d ms", (int)(soonest / MSEC), (int)(latest / MSEC));
        print_message("5 %% errors found after %d to %d ms\n", (int)(soonest / MSEC), (int)(latest / MSEC));
}

static void below_the_limit_never_triggers(void **state UNUSED) {
        for (int64_t phase = 0; phase < 30 * SEC; phase += 10 * MSEC)
                assert_int_equal(simulate(120 * SEC + phase, INT64_MAX / 400, 112, 0, true), -1); /* 0.9 % */
}

/* However the timers are late, a full window is five samples, never six. */
static void jitter_does_not_change_the_window(void **state UNUSED) {
        Rules rules = default_rules();
        static Engine engine;
        static Verdict verdict;
        for (unsigned offset = 0; offset < 8; offset++) {
                engine_init(&engine, &rules);
                int64_t start = 0;
                for (unsigned tick = 1; tick < 40; tick++) {
                        int64_t stop = (int64_t)tick * 30 * SEC + lateness(tick * 3 + offset);
                        Sample sample = make_sample(start, stop, 6000, 0);
                        assert_true(engine_add(&engine, &sample));
                        for (int64_t wait = 0; wait <= 40 * MSEC; wait += MSEC) {
                                engine_verdict(&engine, stop + wait, &verdict);
                                assert_int_equal(verdict.count, tick < 5 ? tick : 5);
                        }
                        start = stop;
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(judges_samples),
                cmocka_unit_test(min_requests_zero_still_needs_one),
                cmocka_unit_test(counts_the_expected_samples),
                cmocka_unit_test(needs_four_of_five_and_the_newest),
                cmocka_unit_test(names_the_triggers_of_at_least_half),
                cmocka_unit_test(names_at_least_one_trigger),
                cmocka_unit_test(a_stale_newest_sample_triggers_nothing),
                cmocka_unit_test(a_restart_leaves_out_what_began_before),
                cmocka_unit_test(samples_out_of_order_or_too_short_are_left_out),
                cmocka_unit_test(the_ring_goes_round),
                cmocka_unit_test(new_rules_keep_the_window_when_its_shape_stays),
                cmocka_unit_test(a_spike_of_sixty_seconds_never_triggers),
                cmocka_unit_test(five_percent_are_found_after_90_to_150_seconds),
                cmocka_unit_test(below_the_limit_never_triggers),
                cmocka_unit_test(jitter_does_not_change_the_window),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
