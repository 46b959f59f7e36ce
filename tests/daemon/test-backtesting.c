/* What a backtest is told: rules as the configuration has them, moments, labels. */
#include "daemon/backtesting.h"
#include "daemon/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define SEC USEC_PER_SEC

static void the_defaults_are_the_specifications(UNUSED void **state) {
        Rules rules = {0};
        Error error = {0};
        assert_int_equal(backtesting_default_rules(&rules, &error), 0);
        assert_int_equal(rules.error_rate_ppm, 10000);
        assert_int_equal(rules.latency_p99_us, 100000);
        assert_int_equal(rules.success_rate_ppm, 990000);
        assert_int_equal(rules.window_us, 120 * SEC);
        assert_int_equal(rules.interval_us, 30 * SEC);
        assert_int_equal(rules.rollbacks_per_day, 3);
        assert_int_equal(backtesting_check_rules(&rules, &error), 0);
}

static void rules_are_set_as_in_the_configuration(UNUSED void **state) {
        static const struct {
                const char *assignment;
                size_t member;
                int64_t value;
        } good[] = {
                {"thresholds.latency_p99=150ms", offsetof(Rules, latency_p99_us), 150000},
                {"thresholds.error_rate=2.5%", offsetof(Rules, error_rate_ppm), 25000},
                {"decision.interval=10s", offsetof(Rules, interval_us), 10 * SEC},
                {"decision.min_requests=5", offsetof(Rules, min_requests), 5},
                {"decision.armed_for=0", offsetof(Rules, armed_for_us), 0},
        };
        static const struct {
                const char *assignment, *says;
        } bad[] = {
                {"latency_p99", "is no rule with its value"},
                {"=5", "is no rule with its value"},
                {"latency_p99=5ms", "there is no rule 'latency_p99'"},
                {"thresholds.latency_p9=5ms", "did you mean 'thresholds.latency_p99'?"},
                {"decisions.interval=5s", "did you mean 'decision.interval'?"},
                {"paths.state=/tmp", "there is no rule 'paths.state'"},
                {"thresholds.=1", "there is no rule"},
                {"thresholds.latency_p99=150", "'latency_p99' is '150'; allowed is a duration"},
                {"thresholds.error_rate=101%", "allowed is a percentage"},
                {"decision.min_requests=0", "too small"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                Rules rules = {.armed_for_us = 7};
                Error error = {0};
                if (backtesting_set(&rules, good[i].assignment, &error) < 0)
                        fail_msg("%s: %s", good[i].assignment, error_text(&error));
                assert_int_equal(*(int64_t *)((char *)&rules + good[i].member), good[i].value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Rules rules = {0};
                Error error = {0};
                if (backtesting_set(&rules, bad[i].assignment, &error) >= 0 || !strstr(error_text(&error), bad[i].says))
                        fail_msg("%s: %s", bad[i].assignment, error_text(&error));
        }
}

static void a_window_has_a_bound(UNUSED void **state) {
        Rules rules = {.window_us = 128 * SEC, .interval_us = SEC};
        Error error = {0};
        assert_int_equal(backtesting_check_rules(&rules, &error), -EINVAL);
        assert_non_null(strstr(error_text(&error), "makes 129 samples; allowed are 128"));
        rules.interval_us = 129 * SEC;
        assert_int_equal(backtesting_check_rules(&rules, &error), -EINVAL);
}

static void moments(UNUSED void **state) {
        const int64_t now = INT64_C(1700000000) * SEC;
        int64_t at;
        Error error = {0};
        assert_int_equal(moment_parse("now", now, &at, NULL), 0);
        assert_int_equal(at, now);
        assert_int_equal(moment_parse("24h", now, &at, NULL), 0);
        assert_int_equal(at, now - 86400 * SEC);
        assert_int_equal(moment_parse("2023-11-14T22:13:20Z", 0, &at, NULL), 0);
        assert_int_equal(at, now);
        assert_int_equal(moment_parse("2023-11-14", 0, &at, NULL), 0);
        assert_int_equal(at, INT64_C(1699920000) * SEC);
        assert_int_equal(moment_parse("yesterday", now, &at, &error), -EINVAL);
        assert_non_null(strstr(error_text(&error), "'yesterday' is no time; allowed"));
}

static int read_text(const char *text, BacktestLabel **ret_labels, unsigned *ret_count, Error *error) {
        char path[] = "/tmp/test-labels.XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
        int r = backtesting_read_labels(path, ret_labels, ret_count, error);
        unlink(path);
        return r;
}

static void labels(UNUSED void **state) {
        BacktestLabel *found = NULL;
        unsigned count = 0;
        assert_int_equal(
                read_text(
                        "from,to,kind\n2023-11-14T22:13:20Z, 1700000060 ,\"a bad deploy\"\r\n\n1700000100,1700000200\n",
                        &found, &count, NULL),
                0);
        assert_int_equal(count, 2);
        assert_int_equal(found[0].from_wall, INT64_C(1700000000) * SEC);
        assert_int_equal(found[0].to_wall, INT64_C(1700000060) * SEC);
        assert_string_equal(found[0].kind, "a bad deploy");
        assert_string_equal(found[1].kind, "");
        free(found);

        static const struct {
                const char *text, *says;
        } bad[] = {
                {"1700000000\n", ":1: not FROM,TO"},
                {"from,to\n1,2,3,4\n", ":2: not FROM,TO"},
                {"1,2\nx,5\n", ":2: column 'from': 'x' is no time"},
                {"1,nan\n", ":1: column 'to': 'nan' is no time"},
                {"1,-5\n", "is no time"},
                {"5,1\n", ":1: it ends before it begins"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Error error = {0};
                BacktestLabel *none = NULL;
                if (read_text(bad[i].text, &none, &count, &error) != -EBADMSG ||
                    !strstr(error_text(&error), bad[i].says))
                        fail_msg("case %zu: %s", i, error_text(&error));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_defaults_are_the_specifications),
                cmocka_unit_test(rules_are_set_as_in_the_configuration),
                cmocka_unit_test(a_window_has_a_bound),
                cmocka_unit_test(moments),
                cmocka_unit_test(labels),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
