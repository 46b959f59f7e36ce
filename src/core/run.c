/* Events in: what an answer, a crash or a cancel means for the run. */
#include "core/run-move.h"

#include "core/run-table.h"
#include "core/steps.h"

#include <assert.h>
#include <string.h>

bool run_can_cancel(const Run *run) {
        return run->phase == RUN_PREFLIGHT || (run->phase == RUN_FORWARD && run->steps[STEP_STOP_VERSION].attempt == 0);
}

/* ---- answers ---- */

static void close_record(Move *move, StepState state) {
        StepRecord *record = run_record_of(move->run, move->run->cursor);
        record->state = state;
        record->ended_wall = move->event->wall;
        run_copy_text(record->detail, sizeof record->detail, move->event->detail);
        if (state == STEP_TIMED_OUT && record->detail[0] == '\0')
                run_copy_text(record->detail, sizeof record->detail, "no answer within its budget");
}

static void count_cut(Move *move) {
        if (move->event->number > 0)
                move->run->in_flight_cut += move->event->number;
}

static void on_done(Move *move) {
        Run *run = move->run;
        if (run->cursor == STEP_DRAIN_TRAFFIC)
                count_cut(move);
        close_record(move, STEP_DONE);
        run->outstanding &= ~BIT(run->cursor);
        if (run->cursor == STEP_START_VERSION) /* it only starts when the other one is gone */
                run->outstanding &= ~BIT(STEP_STOP_VERSION);
        move_advance(move);
}

static bool should_retry(const Move *move) {
        const Run *run = move->run;
        const StepRecord *record = run_record(run, run->cursor);
        if (run->phase == RUN_SETTLE || record->attempt > 1 || move->event->final)
                return false;
        switch (step_spec(run->cursor)->retry) {
        case STEP_RETRY_FORCED:
                return true;
        case STEP_RETRY_ONCE:
                return run->plan.steps[run->cursor].critical && record->state == STEP_FAILED &&
                       run_budget_left(run, run->cursor, record->started_wall, move->event->wall) > 0;
        case STEP_RETRY_NEVER:
                break;
        }
        return false;
}

static void on_critical_failure(Move *move) {
        Run *run = move->run;
        run_blame(run, run->cursor);
        if (run->phase == RUN_PREFLIGHT) {
                run_skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "refused before anything was touched");
                run->outcome = OUTCOME_REFUSED;
                move_end(move);
        } else if (run->phase == RUN_RECOVERY) {
                move_recovery_advance(move);
        } else if (run->steps[STEP_STOP_VERSION].attempt == 0) {
                move_undo(move);
        } else {
                move_recover(move);
        }
}

static void on_failed(Move *move, StepState state) {
        Run *run = move->run;
        close_record(move, state);
        if (should_retry(move)) {
                move_intend(move, run->cursor, true);
        } else if (run->plan.steps[run->cursor].critical) {
                on_critical_failure(move);
        } else {
                run->outstanding |= BIT(run->cursor);
                move_advance(move);
        }
}

/* ---- after a crash ---- */

/* Only a living controller keeps traffic held: whoever takes over takes hold again before anything is stopped or started. */
static bool holds_traffic(const Run *run) {
        return (run->phase == RUN_FORWARD || run->phase == RUN_RECOVERY) &&
               run->steps[STEP_DRAIN_TRAFFIC].state == STEP_DONE && run->cursor >= STEP_STOP_VERSION &&
               run->cursor <= STEP_VERIFY_HEALTH;
}

/* The intent is durable and the crash has used up nothing of the step's time. */
static void dispatch_afresh(Move *move) {
        run_record_of(move->run, move->run->cursor)->started_wall = move->event->wall;
        move_dispatch(move);
}

static void probe_or_repeat(Move *move) {
        if (step_spec(move->run->cursor)->probed)
                move_probe(move);
        else
                dispatch_afresh(move);
}

static void hold_again(Move *move) {
        Run *run = move->run;
        int64_t budget = run->plan.steps[STEP_DRAIN_TRAFFIC].budget_us;
        run->waiting = WAIT_DRAIN;
        move_call(move, UPDATE_DISPATCH, STEP_DRAIN_TRAFFIC, &run->steps[STEP_DRAIN_TRAFFIC],
                  budget < PROBE_BUDGET_US ? budget : PROBE_BUDGET_US);
}

static void on_start(Move *move) {
        if (move->run->phase != RUN_NEW)
                return;
        run_enter(move->run, RUN_PREFLIGHT);
        move_intend(move, STEP_PREFLIGHT, false);
}

static void on_recover(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_NOTHING;
        run->appends = 0;
        if (run_ended(run))
                move_finish(move);
        else if (run->phase == RUN_NEW)
                on_start(move);
        else if (run_record(run, run->cursor)->state != STEP_ACTING)
                move_settle(move); /* it died in the pause between two tries */
        else if (holds_traffic(run))
                hold_again(move);
        else
                probe_or_repeat(move);
}

/* ---- events ---- */

static void on_persisted(Move *move) {
        Run *run = move->run;
        if (run->appends == 0 || --run->appends > 0)
                return;
        if (run_ended(run)) {
                move_finish(move);
        } else if (run->waiting == WAIT_NOTHING && run_record(run, run->cursor)->state == STEP_ACTING) {
                move_dispatch(move);
        } else if (run->waiting == WAIT_NOTHING) {
                run->waiting = WAIT_PAUSE;
                run->token++;
                move_arm_timer(move, SETTLE_PAUSE_US);
        }
}

static void on_probed(Move *move, ProbeAnswer answer) {
        if (answer == PROBE_YES)
                on_done(move);
        else
                dispatch_afresh(move);
}

static void on_step_answer(Move *move) {
        switch (move->event->type) {
        case EVENT_STEP_DONE:
                on_done(move);
                break;
        case EVENT_STEP_FAILED:
                on_failed(move, STEP_FAILED);
                break;
        default:
                on_failed(move, STEP_TIMED_OUT);
        }
}

/* Step answers, probe answers and time-outs: only what the run waits for right now counts. */
static void on_answer(Move *move) {
        Run *run = move->run;
        RunEventType type = move->event->type;
        if (move->event->token != run->token)
                return;
        switch (run->waiting) {
        case WAIT_STEP:
                if (type != EVENT_PROBED)
                        on_step_answer(move);
                break;
        case WAIT_PROBE:
                if (type == EVENT_PROBED || type == EVENT_TIMEOUT)
                        on_probed(move, type == EVENT_PROBED ? move->event->answer : PROBE_UNKNOWN);
                break;
        case WAIT_DRAIN:
                if (type == EVENT_STEP_DONE)
                        count_cut(move);
                if (type != EVENT_PROBED)
                        probe_or_repeat(move); /* held again or not, the run goes on */
                break;
        case WAIT_PAUSE:
                if (type == EVENT_TIMEOUT)
                        move_settle(move);
                break;
        case WAIT_NOTHING:
                break;
        }
}

/* Nothing depends on it, so it isn't made durable. */
static void on_progress(Move *move) {
        Run *run = move->run;
        if (run->waiting != WAIT_STEP || move->event->token != run->token)
                return;
        StepRecord *record = run_record_of(run, run->cursor);
        run_copy_text(record->detail, sizeof record->detail, move->event->detail);
}

static void on_cancel(Move *move) {
        Run *run = move->run;
        if (run->phase == RUN_NEW || run_ended(run) || run->cancel_requested)
                return;
        run->cancel_requested = true;
        if (!run_can_cancel(run)) { /* too late: it is recorded, and the run finishes */
                move_append(move);
                return;
        }
        run_skip(run, run->cursor, "cancelled while it was under way");
        run->steps[run->cursor].ended_wall = move->event->wall;
        if (run->phase == RUN_PREFLIGHT) {
                run_skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "cancelled before anything was touched");
                run->outcome = OUTCOME_CANCELLED;
                move_end(move);
        } else {
                move_undo(move);
        }
}

void run_step(Run *run, const RunEvent *event, RunUpdate *ret_update) {
        memset(ret_update, 0, sizeof *ret_update);
        Move move = {.run = run, .event = event, .update = ret_update};
        switch (event->type) {
        case EVENT_START:
                on_start(&move);
                break;
        case EVENT_RECOVER:
                on_recover(&move);
                break;
        case EVENT_PERSISTED:
                on_persisted(&move);
                break;
        case EVENT_CANCEL:
                on_cancel(&move);
                break;
        case EVENT_PROGRESS:
                on_progress(&move);
                break;
        case EVENT_PROBED:
        case EVENT_STEP_DONE:
        case EVENT_STEP_FAILED:
        case EVENT_TIMEOUT:
                on_answer(&move);
                break;
        }
        assert(!run_check(run));
        /* Something is always under way that will bring the next event: a run cannot fall asleep. */
        assert(run->phase == RUN_NEW || run_ended(run) || run->waiting != WAIT_NOTHING || run->appends > 0);
}

void run_init(Run *ret_run, const Plan *plan, const char *reason, const char *initiator, int64_t decision_id,
              int64_t wall) {
        *ret_run = (Run){
                .plan = *plan,
                .decision_id = decision_id,
                .created_wall = wall,
                .requests_failed = -1,
        };
        run_copy_text(ret_run->reason, sizeof ret_run->reason, reason);
        run_copy_text(ret_run->initiator, sizeof ret_run->initiator, initiator);
}
