/* A shell for the run that lives in memory: it answers appends at once, and steps as its list of faults says. It keeps two
 * records of what happened: `steps`, short, for tables of expectations, and `trace`, for people and the golden files. */
#pragma once

#include "core/plan.h"
#include "core/run.h"
#include "core/words.h"

#include "core-test.h"

typedef enum FaultKind {
        FAULT_FAILS,
        FAULT_FAILS_FOR_GOOD, /* trying again would not help */
        FAULT_TIMES_OUT,
        FAULT_CANCEL_MEANWHILE,
        FAULT_CRASH_BEFORE,
        FAULT_CRASH_AFTER
} FaultKind;

/* Counted: the first `times` dispatches of the step (on the way forward, or of undo, recovery and settle) meet it. */
typedef struct Fault {
        StepId step;
        bool recovery;
        FaultKind kind;
        unsigned times;
} Fault;

typedef struct RunShell {
        Run run;
        Run durable; /* as it was at the last append */
        RunUpdate update;
        Fault faults[4];
        ProbeAnswer probe_says; /* to a probe after a crash before the act; after the act the answer is yes */
        bool acted;             /* the step whose crash is being recovered had taken effect */
        int64_t now;
        int64_t took[STEP_COUNT]; /* how long each step takes */
        int64_t drain_cuts;
        bool finished;
        char notified[NOTIFY_MAX];
        char steps[512]; /* "0 1 2 3 3! 4 5 6 7 8"; "r4": recovery; "?4": probed; "!": forced */
        char trace[16384];
} RunShell;

void run_shell_init(RunShell *shell, RunKind kind, RunMode mode, const char *from, const char *to);
void run_shell_event(RunShell *shell, RunEvent event); /* stamps it with the time */
void run_shell_play(RunShell *shell);                  /* carries out effects until the run has finished */
