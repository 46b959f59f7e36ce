#include "api/wire.h"

#include "core/plan.h"
#include "core/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WALL INT64_C(1795365825142000) /* 2026-11-22T16:43:45.142Z */

static const Rules rules = {
        .error_rate_ppm = 10000,
        .latency_p99_us = 100 * USEC_PER_MSEC,
        .success_rate_ppm = 990000,
        .window_us = 120 * USEC_PER_SEC,
        .interval_us = 30 * USEC_PER_SEC,
        .degraded_share_ppm = 750000,
        .min_requests = 100,
        .outage_window_us = 10 * USEC_PER_SEC,
        .restart_limit = 3,
        .armed_for_us = 86400 * USEC_PER_SEC,
        .bake_for_us = 600 * USEC_PER_SEC,
        .rollbacks_per_day = 3,
};

static void assert_prints(json_t *value, const char *wanted) {
        AUTO_FREE char *text = wire_print(value);
        json_decref(value);
        assert_non_null(text);
        text[strlen(text) - 1] = '\0';
        assert_string_equal(text, wanted);
}

static Run make_run(void) {
        Plan plan;
        Run run;
        const PlanRequest request = {.kind = RUN_ROLLBACK, .mode = MODE_MANUAL, .from = "v3.0.0", .to = "v2.4.0"};
        Error error = {0};
        if (plan_make(&request, &plan, &error) < 0)
                fail_msg("%s", error_text(&error));
        run_init(&run, &plan, "too slow", "root (uid 0)", 0, WALL);
        return run;
}

static void test_values(UNUSED void **state) {
        assert_prints(json_pack("[o, o]", wire_percent(500), wire_percent(-1)), "[0.05,null]");
        assert_prints(json_pack("[o, o]", wire_percent(999999), wire_percent(1000000)), "[99.9999,100.0]");
        assert_prints(json_pack("[o, o, o]", wire_ms(250400), wire_ms(0), wire_ms(-1)), "[250.4,0.0,null]");
        assert_prints(json_pack("[o, o]", wire_time(WALL), wire_time(0)), "[\"2026-11-22T16:43:45.142Z\",null]");
        assert_prints(json_pack("[o, o, o]", wire_text("a\xc3\xa9"), wire_text("a\xc3"), wire_text(NULL)),
                      "[\"a\xc3\xa9\",\"a?\",null]");
        assert_prints(json_pack("[o, o]", wire_text(""), wire_text_or_null("")), "[\"\",null]");
}

static void test_an_open_run(UNUSED void **state) {
        Run run = make_run();
        run.id = 17;
        run.phase = RUN_FORWARD;
        run.steps[STEP_DRAIN_TRAFFIC] =
                (StepRecord){.state = STEP_ACTING, .attempt = 1, .started_wall = WALL, .detail = "3 in flight"};
        json_t *value = wire_run(&run, NULL);
        assert_non_null(value);
        assert_true(json_is_null(json_object_get(value, "decision")));
        assert_true(json_is_null(json_object_get(value, "ended")));
        assert_true(json_is_null(json_object_get(value, "duration_ms")));
        assert_true(json_is_null(json_object_get(value, "serving")));
        assert_true(json_is_null(json_object_get(value, "validation")));
        assert_true(json_is_null(json_object_get(value, "requests_failed"))); /* not known is not 0 */
        assert_int_equal(json_array_size(json_object_get(value, "recovery")), 0);
        const json_t *steps = json_object_get(value, "steps");
        assert_int_equal(json_array_size(steps), STEP_COUNT);
        assert_prints(
                json_incref(json_array_get(steps, 2)),
                "{\"step\":2,\"key\":\"drain_traffic\",\"title\":\"Drain traffic\",\"budget_ms\":30000,\"critical\":true,"
                "\"state\":\"acting\",\"attempt\":1,\"started\":\"2026-11-22T16:43:45.142Z\",\"ended\":null,\"duration_ms\":null,"
                "\"detail\":\"3 in flight\"}");
        json_decref(value);
}

static void test_an_ended_run(UNUSED void **state) {
        Run run = make_run();
        run.phase = RUN_FAILED;
        run.outcome = OUTCOME_PUT_BACK;
        run.decision_id = 4;
        run.ended_wall = WALL + 1500;
        run.requests_failed = 0;
        snprintf(run.serving, sizeof run.serving, "v3.0.0");
        run.recovery[STEP_START_VERSION] =
                (StepRecord){.state = STEP_DONE, .attempt = 2, .started_wall = WALL, .ended_wall = WALL + 4000};
        json_t *value = wire_run(&run, "pending");
        assert_int_equal(json_integer_value(json_object_get(value, "decision")), 4);
        assert_prints(json_incref(json_object_get(value, "duration_ms")), "1.5");
        assert_prints(json_incref(json_object_get(value, "requests_failed")), "0");
        assert_string_equal(json_string_value(json_object_get(value, "outcome")), "put_back");
        assert_string_equal(json_string_value(json_object_get(value, "serving")), "v3.0.0");
        assert_string_equal(json_string_value(json_object_get(value, "validation")), "pending");
        const json_t *recovery = json_object_get(value, "recovery");
        assert_int_equal(json_array_size(recovery), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(recovery, 0), "key")), "start_version");
        assert_prints(json_incref(json_object_get(json_array_get(recovery, 0), "duration_ms")), "4.0");
        json_decref(value);
}

static void test_samples(UNUSED void **state) {
        Sample sample = {.start_mono = 30 * USEC_PER_SEC,
                         .end_mono = 60 * USEC_PER_SEC,
                         .end_wall = WALL,
                         .measured = true,
                         .requests = 6000,
                         .errors = 301,
                         .successes = 5699,
                         .latency_p50_us = 2000,
                         .latency_p99_us = 250400};
        assert_prints(
                wire_sample(&sample, &rules, 61 * USEC_PER_SEC),
                "{\"start\":\"2026-11-22T16:43:15.142Z\",\"end\":\"2026-11-22T16:43:45.142Z\",\"measured\":true,"
                "\"state\":\"degraded\",\"requests\":6000,\"errors\":301,\"error_rate_percent\":5.0166,"
                "\"success_rate_percent\":94.9833,\"latency_p50_ms\":2.0,\"latency_p99_ms\":250.4,\"dropped\":0,\"note\":\"\",\"age_s\":1.0}");
        Sample dead = {.start_mono = 0,
                       .end_mono = 1,
                       .end_wall = WALL,
                       .latency_p50_us = -1,
                       .latency_p99_us = -1,
                       .note = "refused"};
        json_t *value = wire_sample(&dead, &rules, 0);
        assert_string_equal(json_string_value(json_object_get(value, "state")), "unknown");
        static const char *const unknown[] = {
                "requests",       "errors", "error_rate_percent", "success_rate_percent", "latency_p50_ms",
                "latency_p99_ms", "age_s"};
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
                assert_true(json_is_null(json_object_get(value, unknown[i])));
        json_decref(value);
}

static void test_a_decision(UNUSED void **state) {
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        *decision = (Decision){.id = 3,
                               .at_wall = WALL,
                               .kind = DECISION_REVIEW,
                               .guard = GUARD_NOT_ARMED,
                               .expected = 5,
                               .needed = 4,
                               .degraded = 4,
                               .triggers = TRIGGER_ERROR_RATE | TRIGGER_OUTAGE,
                               .version = "v3.0.0",
                               .sample_count = 1,
                               .rules = rules};
        json_t *value = wire_decision(decision);
        assert_prints(json_incref(json_object_get(value, "triggers")), "[\"error_rate\",\"outage\"]");
        assert_string_equal(json_string_value(json_object_get(value, "guard")), "not_armed");
        assert_true(json_is_null(json_object_get(value, "target")));
        assert_int_equal(json_array_size(json_object_get(value, "samples")), 1);
        assert_prints(
                json_incref(json_object_get(value, "rules")),
                "{\"error_rate_percent\":1.0,\"latency_p99_ms\":100.0,\"success_rate_percent\":99.0,\"degradation_window_s\":120.0,"
                "\"interval_s\":30.0,\"degraded_share_percent\":75.0,\"min_requests\":100,\"outage_window_s\":10.0,\"restart_limit\":3,"
                "\"armed_for_s\":86400.0,\"bake_for_s\":600.0,\"rollbacks_per_day\":3}");
        json_decref(value);
}

static void test_a_plan(UNUSED void **state) {
        Run run = make_run();
        json_t *value = wire_plan(&run.plan);
        assert_int_equal(json_integer_value(json_object_get(value, "ceiling_ms")), 155000);
        assert_int_equal(json_array_size(json_object_get(value, "steps")), STEP_COUNT);
        assert_true(json_is_null(json_object_get(value, "refused")));
        assert_true(json_is_null(json_object_get(value, "gate")));
        json_decref(value);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),  cmocka_unit_test(test_an_open_run), cmocka_unit_test(test_an_ended_run),
                cmocka_unit_test(test_samples), cmocka_unit_test(test_a_decision),  cmocka_unit_test(test_a_plan),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
