#include "core/plan.h"

#include "core-test.h"
#include "core/steps.h"

#include <errno.h>
#include <string.h>

static PlanRequest rollback(RunMode mode) {
        return (PlanRequest){.kind = RUN_ROLLBACK, .mode = mode, .from = "v3.0.0", .to = "v2.4.0"};
}

static void the_ceiling_is_the_specification_s(void **state UNUSED) {
        PlanRequest request = rollback(MODE_AUTOMATIC);
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan_ceiling(&plan), 155 * SEC);
        assert_int_equal(plan.count, STEP_COUNT);
        assert_string_equal(plan.from, "v3.0.0");
        assert_string_equal(plan.to, "v2.4.0");
        for (unsigned i = 0; i < STEP_COUNT; i++)
                assert_int_equal((unsigned)plan.steps[i].id, i);
}

static void a_deployment_has_the_same_steps(void **state UNUSED) {
        PlanRequest request = {.kind = RUN_DEPLOYMENT, .mode = MODE_MANUAL, .from = "v2.4.0", .to = "v3.0.0"};
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan.kind, RUN_DEPLOYMENT);
        assert_int_equal(plan_ceiling(&plan), 155 * SEC);
}

static void an_emergency_drains_at_most_five_seconds(void **state UNUSED) {
        int64_t budgets[STEP_COUNT];
        for (unsigned i = 0; i < STEP_COUNT; i++)
                budgets[i] = 7 * SEC;
        PlanRequest request = rollback(MODE_EMERGENCY);
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan_ceiling(&plan), 130 * SEC);
        assert_int_equal(plan.steps[STEP_DRAIN_TRAFFIC].budget_us, 5 * SEC);
        assert_false(plan.steps[STEP_DRAIN_TRAFFIC].critical);

        request.budgets_us = budgets;
        request.emergency_drain_us = 2 * SEC;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan.steps[STEP_DRAIN_TRAFFIC].budget_us, 2 * SEC);

        budgets[STEP_DRAIN_TRAFFIC] = SEC; /* never longer than the ordinary drain */
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan.steps[STEP_DRAIN_TRAFFIC].budget_us, SEC);
        assert_int_equal(plan.steps[STEP_VERIFY_HEALTH].budget_us, 7 * SEC);
}

static void the_configured_budgets_count(void **state UNUSED) {
        int64_t budgets[STEP_COUNT];
        for (unsigned i = 0; i < STEP_COUNT; i++)
                budgets[i] = (i + 1) * SEC;
        PlanRequest request = rollback(MODE_MANUAL);
        request.budgets_us = budgets;
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_int_equal(plan_ceiling(&plan), (2 + 3 + 4 + 5 + 6 + 7 + 8 + 9) * SEC);
        assert_true(plan.steps[STEP_DRAIN_TRAFFIC].critical);
        budgets[STEP_START_VERSION] = 0;
        Error error = {0};
        assert_int_equal(plan_make(&request, &plan, &error), -EINVAL);
        assert_non_null(strstr(error.message, "start_version"));
}

static void refusals_name_what_is_wrong(void **state UNUSED) {
        static const struct {
                const char *from, *to;
                int code;
                const char *names;
        } cases[] = {
                {"v3.0.0", "latest", -EINVAL, "latest"},       {"v3.0.0", NULL, -EINVAL, "''"},
                {"v3.0.0", "../v2.4.0", -EINVAL, "../v2.4.0"}, {"current", "v2.4.0", -EINVAL, "current"},
                {"v2.4.0", "v2.4.0", -EALREADY, "v2.4.0"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                PlanRequest request = {.kind = RUN_ROLLBACK, .from = cases[i].from, .to = cases[i].to};
                Plan plan, untouched;
                memset(&plan, 0x5A, sizeof plan);
                memcpy(&untouched, &plan, sizeof plan);
                Error error = {0};
                assert_int_equal(plan_make(&request, &plan, &error), cases[i].code);
                assert_non_null(strstr(error.message, cases[i].names));
                assert_memory_equal(&plan, &untouched, sizeof plan);
        }
}

static void a_first_deployment_comes_from_nothing(void **state UNUSED) {
        PlanRequest request = {.kind = RUN_DEPLOYMENT, .mode = MODE_MANUAL, .from = NULL, .to = "v1.0.0"};
        Plan plan;
        assert_int_equal(plan_make(&request, &plan, NULL), 0);
        assert_string_equal(plan.from, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_ceiling_is_the_specification_s),
                cmocka_unit_test(a_deployment_has_the_same_steps),
                cmocka_unit_test(an_emergency_drains_at_most_five_seconds),
                cmocka_unit_test(the_configured_budgets_count),
                cmocka_unit_test(refusals_name_what_is_wrong),
                cmocka_unit_test(a_first_deployment_comes_from_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
