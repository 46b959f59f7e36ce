/* The histogram against an exact sort of the same values. */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 20000

static Histogram histogram;
static int64_t values[COUNT];

static int compare(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static int64_t exact_quantile(size_t count, int64_t ppm) {
        size_t rank = (size_t)(((int64_t)count * ppm + 999999) / 1000000);
        return values[rank > 0 ? rank - 1 : 0];
}

/* A counted sequence (a linear congruence), so that each run sees the same values. */
static uint64_t next_value(uint64_t *state) {
        *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        return *state >> 33;
}

static void fill(uint64_t seed, int64_t limit, size_t count) {
        histogram_reset(&histogram);
        for (size_t i = 0; i < count; i++) {
                values[i] = (int64_t)(next_value(&seed) % (uint64_t)limit);
                histogram_add(&histogram, values[i]);
        }
        qsort(values, count, sizeof values[0], compare);
}

static void test_empty(void **state) {
        (void)state;
        histogram_reset(&histogram);
        assert_int_equal(histogram_quantile(&histogram, 990000), -1);
}

static void test_one_value(void **state) {
        (void)state;
        histogram_reset(&histogram);
        histogram_add(&histogram, 100);
        assert_int_equal(histogram_quantile(&histogram, 0), 100);
        assert_int_equal(histogram_quantile(&histogram, 500000), 100);
        assert_int_equal(histogram_quantile(&histogram, 1000000), 100);
}

/* The edge of the decision: 99 of 100 at the limit, one above it. */
static void test_exact_below_256(void **state) {
        (void)state;
        for (int64_t limit = 2; limit <= 256; limit += 2) {
                fill((uint64_t)limit, limit, 1000);
                for (int64_t ppm = 1000; ppm <= 1000000; ppm += 999)
                        assert_int_equal(histogram_quantile(&histogram, ppm), exact_quantile(1000, ppm));
        }
        histogram_reset(&histogram);
        for (int i = 0; i < 99; i++)
                histogram_add(&histogram, 100);
        histogram_add(&histogram, 101);
        assert_int_equal(histogram_quantile(&histogram, 990000), 100);
        assert_int_equal(histogram_quantile(&histogram, 990001), 101);
}

static void test_within_one_percent_and_never_above(void **state) {
        (void)state;
        for (int64_t limit = 300; limit <= HISTOGRAM_VALUE_MAX; limit *= 3) {
                fill((uint64_t)limit, limit, COUNT);
                for (int64_t ppm = 10000; ppm <= 1000000; ppm += 9900) {
                        int64_t exact = exact_quantile(COUNT, ppm), told = histogram_quantile(&histogram, ppm);
                        assert_true(told <= exact);
                        assert_true((exact - told) * 100 < exact || exact == told);
                }
        }
}

static void test_every_slot_is_reached_in_order(void **state) {
        (void)state;
        int64_t before = -1;
        for (int64_t value = 0; value <= HISTOGRAM_VALUE_MAX; value += 1 + value / 1000) {
                histogram_reset(&histogram);
                histogram_add(&histogram, value);
                int64_t told = histogram_quantile(&histogram, 500000);
                assert_true(told <= value && told >= before);
                before = told;
        }
}

static void test_out_of_range(void **state) {
        (void)state;
        histogram_reset(&histogram);
        histogram_add(&histogram, -5);
        assert_int_equal(histogram_quantile(&histogram, 1000000), 0);
        histogram_add(&histogram, INT64_MAX);
        assert_true(histogram_quantile(&histogram, 1000000) > HISTOGRAM_VALUE_MAX / 100 * 99);
        assert_int_equal(histogram.total, 2);
}

static void test_huge_total(void **state) {
        (void)state;
        histogram_reset(&histogram);
        for (int slot = 0; slot < 256; slot++)
                histogram.slots[slot] = UINT32_MAX;
        histogram.total = (int64_t)UINT32_MAX * 256;
        assert_int_equal(histogram_quantile(&histogram, 500000), 127);
        assert_int_equal(histogram_quantile(&histogram, 1000000), 255);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_one_value),
                cmocka_unit_test(test_exact_below_256),
                cmocka_unit_test(test_within_one_percent_and_never_above),
                cmocka_unit_test(test_every_slot_is_reached_in_order),
                cmocka_unit_test(test_out_of_range),
                cmocka_unit_test(test_huge_total),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
