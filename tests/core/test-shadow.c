/* Shadow mode beside what operators then did. */
#include "core/shadow.h"

#include "core-test.h"

#include <string.h>

#define DAYS (24 * HOUR)
#define BAKE HOUR

static Deployment made(int64_t id, int64_t at, const char *version, const char *previous, int64_t run_id) {
        Deployment deployment = {.id = id, .run_id = run_id, .at_wall = at};
        snprintf(deployment.version, VERSION_MAX, "%s", version);
        snprintf(deployment.previous, VERSION_MAX, "%s", previous);
        return deployment;
}

static ShadowDecision decided(int64_t id, int64_t at, const char *version) {
        ShadowDecision decision = {.id = id, .at_wall = at, .bake_for_us = BAKE};
        snprintf(decision.version, VERSION_MAX, "%s", version);
        return decision;
}

static ShadowRollback rolled_back(int64_t run_id, int64_t at, const char *from) {
        ShadowRollback rollback = {.run_id = run_id, .at_wall = at};
        snprintf(rollback.from, VERSION_MAX, "%s", from);
        return rollback;
}

static ShadowCase cases[16];
static ShadowReport report;

static unsigned judge(const ShadowInput *input) {
        ShadowInput whole = *input;
        whole.to_wall = whole.to_wall ? whole.to_wall : INT64_MAX;
        return shadow_judge(&whole, cases, ARRAY_SIZE(cases), &report);
}

static void test_each_deployment_is_one_case(UNUSED void **state) {
        const Deployment deployments[] = {
                made(1, 100 * SEC, "v2.4.0", "v2.3.0", 0),
                made(2, 10 * HOUR, "v3.0.0", "v2.4.0", 4),             /* right */
                made(3, 10 * HOUR + 600 * SEC, "v2.4.0", "v3.0.0", 5), /* the rollback */
                made(4, 20 * HOUR, "v3.1.0", "v2.4.0", 6),             /* wrong */
                made(5, 40 * HOUR, "v3.2.0", "v3.1.0", 7),             /* missed */
                made(6, 41 * HOUR, "v3.1.0", "v3.2.0", 8),             /* the rollback */
                made(7, 50 * HOUR, "v3.3.0", "v3.1.0", 9),             /* undecided: too young */
        };
        const ShadowDecision decisions[] = {
                decided(11, 10 * HOUR + 200 * SEC, "v3.0.0"),
                decided(12, 10 * HOUR + 400 * SEC, "v3.0.0"),
                decided(13, 21 * HOUR, "v3.1.0"),
                decided(14, 50 * HOUR + 100 * SEC, "v3.3.0"),
        };
        const ShadowRollback rollbacks[] = {rolled_back(5, 10 * HOUR + 590 * SEC, "v3.0.0"),
                                            rolled_back(8, 40 * HOUR + 3000 * SEC, "v3.2.0")};
        const ShadowInput input = {
                .decisions = decisions,
                .decision_count = ARRAY_SIZE(decisions),
                .rollbacks = rollbacks,
                .rollback_count = ARRAY_SIZE(rollbacks),
                .deployments = deployments,
                .deployment_count = ARRAY_SIZE(deployments),
                .now_wall = 50 * HOUR + 200 * SEC,
        };
        static const ShadowVerdict expected[] = {SHADOW_QUIET, SHADOW_RIGHT, SHADOW_WRONG, SHADOW_MISSED,
                                                 SHADOW_UNDECIDED};
        assert_int_equal(judge(&input), ARRAY_SIZE(expected));
        for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
                assert_string_equal(shadow_verdict_name(cases[i].verdict), shadow_verdict_name(expected[i]));
        assert_int_equal(cases[1].decision_id, 11);
        assert_int_equal(cases[1].decisions, 2);
        assert_int_equal(cases[1].run_id, 5);
        assert_int_equal(cases[1].sooner_us, 390 * SEC);
        assert_int_equal(report.precision_ppm, 500000);
        assert_int_equal(report.sooner_median_us, 390 * SEC);
        assert_int_equal(report.counts[SHADOW_QUIET], 1);
}

static void test_by_other_means_is_a_rollback_too(UNUSED void **state) {
        const Deployment deployments[] = {made(1, 10 * HOUR, "v3.0.0", "v2.4.0", 0),
                                          made(2, 11 * HOUR, "v2.4.0", "v3.0.0", 0)};
        const ShadowDecision decisions[] = {decided(1, 10 * HOUR + 60 * SEC, "v3.0.0")};
        const ShadowInput input = {.decisions = decisions,
                                   .decision_count = 1,
                                   .deployments = deployments,
                                   .deployment_count = 2,
                                   .now_wall = 20 * HOUR};
        assert_int_equal(judge(&input), 1); /* the one that went back is no case of its own */
        assert_int_equal(cases[0].verdict, SHADOW_RIGHT);
        assert_int_equal(cases[0].run_id, 0);
}

static void test_the_time_counts(UNUSED void **state) {
        const Deployment deployments[] = {made(1, 10 * HOUR, "v3.0.0", "v2.4.0", 1)};
        ShadowDecision decisions[] = {decided(1, 10 * HOUR + 600 * SEC, "v3.0.0")};
        ShadowRollback rollbacks[] = {rolled_back(2, 10 * HOUR + 60 * SEC, "v3.0.0")};
        ShadowInput input = {.decisions = decisions,
                             .decision_count = 1,
                             .rollbacks = rollbacks,
                             .rollback_count = 1,
                             .deployments = deployments,
                             .deployment_count = 1,
                             .now_wall = 5 * DAYS};
        judge(&input); /* the operator was faster */
        assert_int_equal(cases[0].verdict, SHADOW_MISSED);
        rollbacks[0].at_wall = decisions[0].at_wall + SHADOW_WITHIN_US + 1;
        judge(&input); /* that late it was for something else, and it had lived through its bake */
        assert_int_equal(cases[0].verdict, SHADOW_WRONG);
        rollbacks[0].at_wall--;
        judge(&input);
        assert_int_equal(cases[0].verdict, SHADOW_RIGHT);
        input.rollback_count = 0;
        input.now_wall = decisions[0].at_wall + BAKE - 1;
        judge(&input);
        assert_int_equal(cases[0].verdict, SHADOW_UNDECIDED);
        assert_int_equal(report.precision_ppm, -1);
        input.now_wall++;
        judge(&input);
        assert_int_equal(cases[0].verdict, SHADOW_WRONG);
        assert_int_equal(report.precision_ppm, 0);
        input.from_wall = 10 * HOUR + 1;
        assert_int_equal(judge(&input), 0); /* made before the time that is asked about */
}

/* Two automatic rollbacks are no deployments, and what they put back was neither quiet nor an operator's doing. */
static void test_an_automatic_rollback_is_told_apart(UNUSED void **state) {
        const Deployment deployments[] = {
                made(1, 100 * SEC, "v2.4.0", "", 0),       made(2, 10 * HOUR, "v3.0.0", "v2.4.0", 1),
                made(3, 11 * HOUR, "v2.4.0", "v3.0.0", 2), made(4, 12 * HOUR, "v3.1.0", "v2.4.0", 3),
                made(5, 13 * HOUR, "v2.4.0", "v3.1.0", 4),
        };
        ShadowRollback rollbacks[] = {rolled_back(2, 11 * HOUR - SEC, "v3.0.0"),
                                      rolled_back(4, 13 * HOUR - SEC, "v3.1.0")};
        rollbacks[0].automatic = rollbacks[1].automatic = true;
        const ShadowInput input = {.rollbacks = rollbacks,
                                   .rollback_count = 2,
                                   .deployments = deployments,
                                   .deployment_count = ARRAY_SIZE(deployments),
                                   .now_wall = 20 * HOUR};
        assert_int_equal(judge(&input), 3);
        assert_int_equal(report.counts[SHADOW_AUTOMATIC], 2);
        assert_int_equal(report.counts[SHADOW_QUIET], 1);
        assert_int_equal(report.counts[SHADOW_MISSED], 0);
        assert_int_equal(cases[1].run_id, 2);
        assert_int_equal(report.precision_ppm, -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_deployment_is_one_case),
                cmocka_unit_test(test_by_other_means_is_a_rollback_too),
                cmocka_unit_test(test_the_time_counts),
                cmocka_unit_test(test_an_automatic_rollback_is_told_apart),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
