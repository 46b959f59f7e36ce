/* Scrapes that are good, and the many ways in which they aren't. */
#include "adapters/openmetrics-text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOOD                                                                                                           \
        "# HELP http_requests_total Requests.\n"                                                                       \
        "# TYPE http_requests_total counter\n"                                                                         \
        "http_requests_total{code=\"200\",method=\"GET\"} 900\n"                                                       \
        "http_requests_total{code=\"404\",method=\"GET\"} 50\n"                                                        \
        "http_requests_total{code=\"500\",method=\"GET\"} 30 1795363687.051\n"                                         \
        "http_requests_total{code=\"503\",method=\"POST\"} 2e1 # {trace_id=\"x\"} 1\n"                                 \
        "\n"                                                                                                           \
        "other_gauge NaN\n"                                                                                            \
        "other_negative -3.5\n"                                                                                        \
        "http_request_duration_seconds_bucket{le=\"0.05\"} 500\n"                                                      \
        "http_request_duration_seconds_bucket{le=\"0.1\"} 980\n"                                                       \
        "http_request_duration_seconds_bucket{le=\"0.25\"} 1000\n"                                                     \
        "http_request_duration_seconds_bucket{le=\"+Inf\"} 1000\n"                                                     \
        "http_request_duration_seconds_sum 55.5\n"                                                                     \
        "http_request_duration_seconds_count 1000\n"

static OpenMetricsQuery query_of(const char *requests, const char *error_match, const char *latency) {
        OpenMetricsQuery query;
        Error error = {0};
        if (openmetrics_query_parse(requests, error_match, latency, &query, &error) < 0)
                fail_msg("%s", error.message);
        return query;
}

static OpenMetricsQuery standard(void) {
        return query_of("http_requests_total", "code=5", "http_request_duration_seconds");
}

static OpenMetricsTotals parse_good(const char *text) {
        OpenMetricsQuery query = standard();
        OpenMetricsTotals totals;
        Error error = {0};
        if (openmetrics_parse(text, false, &query, &totals, &error) < 0)
                fail_msg("%s", error.message);
        return totals;
}

static void test_good(void **state) {
        (void)state;
        OpenMetricsTotals totals = parse_good(GOOD);
        assert_int_equal(totals.requests, 1000);
        assert_int_equal(totals.errors, 50);
        assert_int_equal(totals.bucket_count, 4);
        assert_int_equal(totals.buckets[1].limit_us, 100000);
        assert_int_equal(totals.buckets[1].count, 980);
        assert_true(totals.buckets[3].limit_us == OPENMETRICS_INFINITY);
}

static void test_matchers(void **state) {
        (void)state;
        const char *text =
                "r_total{service=\"api\",code=\"200\"} 10\nr_total{service=\"api\",code=\"500\"} 1\nr_total{service=\"web\",code=\"500\"} 100\nr_total 7\n"
                "d_bucket{service=\"api\",le=\"1\"} 2\nd_bucket{service=\"api\",le=\"+Inf\"} 3\nd_bucket{service=\"web\",le=\"+Inf\"} 30\n"
                "d_bucket{service=\"a\\\"\\\\\\nb\",le=\"+Inf\"} 30\n";
        OpenMetricsQuery query = query_of("r_total{service=\"api\"}", "code=5", "d");
        OpenMetricsTotals totals;
        assert_int_equal(openmetrics_parse(text, false, &query, &totals, NULL), 0);
        assert_int_equal(totals.requests, 11);
        assert_int_equal(totals.errors, 1);
        assert_int_equal(totals.bucket_count, 2);
        assert_int_equal(totals.buckets[1].count, 3);
        query = query_of("r_total{service=\"none\"}", "code=5", "");
        assert_int_equal(openmetrics_parse(text, false, &query, &totals, NULL), -ENOENT);
}

static void test_series_of_one_histogram_are_summed(void **state) {
        (void)state;
        OpenMetricsTotals totals = parse_good(
                "http_requests_total 5\n"
                "http_request_duration_seconds_bucket{p=\"a\",le=\"+Inf\"} 3\nhttp_request_duration_seconds_bucket{p=\"a\",le=\"0.1\"} 1\n"
                "http_request_duration_seconds_bucket{p=\"b\",le=\"0.1\"} 2\nhttp_request_duration_seconds_bucket{p=\"b\",le=\"+Inf\"} 2\n");
        assert_int_equal(totals.bucket_count, 2);
        assert_int_equal(totals.buckets[0].count, 3);
        assert_int_equal(totals.buckets[1].count, 5);
}

static void test_nonsense(void **state) {
        (void)state;
        static const struct {
                const char *text;
                int code;
                const char *says;
        } rows[] = {
                {"", -ENOENT, "no http_requests_total"},
                {"ok\n", -EBADMSG, "line 1 isn't a metric"},
                {"<html><body>It works!</body></html>", -EBADMSG, "line 1"},
                {"{\"requests\": 12}", -EBADMSG, "line 1"},
                {"\x80\xff\x01", -EBADMSG, "line 1"},
                {GOOD "http_requests_total{code=\"500\"\n", -EBADMSG, "line 16 isn't a metric"},
                {GOOD "http_requests_total{code=\"500\"} NaN\n", -EBADMSG, "line 16 isn't a possible count"},
                {GOOD "http_requests_total{code=\"500\"} -1\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_requests_total{code=\"500\"} +Inf\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_requests_total{code=\"500\"} 1e300\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_requests_total{code=\"500\"} 0x10\n", -EBADMSG, "isn't a metric"},
                {GOOD "http_requests_total{code=\"500\"} twelve\n", -EBADMSG, "isn't a metric"},
                {GOOD "http_requests_total{code=\"500\"}\n", -EBADMSG, "isn't a metric"},
                {GOOD "http_requests_total{code=\"500} 1\n", -EBADMSG, "isn't a metric"},
                {GOOD "http_request_duration_seconds_bucket{le=\"x\"} 1\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_request_duration_seconds_bucket{le=\"NaN\"} 1\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_request_duration_seconds_bucket 1\n", -EBADMSG, "isn't a possible count"},
                {GOOD "http_request_duration_seconds_bucket{le=\"0.2\"} 2\n", -EBADMSG,
                 "a larger bucket has a smaller count"},
                {"http_requests_total 3\n", -ENOENT, "no http_request_duration_seconds_bucket"},
                {"http_requests_total 3\nhttp_request_duration_seconds_bucket{le=\"0.1\"} 3\n", -EBADMSG, "+Inf"},
                {"http_request_duration_seconds_bucket{le=\"+Inf\"} 3\n", -ENOENT, "no http_requests_total"},
        };
        OpenMetricsQuery query = standard();
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                OpenMetricsTotals totals = {.requests = -7};
                Error error = {0};
                int r = openmetrics_parse(rows[i].text, false, &query, &totals, &error);
                if (r != rows[i].code || !strstr(error.message, rows[i].says) || totals.requests != -7)
                        fail_msg("row %u: %d, \"%s\"", i, r, error.message);
        }
}

static void test_end(void **state) {
        (void)state;
        OpenMetricsQuery query = standard();
        OpenMetricsTotals totals;
        Error error = {0};
        assert_int_equal(openmetrics_parse(GOOD, true, &query, &totals, &error), -EBADMSG);
        assert_non_null(strstr(error.message, "cut off"));
        assert_int_equal(openmetrics_parse(GOOD "# EOF\n", true, &query, &totals, &error), 0);
        assert_int_equal(openmetrics_parse(GOOD "# EOF\nwhatever follows", true, &query, &totals, &error), 0);
}

/* However a good scrape is cut, the parser ends, and what it takes is never more than the whole. */
static void test_every_cut(void **state) {
        (void)state;
        OpenMetricsQuery query = standard();
        size_t size = strlen(GOOD);
        for (size_t cut = 0; cut < size; cut++) {
                char *text = malloc(cut + 1);
                OpenMetricsTotals totals;
                memcpy(text, GOOD, cut);
                text[cut] = '\0';
                if (openmetrics_parse(text, false, &query, &totals, NULL) == 0)
                        assert_true(totals.requests <= 1000 && totals.errors <= 50);
                assert_int_equal(openmetrics_parse(text, true, &query, &totals, NULL) == 0, 0);
                free(text);
        }
}

static void test_too_many_buckets(void **state) {
        (void)state;
        static char text[16384] = "http_requests_total 1\n";
        OpenMetricsQuery query = standard();
        OpenMetricsTotals totals;
        for (int i = 1; i <= OPENMETRICS_BUCKETS_MAX + 1; i++)
                sprintf(text + strlen(text), "http_request_duration_seconds_bucket{le=\"%d\"} 1\n", i);
        assert_int_equal(openmetrics_parse(text, false, &query, &totals, NULL), -EBADMSG);
}

static void test_overflow(void **state) {
        (void)state;
        static char text[131072];
        OpenMetricsQuery query = query_of("r", "code=5", "");
        OpenMetricsTotals totals;
        for (int i = 0; i < 2000; i++)
                strcpy(text + i * 19, "r 9007199254740992\n");
        assert_int_equal(openmetrics_parse(text, false, &query, &totals, NULL), -EBADMSG);
}

static void test_query(void **state) {
        (void)state;
        static const char *const bad[][3] = {
                {"", "code=5", "d"},       {"1r", "code=5", "d"}, {"r{", "code=5", "d"}, {"r{a=\"b\"} ", "code=5", "d"},
                {"r{a=b}", "code=5", "d"}, {"r", "code", "d"},    {"r", "=5", "d"},      {"r", "code=", "d"},
                {"r", "code=5", "d d"},    {"r x", "code=5", ""},
        };
        for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                OpenMetricsQuery query;
                Error error = {0};
                if (openmetrics_query_parse(bad[i][0], bad[i][1], bad[i][2], &query, &error) != -EINVAL ||
                    !error.message[0])
                        fail_msg("row %u", i);
        }
        OpenMetricsQuery query = query_of("r{a=\"b\",c=\"d\"}", "status_code=50", "");
        assert_int_equal(query.matcher_count, 2);
        assert_string_equal(query.error.label, "status_code");
        assert_string_equal(query.error.value, "50");
}

/* ---- two scrapes ---- */

static OpenMetricsTotals totals_of(int64_t requests, int64_t errors, int64_t to_50ms, int64_t to_100ms,
                                   int64_t to_250ms, int64_t all) {
        return (OpenMetricsTotals){
                requests,
                errors,
                4,
                {{50000, to_50ms}, {100000, to_100ms}, {250000, to_250ms}, {OPENMETRICS_INFINITY, all}}};
}

static void test_difference(void **state) {
        (void)state;
        OpenMetricsTotals before = totals_of(1000, 10, 500, 900, 1000, 1000),
                          after = totals_of(1200, 60, 600, 1050, 1198, 1200), d;
        assert_int_equal(openmetrics_difference(&before, &after, &d, NULL), 0);
        assert_int_equal(d.requests, 200);
        assert_int_equal(d.errors, 50);
        assert_int_equal(d.buckets[0].count, 100);
        assert_int_equal(d.buckets[3].count, 200);
        assert_int_equal(openmetrics_quantile_us(&d, 500000), 50000);
        assert_int_equal(openmetrics_quantile_us(&d, 250000), 25000);
        assert_int_equal(openmetrics_quantile_us(&d, 990000), 250000);
        assert_int_equal(openmetrics_quantile_us(&d, 1000000), 250000); /* beyond the last limit nobody knows */
        assert_int_equal(openmetrics_quantile_us(&d, 750000), 100000);
}

static void test_no_difference(void **state) {
        (void)state;
        OpenMetricsTotals same = totals_of(1000, 10, 500, 900, 1000, 1000), d;
        assert_int_equal(openmetrics_difference(&same, &same, &d, NULL), 0);
        assert_int_equal(d.requests, 0);
        assert_int_equal(openmetrics_quantile_us(&d, 990000), -1);
}

static void test_counters_that_go_back(void **state) {
        (void)state;
        OpenMetricsTotals before = totals_of(1000, 10, 500, 900, 1000, 1000), d;
        Error error = {0};
        const OpenMetricsTotals after[] = {
                totals_of(5, 0, 5, 5, 5, 5),
                totals_of(1100, 9, 500, 900, 1000, 1000),
                totals_of(1100, 10, 499, 900, 1000, 1000),
        };
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(openmetrics_difference(&before, &after[i], &d, &error), -ERANGE);
        assert_non_null(strstr(error.message, "restarted"));
}

static void test_scrapes_that_contradict(void **state) {
        (void)state;
        OpenMetricsTotals before = totals_of(1000, 10, 500, 900, 1000, 1000),
                          after = totals_of(1001, 12, 500, 900, 1000, 1001), d;
        assert_int_equal(openmetrics_difference(&before, &after, &d, NULL), -EBADMSG); /* two errors in one request */
        after = totals_of(1100, 10, 600, 950, 1050, 1100);
        after.buckets[0].limit_us = 60000;
        assert_int_equal(openmetrics_difference(&before, &after, &d, NULL), -EBADMSG);
        after.bucket_count = 3;
        assert_int_equal(openmetrics_difference(&before, &after, &d, NULL), -EBADMSG);
        after = totals_of(INT64_C(2000000000000), 10, 500, 900, 1000, 1000);
        assert_int_equal(openmetrics_difference(&before, &after, &d, NULL), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_matchers),
                cmocka_unit_test(test_series_of_one_histogram_are_summed),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_end),
                cmocka_unit_test(test_every_cut),
                cmocka_unit_test(test_too_many_buckets),
                cmocka_unit_test(test_overflow),
                cmocka_unit_test(test_query),
                cmocka_unit_test(test_difference),
                cmocka_unit_test(test_no_difference),
                cmocka_unit_test(test_counters_that_go_back),
                cmocka_unit_test(test_scrapes_that_contradict),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
