#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef int Parse(const char *text, int64_t *ret, Error *error);

static void assert_parses(Parse *parse, const char *text, int64_t expected) {
        int64_t value = -77;
        Error error = {0};
        if (parse(text, &value, &error) < 0)
                fail_msg("'%s': %s", text, error.message);
        assert_int_equal(value, expected);
}

/* The message must name what was written and `words`. */
static void assert_refuses(Parse *parse, const char *text, int code, const char *words) {
        int64_t value = -77;
        Error error = {0};
        assert_int_equal(parse(text, &value, &error), code);
        assert_int_equal(value, -77);
        assert_non_null(strstr(error.message, text));
        if (!strstr(error.message, words))
                fail_msg("'%s' doesn't say '%s'", error.message, words);
}

static void test_ratios_are_exact(UNUSED void **state) {
        assert_parses(units_parse_ratio, "1.0%", 10000);
        assert_parses(units_parse_ratio, "99.0%", 990000);
        assert_parses(units_parse_ratio, "0%", 0);
        assert_parses(units_parse_ratio, "100%", 1000000);
        assert_parses(units_parse_ratio, "0.0001%", 1);
        assert_parses(units_parse_ratio, "0.07%", 700); /* 0.07 * 10000 in doubles is 700.0000000000001 */
        assert_parses(units_parse_ratio, "1.000000%", 10000);
}

static void test_wrong_ratios_say_why(UNUSED void **state) {
        assert_refuses(units_parse_ratio, "1.0", -EINVAL, "no % sign");
        assert_refuses(units_parse_ratio, "", -EINVAL, "not a percentage");
        assert_refuses(units_parse_ratio, "-1%", -EINVAL, "not a percentage");
        assert_refuses(units_parse_ratio, "1.%", -EINVAL, "not a percentage");
        assert_refuses(units_parse_ratio, "nan%", -EINVAL, "not a percentage");
        assert_refuses(units_parse_ratio, "1 %", -EINVAL, "behind the number");
        assert_refuses(units_parse_ratio, "1%%", -EINVAL, "behind the number");
        assert_refuses(units_parse_ratio, "0.00001%", -EINVAL, "more than four decimals");
        assert_refuses(units_parse_ratio, "100.0001%", -ERANGE, "more than 100%");
        assert_refuses(units_parse_ratio, "99999999999999999999%", -ERANGE, "more than 100%");
}

static void test_durations(UNUSED void **state) {
        assert_parses(units_parse_duration, "100ms", 100000);
        assert_parses(units_parse_duration, "120s", 120000000);
        assert_parses(units_parse_duration, "2m", 120000000);
        assert_parses(units_parse_duration, "24h", INT64_C(86400000000));
        assert_parses(units_parse_duration, "7d", INT64_C(604800000000));
        assert_parses(units_parse_duration, "5us", 5);
        assert_parses(units_parse_duration, "0", 0);
        assert_parses(units_parse_duration, "0s", 0);
        assert_parses(units_parse_duration, "1.5s", 1500000);
        assert_parses(units_parse_duration, "0.1ms", 100);
}

static void test_wrong_durations_say_why(UNUSED void **state) {
        assert_refuses(units_parse_duration, "100", -EINVAL, "no unit");
        assert_refuses(units_parse_duration, "5 s", -EINVAL, "unknown unit");
        assert_refuses(units_parse_duration, "5sec", -EINVAL, "unknown unit");
        assert_refuses(units_parse_duration, "5S", -EINVAL, "unknown unit");
        assert_refuses(units_parse_duration, "-5s", -EINVAL, "not a duration");
        assert_refuses(units_parse_duration, "s", -EINVAL, "not a duration");
        assert_refuses(units_parse_duration, "inf", -EINVAL, "not a duration");
        assert_refuses(units_parse_duration, "0.5us", -EINVAL, "finer than a microsecond");
        assert_refuses(units_parse_duration, "9999999999999999d", -ERANGE, "longer than");
        assert_refuses(units_parse_duration, "99999999999999999999s", -ERANGE, "longer than");
}

static void test_counts(UNUSED void **state) {
        assert_parses(units_parse_count, "100", 100);
        assert_parses(units_parse_count, "0", 0);
        assert_parses(units_parse_count, "9223372036854775807", INT64_MAX);
        assert_refuses(units_parse_count, "9223372036854775808", -ERANGE, "larger than");
        assert_refuses(units_parse_count, "1.5", -EINVAL, "not a whole number");
        assert_refuses(units_parse_count, "-1", -EINVAL, "not a whole number");
        assert_refuses(units_parse_count, "1e3", -EINVAL, "not a whole number");
        assert_refuses(units_parse_count, " 1", -EINVAL, "not a whole number");
        assert_refuses(units_parse_count, "", -EINVAL, "not a whole number");
}

static void assert_text(const char *text, const char *expected) {
        assert_string_equal(text, expected);
}

static void test_prints_durations(UNUSED void **state) {
        char text[UNITS_TEXT_MAX];
        assert_text(units_format_duration(0, text, sizeof text), "0s");
        assert_text(units_format_duration(850, text, sizeof text), "850us");
        assert_text(units_format_duration(250400, text, sizeof text), "250.4ms");
        assert_text(units_format_duration(45000, text, sizeof text), "45ms");
        assert_text(units_format_duration(999999, text, sizeof text), "999.9ms");
        assert_text(units_format_duration(10000000, text, sizeof text), "10s");
        assert_text(units_format_duration(12345000, text, sizeof text), "12.3s");
        assert_text(units_format_duration(125000000, text, sizeof text), "2m5s");
        assert_text(units_format_duration(120000000, text, sizeof text), "2m");
        assert_text(units_format_duration(INT64_C(5400000000), text, sizeof text), "1h30m");
        assert_text(units_format_duration(INT64_C(273600000000), text, sizeof text), "3d4h");
        assert_text(units_format_duration(-1500000, text, sizeof text), "-1.5s");
        assert_int_equal(strlen(units_format_duration(INT64_MIN, text, sizeof text)), strlen("-106751991d4h"));
}

static void test_prints_shares(UNUSED void **state) {
        char text[UNITS_TEXT_MAX];
        assert_text(units_format_percent(502, 10000, text, sizeof text), "5.02%");
        assert_text(units_format_percent(0, 7, text, sizeof text), "0.00%");
        assert_text(units_format_percent(1, 3, text, sizeof text), "33.33%");
        assert_text(units_format_percent(2, 3, text, sizeof text), "66.67%");
        assert_text(units_format_percent(3, 0, text, sizeof text), "n/a");
        assert_text(units_format_percent(INT64_MAX, INT64_MAX, text, sizeof text), "100.00%");
        assert_text(units_format_ratio(10000, text, sizeof text), "1.0%");
        assert_text(units_format_ratio(990000, text, sizeof text), "99.0%");
        assert_text(units_format_ratio(2500, text, sizeof text), "0.25%");
        assert_text(units_format_ratio(1, text, sizeof text), "0.0001%");
        assert_text(units_format_bytes(512, text, sizeof text), "512 B");
        assert_text(units_format_bytes(1536, text, sizeof text), "1.5 KiB");
        assert_text(units_format_bytes(INT64_C(15099494), text, sizeof text), "14.3 MiB");
}

static void test_printed_ratios_read_back(UNUSED void **state) {
        for (int64_t ppm = 0; ppm <= 1000000; ppm += 977) {
                char text[UNITS_TEXT_MAX];
                assert_parses(units_parse_ratio, units_format_ratio(ppm, text, sizeof text), ppm);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ratios_are_exact), cmocka_unit_test(test_wrong_ratios_say_why),
                cmocka_unit_test(test_durations),        cmocka_unit_test(test_wrong_durations_say_why),
                cmocka_unit_test(test_counts),           cmocka_unit_test(test_prints_durations),
                cmocka_unit_test(test_prints_shares),    cmocka_unit_test(test_printed_ratios_read_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
