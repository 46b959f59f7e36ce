#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_prints(int64_t wall_us, const char *expected) {
        char text[CLOCK_TEXT_MAX];
        assert_string_equal(clock_format_rfc3339(wall_us, text, sizeof text), expected);
}

static void test_prints_utc_with_milliseconds(UNUSED void **state) {
        assert_prints(0, "1970-01-01T00:00:00.000Z");
        assert_prints(INT64_C(1795362036123999), "2026-11-22T15:40:36.123Z");
        assert_prints(INT64_C(951782399999000), "2000-02-28T23:59:59.999Z");
        assert_prints(-1, "1969-12-31T23:59:59.999Z");
}

static void assert_reads(const char *text, int64_t expected) {
        int64_t wall = -77;
        Error error = {0};
        assert_int_equal(clock_parse_rfc3339(text, &wall, &error), 0);
        assert_int_equal(wall, expected);
}

static void test_reads_what_it_prints_and_offsets(UNUSED void **state) {
        assert_reads("1970-01-01T00:00:00Z", 0);
        assert_reads("2026-11-22T15:40:36.123Z", INT64_C(1795362036123000));
        assert_reads("2026-11-22T16:40:36.123456+01:00", INT64_C(1795362036123456));
        assert_reads("2026-11-22T10:10:36-05:30", INT64_C(1795362036000000));
        assert_reads("2016-12-31T23:59:60Z", INT64_C(1483228800000000)); /* a leap second */
        assert_reads("2024-02-29T05:00:00Z", INT64_C(1709182800000000));
}

static void test_refuses_nonsense(UNUSED void **state) {
        static const char *const nonsense[] = {
                "",
                "2026-11-22",
                "2026-11-22T15:40:36",
                "2026-11-22T15:40:36.Z",
                "2026-11-22T15:40:36.1234567Z",
                "2026-13-22T15:40:36Z",
                "2026-02-29T15:40:36Z",
                "2026-02-31T05:00:00Z",
                "2026-11-22T24:00:00Z",
                "2026-11-22T15:40:36Zx",
                "2026-11-22T15:40:36+1:00",
                "-026-11-22T15:40:36Z",
        };
        for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
                int64_t wall = -77;
                Error error = {0};
                assert_int_equal(clock_parse_rfc3339(nonsense[i], &wall, &error), -EINVAL);
                assert_int_equal(wall, -77);
                assert_non_null(strstr(error.message, "is not a time"));
        }
}

static void test_clocks_move_and_mean_what_they_say(UNUSED void **state) {
        int64_t mono = clock_mono_us(), wall = clock_wall_us();
        assert_true(mono > 0);
        assert_true(wall > INT64_C(1700000000000000));
        assert_true(clock_mono_us() >= mono);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prints_utc_with_milliseconds),
                cmocka_unit_test(test_reads_what_it_prints_and_offsets),
                cmocka_unit_test(test_refuses_nonsense),
                cmocka_unit_test(test_clocks_move_and_mean_what_they_say),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
