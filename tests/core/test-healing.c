#include "core/healing.h"

#include "core-test.h"

static const HealingRules usual = {.after = 2, .limit = 3, .backoff_us = 60 * SEC};

static HealingStep fail_at(Healing *healing, int64_t second) {
        return healing_look(healing, &usual, HEALTH_UNHEALTHY, second * SEC);
}

static void is_off_by_default(void **state UNUSED) {
        Healing healing = {0};
        const HealingRules never = {.after = 0, .limit = 3, .backoff_us = SEC};
        for (int64_t i = 1; i < 100; i++)
                assert_int_equal(healing_look(&healing, &never, HEALTH_UNHEALTHY, i * SEC), HEALING_NOTHING);
}

static void begins_after_failures_in_a_row(void **state UNUSED) {
        Healing healing = {0};
        assert_int_equal(fail_at(&healing, 5), HEALING_NOTHING);
        assert_int_equal(healing_look(&healing, &usual, HEALTH_DEGRADED, 10 * SEC), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, 15), HEALING_NOTHING);
        assert_int_equal(healing_look(&healing, &usual, HEALTH_UNKNOWN, 17 * SEC), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, 20), HEALING_TRY);
}

static void the_pause_doubles(void **state UNUSED) {
        Healing healing = {0};
        fail_at(&healing, 0);
        assert_int_equal(fail_at(&healing, 5), HEALING_TRY);
        for (int64_t second = 10; second < 65; second += 5)
                assert_int_equal(fail_at(&healing, second), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, 65), HEALING_TRY);
        assert_int_equal(fail_at(&healing, 184), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, 185), HEALING_TRY);
        assert_int_equal(healing_pause(&healing, &usual), 240 * SEC);
        healing.row = 60;
        assert_int_equal(healing_pause(&healing, &usual), HEALING_DAY_US);
}

static void is_given_up_at_the_limit(void **state UNUSED) {
        Healing healing = {0};
        fail_at(&healing, 0);
        assert_int_equal(fail_at(&healing, 5), HEALING_TRY);
        assert_int_equal(fail_at(&healing, 65), HEALING_TRY);
        assert_int_equal(fail_at(&healing, 185), HEALING_TRY);
        assert_int_equal(fail_at(&healing, 424), HEALING_NOTHING); /* the last try is given its time */
        assert_int_equal(fail_at(&healing, 425), HEALING_GIVE_UP);
        assert_int_equal(fail_at(&healing, 430), HEALING_NOTHING); /* said once */
        assert_int_equal(healing_look(&healing, &usual, HEALTH_HEALTHY, 500 * SEC), HEALING_WELL);
        assert_int_equal(healing_look(&healing, &usual, HEALTH_HEALTHY, 505 * SEC), HEALING_NOTHING);
}

static void the_limit_is_of_24_hours(void **state UNUSED) {
        Healing healing = {0};
        int64_t day = HEALING_DAY_US / SEC;
        for (int i = 0; i < 3; i++) { /* well after each try: the pause is forgotten, the limit isn't */
                fail_at(&healing, i * 10);
                assert_int_equal(fail_at(&healing, i * 10 + 5), HEALING_TRY);
                assert_int_equal(healing_look(&healing, &usual, HEALTH_HEALTHY, (i * 10 + 8) * SEC), HEALING_NOTHING);
        }
        fail_at(&healing, 100);
        assert_int_equal(fail_at(&healing, 105), HEALING_GIVE_UP);
        assert_int_equal(fail_at(&healing, day + 4), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, day + 5), HEALING_TRY); /* the first is a day old */
        assert_int_equal(healing.count, 3);
}

/* What an earlier life has tried counts, and the pause after it, until it is well. */
static void tries_are_recalled(void **state UNUSED) {
        const int64_t tries[] = {-100 * SEC, 10 * SEC};
        Healing healing = {0};
        healing_recall(&healing, tries, 2);
        fail_at(&healing, 20);
        assert_int_equal(fail_at(&healing, 129), HEALING_NOTHING);
        assert_int_equal(fail_at(&healing, 130), HEALING_TRY);
        assert_int_equal(fail_at(&healing, 1000), HEALING_GIVE_UP);

        int64_t many[HEALING_TRIES_MAX + 1];
        for (int i = 0; i <= HEALING_TRIES_MAX; i++)
                many[i] = i;
        healing_recall(&healing, many, HEALING_TRIES_MAX + 1);
        assert_int_equal(healing.count, HEALING_TRIES_MAX);
        assert_int_equal(healing.tries_mono[0], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_off_by_default),        cmocka_unit_test(begins_after_failures_in_a_row),
                cmocka_unit_test(the_pause_doubles),        cmocka_unit_test(is_given_up_at_the_limit),
                cmocka_unit_test(the_limit_is_of_24_hours), cmocka_unit_test(tries_are_recalled),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
