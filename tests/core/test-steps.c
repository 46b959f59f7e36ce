#include "core/steps.h"

#include "core-test.h"

#include <errno.h>
#include <string.h>

/* The specification's table "Total Rollback Time". */
static void budgets_and_criticality_are_the_specification_s(void **state UNUSED) {
        static const struct {
                const char *key;
                int64_t seconds;
                bool critical;
        } expected[] = {
                {"preflight", 10, true},     {"pause_deployments", 5, false}, {"drain_traffic", 30, true},
                {"stop_version", 10, false}, {"restore_version", 30, true},   {"start_version", 10, true},
                {"verify_health", 60, true}, {"restore_traffic", 5, false},   {"resume_deployments", 5, false},
        };
        assert_int_equal(ARRAY_SIZE(expected), STEP_COUNT);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                const StepSpec *spec = step_spec((StepId)i);
                assert_int_equal((unsigned)spec->id, i);
                assert_string_equal(spec->key, expected[i].key);
                assert_int_equal(spec->budget_us, expected[i].seconds * SEC);
                assert_int_equal(spec->critical, expected[i].critical);
        }
}

static void an_emergency_differs_in_the_drain_only(void **state UNUSED) {
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                const StepSpec *spec = step_spec((StepId)i);
                if (i == STEP_DRAIN_TRAFFIC) {
                        assert_int_equal(spec->emergency_budget_us, 5 * SEC);
                        assert_false(spec->emergency_critical);
                } else {
                        assert_int_equal(spec->emergency_budget_us, spec->budget_us);
                        assert_int_equal(spec->emergency_critical, spec->critical);
                }
        }
}

static void keys_read_back(void **state UNUSED) {
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                StepId back = (StepId)99;
                assert_int_equal(step_parse(step_key((StepId)i), &back), 0);
                assert_int_equal((unsigned)back, i);
        }
        StepId kept = STEP_VERIFY_HEALTH;
        assert_int_equal(step_parse("reboot", &kept), -EINVAL);
        assert_int_equal(step_parse(NULL, &kept), -EINVAL);
        assert_int_equal(kept, STEP_VERIFY_HEALTH);
}

static void titles_say_which_way_it_goes(void **state UNUSED) {
        assert_string_equal(step_title(STEP_RESTORE_VERSION, RUN_ROLLBACK, false), "Restore previous version");
        assert_string_equal(step_title(STEP_RESTORE_VERSION, RUN_DEPLOYMENT, false), "Switch to new version");
        assert_string_equal(step_title(STEP_RESTORE_VERSION, RUN_ROLLBACK, true), "Restore original version");
        assert_string_equal(step_title(STEP_STOP_VERSION, RUN_DEPLOYMENT, true), "Stop target version");
}

/* Only what a person may safely see done twice is ever repeated by itself. */
static void only_the_stop_is_forced(void **state UNUSED) {
        for (unsigned i = 0; i < STEP_COUNT; i++)
                assert_int_equal(step_spec((StepId)i)->retry == STEP_RETRY_FORCED, i == STEP_STOP_VERSION);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(budgets_and_criticality_are_the_specification_s),
                cmocka_unit_test(an_emergency_differs_in_the_drain_only),
                cmocka_unit_test(keys_read_back),
                cmocka_unit_test(titles_say_which_way_it_goes),
                cmocka_unit_test(only_the_stop_is_forced),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
