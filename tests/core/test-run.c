#include "run-shell.h"

#include "core/names.h"
#include "core/run-table.h"
#include "core/steps.h"

#include <stdio.h>
#include <string.h>

static RunShell shell; /* large; every test sets it up anew */

static void start_rollback(RunMode mode) {
        run_shell_init(&shell, RUN_ROLLBACK, mode, "v3.0.0", "v2.4.0");
        run_shell_event(&shell, (RunEvent){.type = EVENT_START});
}

/* ---- golden traces ---- */

static void compare_with_golden(const char *name) {
        const char *directory = getenv("GOLDEN_DIRECTORY");
        char path[512], golden[sizeof shell.trace] = "";
        snprintf(path, sizeof path, "%s/%s", directory ? directory : "tests/core/golden", name);
        AUTO_FCLOSE FILE *file = fopen(path, getenv("GOLDEN_WRITE") ? "w+" : "r");
        if (!file)
                fail_msg("cannot open %s", path);
        if (getenv("GOLDEN_WRITE"))
                fputs(shell.trace, file);
        rewind(file);
        size_t length = fread(golden, 1, sizeof golden - 1, file);
        golden[length] = '\0';
        if (strcmp(golden, shell.trace) != 0)
                fail_msg("the trace differs from %s (GOLDEN_WRITE=1 writes it anew); it is now:\n%s", path,
                         shell.trace);
}

/* Three requests are cut by the drain, and the bad release must be killed. */
static void golden_rollback(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.drain_cuts = 3;
        shell.faults[0] = (Fault){STEP_STOP_VERSION, false, FAULT_TIMES_OUT, 1};
        run_shell_play(&shell);
        assert_int_equal(shell.run.outcome, OUTCOME_SUCCEEDED);
        assert_int_equal(shell.run.in_flight_cut, 3);
        compare_with_golden("rollback.trace");
}

/* The target never gets healthy; the controller is killed while the original is being started again. */
static void golden_recovery(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.faults[0] = (Fault){STEP_VERIFY_HEALTH, false, FAULT_TIMES_OUT, 1};
        shell.faults[1] = (Fault){STEP_START_VERSION, true, FAULT_CRASH_AFTER, 1};
        shell.faults[2] = (Fault){STEP_RESTORE_TRAFFIC, true, FAULT_FAILS, 1};
        run_shell_play(&shell);
        assert_int_equal(shell.run.outcome, OUTCOME_PUT_BACK);
        compare_with_golden("recovery.trace");
}

/* ---- what each fault leads to ---- */

typedef struct RunCase {
        const char *what;
        RunMode mode;
        Fault faults[4];
        const char *steps;
        RunOutcome outcome;
        const char *serving;
        unsigned outstanding;
        const char *failure; /* part of it */
} RunCase;

#define B7 (1U << STEP_RESTORE_TRAFFIC)
#define B8 (1U << STEP_RESUME_DEPLOYMENTS)
#define FORWARD(step, kind, times)                                                                                     \
        { step, false, kind, times }
#define BACK(step, kind, times)                                                                                        \
        { step, true, kind, times }
#define AUTO MODE_AUTOMATIC
#define EMERGENCY MODE_EMERGENCY

static const RunCase cases[] = {
        {"nothing fails", AUTO, {FORWARD(0, FAULT_FAILS, 0)}, "0 1 2 3 4 5 6 7 8", OUTCOME_SUCCEEDED, "v2.4.0", 0, ""},
        {"preflight refuses",
         AUTO,
         {FORWARD(0, FAULT_FAILS, 1)},
         "0",
         OUTCOME_REFUSED,
         "v3.0.0",
         0,
         "Prove the target failed: it broke"},
        {"preflight hangs",
         EMERGENCY,
         {FORWARD(0, FAULT_TIMES_OUT, 1)},
         "0",
         OUTCOME_REFUSED,
         "v3.0.0",
         0,
         "timed out"},
        {"pause fails", AUTO, {FORWARD(1, FAULT_FAILS, 1)}, "0 1 2 3 4 5 6 7 8", OUTCOME_SUCCEEDED, "v2.4.0", 0, ""},
        {"drain fails once",
         AUTO,
         {FORWARD(2, FAULT_FAILS, 1)},
         "0 1 2 2 3 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"drain fails",
         AUTO,
         {FORWARD(2, FAULT_FAILS, 2)},
         "0 1 2 2 r7 r8",
         OUTCOME_UNDONE,
         "v3.0.0",
         0,
         "Drain traffic failed"},
        {"drain hangs",
         AUTO,
         {FORWARD(2, FAULT_TIMES_OUT, 1)},
         "0 1 2 r7 r8",
         OUTCOME_UNDONE,
         "v3.0.0",
         0,
         "Drain traffic timed out"},
        {"drain fails in an emergency",
         EMERGENCY,
         {FORWARD(2, FAULT_FAILS, 1)},
         "0 1 2 3 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"drain hangs in an emergency",
         EMERGENCY,
         {FORWARD(2, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"stop hangs",
         AUTO,
         {FORWARD(3, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 3! 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"stop fails", AUTO, {FORWARD(3, FAULT_FAILS, 1)}, "0 1 2 3 3! 4 5 6 7 8", OUTCOME_SUCCEEDED, "v2.4.0", 0, ""},
        {"even killing fails",
         AUTO,
         {FORWARD(3, FAULT_TIMES_OUT, 2)},
         "0 1 2 3 3! 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"restore fails",
         AUTO,
         {FORWARD(4, FAULT_FAILS, 2)},
         "0 1 2 3 4 4 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "Restore previous version failed"},
        {"restore fails, and would again",
         AUTO,
         {FORWARD(4, FAULT_FAILS_FOR_GOOD, 2)},
         "0 1 2 3 4 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "Restore previous version failed"},
        {"restore hangs",
         AUTO,
         {FORWARD(4, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "timed out"},
        {"start fails once",
         AUTO,
         {FORWARD(5, FAULT_FAILS, 1)},
         "0 1 2 3 4 5 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"start fails",
         AUTO,
         {FORWARD(5, FAULT_FAILS, 2)},
         "0 1 2 3 4 5 5 r3 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "Start previous version failed"},
        {"start hangs in an emergency",
         EMERGENCY,
         {FORWARD(5, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 r3 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         ""},
        {"never healthy",
         AUTO,
         {FORWARD(6, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 6 r3 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "Verify health timed out"},
        {"health fails: not repeated",
         AUTO,
         {FORWARD(6, FAULT_FAILS, 1)},
         "0 1 2 3 4 5 6 r3 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         "Verify health failed"},
        {"traffic fails once",
         AUTO,
         {FORWARD(7, FAULT_FAILS, 1)},
         "0 1 2 3 4 5 6 7 8 r7",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"resume fails once",
         AUTO,
         {FORWARD(8, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 6 7 8 r8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"both fail for a while",
         AUTO,
         {FORWARD(7, FAULT_FAILS, 1), FORWARD(8, FAULT_FAILS, 1), BACK(7, FAULT_FAILS, 2), BACK(8, FAULT_FAILS, 1)},
         "0 1 2 3 4 5 6 7 8 r7 r8 r7 r8 r7",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"traffic never comes back",
         AUTO,
         {FORWARD(7, FAULT_FAILS, 1), BACK(7, FAULT_FAILS, 99)},
         "0 1 2 3 4 5 6 7 8 r7 r7 r7 r7 r7 r7 r7 r7 r7 r7",
         OUTCOME_HELD,
         "",
         B7,
         "Restore traffic failed"},
        {"deployments never resume",
         AUTO,
         {FORWARD(8, FAULT_FAILS, 1), BACK(8, FAULT_FAILS, 99)},
         "0 1 2 3 4 5 6 7 8 r8 r8 r8 r8 r8 r8 r8 r8 r8 r8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         B8,
         ""},
        {"undo can't give traffic back",
         AUTO,
         {FORWARD(2, FAULT_TIMES_OUT, 1), BACK(7, FAULT_FAILS, 99)},
         "0 1 2 r7 r8 r7 r7 r7 r7 r7 r7 r7 r7 r7 r7",
         OUTCOME_UNDONE, /* the original was never stopped */
         "v3.0.0",
         B7,
         "Drain traffic timed out"},
        {"neither comes up",
         AUTO,
         {FORWARD(5, FAULT_TIMES_OUT, 1), BACK(5, FAULT_FAILS, 2)},
         "0 1 2 3 4 5 r3 r4 r5 r5 r7",
         OUTCOME_HELD,
         "",
         0,
         "Start previous version timed out"},
        {"neither is healthy",
         AUTO,
         {FORWARD(6, FAULT_FAILS, 1), BACK(6, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 6 r3 r4 r5 r6 r7",
         OUTCOME_HELD,
         "",
         0,
         "Verify health failed"},
        {"the original can't be restored",
         AUTO,
         {FORWARD(4, FAULT_FAILS, 2), BACK(4, FAULT_FAILS, 2)},
         "0 1 2 3 4 4 r4 r4 r7",
         OUTCOME_HELD,
         "",
         0,
         "Restore previous version failed"},
        {"held and dark",
         AUTO,
         {FORWARD(6, FAULT_FAILS, 1), BACK(6, FAULT_FAILS, 1), BACK(7, FAULT_FAILS, 99)},
         "0 1 2 3 4 5 6 r3 r4 r5 r6 r7 r7 r7 r7 r7 r7 r7 r7 r7 r7 r7",
         OUTCOME_HELD,
         "",
         B7,
         "Verify health failed"},
        {"the target must be killed on the way back",
         AUTO,
         {FORWARD(6, FAULT_FAILS, 1), BACK(3, FAULT_TIMES_OUT, 1)},
         "0 1 2 3 4 5 6 r3 r3! r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         ""},
        {"cancelled in preflight",
         AUTO,
         {FORWARD(0, FAULT_CANCEL_MEANWHILE, 1)},
         "0",
         OUTCOME_CANCELLED,
         "v3.0.0",
         0,
         ""},
        {"cancelled while pausing",
         AUTO,
         {FORWARD(1, FAULT_CANCEL_MEANWHILE, 1)},
         "0 1 r8",
         OUTCOME_CANCELLED,
         "v3.0.0",
         0,
         ""},
        {"cancelled while draining",
         AUTO,
         {FORWARD(2, FAULT_CANCEL_MEANWHILE, 1)},
         "0 1 2 r7 r8",
         OUTCOME_CANCELLED,
         "v3.0.0",
         0,
         ""},
        {"cancelled too late",
         AUTO,
         {FORWARD(3, FAULT_CANCEL_MEANWHILE, 1)},
         "0 1 2 3 4 5 6 7 8",
         OUTCOME_SUCCEEDED,
         "v2.4.0",
         0,
         ""},
        {"cancelled while recovering",
         AUTO,
         {FORWARD(6, FAULT_FAILS, 1), BACK(4, FAULT_CANCEL_MEANWHILE, 1)},
         "0 1 2 3 4 5 6 r3 r4 r5 r6 r7 r8",
         OUTCOME_PUT_BACK,
         "v3.0.0",
         0,
         ""},
        {"undone for a failure, cancelled on top",
         AUTO,
         {FORWARD(2, FAULT_TIMES_OUT, 1), BACK(7, FAULT_CANCEL_MEANWHILE, 1)},
         "0 1 2 r7 r8",
         OUTCOME_UNDONE,
         "v3.0.0",
         0,
         "Drain traffic"},
};

static void every_fault_leads_where_it_should(void **state UNUSED) {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const RunCase *c = &cases[i];
                run_shell_init(&shell, RUN_ROLLBACK, c->mode, "v3.0.0", "v2.4.0");
                memcpy(shell.faults, c->faults, sizeof shell.faults);
                run_shell_event(&shell, (RunEvent){.type = EVENT_START});
                run_shell_play(&shell);
                if (strcmp(shell.steps, c->steps) != 0 || shell.run.outcome != c->outcome)
                        fail_msg("%s: %s by '%s', expected %s by '%s'\n%s", c->what,
                                 run_outcome_name(shell.run.outcome), shell.steps, run_outcome_name(c->outcome),
                                 c->steps, shell.trace);
                if (strcmp(shell.run.serving, c->serving) != 0 || shell.run.outstanding != c->outstanding)
                        fail_msg("%s: serving '%s', outstanding 0x%x", c->what, shell.run.serving,
                                 shell.run.outstanding);
                if (!strstr(shell.run.failure, c->failure))
                        fail_msg("%s: failure is '%s'", c->what, shell.run.failure);
                assert_int_equal(shell.notified[0] != '\0',
                                 c->outcome == OUTCOME_HELD || (c->outstanding & (B7 | B8)) != 0);
                assert_int_equal(shell.run.ended_wall,
                                 shell.durable.ended_wall); /* finished only when that was durable */
                assert_int_equal(shell.durable.phase, shell.run.phase);
        }
}

/* ---- crashes ---- */

typedef struct CrashCase {
        StepId step;
        bool recovery;
        ProbeAnswer says;
        FaultKind when;
        const char *steps;
} CrashCase;

static const CrashCase crashes[] = {
        {0, false, PROBE_NO, FAULT_CRASH_BEFORE, "0 0 1 2 3 4 5 6 7 8"},
        {1, false, PROBE_NO, FAULT_CRASH_BEFORE, "0 1 ?1 1 2 3 4 5 6 7 8"},
        {1, false, PROBE_UNKNOWN, FAULT_CRASH_BEFORE, "0 1 ?1 1 2 3 4 5 6 7 8"},
        {1, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 ?1 2 3 4 5 6 7 8"},
        {2, false, PROBE_NO, FAULT_CRASH_BEFORE, "0 1 2 2 3 4 5 6 7 8"}, /* a drain is taken again, never believed */
        {2, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 2 3 4 5 6 7 8"},
        {3, false, PROBE_NO, FAULT_CRASH_BEFORE,
         "0 1 2 3 2 ?3 3 4 5 6 7 8"}, /* held again first, so that nothing gets lost */
        {3, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 3 2 ?3 4 5 6 7 8"},
        {4, false, PROBE_UNKNOWN, FAULT_CRASH_BEFORE, "0 1 2 3 4 2 ?4 4 5 6 7 8"},
        {5, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 3 4 5 2 ?5 6 7 8"},
        {6, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 3 4 5 6 2 6 7 8"}, /* health is asked again, not assumed */
        {7, false, PROBE_NO, FAULT_CRASH_BEFORE, "0 1 2 3 4 5 6 7 ?7 7 8"},
        {7, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 3 4 5 6 7 ?7 8"},
        {8, false, PROBE_NO, FAULT_CRASH_AFTER, "0 1 2 3 4 5 6 7 8 ?8"},
};

static void after_a_crash_it_probes_and_goes_on(void **state UNUSED) {
        for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
                const CrashCase *c = &crashes[i];
                start_rollback(MODE_AUTOMATIC);
                shell.probe_says = c->says;
                shell.faults[0] = (Fault){c->step, c->recovery, c->when, 1};
                run_shell_play(&shell);
                if (strcmp(shell.steps, c->steps) != 0)
                        fail_msg("crash in step %d: '%s', expected '%s'\n%s", (int)c->step, shell.steps, c->steps,
                                 shell.trace);
                assert_int_equal(shell.run.outcome, OUTCOME_SUCCEEDED);
        }
}

static void a_crash_during_the_kill_kills_again(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.faults[0] = (Fault){STEP_STOP_VERSION, false, FAULT_TIMES_OUT, 1};
        shell.faults[1] = (Fault){STEP_STOP_VERSION, false, FAULT_CRASH_BEFORE, 1};
        run_shell_play(&shell);
        assert_string_equal(shell.steps, "0 1 2 3 3! 2 ?3! 3! 4 5 6 7 8");
}

static void a_crash_while_settling_goes_on_settling(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.faults[0] = (Fault){STEP_RESTORE_TRAFFIC, false, FAULT_FAILS, 1};
        shell.faults[1] = (Fault){STEP_RESTORE_TRAFFIC, true, FAULT_FAILS, 1};
        while (!(shell.update.flags == UPDATE_ARM_TIMER)) { /* the pause between two tries */
                RunShell *s = &shell;
                RunUpdate before = s->update;
                if (before.flags & UPDATE_APPEND) {
                        s->durable = s->run;
                        run_shell_event(s, (RunEvent){.type = EVENT_PERSISTED});
                } else {
                        assert_true(before.flags & UPDATE_DISPATCH);
                        bool breaks = before.call.step == STEP_RESTORE_TRAFFIC;
                        run_shell_event(s, (RunEvent){.type = breaks ? EVENT_STEP_FAILED : EVENT_STEP_DONE,
                                                      .token = before.call.token});
                }
        }
        shell.faults[1].times = 0;
        assert_int_equal(shell.update.timer_us, SETTLE_PAUSE_US);
        shell.run = shell.durable;
        run_shell_event(&shell, (RunEvent){.type = EVENT_RECOVER});
        run_shell_play(&shell);
        assert_int_equal(shell.run.outcome, OUTCOME_SUCCEEDED);
        assert_int_equal(shell.run.settle_tries, 2);
}

static void recovering_an_ended_run_repeats_its_page(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.faults[0] = (Fault){STEP_START_VERSION, false, FAULT_TIMES_OUT, 1};
        shell.faults[1] = (Fault){STEP_START_VERSION, true, FAULT_TIMES_OUT, 1};
        run_shell_play(&shell);
        assert_int_equal(shell.run.phase, RUN_HOLDING);
        char page[NOTIFY_MAX];
        memcpy(page, shell.notified, sizeof page);
        assert_non_null(strstr(page, "HOLDING: rollback v3.0.0 -> v2.4.0: Start previous version timed out"));
        assert_non_null(strstr(page, "deployments are still paused"));
        run_shell_event(&shell, (RunEvent){.type = EVENT_RECOVER});
        assert_int_equal(shell.update.flags, UPDATE_NOTIFY | UPDATE_FINISH);
        assert_string_equal(shell.update.notify, page);
}

/* ---- other promises ---- */

static void a_first_deployment_has_nothing_to_put_back(void **state UNUSED) {
        run_shell_init(&shell, RUN_DEPLOYMENT, MODE_MANUAL, "", "v1.0.0");
        shell.faults[0] = (Fault){STEP_VERIFY_HEALTH, false, FAULT_FAILS, 1};
        run_shell_event(&shell, (RunEvent){.type = EVENT_START});
        run_shell_play(&shell);
        assert_string_equal(shell.steps, "0 1 2 3 4 5 6 r7");
        assert_int_equal(shell.run.phase, RUN_HOLDING);
        assert_int_equal(shell.run.recovery[STEP_STOP_VERSION].state, STEP_SKIPPED);
}

static void an_act_waits_for_its_intent(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        assert_int_equal(shell.update.flags, UPDATE_APPEND);
        assert_int_equal(shell.run.steps[STEP_PREFLIGHT].state, STEP_ACTING);
        run_shell_event(&shell, (RunEvent){.type = EVENT_START}); /* twice is once */
        assert_int_equal(shell.update.flags, 0);
        run_shell_event(&shell,
                        (RunEvent){.type = EVENT_STEP_DONE, .token = shell.run.token}); /* nobody was asked yet */
        assert_int_equal(shell.update.flags, 0);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        assert_int_equal(shell.update.flags, UPDATE_DISPATCH | UPDATE_ARM_TIMER);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        assert_int_equal(shell.update.flags, 0);
}

/* A journal that is slow: a cancel and a result are appended before the first append is durable. */
static void an_act_waits_for_every_append_before_it(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        while (!(shell.update.flags & UPDATE_DISPATCH) || shell.update.call.step != STEP_STOP_VERSION)
                run_shell_event(&shell,
                                shell.update.flags & UPDATE_APPEND
                                        ? (RunEvent){.type = EVENT_PERSISTED}
                                        : (RunEvent){.type = EVENT_STEP_DONE, .token = shell.update.call.token});
        unsigned token = shell.update.call.token;
        assert_false(run_can_cancel(&shell.run));
        run_shell_event(&shell, (RunEvent){.type = EVENT_CANCEL});
        assert_int_equal(shell.update.flags, UPDATE_APPEND);
        run_shell_event(&shell, (RunEvent){.type = EVENT_CANCEL}); /* said once */
        assert_int_equal(shell.update.flags, 0);
        run_shell_event(&shell, (RunEvent){.type = EVENT_STEP_DONE, .token = token});
        assert_int_equal(shell.update.flags, UPDATE_APPEND);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED}); /* the cancel */
        assert_int_equal(shell.update.flags, 0);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED}); /* the result and the next intent */
        assert_true(shell.update.flags & UPDATE_DISPATCH);
        assert_int_equal(shell.update.call.step, STEP_RESTORE_VERSION);
}

/* How far an act is, is shown and nothing else: it neither moves the run nor is it made durable, and a late one is ignored. */
static void progress_is_only_shown(void **state UNUSED) {
        RunUpdate update;
        start_rollback(MODE_MANUAL);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        const StepRecord *record = &shell.run.steps[STEP_PREFLIGHT];
        static Run before;
        before = shell.run;
        RunEvent event = {
                .type = EVENT_PROGRESS, .token = shell.run.token, .wall = shell.now, .detail = "4.1 of 10 million"};
        run_step(&shell.run, &event, &update);
        assert_int_equal(update.flags, 0);
        assert_string_equal(record->detail, "4.1 of 10 million");
        event.token--;
        event.detail = "late";
        run_step(&shell.run, &event, &update);
        assert_int_equal(update.flags, 0);
        assert_string_equal(record->detail, "4.1 of 10 million");
        memcpy(before.steps[STEP_PREFLIGHT].detail, record->detail, sizeof record->detail);
        assert_memory_equal(&shell.run, &before, sizeof before);
        run_shell_event(&shell, (RunEvent){.type = EVENT_STEP_DONE, .token = shell.run.token, .detail = "done"});
        assert_string_equal(record->detail, "done");
        event.token = shell.run.token; /* the next one's intent isn't durable yet: nothing is under way */
        run_step(&shell.run, &event, &update);
        assert_string_equal(shell.run.steps[STEP_PAUSE_DEPLOYMENTS].detail, "");
}

static void late_answers_are_ignored(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        unsigned old = shell.update.call.token;
        run_shell_event(&shell, (RunEvent){.type = EVENT_STEP_DONE, .token = old});
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        assert_int_equal(shell.update.call.step, STEP_PAUSE_DEPLOYMENTS);
        static Run before;
        before = shell.run;
        static const RunEventType late[] = {EVENT_STEP_DONE, EVENT_STEP_FAILED, EVENT_TIMEOUT, EVENT_PROBED};
        for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
                run_shell_event(&shell, (RunEvent){.type = late[i], .token = old, .answer = PROBE_YES});
                assert_int_equal(shell.update.flags, 0);
        }
        run_shell_event(
                &shell,
                (RunEvent){.type = EVENT_PROBED, .token = shell.run.token, .answer = PROBE_YES}); /* nobody asked */
        assert_int_equal(shell.update.flags, 0);
        assert_memory_equal(&before, &shell.run, sizeof before);
}

static void a_retry_gets_what_is_left_of_the_budget(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.took[STEP_START_VERSION] = 4 * SEC;
        shell.faults[0] = (Fault){STEP_START_VERSION, false, FAULT_FAILS, 1};
        run_shell_play(&shell);
        assert_non_null(
                strstr(shell.trace, "start_version (Start previous version), attempt 2, v3.0.0 -> v2.4.0, budget 6 s"));

        start_rollback(MODE_AUTOMATIC); /* it failed so late that nothing is left */
        shell.took[STEP_START_VERSION] = 11 * SEC;
        shell.faults[0] = (Fault){STEP_START_VERSION, false, FAULT_FAILS, 1};
        run_shell_play(&shell);
        assert_string_equal(shell.steps, "0 1 2 3 4 5 r3 r4 r5 r6 r7 r8");
}

/* The act itself may know before the timer that it has timed out; that is an answer, not a reason to wait as long again. */
static void a_time_out_is_not_repeated_however_early_it_comes(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        while (!(shell.update.flags & UPDATE_DISPATCH) || shell.update.call.step != STEP_START_VERSION)
                run_shell_event(&shell,
                                shell.update.flags & UPDATE_APPEND
                                        ? (RunEvent){.type = EVENT_PERSISTED}
                                        : (RunEvent){.type = EVENT_STEP_DONE, .token = shell.update.call.token});
        run_shell_event(&shell,
                        (RunEvent){.type = EVENT_TIMEOUT, .token = shell.run.token, .detail = "not ready within 10 s"});
        assert_int_equal(shell.run.phase, RUN_RECOVERY);
        assert_string_equal(shell.run.failure, "Start previous version timed out: not ready within 10 s");
}

static void a_clock_set_back_never_lengthens_a_budget(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.now = 1000 * SEC;
        shell.took[STEP_START_VERSION] = -500 * SEC;
        shell.faults[0] = (Fault){STEP_START_VERSION, false, FAULT_FAILS, 1};
        run_shell_play(&shell);
        assert_non_null(strstr(shell.trace, "attempt 2, v3.0.0 -> v2.4.0, budget 10 s"));
}

static void the_way_back_names_the_versions_the_other_way_round(void **state UNUSED) {
        start_rollback(MODE_AUTOMATIC);
        shell.faults[0] = (Fault){STEP_VERIFY_HEALTH, false, FAULT_FAILS, 1};
        run_shell_play(&shell);
        assert_non_null(strstr(shell.trace, "stop_version (Stop target version), attempt 1, v2.4.0 -> v3.0.0"));
        assert_non_null(strstr(shell.trace, "start_version (Start original version), attempt 1, v2.4.0 -> v3.0.0"));
}

static void long_words_are_cut_between_characters(void **state UNUSED) {
        char detail[2 * DETAIL_MAX];
        memset(detail, 'x', sizeof detail);
        memcpy(detail + DETAIL_MAX - 2, "\xe2\x82\xac", 3); /* a euro sign across the edge */
        detail[sizeof detail - 1] = '\0';
        start_rollback(MODE_AUTOMATIC);
        run_shell_event(&shell, (RunEvent){.type = EVENT_PERSISTED});
        RunEvent event = {.type = EVENT_STEP_FAILED, .token = shell.run.token, .detail = detail, .wall = 1};
        run_step(&shell.run, &event, &shell.update);
        assert_int_equal(strlen(shell.run.steps[STEP_PREFLIGHT].detail), DETAIL_MAX - 2);
        assert_int_equal(shell.run.outcome, OUTCOME_REFUSED);
}

static void asks_nothing_of_a_run_that_has_not_begun(void **state UNUSED) {
        run_shell_init(&shell, RUN_ROLLBACK, MODE_MANUAL, "v3.0.0", "v2.4.0");
        assert_false(run_can_cancel(&shell.run));
        run_shell_event(&shell, (RunEvent){.type = EVENT_CANCEL});
        assert_int_equal(shell.update.flags, 0);
        assert_int_equal(shell.run.phase, RUN_NEW);
        assert_int_equal(shell.run.requests_failed, -1);
}

/* ---- the checks themselves ---- */

static void expect_unsound(void (*spoil)(Run *)) {
        static Run run;
        start_rollback(MODE_AUTOMATIC);
        run_shell_play(&shell);
        run = shell.run;
        assert_null(run_check(&run));
        spoil(&run);
        assert_non_null(run_check(&run));
}

static void spoil_phase(Run *run) {
        run->phase = (RunPhase)77;
}
static void spoil_outcome(Run *run) {
        run->outcome = OUTCOME_OPEN;
}
static void spoil_mismatch(Run *run) {
        run->outcome = OUTCOME_HELD;
}
static void spoil_serving(Run *run) {
        run->serving[0] = '\0';
}
static void spoil_acting(Run *run) {
        run->steps[STEP_VERIFY_HEALTH].state = STEP_ACTING;
}
static void spoil_pending(Run *run) {
        run->steps[STEP_VERIFY_HEALTH].state = STEP_PENDING;
}
static void spoil_traffic(Run *run) {
        run->outstanding = B7;
}
static void spoil_given_back(Run *run) {
        run->steps[STEP_RESTORE_TRAFFIC].state = STEP_FAILED;
}
static void spoil_waiting(Run *run) {
        run->waiting = WAIT_STEP;
}
static void spoil_plan(Run *run) {
        run->plan.steps[3].id = STEP_DRAIN_TRAFFIC;
}
static void spoil_critical(Run *run) {
        run->plan.steps[STEP_RESTORE_TRAFFIC].critical = true;
}
static void spoil_tries(Run *run) {
        run->settle_tries = SETTLE_TRIES_MAX + 1;
}
static void spoil_cancelled(Run *run) {
        run->phase = RUN_FAILED;
        run->outcome = OUTCOME_CANCELLED;
        run->cancel_requested = true;
        memcpy(run->serving, run->plan.from, VERSION_MAX);
}

static void a_spoiled_run_is_noticed(void **state UNUSED) {
        static void (*const spoils[])(Run *) = {spoil_phase,    spoil_outcome, spoil_mismatch, spoil_serving,
                                                spoil_acting,   spoil_pending, spoil_traffic,  spoil_given_back,
                                                spoil_waiting,  spoil_plan,    spoil_critical, spoil_tries,
                                                spoil_cancelled};
        for (size_t i = 0; i < ARRAY_SIZE(spoils); i++)
                expect_unsound(spoils[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(golden_rollback),
                cmocka_unit_test(golden_recovery),
                cmocka_unit_test(every_fault_leads_where_it_should),
                cmocka_unit_test(after_a_crash_it_probes_and_goes_on),
                cmocka_unit_test(a_crash_during_the_kill_kills_again),
                cmocka_unit_test(a_crash_while_settling_goes_on_settling),
                cmocka_unit_test(recovering_an_ended_run_repeats_its_page),
                cmocka_unit_test(a_first_deployment_has_nothing_to_put_back),
                cmocka_unit_test(an_act_waits_for_its_intent),
                cmocka_unit_test(an_act_waits_for_every_append_before_it),
                cmocka_unit_test(progress_is_only_shown),
                cmocka_unit_test(late_answers_are_ignored),
                cmocka_unit_test(a_retry_gets_what_is_left_of_the_budget),
                cmocka_unit_test(a_time_out_is_not_repeated_however_early_it_comes),
                cmocka_unit_test(a_clock_set_back_never_lengthens_a_budget),
                cmocka_unit_test(the_way_back_names_the_versions_the_other_way_round),
                cmocka_unit_test(long_words_are_cut_between_characters),
                cmocka_unit_test(asks_nothing_of_a_run_that_has_not_begun),
                cmocka_unit_test(a_spoiled_run_is_noticed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
