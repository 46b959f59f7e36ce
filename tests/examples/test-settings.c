#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Loads `text` over the defaults; returns what service_settings_load() does. */
static int load(const char *text, ServiceSettings *settings, Error *error) {
        char path[] = "/tmp/test-settings.XXXXXX";
        AUTO_CLOSE int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        *settings = service_settings_default;
        int r = service_settings_load(path, settings, error);
        unlink(path);
        return r;
}

static void test_file(void **state) {
        (void)state;
        ServiceSettings settings;
        assert_int_equal(
                load("# faults\nlisten: 127.0.0.1:9  # here\n\n error_every : 20\nlatency_us: 250400\nhang: true",
                     &settings, NULL),
                0);
        assert_string_equal(settings.listen, "127.0.0.1:9");
        assert_int_equal(settings.error_every, 20);
        assert_int_equal(settings.error_status, 500);
        assert_int_equal(settings.latency_us, 250400);
        assert_true(settings.hang);
        assert_false(settings.unhealthy);
}

static void test_refused(void **state) {
        (void)state;
        static const struct {
                const char *text, *says;
        } rows[] = {
                {"listen: a:1\nerror: 1\n", ":2: unknown key 'error'"},
                {"hang: yes\n", ":1: hang is 'yes'; allowed are true and false"},
                {"\nerror_every: 1x\n", ":2: error_every is '1x'; allowed is a whole number from 0 to 1000000"},
                {"error_status: 200\n", "from 400 to 599"},
                {"hang: true\nhang: true\n", ":2: hang is given twice"},
                {"latency_us: -1\n", "latency_us is '-1'"},
                {"data:\n", "data needs a text"},
                {"just words\n", "no \"key: value\""},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                ServiceSettings settings;
                Error error = {0};
                assert_true(load(rows[i].text, &settings, &error) < 0);
                assert_memory_equal(&settings, &service_settings_default, sizeof settings);
                if (!strstr(error.message, rows[i].says))
                        fail_msg("\"%s\" does not say \"%s\"", error.message, rows[i].says);
        }
}

static void test_counted(void **state) {
        (void)state;
        ServiceSettings settings = {
                .error_every = 20, .hang_every = 3, .latency_every = 4, .latency_us = 7, .crash_on_request = 1000};
        FaultCount count = {0};
        unsigned errors = 0, hangs = 0, delays = 0;
        for (unsigned i = 1; i <= 1000; i++) {
                Fault fault = fault_next(&settings, &count, 0);
                assert_int_equal(fault.error, i % 20 == 0);
                assert_int_equal(fault.crash, i == 1000);
                errors += fault.error;
                hangs += fault.hang;
                delays += fault.latency_us == 7;
        }
        assert_int_equal(errors, 50);
        assert_int_equal(hangs, 333);
        assert_int_equal(delays, 250);
}

/* A spike: nothing before, nothing after, and its counting starts with it. */
static void test_window(void **state) {
        (void)state;
        ServiceSettings settings = {.error_every = 2, .faults_from_ms = 5000, .faults_until_ms = 25000};
        FaultCount count = {.since_us = 1000000};
        assert_false(fault_next(&settings, &count, 5999999).error);
        assert_false(fault_next(&settings, &count, 6000000).error);
        assert_true(fault_next(&settings, &count, 25999999).error);
        assert_false(fault_next(&settings, &count, 26000000).error);
        assert_false(fault_next(&settings, &count, 26000000).error);
        assert_int_equal(count.requests, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_file),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_counted),
                cmocka_unit_test(test_window),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
