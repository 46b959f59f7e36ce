/* The sums of what has been: right, and still there when the journal is opened again. */
#include "store/journal.h"

#include "store-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Journal *open_journal(const char *name) {
        Journal *journal;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error_text(&error));
        return journal;
}

static void keep_run(Journal *journal, Run *run) {
        Error error = {0};
        if (journal_append_run(journal, run, "test", &error) < 0)
                fail_msg("%s", error_text(&error));
}

static JournalTotals totals_of(Journal *journal) {
        JournalTotals totals;
        Error error = {0};
        if (journal_totals(journal, &totals, &error) < 0)
                fail_msg("%s", error_text(&error));
        return totals;
}

static JournalNewest newest_of(Journal *journal) {
        JournalNewest newest;
        Error error = {0};
        if (journal_newest(journal, &newest, &error) < 0)
                fail_msg("%s", error_text(&error));
        return newest;
}

/* A run with one step on the way to the target, that took `step_us`, and none back. */
static Run small_run(RunMode mode, int64_t step_us) {
        Run run = full_run();
        memset(run.steps, 0, sizeof run.steps);
        memset(run.recovery, 0, sizeof run.recovery);
        run.plan.mode = mode;
        run.created_wall = 1000000;
        run.steps[STEP_DRAIN_TRAFFIC] = (StepRecord){
                .state = STEP_DONE, .attempt = 1, .started_wall = 1000000, .ended_wall = 1000000 + step_us};
        return run;
}

static void end_run(Journal *journal, Run *run, RunPhase phase, RunOutcome outcome, int64_t lasted_us) {
        run->phase = phase;
        run->outcome = outcome;
        run->ended_wall = run->created_wall + lasted_us;
        keep_run(journal, run);
}

static void test_nothing_has_been(UNUSED void **state) {
        Journal *journal = open_journal("nothing");
        JournalTotals totals = totals_of(journal), zero = {0};
        JournalNewest newest = newest_of(journal);
        assert_memory_equal(&totals, &zero, sizeof zero);
        assert_int_equal(newest.run + newest.run_ended_wall + newest.decision, 0);
        journal_close(journal);
}

static void test_runs(UNUSED void **state) {
        Journal *journal = open_journal("runs");
        Run first = small_run(MODE_AUTOMATIC, 300), second = small_run(MODE_AUTOMATIC, 50),
            third = small_run(MODE_MANUAL, 7);
        end_run(journal, &first, RUN_SUCCEEDED, OUTCOME_SUCCEEDED, 1000);
        end_run(journal, &second, RUN_SUCCEEDED, OUTCOME_SUCCEEDED, 500);
        third.recovery[STEP_DRAIN_TRAFFIC] = (StepRecord){.state = STEP_DONE, .started_wall = 100, .ended_wall = 103};
        third.recovery[STEP_START_VERSION] = (StepRecord){.state = STEP_SKIPPED};
        end_run(journal, &third, RUN_FAILED, OUTCOME_PUT_BACK, -20); /* the clock was set back meanwhile */
        Run open = small_run(MODE_MANUAL, 9);
        keep_run(journal, &open);
        assert_int_equal(newest_of(journal).run, open.id);
        assert_int_equal(newest_of(journal).run_ended_wall, 0);

        for (int again = 0; again < 2; again++) { /* and they outlive the program */
                JournalTotals totals = totals_of(journal);
                assert_int_equal(totals.runs[RUN_ROLLBACK][MODE_AUTOMATIC][OUTCOME_SUCCEEDED], 2);
                assert_int_equal(totals.runs[RUN_ROLLBACK][MODE_MANUAL][OUTCOME_PUT_BACK], 1);
                assert_int_equal(totals.runs[RUN_ROLLBACK][MODE_MANUAL][OUTCOME_OPEN], 0); /* it hasn't ended */
                assert_int_equal(totals.run_lasted[RUN_ROLLBACK].count, 3);
                assert_int_equal(totals.run_lasted[RUN_ROLLBACK].sum_us, 1500);
                assert_int_equal(totals.run_lasted[RUN_DEPLOYMENT].count, 0);
                assert_int_equal(totals.step_lasted[STEP_DRAIN_TRAFFIC].count, 4);
                assert_int_equal(totals.step_lasted[STEP_DRAIN_TRAFFIC].sum_us, 360);
                assert_int_equal(totals.step_lasted[STEP_START_VERSION].count, 0);
                journal_close(journal);
                journal = open_journal("runs");
        }
        end_run(journal, &open, RUN_HOLDING, OUTCOME_HELD, 40);
        assert_int_equal(newest_of(journal).run_ended_wall, open.ended_wall);
        assert_int_equal(totals_of(journal).runs[RUN_ROLLBACK][MODE_MANUAL][OUTCOME_HELD], 1);
        journal_close(journal);
}

static void test_decisions(UNUSED void **state) {
        Journal *journal = open_journal("decisions");
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        Error error = {0};
        for (int i = 0; i < 3; i++) {
                *decision = (Decision){.kind = i < 2 ? DECISION_REVIEW : DECISION_ROLLBACK,
                                       .guard = i < 2 ? GUARD_NOT_ARMED : GUARD_NONE};
                assert_int_equal(journal_add_decision(journal, decision, NULL, &error), 0);
                assert_int_equal(newest_of(journal).decision, decision->id);
        }
        JournalTotals totals = totals_of(journal);
        assert_int_equal(totals.decisions[DECISION_REVIEW][GUARD_NOT_ARMED], 2);
        assert_int_equal(totals.decisions[DECISION_ROLLBACK][GUARD_NONE], 1);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_has_been),
                cmocka_unit_test(test_runs),
                cmocka_unit_test(test_decisions),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
