/* The last minute: what is counted, and that a gap is a gap. */
#include "daemon/minute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S USEC_PER_SEC

static Minute minute;
static MetricsPulse pulse;

static int begin(void **state) {
        (void)state;
        memset(&minute, 0, sizeof minute);
        pulse = (MetricsPulse){.connected = true, .requests = 1000, .failures = 50, .errors = 40};
        return 0;
}

/* A second with so many requests; some failed. */
static void second(int64_t now, int64_t requests, int64_t errors) {
        pulse.requests += requests;
        pulse.failures += errors + 1;
        pulse.errors += errors;
        minute_look(&minute, now * S, &pulse);
}

static void expect(int64_t now, int64_t known_s, int64_t requests, int64_t errors) {
        MinuteTotals totals;
        assert_true(minute_read(&minute, now * S, &totals));
        assert_int_equal(totals.known_us, known_s * S);
        assert_int_equal(totals.requests, requests);
        assert_int_equal(totals.errors, errors);
        assert_int_equal(totals.failures, errors + known_s);
}

static void test_nothing_is_known_at_first(void **state) {
        MinuteTotals totals = {.requests = 7};
        (void)state;
        assert_false(minute_read(&minute, 100 * S, &totals));
        second(100, 10, 1); /* where it begins: what was before isn't ours */
        assert_false(minute_read(&minute, 100 * S, &totals));
        assert_int_equal(totals.requests, 7);
        second(101, 10, 1);
        expect(101, 1, 10, 1);
}

static void test_older_than_a_minute_is_left_out(void **state) {
        (void)state;
        for (int64_t now = 100; now <= 300; now++)
                second(now, now, 0);
        int64_t sum = 0;
        for (int64_t now = 241; now <= 300; now++)
                sum += now;
        expect(300, 60, sum, 0);
        expect(330, 30, (271 + 300) * 30 / 2, 0); /* nobody has looked since: they grow old */
        MinuteTotals totals;
        assert_false(minute_read(&minute, 361 * S, &totals));
}

static void test_a_minute_without_requests_is_a_zero(void **state) {
        (void)state;
        second(100, 5, 0);
        second(101, 0, 0);
        second(102, 0, 0);
        expect(102, 2, 0, 0);
}

static void test_a_source_that_is_not_heard_is_a_gap(void **state) {
        MinuteTotals totals;
        (void)state;
        second(100, 0, 0);
        second(101, 10, 1);
        pulse.connected = false;
        second(102, 10, 0);
        assert_false(minute_read(&minute, 102 * S, &totals));
        second(103, 10, 0);
        pulse.connected = true;
        second(104, 500, 0); /* of how many seconds isn't known */
        expect(104, 1, 10, 1);
        second(105, 20, 0);
        expect(105, 2, 30, 1);
}

static void test_totals_that_begin_anew_are_a_gap(void **state) {
        (void)state;
        second(100, 0, 0);
        second(101, 10, 0);
        pulse = (MetricsPulse){.connected = true};
        second(102, 3, 0);
        expect(102, 1, 10, 0);
        second(103, 4, 0);
        expect(103, 2, 14, 0);
}

static void test_a_sleep_is_a_gap(void **state) {
        (void)state;
        second(100, 0, 0);
        second(101, 10, 0);
        second(120, 1000, 0);
        expect(120, 1, 10, 0);
        second(122, 8, 0); /* a late look isn't one */
        MinuteTotals totals;
        assert_true(minute_read(&minute, 122 * S, &totals));
        assert_int_equal(totals.known_us, 3 * S);
        assert_int_equal(totals.end_mono, 122 * S);
}

static void scrape(int64_t from, int64_t as_of, int64_t requests) {
        pulse.from_mono = from * S;
        pulse.as_of_mono = as_of * S;
        pulse.requests += requests;
        minute_look(&minute, (as_of + 1) * S, &pulse);
        minute_look(&minute, (as_of + 2) * S, &pulse);
}

static void test_a_scraped_source_is_known_from_scrape_to_scrape(void **state) {
        MinuteTotals totals;
        (void)state;
        scrape(100, 100, 0);
        assert_false(minute_read(&minute, 102 * S, &totals)); /* not a zero: nothing has been counted yet */
        scrape(100, 130, 300);
        assert_true(minute_read(&minute, 132 * S, &totals));
        assert_int_equal(totals.known_us, 30 * S);
        assert_int_equal(totals.requests, 300);
        assert_int_equal(totals.end_mono, 130 * S);
        scrape(160, 160, 0); /* its counters began anew: what lies before isn't known */
        scrape(160, 190, 90);
        assert_true(minute_read(&minute, 190 * S, &totals));
        assert_int_equal(totals.known_us, 30 * S);
        assert_int_equal(totals.requests, 90);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_nothing_is_known_at_first, begin),
                cmocka_unit_test_setup(test_older_than_a_minute_is_left_out, begin),
                cmocka_unit_test_setup(test_a_minute_without_requests_is_a_zero, begin),
                cmocka_unit_test_setup(test_a_source_that_is_not_heard_is_a_gap, begin),
                cmocka_unit_test_setup(test_totals_that_begin_anew_are_a_gap, begin),
                cmocka_unit_test_setup(test_a_sleep_is_a_gap, begin),
                cmocka_unit_test_setup(test_a_scraped_source_is_known_from_scrape_to_scrape, begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
