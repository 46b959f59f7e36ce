/* Which way a run goes: forward, undo, recovery, settling, and its end. */
#include "core/run-move.h"

#include "core/run-table.h"
#include "core/steps.h"

#include <assert.h>
#include <stdio.h>

/* What a run has taken and must give back; only these are retried at its end. */
#define GIVE_BACK (BIT(STEP_RESTORE_TRAFFIC) | BIT(STEP_RESUME_DEPLOYMENTS))

/* ---- the end ---- */

void run_blame(Run *run, StepId id) {
        const StepRecord *record = run_record(run, id);
        if (run->failure[0] == '\0') /* the first one is the cause */
                snprintf(run->failure, sizeof run->failure, "%s %s%s%s",
                         step_title(id, run->plan.kind, !run_goes_forward(run)),
                         record->state == STEP_TIMED_OUT ? "timed out" : "failed", record->detail[0] ? ": " : "",
                         record->detail);
}

void move_end(Move *move) {
        Run *run = move->run;
        if (run->outstanding & BIT(STEP_RESTORE_TRAFFIC)) {
                /* What was never stopped still serves, as far as is known; whether requests get to it, the balancer can't be asked:
                 * that is told, and tried again, but it is nothing that a person must decide. */
                run->outcome = run->steps[STEP_STOP_VERSION].attempt == 0 ? OUTCOME_UNDONE : OUTCOME_HELD;
                run_blame(run, STEP_RESTORE_TRAFFIC);
        }
        run->outstanding &= GIVE_BACK;
        run->waiting = WAIT_NOTHING;
        run->ended_wall = move->event->wall;
        if (run->outcome == OUTCOME_HELD) {
                run_enter(run, RUN_HOLDING);
        } else if (run->outcome == OUTCOME_SUCCEEDED) {
                run_copy_text(run->serving, sizeof run->serving, run->plan.to);
                run_enter(run, RUN_SUCCEEDED);
        } else {
                run_copy_text(run->serving, sizeof run->serving, run->plan.from);
                run_enter(run, RUN_FAILED);
        }
        move_append(move);
}

/* One round of retries over what is still to be given back. */
void move_settle(Move *move) {
        Run *run = move->run;
        run->settle_tries++;
        move_intend(move, run->outstanding & BIT(STEP_RESTORE_TRAFFIC) ? STEP_RESTORE_TRAFFIC : STEP_RESUME_DEPLOYMENTS,
                    false);
}

static void settle_advance(Move *move) {
        Run *run = move->run;
        if (run->cursor == STEP_RESTORE_TRAFFIC && (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS))) {
                move_intend(move, STEP_RESUME_DEPLOYMENTS, false);
        } else if ((run->outstanding & GIVE_BACK) == 0 || run->settle_tries >= SETTLE_TRIES_MAX) {
                move_end(move);
        } else {
                run->waiting = WAIT_NOTHING; /* the pause begins when this is durable */
                move_append(move);
        }
}

static void conclude(Move *move, RunOutcome outcome) {
        Run *run = move->run;
        run->outcome = outcome;
        if ((run->outstanding & GIVE_BACK) == 0) {
                move_end(move);
                return;
        }
        run_enter(run, RUN_SETTLE);
        move_settle(move);
}

/* ---- from step to step ---- */

/* The original can't be put back any more, or there was none. */
static bool recovery_lost(const Run *run) {
        return run->plan.from[0] == '\0' || record_failed(&run->recovery[STEP_RESTORE_VERSION]) ||
               record_failed(&run->recovery[STEP_START_VERSION]) || record_failed(&run->recovery[STEP_VERIFY_HEALTH]);
}

void move_undo(Move *move) {
        Run *run = move->run;
        bool drained = run->steps[STEP_DRAIN_TRAFFIC].attempt > 0;
        run_skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "the run was undone");
        run_enter(run, RUN_UNDO);
        run_skip_range(run, STEP_PREFLIGHT, STEP_VERIFY_HEALTH, "nothing was stopped");
        if (!drained)
                run_skip(run, STEP_RESTORE_TRAFFIC, "traffic was not touched");
        move_intend(move, drained ? STEP_RESTORE_TRAFFIC : STEP_RESUME_DEPLOYMENTS, false);
}

void move_recover(Move *move) {
        Run *run = move->run;
        bool target_may_run = run->steps[STEP_START_VERSION].attempt > 0;
        run_skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "the original is put back");
        run_enter(run, RUN_RECOVERY);
        run_skip_range(run, STEP_PREFLIGHT, STEP_DRAIN_TRAFFIC, "done on the way forward");
        if (run->plan.from[0] == '\0') {
                run_skip_range(run, STEP_STOP_VERSION, STEP_VERIFY_HEALTH, "there is nothing to put back");
                move_intend(move, STEP_RESTORE_TRAFFIC, false);
                return;
        }
        if (!target_may_run)
                run_skip(run, STEP_STOP_VERSION, "the target was never started");
        move_intend(move, target_may_run ? STEP_STOP_VERSION : STEP_RESTORE_VERSION, false);
}

/* The step at the cursor is behind us, well or badly. */
void move_recovery_advance(Move *move) {
        Run *run = move->run;
        bool lost = recovery_lost(run);
        if (lost && run->cursor < STEP_RESTORE_TRAFFIC) {
                run_skip_range(run, STEP_RESTORE_VERSION, STEP_VERIFY_HEALTH, "the original could not be put back");
                move_intend(move, STEP_RESTORE_TRAFFIC, false); /* a degraded service beats a dark one */
        } else if (lost) {
                run_skip(run, STEP_RESUME_DEPLOYMENTS, "deployments stay paused until a person has looked");
                conclude(move, OUTCOME_HELD);
        } else if (run->cursor == STEP_RESUME_DEPLOYMENTS) {
                conclude(move, OUTCOME_PUT_BACK);
        } else {
                move_intend(move, (StepId)(run->cursor + 1), false);
        }
}

void move_advance(Move *move) {
        Run *run = move->run;
        switch (run->phase) {
        case RUN_PREFLIGHT:
                run_enter(run, RUN_FORWARD);
                move_intend(move, STEP_PAUSE_DEPLOYMENTS, false);
                break;
        case RUN_FORWARD:
                if (run->cursor == STEP_RESUME_DEPLOYMENTS)
                        conclude(move, OUTCOME_SUCCEEDED);
                else
                        move_intend(move, (StepId)(run->cursor + 1), false);
                break;
        case RUN_UNDO:
                if (run->cursor == STEP_RESUME_DEPLOYMENTS)
                        conclude(move, run->failure[0] ? OUTCOME_UNDONE : OUTCOME_CANCELLED);
                else
                        move_intend(move, STEP_RESUME_DEPLOYMENTS, false);
                break;
        case RUN_RECOVERY:
                move_recovery_advance(move);
                break;
        case RUN_SETTLE:
                settle_advance(move);
                break;
        default:
                assert(false); /* a run that has not begun or has ended has no step */
        }
}
