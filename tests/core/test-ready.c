#include "core/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static Ready all_ok(void) {
        Ready ready = {.version = "v2.4.0", .at_wall = 1};
        for (unsigned i = 0; i < READY_ITEMS; i++)
                ready.checks[i].verdict = READY_OK;
        return ready;
}

static void nothing_was_looked_at(void **state) {
        const Ready ready = {0};
        char words[DETAIL_MAX];
        (void)state;
        assert_int_equal(ready_judge(&ready, words, sizeof words), KNOWN_NOT);
        assert_string_equal(words, "not yet looked at");
}

static void all_that_applies_is_ok(void **state) {
        Ready ready = all_ok();
        char words[DETAIL_MAX];
        (void)state;
        ready.checks[READY_TRIAL].verdict = READY_NOT_APPLICABLE;
        assert_int_equal(ready_judge(&ready, words, sizeof words), KNOWN_TRUE);
        assert_string_equal(words, "9 of 10 checks are ok, the others don't apply");
}

static void what_is_not_known_proves_nothing(void **state) {
        Ready ready = all_ok();
        char words[DETAIL_MAX];
        (void)state;
        ready.checks[READY_BALANCER] =
                (ReadyCheck){.verdict = READY_UNKNOWN, .measured = "haproxy has not answered yet"};
        assert_int_equal(ready_judge(&ready, words, sizeof words), KNOWN_NOT);
        assert_string_equal(words, "balancer: haproxy has not answered yet");
}

static void a_failure_counts_before_what_is_not_known(void **state) {
        Ready ready = all_ok();
        char words[DETAIL_MAX];
        (void)state;
        ready.checks[READY_RELEASE].verdict = READY_UNKNOWN;
        ready.checks[READY_LIBRARIES] = (ReadyCheck){.verdict = READY_FAILED, .measured = "app: libx.so is missing"};
        assert_int_equal(ready_judge(&ready, words, sizeof words), KNOWN_FALSE);
        assert_string_equal(words, "libraries: app: libx.so is missing");
}

static void every_item_has_its_own_name(void **state) {
        (void)state;
        for (unsigned i = 0; i < READY_ITEMS; i++)
                for (unsigned j = 0; j < i; j++) {
                        assert_string_not_equal(ready_item_key((ReadyItem)i), ready_item_key((ReadyItem)j));
                        assert_string_not_equal(ready_item_title((ReadyItem)i), ready_item_title((ReadyItem)j));
                }
        assert_string_equal(ready_verdict_name(READY_NOT_APPLICABLE), "not_applicable");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_was_looked_at),
                cmocka_unit_test(all_that_applies_is_ok),
                cmocka_unit_test(what_is_not_known_proves_nothing),
                cmocka_unit_test(a_failure_counts_before_what_is_not_known),
                cmocka_unit_test(every_item_has_its_own_name),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
