#include "core/validate.h"

#include "core-test.h"

#include <string.h>

typedef struct World {
        Rules rules;
        Sample sample;
        ValidationInput input;
        Validation result;
} World;

/* The specification's example: 0.05 % errors, p99 45 ms, success 99.8 %. */
static void set_up(World *world) {
        memset(world, 0, sizeof *world);
        world->rules = default_rules();
        world->sample = make_sample(0, 30 * SEC, 6000, 3);
        world->sample.successes = 5988;
        world->sample.latency_p99_us = 45 * MSEC;
        world->input = (ValidationInput){
                .rules = &world->rules,
                .expected_version = "v2.4.0",
                .current_version = "v2.4.0",
                .units_active = KNOWN_TRUE,
                .probe_healthy = KNOWN_TRUE,
                .sample = &world->sample,
        };
}

static CheckVerdict verdict_of(World *world, ValidationKey key) {
        validate(&world->input, &world->result);
        return world->result.checks[key].verdict;
}

static void passes_the_specification_s_example(void **state UNUSED) {
        World world;
        set_up(&world);
        validate(&world.input, &world.result);
        assert_int_equal(world.result.verdict, CHECK_PASSED);
        assert_int_equal(world.result.error_rate_ppm, 500);
        assert_int_equal(world.result.latency_p99_us, 45 * MSEC);
        assert_int_equal(world.result.success_rate_ppm, 998000);
        assert_string_equal(world.result.checks[VALIDATE_ERROR_RATE].measured, "0.05 %");
        assert_string_equal(world.result.checks[VALIDATE_ERROR_RATE].limit, "< 0.1 %");
        assert_string_equal(world.result.checks[VALIDATE_LATENCY].measured, "45 ms");
        assert_string_equal(world.result.checks[VALIDATE_LATENCY].limit, "< 100 ms");
        assert_string_equal(world.result.checks[VALIDATE_SUCCESS_RATE].measured, "99.80 %");
        assert_string_equal(world.result.checks[VALIDATE_SUCCESS_RATE].limit, "> 99.0 %");
        for (unsigned i = 0; i < VALIDATE_COUNT; i++)
                assert_int_equal(world.result.checks[i].verdict, CHECK_PASSED);
}

/* Each in turn: one thing wrong fails the whole, one thing unknown leaves the whole not verified. */
static void one_failure_fails_and_one_unknown_is_not_passed(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.current_version = "v3.0.0";
        assert_int_equal(verdict_of(&world, VALIDATE_VERSION), CHECK_FAILED);
        assert_int_equal(world.result.verdict, CHECK_FAILED);
        world.input.current_version = NULL;
        assert_int_equal(verdict_of(&world, VALIDATE_VERSION), CHECK_NOT_VERIFIED);
        assert_int_equal(world.result.verdict, CHECK_NOT_VERIFIED);
        world.input.current_version = "v2.4.0";
        world.input.expected_version = "";
        assert_int_equal(verdict_of(&world, VALIDATE_VERSION), CHECK_NOT_VERIFIED);

        static const CheckVerdict verdicts[] = {
                [KNOWN_NOT] = CHECK_NOT_VERIFIED,
                [KNOWN_FALSE] = CHECK_FAILED,
                [KNOWN_TRUE] = CHECK_PASSED,
        };
        for (unsigned i = KNOWN_NOT; i <= KNOWN_TRUE; i++) {
                set_up(&world);
                world.input.units_active = (Tristate)i;
                assert_int_equal(verdict_of(&world, VALIDATE_SERVICES), verdicts[i]);
                assert_int_equal(world.result.verdict, verdicts[i]);
                set_up(&world);
                world.input.probe_healthy = (Tristate)i;
                world.input.probe_detail = "connection refused";
                assert_int_equal(verdict_of(&world, VALIDATE_HEALTH), verdicts[i]);
                assert_int_equal(world.result.verdict, verdicts[i]);
                assert_non_null(strstr(world.result.checks[VALIDATE_HEALTH].measured, "(connection refused)"));
        }
}

/* Below and above are strict: a value at the limit has not passed. */
static void values_at_the_limit_fail(void **state UNUSED) {
        World world;
        set_up(&world);
        world.sample = make_sample(0, 30 * SEC, 6000, 6);
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_FAILED);
        world.sample = make_sample(0, 30 * SEC, 6000, 5);
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_PASSED);
        world.sample.successes = 5940;
        assert_int_equal(verdict_of(&world, VALIDATE_SUCCESS_RATE), CHECK_FAILED);
        world.sample.successes = 5941;
        assert_int_equal(verdict_of(&world, VALIDATE_SUCCESS_RATE), CHECK_PASSED);
        world.sample.latency_p99_us = 100 * MSEC;
        assert_int_equal(verdict_of(&world, VALIDATE_LATENCY), CHECK_FAILED);
        world.sample.latency_p99_us = 100 * MSEC - 1;
        assert_int_equal(verdict_of(&world, VALIDATE_LATENCY), CHECK_PASSED);
}

static void what_was_not_measured_is_not_verified(void **state UNUSED) {
        static const ValidationKey sampled[] = {VALIDATE_ERROR_RATE, VALIDATE_LATENCY, VALIDATE_SUCCESS_RATE};
        World world;
        for (unsigned i = 0; i < 4; i++) {
                static const char *const says[] = {"no sample", "HAProxy is gone", "only 99 requests", "contradicts"};
                set_up(&world);
                if (i == 0) {
                        world.input.sample = NULL;
                } else if (i == 1) {
                        world.sample.measured = false;
                        strcpy(world.sample.note, "HAProxy is gone");
                } else if (i == 2) {
                        world.sample = make_sample(0, 30 * SEC, 99, 0);
                } else {
                        world.sample.errors = world.sample.requests + 1;
                }
                validate(&world.input, &world.result);
                assert_int_equal(world.result.verdict, CHECK_NOT_VERIFIED);
                for (size_t k = 0; k < ARRAY_SIZE(sampled); k++) {
                        assert_int_equal(world.result.checks[sampled[k]].verdict, CHECK_NOT_VERIFIED);
                        assert_non_null(strstr(world.result.checks[sampled[k]].measured, says[i]));
                }
        }
        set_up(&world);
        world.sample.latency_p99_us = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_LATENCY), CHECK_NOT_VERIFIED);
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_PASSED);
}

static void lost_requests_are_neither_good_nor_bad(void **state UNUSED) {
        World world;
        set_up(&world);
        world.sample.dropped = 10; /* 3 to 13 errors of 6010, at most 6 are allowed */
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_NOT_VERIFIED);
        world.sample.errors = 7;
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_FAILED);
        world.sample = make_sample(0, 30 * SEC, 60000, 3);
        world.sample.dropped = 10;
        assert_int_equal(verdict_of(&world, VALIDATE_ERROR_RATE), CHECK_PASSED);
        assert_int_equal(verdict_of(&world, VALIDATE_LATENCY), CHECK_PASSED);
        world.sample.dropped = 700; /* more than the slowest percent */
        assert_int_equal(verdict_of(&world, VALIDATE_LATENCY), CHECK_NOT_VERIFIED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(passes_the_specification_s_example),
                cmocka_unit_test(one_failure_fails_and_one_unknown_is_not_passed),
                cmocka_unit_test(values_at_the_limit_fail),
                cmocka_unit_test(what_was_not_measured_is_not_verified),
                cmocka_unit_test(lost_requests_are_neither_good_nor_bad),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
