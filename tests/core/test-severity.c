/* The decision matrix in terms of runs and alerts. */
#include "core/severity.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Severity of(RunKind kind, RunMode mode, RunOutcome outcome) {
        const Run run = {.plan = {.kind = kind, .mode = mode}, .outcome = outcome};
        return severity_of_run(&run);
}

static void test_a_run_begins(UNUSED void **state) {
        assert_int_equal(of(RUN_ROLLBACK, MODE_AUTOMATIC, OUTCOME_OPEN), SEVERITY_P1);
        assert_int_equal(of(RUN_ROLLBACK, MODE_MANUAL, OUTCOME_OPEN), SEVERITY_P1);
        assert_int_equal(of(RUN_ROLLBACK, MODE_EMERGENCY, OUTCOME_OPEN), SEVERITY_P0);
        assert_int_equal(of(RUN_DEPLOYMENT, MODE_MANUAL, OUTCOME_OPEN), SEVERITY_P3);
}

static void test_a_run_ends(UNUSED void **state) {
        for (RunMode mode = MODE_AUTOMATIC; mode <= MODE_EMERGENCY; mode++) {
                assert_int_equal(of(RUN_ROLLBACK, mode, OUTCOME_SUCCEEDED), SEVERITY_P1);
                assert_int_equal(of(RUN_ROLLBACK, mode, OUTCOME_PUT_BACK), SEVERITY_P0);
                assert_int_equal(of(RUN_ROLLBACK, mode, OUTCOME_HELD), SEVERITY_P0);
                /* an operator has the answer before his eyes */
                assert_int_equal(of(RUN_ROLLBACK, mode, OUTCOME_REFUSED),
                                 mode == MODE_AUTOMATIC ? SEVERITY_P0 : SEVERITY_P1);
                assert_int_equal(of(RUN_ROLLBACK, mode, OUTCOME_UNDONE),
                                 mode == MODE_AUTOMATIC ? SEVERITY_P0 : SEVERITY_P1);
        }
        assert_int_equal(of(RUN_DEPLOYMENT, MODE_MANUAL, OUTCOME_SUCCEEDED), SEVERITY_P3);
        assert_int_equal(of(RUN_DEPLOYMENT, MODE_MANUAL, OUTCOME_REFUSED), SEVERITY_P2);
        assert_int_equal(of(RUN_DEPLOYMENT, MODE_MANUAL, OUTCOME_PUT_BACK), SEVERITY_P1);
        assert_int_equal(of(RUN_DEPLOYMENT, MODE_MANUAL, OUTCOME_HELD), SEVERITY_P0);
}

static void test_alerts(UNUSED void **state) {
        assert_int_equal(severity_of_alert("holding"), SEVERITY_P0);
        assert_int_equal(severity_of_alert("metrics"), SEVERITY_P1);
        assert_int_equal(severity_of_alert("decision"), SEVERITY_P2); /* a manual review */
        assert_int_equal(severity_of_alert("whatever else there is"), SEVERITY_P2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_begins),
                cmocka_unit_test(test_a_run_ends),
                cmocka_unit_test(test_alerts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
