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
                .sample = &world->sample,
                .health_score = 98,
                .health_score_limit = 95,
                .baseline_p99_us = 44 * MSEC,
                .baseline_tolerance_ppm = 500000,
                .baseline_floor_us = 5 * MSEC,
                .units = {.state = KNOWN_TRUE},
                .probe = {.state = KNOWN_TRUE},
                .traffic = {.state = KNOWN_TRUE},
                .consensus = {.state = KNOWN_TRUE},
                .byzantine = {.state = KNOWN_TRUE},
                .database = {.state = KNOWN_TRUE},
                .incidents = {.state = KNOWN_TRUE},
                .logs = {.state = KNOWN_TRUE},
                .alerts = {.state = KNOWN_TRUE},
                .source = {.state = KNOWN_TRUE},
                .sample_age_us = 4 * SEC,
                .probe_age_us = SEC,
                .probe_interval_us = 3 * SEC,
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

static void the_previous_version_must_run(void **state UNUSED) {
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
}

static const CheckVerdict verdicts[] = {
        [KNOWN_NOT] = CHECK_NOT_VERIFIED,
        [KNOWN_FALSE] = CHECK_FAILED,
        [KNOWN_TRUE] = CHECK_PASSED,
};

/* What somebody else has looked up: each in turn so, not so, not known, and not there at all. */
static void facts_are_taken_as_they_are(void **state UNUSED) {
        static const struct {
                ValidationKey key;
                size_t offset;
        } facts[] = {
                {VALIDATE_CONSENSUS, offsetof(ValidationInput, consensus)},
                {VALIDATE_BYZANTINE, offsetof(ValidationInput, byzantine)},
                {VALIDATE_DATABASE, offsetof(ValidationInput, database)},
                {VALIDATE_INCIDENTS, offsetof(ValidationInput, incidents)},
                {VALIDATE_LOGS, offsetof(ValidationInput, logs)},
                {VALIDATE_ALERTS, offsetof(ValidationInput, alerts)},
        };
        World world;
        for (size_t k = 0; k < ARRAY_SIZE(facts); k++) {
                for (unsigned i = KNOWN_NOT; i <= KNOWN_TRUE; i++) {
                        set_up(&world);
                        ValidationFact *fact = (ValidationFact *)((char *)&world.input + facts[k].offset);
                        *fact = (ValidationFact){.state = (Tristate)i, .words = "as measured"};
                        assert_int_equal(verdict_of(&world, facts[k].key), verdicts[i]);
                        assert_int_equal(world.result.verdict, verdicts[i]);
                        assert_string_equal(world.result.checks[facts[k].key].measured, "as measured");
                        fact->words = NULL;
                        validate(&world.input, &world.result);
                        assert_true(world.result.checks[facts[k].key].measured[0]);
                        assert_true(world.result.checks[facts[k].key].limit[0]);
                }
                set_up(&world);
                ((ValidationFact *)((char *)&world.input + facts[k].offset))->absent = "x.driver is none";
                assert_int_equal(verdict_of(&world, facts[k].key), CHECK_NOT_APPLICABLE);
                assert_int_equal(world.result.verdict, CHECK_PASSED);
                assert_string_equal(world.result.checks[facts[k].key].measured, "x.driver is none");
                assert_int_equal(world.result.not_applicable, 1);
                assert_int_equal(world.result.passed, VALIDATE_COUNT - 1);
        }
}

/* A unit that runs a service which says it isn't well is not operational, nor the other way round. */
static void services_are_units_and_what_they_run(void **state UNUSED) {
        World world;
        for (unsigned i = KNOWN_NOT; i <= KNOWN_TRUE; i++) {
                set_up(&world);
                world.input.units.state = (Tristate)i;
                assert_int_equal(verdict_of(&world, VALIDATE_SERVICES), verdicts[i]);
                assert_int_equal(world.result.verdict, verdicts[i]);
                set_up(&world);
                world.input.probe = (ValidationFact){.state = (Tristate)i, .words = "connection refused"};
                assert_int_equal(verdict_of(&world, VALIDATE_SERVICES), verdicts[i]);
                assert_int_equal(world.result.verdict, verdicts[i]);
                assert_non_null(strstr(world.result.checks[VALIDATE_SERVICES].measured, "; connection refused"));
                world.input.units.state = KNOWN_FALSE;
                assert_int_equal(verdict_of(&world, VALIDATE_SERVICES), CHECK_FAILED);
        }
}

static void the_score_must_be_above_its_limit(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.health_words = "492 / 500 of the weights";
        assert_int_equal(verdict_of(&world, VALIDATE_HEALTH_SCORE), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_HEALTH_SCORE].measured, "98/100 (492 / 500 of the weights)");
        assert_string_equal(world.result.checks[VALIDATE_HEALTH_SCORE].limit, "> 95/100");
        world.input.health_score = 95;
        assert_int_equal(verdict_of(&world, VALIDATE_HEALTH_SCORE), CHECK_FAILED);
        world.input.health_score = -1;
        world.input.health_words = "database was not checked since the run";
        assert_int_equal(verdict_of(&world, VALIDATE_HEALTH_SCORE), CHECK_NOT_VERIFIED);
        assert_string_equal(world.result.checks[VALIDATE_HEALTH_SCORE].measured,
                            "database was not checked since the run");
}

/* 44 ms before: 66 ms by the tolerance; of 4 ms the floor gives 9 ms. */
static void latency_is_compared_with_the_release_s_own(void **state UNUSED) {
        World world;
        set_up(&world);
        world.sample.latency_p99_us = 66 * MSEC;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_BASELINE].limit, "<= 66 ms");
        assert_string_equal(world.result.checks[VALIDATE_BASELINE].measured, "66 ms, before the deployment 44 ms");
        world.sample.latency_p99_us = 66 * MSEC + 1;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_FAILED);
        assert_int_equal(world.result.checks[VALIDATE_LATENCY].verdict, CHECK_PASSED);
        world.input.baseline_p99_us = 4 * MSEC;
        world.sample.latency_p99_us = 9 * MSEC;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_PASSED);
        world.sample.latency_p99_us = 9 * MSEC + 1;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_FAILED);
        world.sample.latency_p99_us = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_NOT_VERIFIED);
        set_up(&world);
        world.input.baseline_p99_us = -1;
        world.input.baseline_words = "no latency of v2.4.0 was recorded before the deployment";
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_NOT_APPLICABLE);
        assert_string_equal(world.result.checks[VALIDATE_BASELINE].measured, world.input.baseline_words);
        world.input.baseline_p99_us = INT64_MAX / 4 / PPM * PPM; /* nonsense doesn't overflow */
        world.input.baseline_tolerance_ppm = PPM;
        assert_int_equal(verdict_of(&world, VALIDATE_BASELINE), CHECK_PASSED);
}

static void data_loss_is_what_was_cut(void **state UNUSED) {
        World world;
        set_up(&world);
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_DATA_LOSS].measured,
                            "0 cut; 0 failed or refused, none of them acknowledged");
        world.input.requests_failed = 37; /* without a gate: refused, and told so */
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_PASSED);
        world.input.in_flight_cut = 2; /* whether they were done nobody knows */
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_NOT_VERIFIED);
        world.input.requests_failed = -1;
        world.input.run_words = "run 3 could not count failed requests";
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_NOT_VERIFIED);
        assert_string_equal(world.result.checks[VALIDATE_DATA_LOSS].measured, world.input.run_words);
}

/* However no request was cut, or none could be counted; and that the data is sound says nothing of requests. */
static void damaged_data_is_data_loss(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.data = (ValidationFact){.state = KNOWN_TRUE, .words = "consistency check: 4 checks passed"};
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_PASSED);
        assert_non_null(
                strstr(world.result.checks[VALIDATE_DATA_LOSS].measured, "; consistency check: 4 checks passed"));
        world.input.in_flight_cut = 1;
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_NOT_VERIFIED);
        world.input.data =
                (ValidationFact){.state = KNOWN_FALSE, .words = "consistency check: index a_pkey is damaged"};
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_FAILED);
        world.input.requests_failed = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_FAILED);
}

static void rows_that_went_are_data_loss_though_they_were_allowed_to(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.rows_lost = ROWS_LOST_WORDS "public.orders: 9 rows vanish";
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_FAILED);
        assert_string_equal(world.result.checks[VALIDATE_DATA_LOSS].measured,
                            "rows were lost, as allowed: public.orders: 9 rows vanish; "
                            "0 cut; 0 failed or refused, none of them acknowledged");
        world.input.requests_failed = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_DATA_LOSS), CHECK_FAILED);
}

static void traffic_flows_when_requests_arrive(void **state UNUSED) {
        World world;
        set_up(&world);
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_TRAFFIC].measured, "flowing, 200 requests/s");
        world.sample = make_sample(0, 30 * SEC, 45, 0);
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_TRAFFIC].measured, "flowing, 1.5 requests/s");
        world.sample = make_sample(0, 30 * SEC, 0, 0);
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_NOT_VERIFIED);
        world.input.sample = NULL;
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_NOT_VERIFIED);
        set_up(&world);
        world.input.traffic.state = KNOWN_NOT;
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_NOT_VERIFIED);
        world.input.traffic.state = KNOWN_FALSE;
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_FAILED);
        world.input.traffic = (ValidationFact){.absent = "traffic.driver is none"};
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_PASSED); /* what arrives has come through */
        world.input.sample = NULL;
        world.input.source.absent = "metrics.source is none";
        assert_int_equal(verdict_of(&world, VALIDATE_TRAFFIC), CHECK_NOT_APPLICABLE);
}

static void monitoring_is_recent(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.sample_age_us = 60 * SEC;
        world.input.probe_age_us = 6 * SEC;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_PASSED);
        assert_string_equal(world.result.checks[VALIDATE_MONITORING].limit, "sample <= 60 s, answer <= 6 s");
        assert_string_equal(world.result.checks[VALIDATE_MONITORING].measured,
                            "the source is heard; newest sample 60 s ago; newest health answer 6 s ago");
        world.input.sample_age_us++;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_FAILED);
        set_up(&world);
        world.input.probe_age_us = 6 * SEC + 1;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_FAILED);
        set_up(&world);
        world.input.source.state = KNOWN_FALSE;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_FAILED);
        set_up(&world);
        world.input.sample_age_us = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_NOT_VERIFIED);
        world.input.source.absent = "metrics.source is none"; /* then the health probe is all there is */
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_PASSED);
        world.input.probe_age_us = -1;
        assert_int_equal(verdict_of(&world, VALIDATE_MONITORING), CHECK_NOT_VERIFIED);
}

/* The specification's lists, counted there. */
static void both_lists_are_whole(void **state UNUSED) {
        unsigned criteria = 0, checklist = 0;
        World world;
        set_up(&world);
        validate(&world.input, &world.result);
        for (unsigned i = 0; i < VALIDATE_COUNT; i++) {
                criteria += (world.result.checks[i].lists & LIST_CRITERIA) != 0;
                checklist += (world.result.checks[i].lists & LIST_CHECKLIST) != 0;
                assert_true(world.result.checks[i].key[0] && world.result.checks[i].title[0]);
                assert_true(world.result.checks[i].measured[0] && world.result.checks[i].limit[0]);
        }
        assert_int_equal(criteria, 6);
        assert_int_equal(checklist, 14);
}

/* One failure outweighs what isn't known. */
static void failed_comes_before_not_verified(void **state UNUSED) {
        World world;
        set_up(&world);
        world.input.consensus.state = KNOWN_NOT;
        world.input.logs.state = KNOWN_FALSE;
        world.input.alerts.absent = "alerts.command is not set";
        validate(&world.input, &world.result);
        assert_int_equal(world.result.verdict, CHECK_FAILED);
        assert_int_equal(world.result.failed, 1);
        assert_int_equal(world.result.not_verified, 1);
        assert_int_equal(world.result.not_applicable, 1);
        assert_int_equal(world.result.passed, VALIDATE_COUNT - 3);
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
                cmocka_unit_test(the_previous_version_must_run),
                cmocka_unit_test(facts_are_taken_as_they_are),
                cmocka_unit_test(services_are_units_and_what_they_run),
                cmocka_unit_test(the_score_must_be_above_its_limit),
                cmocka_unit_test(latency_is_compared_with_the_release_s_own),
                cmocka_unit_test(data_loss_is_what_was_cut),
                cmocka_unit_test(damaged_data_is_data_loss),
                cmocka_unit_test(rows_that_went_are_data_loss_though_they_were_allowed_to),
                cmocka_unit_test(traffic_flows_when_requests_arrive),
                cmocka_unit_test(monitoring_is_recent),
                cmocka_unit_test(both_lists_are_whole),
                cmocka_unit_test(failed_comes_before_not_verified),
                cmocka_unit_test(values_at_the_limit_fail),
                cmocka_unit_test(what_was_not_measured_is_not_verified),
                cmocka_unit_test(lost_requests_are_neither_good_nor_bad),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
