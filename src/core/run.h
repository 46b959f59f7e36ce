/* The run: a step function in the manner of a consensus core. Everything it needs arrives in an event, everything it wants
 * leaves as an effect; it does no I/O and reads no clock. A deployment and a rollback are the same run with another plan.
 *
 * The shell's part:
 *   1. feed an event, 2. carry out the effects of the update in the order of the flags below, 3. feed what comes back.
 *   - UPDATE_APPEND: make the Run durable as it stands now, then feed EVENT_PERSISTED, once for each append, in order. The
 *     acts that the append announces are asked for only in answer to that event (law 2). No act shares an update with an append.
 *   - UPDATE_PROBE: find out whether `call.step` has already taken effect; answer with EVENT_PROBED and call.token.
 *   - UPDATE_DISPATCH: do `call.step`; answer EVENT_STEP_DONE, EVENT_STEP_FAILED or EVENT_TIMEOUT with call.token. An act
 *     that is still under way for an older token is cancelled first. Acts are idempotent: doing one again is success.
 *   - UPDATE_ARM_TIMER: after timer_us feed EVENT_TIMEOUT with timer_token. There is one timer: arming replaces it. Every
 *     probe and dispatch arms it, so a shell that dispatches to something that never answers cannot hang.
 *   - UPDATE_NOTIFY: tell a person `notify`; a page when the phase is RUN_HOLDING, otherwise an alert.
 *   - UPDATE_FINISH: the run is over and that is durable. Nothing comes after it.
 * An answer with another token than the newest is ignored, so late answers do no harm.
 *
 * After a crash: load the Run and feed EVENT_RECOVER. A step whose intent is there without a result is probed, then counted
 * as done or repeated. When traffic was drained before the crash it is drained again first (the gate may have opened by
 * itself meanwhile). Feeding EVENT_RECOVER to a run that has ended repeats NOTIFY and FINISH, so that no page gets lost. */
#pragma once

#include "core/types.h"

#include <stdio.h>

#define SETTLE_TRIES_MAX 10
#define SETTLE_PAUSE_US (2 * USEC_PER_SEC)
#define NOTIFY_MAX 1280
#define PROBE_BUDGET_US (5 * USEC_PER_SEC) /* a probe only asks; after this its answer is "unknown" */

typedef enum RunEventType {
        EVENT_START,       /* of a run that run_init() made */
        EVENT_RECOVER,     /* of a run that was loaded from the journal */
        EVENT_PERSISTED,   /* the oldest unanswered append is durable */
        EVENT_PROBED,      /* token, answer, detail */
        EVENT_STEP_DONE,   /* token, detail, number */
        EVENT_STEP_FAILED, /* token, detail */
        EVENT_TIMEOUT,     /* token; detail when the act knows more than "its budget is spent" */
        EVENT_CANCEL,      /* detail: who */
        EVENT_PROGRESS,    /* token, detail: how far the act under way is; it is only shown */
} RunEventType;

typedef enum ProbeAnswer { PROBE_UNKNOWN, PROBE_NO, PROBE_YES } ProbeAnswer;

typedef struct RunEvent {
        RunEventType type;
        int64_t wall;
        unsigned token;
        ProbeAnswer answer;
        const char *detail; /* for people; may be NULL; copied */
        int64_t number;     /* of STEP_DRAIN_TRAFFIC: requests cut, else 0 */
        bool final;         /* of EVENT_STEP_FAILED: trying it again would not help */
} RunEvent;

/* In the order in which they are carried out. */
typedef enum RunUpdateFlag {
        UPDATE_APPEND = 1 << 0,
        UPDATE_PROBE = 1 << 1,
        UPDATE_DISPATCH = 1 << 2,
        UPDATE_ARM_TIMER = 1 << 3,
        UPDATE_NOTIFY = 1 << 4,
        UPDATE_FINISH = 1 << 5,
} RunUpdateFlag;

/* What is to be done, complete: the shell needs no look into the Run. */
typedef struct StepCall {
        StepId step;
        unsigned token;
        unsigned attempt;
        bool forced;               /* STEP_STOP_VERSION: SIGKILL, don't ask */
        bool recovery;             /* of an undo or a recovery; for titles */
        char leaving[VERSION_MAX]; /* the release that goes; may be "". It must not run when `target` is started */
        char target[VERSION_MAX];  /* the release that is wanted; may be "" while undoing a first deployment */
        int64_t budget_us;         /* what is left for this attempt; > 0 */
} StepCall;

typedef struct RunUpdate {
        unsigned flags; /* set of RunUpdateFlag */
        StepCall call;  /* of UPDATE_PROBE or UPDATE_DISPATCH, never both */
        int64_t timer_us;
        unsigned timer_token;
        char notify[NOTIFY_MAX];
} RunUpdate;

/* A run in RUN_NEW; `id` is the journal's and stays 0. `requests_failed` is -1: the shell fills it in when a source can tell. */
void run_init(Run *ret_run, const Plan *plan, const char *reason, const char *initiator, int64_t decision_id,
              int64_t wall);

/* One move. `ret_update` is always filled (flags 0: nothing to do). */
void run_step(Run *run, const RunEvent *event, RunUpdate *ret_update);

/* What EVENT_CANCEL would do now: true: the run is undone (nothing was stopped yet); false: it is too late, the run finishes. */
bool run_can_cancel(const Run *run);

/* Ended, in one of the three ways (law 6). */
bool run_ended(const Run *run);

/* The record that a step has in the phase the run is in: forward, or recovery. */
const StepRecord *run_record(const Run *run, StepId id);

/* NULL when the run is sound, else which invariant it breaks. Asserted after every move; useful after loading a run, too. */
const char *run_check(const Run *run);
