/* Alerts: told once, and anew when what stands has become more urgent. */
#include "daemon/controller.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned told;

static void on_event(UNUSED void *userdata, const char *type, const json_t *event) {
        assert_string_equal(type, "alert");
        assert_true(json_is_string(json_object_get(event, "message")));
        told++;
}

static void test_more_urgent_is_told_anew(UNUSED void **state) {
        Config config = {0};
        AUTO_FREE Controller *controller = calloc(1, sizeof *controller);
        assert_non_null(controller);
        *controller = (Controller){.config = &config, .on_event = on_event};
        alert_set_as(controller, "decision", SEVERITY_P2, "a review");
        alert_set_as(controller, "decision", SEVERITY_P2, "a review, in other words");
        assert_int_equal(told, 1);
        alert_set_as(controller, "decision", SEVERITY_P0, "the rollback has not helped");
        assert_int_equal(told, 2);
        assert_int_equal(controller->alert_count, 1);
        assert_int_equal(controller->alerts[0].severity, SEVERITY_P0);
        alert_set_as(controller, "decision", SEVERITY_P2, "a review"); /* it stays as urgent as it was */
        assert_int_equal(told, 2);
        assert_int_equal(controller->alerts[0].severity, SEVERITY_P0);
        alert_set(controller, "decision", NULL);
        assert_int_equal(controller->alert_count, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_more_urgent_is_told_anew)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
