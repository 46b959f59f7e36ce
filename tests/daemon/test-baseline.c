#include "core/engine.h"
#include "daemon/baseline.h"

#include "../core/core-test.h"

#include <string.h>

/* A window of the samples' p99 latencies in milliseconds; 0 ends it. */
static void fill(Engine *engine, const Rules *rules, const int64_t *latencies_ms) {
        engine_init(engine, rules);
        for (unsigned i = 0; latencies_ms[i] != 0; i++) {
                Sample sample = make_sample(i * 30 * SEC, (i + 1) * 30 * SEC, 200, 0);
                sample.latency_p99_us = latencies_ms[i] * MSEC;
                assert_true(engine_add(engine, &sample));
        }
}

static bool measure(const int64_t *latencies_ms, Baseline *ret) {
        Rules rules = default_rules();
        Engine engine;
        Verdict verdict;
        unsigned count = 0;
        while (latencies_ms[count] != 0)
                count++;
        fill(&engine, &rules, latencies_ms);
        engine_verdict(&engine, count * 30 * SEC, &verdict);
        return baseline_measure(&rules, &verdict, ret);
}

static void the_median_of_the_window(void **state UNUSED) {
        Baseline baseline;
        assert_true(measure((const int64_t[]){90, 10, 20, 12, 11, 0}, &baseline));
        assert_int_equal(baseline.p99_us, 12 * MSEC);
        assert_int_equal(baseline.samples, 5);
        assert_int_equal(baseline.requests, 1000);
        assert_true(measure((const int64_t[]){20, 10, 0}, &baseline));
        assert_int_equal(baseline.p99_us, 10 * MSEC);
}

/* With four of five samples degraded something was wrong: that is nothing to go by. With three it isn't said yet. */
static void a_window_that_triggers_is_no_baseline(void **state UNUSED) {
        Baseline baseline = {.p99_us = 7};
        assert_false(measure((const int64_t[]){20, 150, 150, 150, 150, 0}, &baseline));
        assert_int_equal(baseline.p99_us, 7);
        assert_true(measure((const int64_t[]){20, 20, 150, 150, 150, 0}, &baseline));
        assert_int_equal(baseline.p99_us, 150 * MSEC);
}

static void samples_that_say_nothing_are_left_out(void **state UNUSED) {
        Rules rules = default_rules();
        Engine engine;
        Verdict verdict;
        Baseline baseline;
        fill(&engine, &rules, (const int64_t[]){20, 0});
        Sample thin = make_sample(30 * SEC, 60 * SEC, 99, 0), blind = make_sample(60 * SEC, 90 * SEC, 500, 0),
               timeless = make_sample(90 * SEC, 120 * SEC, 500, 0);
        blind.measured = false;
        timeless.latency_p99_us = -1;
        assert_true(engine_add(&engine, &thin) && engine_add(&engine, &blind) && engine_add(&engine, &timeless));
        engine_verdict(&engine, 120 * SEC, &verdict);
        assert_true(baseline_measure(&rules, &verdict, &baseline));
        assert_int_equal(baseline.samples, 1);
        assert_int_equal(baseline.requests, 200);
        engine_restart(&engine, 120 * SEC);
        engine_verdict(&engine, 120 * SEC, &verdict);
        assert_false(baseline_measure(&rules, &verdict, &baseline));
}

static void it_is_kept_and_read_again(void **state UNUSED) {
        const Baseline baseline = {
                .p99_us = 45100, .samples = 5, .requests = 30000, .at_wall = INT64_C(1700000000000000)};
        Baseline read;
        char text[BASELINE_TEXT_MAX];
        baseline_format(&baseline, text);
        assert_true(baseline_parse(text, &read));
        assert_memory_equal(&read, &baseline, sizeof read);
        static const char *const bad[] = {"",
                                          "{}",
                                          "[1]",
                                          "{\"p99_us\": 1, \"samples\": 0, \"requests\": 0, \"at\": 1}",
                                          "{\"p99_us\": -1, \"samples\": 1, \"requests\": 0, \"at\": 1}",
                                          "{\"p99_us\": \"1\", \"samples\": 1, \"requests\": 0, \"at\": 1}"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(baseline_parse(bad[i], &read));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_median_of_the_window),
                cmocka_unit_test(a_window_that_triggers_is_no_baseline),
                cmocka_unit_test(samples_that_say_nothing_are_left_out),
                cmocka_unit_test(it_is_kept_and_read_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
