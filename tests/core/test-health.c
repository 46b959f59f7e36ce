#include "core/health.h"

#include "core-test.h"

#include <string.h>

typedef struct Given {
        HealthState state;
        unsigned score, weight;
        bool critical;
} Given;

typedef struct Row {
        const char *what;
        Given given[4]; /* up to one whose weight is 0 and that isn't critical */
        HealthState state;
        int score;
        unsigned points, weights;
} Row;

static const Row rows[] = {
        {"nothing", {{0}}, HEALTH_UNKNOWN, -1, 0, 0},
        {"all healthy",
         {{HEALTH_HEALTHY, 100, 1, false}, {HEALTH_HEALTHY, 100, 3, false}},
         HEALTH_HEALTHY,
         100,
         400,
         4},
        {"rounded down",
         {{HEALTH_HEALTHY, 100, 3, false}, {HEALTH_HEALTHY, 100, 1, false}, {HEALTH_DEGRADED, 50, 2, false}},
         HEALTH_DEGRADED,
         83,
         500,
         6},
        {"unknown counts neither for nor against",
         {{HEALTH_HEALTHY, 100, 1, false}, {HEALTH_UNKNOWN, 0, 50, true}},
         HEALTH_HEALTHY,
         100,
         100,
         1},
        {"nothing that counts is known", {{HEALTH_UNKNOWN, 100, 1, false}}, HEALTH_UNKNOWN, -1, 0, 0},
        {"a critical one is the whole's state",
         {{HEALTH_UNHEALTHY, 0, 1, true}, {HEALTH_HEALTHY, 100, 99, false}},
         HEALTH_UNHEALTHY,
         99,
         9900,
         100},
        {"critical and not counted", {{HEALTH_UNHEALTHY, 0, 0, true}}, HEALTH_UNHEALTHY, -1, 0, 0},
        {"critical, but only degraded", {{HEALTH_DEGRADED, 90, 1, true}}, HEALTH_DEGRADED, 90, 90, 1},
        {"unhealthy, but not critical",
         {{HEALTH_UNHEALTHY, 0, 1, false}, {HEALTH_HEALTHY, 100, 1, false}},
         HEALTH_DEGRADED,
         50,
         100,
         2},
        {"below 50",
         {{HEALTH_UNHEALTHY, 0, 51, false}, {HEALTH_HEALTHY, 100, 49, false}},
         HEALTH_UNHEALTHY,
         49,
         4900,
         100},
        {"a full score, but worse than healthy", {{HEALTH_DEGRADED, 100, 1, false}}, HEALTH_DEGRADED, 100, 100, 1},
};

static void is_summed_up(void **state UNUSED) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Health health = {.state = HEALTH_HEALTHY, .score = 7};
                for (const Given *given = rows[i].given;
                     given < rows[i].given + 4 && (given->weight > 0 || given->critical); given++)
                        health.components[health.count++] = (ComponentHealth){.state = given->state,
                                                                              .score = given->score,
                                                                              .weight = given->weight,
                                                                              .critical = given->critical};
                health_sum_up(&health);
                if (health.state != rows[i].state || health.score != rows[i].score || health.points != rows[i].points ||
                    health.weights != rows[i].weights)
                        fail_msg("%s: %s %d = %u / %u", rows[i].what, health_state_name(health.state), health.score,
                                 health.points, health.weights);
        }
}

static void weight_0_is_shown_and_not_counted(void **state UNUSED) {
        Health health = {.count = 2,
                         .components = {{.state = HEALTH_HEALTHY, .score = 100, .weight = 1},
                                        {.state = HEALTH_UNHEALTHY, .score = 0, .weight = 0}}};
        health_sum_up(&health);
        assert_int_equal(health.state, HEALTH_HEALTHY);
        assert_int_equal(health.score, 100);
}

static HealthState strike(unsigned *strikes, HealthState found, unsigned *score) {
        *score = found == HEALTH_HEALTHY ? 100 : 0;
        return health_strike(strikes, 3, found, false, true, score);
}

static void is_found_by_its_name(void **state) {
        static const Health health = {.count = 2,
                                      .components = {{.name = "api"}, {.name = "database"}, {.name = "beyond"}}};
        (void)state;
        assert_ptr_equal(health_find(&health, "database"), &health.components[1]);
        assert_null(health_find(&health, "data"));
        assert_null(health_find(&health, "beyond"));
}

static void failures_in_a_row_are_counted(void **state UNUSED) {
        unsigned strikes = 0, score;
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_DEGRADED);
        assert_int_equal(score, 50);
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_DEGRADED);
        assert_int_equal(strike(&strikes, HEALTH_HEALTHY, &score), HEALTH_HEALTHY); /* not in a row */
        assert_int_equal(score, 100);
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_DEGRADED);
        assert_int_equal(strike(&strikes, HEALTH_UNKNOWN, &score), HEALTH_UNKNOWN); /* changes no count */
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_DEGRADED);
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_UNHEALTHY);
        assert_int_equal(score, 0);
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_UNHEALTHY);
        assert_int_equal(strike(&strikes, HEALTH_DEGRADED, &score), HEALTH_DEGRADED);
        assert_int_equal(score, 0); /* what it was measured as */
        assert_int_equal(strike(&strikes, HEALTH_UNHEALTHY, &score), HEALTH_DEGRADED);
}

static void some_failures_need_no_count(void **state UNUSED) {
        unsigned strikes = 0, score = 0;
        assert_int_equal(health_strike(&strikes, 3, HEALTH_UNHEALTHY, true, true, &score), HEALTH_UNHEALTHY);
        assert_int_equal(score, 0);
}

static void a_runs_own_failures_are_not_counted(void **state UNUSED) {
        unsigned strikes = 2, score = 0;
        for (int i = 0; i < 5; i++)
                assert_int_equal(health_strike(&strikes, 3, HEALTH_UNHEALTHY, true, false, &score), HEALTH_DEGRADED);
        assert_int_equal(strikes, 2);
        assert_int_equal(score, 50);
}

static void the_worst_is_named(void **state UNUSED) {
        Health health = {.count = 3,
                         .components = {{.state = HEALTH_DEGRADED, .weight = 1},
                                        {.state = HEALTH_UNHEALTHY, .weight = 1},
                                        {.state = HEALTH_UNHEALTHY, .critical = true}}};
        assert_ptr_equal(health_worst(&health), &health.components[2]);
        health.components[2].critical = false;
        assert_ptr_equal(health_worst(&health), &health.components[1]);
        health.components[1].state = HEALTH_UNKNOWN;
        assert_ptr_equal(health_worst(&health), &health.components[0]);
        health.components[0].state = HEALTH_HEALTHY;
        assert_null(health_worst(&health));
}

static void states_have_names(void **state UNUSED) {
        assert_string_equal(health_state_name(HEALTH_UNKNOWN), "unknown");
        assert_string_equal(health_state_name(HEALTH_HEALTHY), "healthy");
        assert_string_equal(health_state_name(HEALTH_DEGRADED), "degraded");
        assert_string_equal(health_state_name(HEALTH_UNHEALTHY), "unhealthy");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_summed_up),
                cmocka_unit_test(weight_0_is_shown_and_not_counted),
                cmocka_unit_test(is_found_by_its_name),
                cmocka_unit_test(failures_in_a_row_are_counted),
                cmocka_unit_test(some_failures_need_no_count),
                cmocka_unit_test(a_runs_own_failures_are_not_counted),
                cmocka_unit_test(the_worst_is_named),
                cmocka_unit_test(states_have_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
