#include "core/rate.h"

#include "core-test.h"

static void add(Rate *rate, int64_t second, int64_t part, int64_t whole) {
        const RatePoint point = {second * SEC, part, whole};
        rate_add(rate, &point);
}

static void takes_two_points(void **state UNUSED) {
        Rate rate = {.window_us = 60 * SEC};
        RatePoint between;
        assert_false(rate_between(&rate, &between));
        add(&rate, 10, 100, 1000);
        assert_false(rate_between(&rate, &between));
        add(&rate, 11, 105, 1010); /* nearer than a 30th of the window: counted all the same */
        assert_true(rate_between(&rate, &between));
        assert_int_equal(between.mono, SEC);
        assert_int_equal(between.part, 5);
        assert_int_equal(between.whole, 10);
}

static void is_of_the_window(void **state UNUSED) {
        Rate rate = {.window_us = 60 * SEC};
        RatePoint between = {0};
        for (int64_t second = 0; second <= 1000; second++) { /* busy until second 500 */
                add(&rate, second, second < 500 ? second : 500, second);
                assert_true(rate.count <= RATE_POINTS);
                if (second >= 65) {
                        assert_true(rate_between(&rate, &between));
                        assert_true(between.mono >= 60 * SEC && between.mono <= 63 * SEC);
                }
        }
        assert_int_equal(between.part, 0);
        assert_true(between.whole >= 60);
}

static void begins_anew_with_its_counters(void **state UNUSED) {
        Rate rate = {.window_us = 60 * SEC};
        RatePoint between;
        add(&rate, 0, 100, 1000);
        add(&rate, 5, 0, 3);
        assert_false(rate_between(&rate, &between));
        add(&rate, 10, 1, 13);
        assert_true(rate_between(&rate, &between));
        assert_int_equal(between.part, 1);
        assert_int_equal(between.whole, 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(takes_two_points),
                cmocka_unit_test(is_of_the_window),
                cmocka_unit_test(begins_anew_with_its_counters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
