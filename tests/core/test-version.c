#include "core/version.h"

#include "core-test.h"
#include "core/types.h"

#include <string.h>

static void accepts_versions(void **state UNUSED) {
        static const char *const good[] = {"v2.4.0",      "2.4.0",          "v0.0.0",      "v10.20.30", "v1.2.3-rc.1",
                                           "1.2.3-alpha", "v1.2.3-0.0.1.x", "v1.2.3-a..b", "v01.2.3"};
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                if (!version_valid(good[i]))
                        fail_msg("'%s' was refused", good[i]);
}

static void refuses_everything_else(void **state UNUSED) {
        static const char *const bad[] = {"",         "v",         "v1",        "v1.2",       "v1.2.",
                                          "v1.2.3.4", "v1.2.3-",   "v1.2.3 ",   " v1.2.3",    "V1.2.3",
                                          "vv1.2.3",  "v1.2.3/..", "../v1.2.3", "v1.2.3-a/b", "v1.2.3-a_b",
                                          "v1.2.3+b", "v1..3",     "v.1.2",     "v1.2.3-a b", "v1.2.3\n",
                                          "v-1.2.3",  "latest",    "v1.2.x",    "v1.2.3-a-b", "v1.2.3-\xc3\xa9"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (version_valid(bad[i]))
                        fail_msg("'%s' was accepted", bad[i]);
        assert_false(version_valid(NULL));
}

static void refuses_what_does_not_fit(void **state UNUSED) {
        char text[VERSION_MAX + 2] = "v1.2.3-";
        memset(text + 7, 'a', sizeof text - 8);
        text[VERSION_MAX - 1] = '\0';
        assert_true(version_valid(text)); /* VERSION_MAX - 1 characters */
        text[VERSION_MAX - 1] = 'a';
        text[VERSION_MAX] = '\0';
        assert_false(version_valid(text));
}

/* Each is lower than the next. */
static const char *const ascending[] = {
        "v0.0.9",
        "0.1.0",
        "v1.0.0-alpha",
        "v1.0.0-alpha.1",
        "v1.0.0-alpha.beta",
        "v1.0.0-beta",
        "v1.0.0-beta.2",
        "v1.0.0-beta.11",
        "v1.0.0-rc.1",
        "v1.0.0",
        "v1.0.1",
        "v1.2.0",
        "v1.10.0",
        "v2.0.0-0",
        "v2.0.0-1",
        "v2.0.0-a",
        "v2.0.0",
        "v10.0.0",
        "v18446744073709551616.0.0", /* beyond 64 bits still has its place */
};

static void orders_versions(void **state UNUSED) {
        for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
                for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
                        int order = version_compare(ascending[i], ascending[j]);
                        int expected = (i > j) - (i < j);
                        if ((order > 0) - (order < 0) != expected)
                                fail_msg("%s against %s: %d, expected %d", ascending[i], ascending[j], order, expected);
                }
}

static void prefix_and_zeros_do_not_count(void **state UNUSED) {
        assert_int_equal(version_compare("v2.4.0", "2.4.0"), 0);
        assert_int_equal(version_compare("v2.04.0", "2.4.00"), 0);
        assert_int_equal(version_compare("v2.4.0-rc.01", "2.4.0-rc.1"), 0);
}

static void gives_parts(void **state UNUSED) {
        assert_int_equal(version_part("v12.34.56-rc.1", 0), 12);
        assert_int_equal(version_part("v12.34.56-rc.1", 1), 34);
        assert_int_equal(version_part("12.34.56-rc.1", 2), 56);
        assert_int_equal(version_part("v9223372036854775807.0.0", 0), INT64_MAX);
        assert_int_equal(version_part("v9223372036854775808.0.0", 0), -1);
        assert_int_equal(version_part("v1.2.3", 3), -1);
        assert_int_equal(version_part("nonsense", 0), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(accepts_versions),
                cmocka_unit_test(refuses_everything_else),
                cmocka_unit_test(refuses_what_does_not_fit),
                cmocka_unit_test(orders_versions),
                cmocka_unit_test(prefix_and_zeros_do_not_count),
                cmocka_unit_test(gives_parts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
