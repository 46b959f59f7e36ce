#include "core/run.h"

#include "core/run-table.h"
#include "core/steps.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BIT(step) (1U << (step))
/* What a run has taken and must give back; only these are retried at its end. */
#define GIVE_BACK (BIT(STEP_RESTORE_TRAFFIC) | BIT(STEP_RESUME_DEPLOYMENTS))

/* One move: what came in, and what will go out. */
typedef struct Move {
        Run *run;
        const RunEvent *event;
        RunUpdate *update;
} Move;

/* ---- small things ---- */

/* Cuts between characters, not inside one: half a UTF-8 sequence would spoil the JSON it ends up in. */
static void copy_text(char *to, size_t size, const char *text) {
        size_t length = strnlen(text ? text : "", size);
        if (length == size) {
                length--;
                while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
                        length--;
        }
        if (length > 0)
                memcpy(to, text, length);
        to[length] = '\0';
}

static bool in_forward_table(const Run *run) {
        return run->phase == RUN_NEW || run->phase == RUN_PREFLIGHT || run->phase == RUN_FORWARD;
}

const StepRecord *run_record(const Run *run, StepId id) {
        assert((unsigned)id < STEP_COUNT);
        return in_forward_table(run) ? &run->steps[id] : &run->recovery[id];
}

static StepRecord *record_of(Run *run, StepId id) {
        return in_forward_table(run) ? &run->steps[id] : &run->recovery[id];
}

static bool failed(const StepRecord *record) {
        return record->state == STEP_FAILED || record->state == STEP_TIMED_OUT;
}

bool run_ended(const Run *run) {
        return phase_ended(run->phase);
}

bool run_can_cancel(const Run *run) {
        return run->phase == RUN_PREFLIGHT || (run->phase == RUN_FORWARD && run->steps[STEP_STOP_VERSION].attempt == 0);
}

/* The original can't be put back any more, or there was none. */
static bool recovery_lost(const Run *run) {
        return run->plan.from[0] == '\0' || failed(&run->recovery[STEP_RESTORE_VERSION]) ||
               failed(&run->recovery[STEP_START_VERSION]) || failed(&run->recovery[STEP_VERIFY_HEALTH]);
}

static void enter(Run *run, RunPhase phase) {
        assert(phase_may_follow(run->phase, phase));
        run->phase = phase;
}

/* ---- effects ---- */

static void append(Move *move) {
        move->update->flags |= UPDATE_APPEND;
        move->run->appends++;
}

static void arm_timer(Move *move, int64_t delay_us) {
        move->update->flags |= UPDATE_ARM_TIMER;
        move->update->timer_us = delay_us;
        move->update->timer_token = move->run->token;
}

/* Clocks are set back and forth: what is left is never more than all of it. */
static int64_t budget_left(const Run *run, StepId id, int64_t started_wall, int64_t now_wall) {
        int64_t budget = run->plan.steps[id].budget_us;
        int64_t left = budget - (now_wall - started_wall);
        return left < budget ? left : budget;
}

static bool is_forced(StepId id, const StepRecord *record) {
        return step_spec(id)->retry == STEP_RETRY_FORCED && record->attempt > 1;
}

static int64_t attempt_budget(const Run *run, StepId id, int64_t now_wall) {
        const StepRecord *record = run_record(run, id);
        if (is_forced(id, record))
                return STOP_KILL_GRACE_US;
        int64_t left = budget_left(run, id, record->started_wall, now_wall);
        return left > USEC_PER_MSEC ? left : USEC_PER_MSEC; /* the append took the rest: it still gets its chance */
}

/* Towards the target, or back to the original? */
static bool heading_back(const Run *run) {
        if (run->phase == RUN_SETTLE)
                return run->outcome != OUTCOME_SUCCEEDED;
        return !in_forward_table(run);
}

static void call_step(Move *move, RunUpdateFlag how, StepId id, const StepRecord *record, int64_t budget_us) {
        Run *run = move->run;
        StepCall *call = &move->update->call;
        bool back = heading_back(run);
        run->token++;
        *call = (StepCall){
                .step = id,
                .token = run->token,
                .attempt = record->attempt,
                .forced = is_forced(id, record),
                .recovery = !in_forward_table(run),
                .budget_us = budget_us,
        };
        copy_text(call->leaving, sizeof call->leaving, back ? run->plan.to : run->plan.from);
        copy_text(call->target, sizeof call->target, back ? run->plan.from : run->plan.to);
        move->update->flags |= how;
        arm_timer(move, budget_us);
}

/* Its intent is durable. */
static void dispatch(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_STEP;
        call_step(move, UPDATE_DISPATCH, run->cursor, run_record(run, run->cursor),
                  attempt_budget(run, run->cursor, move->event->wall));
}

static void probe(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_PROBE;
        call_step(move, UPDATE_PROBE, run->cursor, run_record(run, run->cursor), PROBE_BUDGET_US);
}

/* Announces an attempt at a step; it is dispatched when that is durable. The result of the step before goes into the journal
 * with the same append: one fsync a step. */
static void intend(Move *move, StepId id, bool again) {
        Run *run = move->run;
        StepRecord *record = record_of(run, id);
        run->cursor = id;
        run->waiting = WAIT_NOTHING;
        record->state = STEP_ACTING;
        record->attempt++;
        record->ended_wall = 0;
        if (!again)
                record->started_wall = move->event->wall;
        append(move);
}

static void skip(Run *run, StepId id, const char *why) {
        StepRecord *record = record_of(run, id);
        record->state = STEP_SKIPPED;
        copy_text(record->detail, sizeof record->detail, why);
}

static void skip_range(Run *run, StepId first, StepId last, const char *why) {
        for (unsigned id = first; id <= (unsigned)last; id++)
                if (record_of(run, (StepId)id)->state == STEP_PENDING)
                        skip(run, (StepId)id, why);
}

/* ---- the end ---- */

static const char *direction(const Run *run) {
        return run->plan.kind == RUN_ROLLBACK ? "rollback" : "deployment";
}

static void describe_holding(const Run *run, char *text, size_t size) {
        bool dark = (run->outstanding & BIT(STEP_RESTORE_TRAFFIC)) != 0;
        const StepRecord *resume = &run->recovery[STEP_RESUME_DEPLOYMENTS];
        bool paused = (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS)) != 0 || resume->state == STEP_SKIPPED;
        const char *undone = "";
        for (unsigned id = STEP_RESTORE_VERSION; id <= STEP_VERIFY_HEALTH; id++)
                if (failed(&run->recovery[id]))
                        undone = run->recovery[id].detail;
        snprintf(text, size, "HOLDING: %s %s -> %s: %s.%s%s%s Traffic is %s; deployments are %s. A person has to look.",
                 direction(run), run->plan.from, run->plan.to, run->failure, *undone ? " Putting the original back failed: " : "",
                 undone, *undone ? "." : "", dark ? "STILL DRAINED" : "let through to whatever runs",
                 paused ? "still paused" : "resumed");
}

static void finish(Move *move) {
        const Run *run = move->run;
        RunUpdate *update = move->update;
        update->flags |= UPDATE_FINISH;
        if (run->phase == RUN_HOLDING) {
                update->flags |= UPDATE_NOTIFY;
                describe_holding(run, update->notify, sizeof update->notify);
        } else if (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS)) {
                update->flags |= UPDATE_NOTIFY;
                snprintf(update->notify, sizeof update->notify,
                         "%s %s -> %s has ended, but deployments are still paused (%s): resume them by hand.", direction(run),
                         run->plan.from, run->plan.to, run->recovery[STEP_RESUME_DEPLOYMENTS].detail);
        }
}

static void set_failure(Run *run, StepId id) {
        const StepRecord *record = run_record(run, id);
        if (run->failure[0] == '\0') /* the first one is the cause */
                snprintf(run->failure, sizeof run->failure, "%s %s: %s",
                         step_title(id, run->plan.kind, !in_forward_table(run)),
                         record->state == STEP_TIMED_OUT ? "timed out" : "failed", record->detail);
}

static void end(Move *move) {
        Run *run = move->run;
        if (run->outstanding & BIT(STEP_RESTORE_TRAFFIC)) {
                run->outcome = OUTCOME_HELD;
                set_failure(run, STEP_RESTORE_TRAFFIC);
        }
        run->outstanding &= GIVE_BACK;
        run->waiting = WAIT_NOTHING;
        run->ended_wall = move->event->wall;
        if (run->outcome == OUTCOME_HELD) {
                enter(run, RUN_HOLDING);
        } else if (run->outcome == OUTCOME_SUCCEEDED) {
                copy_text(run->serving, sizeof run->serving, run->plan.to);
                enter(run, RUN_SUCCEEDED);
        } else {
                copy_text(run->serving, sizeof run->serving, run->plan.from);
                enter(run, RUN_FAILED);
        }
        append(move);
}

/* One round of retries over what is still to be given back. */
static void settle_round(Move *move) {
        Run *run = move->run;
        run->settle_tries++;
        intend(move, run->outstanding & BIT(STEP_RESTORE_TRAFFIC) ? STEP_RESTORE_TRAFFIC : STEP_RESUME_DEPLOYMENTS, false);
}

static void settle_advance(Move *move) {
        Run *run = move->run;
        if (run->cursor == STEP_RESTORE_TRAFFIC && (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS))) {
                intend(move, STEP_RESUME_DEPLOYMENTS, false);
        } else if ((run->outstanding & GIVE_BACK) == 0 || run->settle_tries >= SETTLE_TRIES_MAX) {
                end(move);
        } else {
                run->waiting = WAIT_NOTHING; /* the pause begins when this is durable */
                append(move);
        }
}

static void conclude(Move *move, RunOutcome outcome) {
        Run *run = move->run;
        run->outcome = outcome;
        if ((run->outstanding & GIVE_BACK) == 0) {
                end(move);
                return;
        }
        enter(run, RUN_SETTLE);
        settle_round(move);
}

/* ---- from step to step ---- */

static void undo(Move *move) {
        Run *run = move->run;
        bool drained = run->steps[STEP_DRAIN_TRAFFIC].attempt > 0;
        skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "the run was undone");
        enter(run, RUN_UNDO);
        skip_range(run, STEP_PREFLIGHT, STEP_VERIFY_HEALTH, "nothing was stopped");
        if (!drained)
                skip(run, STEP_RESTORE_TRAFFIC, "traffic was not touched");
        intend(move, drained ? STEP_RESTORE_TRAFFIC : STEP_RESUME_DEPLOYMENTS, false);
}

static void recover_original(Move *move) {
        Run *run = move->run;
        bool target_may_run = run->steps[STEP_START_VERSION].attempt > 0;
        skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "the original is put back");
        enter(run, RUN_RECOVERY);
        skip_range(run, STEP_PREFLIGHT, STEP_DRAIN_TRAFFIC, "done on the way forward");
        if (run->plan.from[0] == '\0') {
                skip_range(run, STEP_STOP_VERSION, STEP_VERIFY_HEALTH, "there is nothing to put back");
                intend(move, STEP_RESTORE_TRAFFIC, false);
                return;
        }
        if (!target_may_run)
                skip(run, STEP_STOP_VERSION, "the target was never started");
        intend(move, target_may_run ? STEP_STOP_VERSION : STEP_RESTORE_VERSION, false);
}

/* The step at the cursor is behind us, well or badly. */
static void recovery_advance(Move *move) {
        Run *run = move->run;
        bool lost = recovery_lost(run);
        if (lost && run->cursor < STEP_RESTORE_TRAFFIC) {
                skip_range(run, STEP_RESTORE_VERSION, STEP_VERIFY_HEALTH, "the original could not be put back");
                intend(move, STEP_RESTORE_TRAFFIC, false); /* a degraded service beats a dark one */
        } else if (lost) {
                skip(run, STEP_RESUME_DEPLOYMENTS, "deployments stay paused until a person has looked");
                conclude(move, OUTCOME_HELD);
        } else if (run->cursor == STEP_RESUME_DEPLOYMENTS) {
                conclude(move, OUTCOME_PUT_BACK);
        } else {
                intend(move, (StepId)(run->cursor + 1), false);
        }
}

static void advance(Move *move) {
        Run *run = move->run;
        switch (run->phase) {
        case RUN_PREFLIGHT:
                enter(run, RUN_FORWARD);
                intend(move, STEP_PAUSE_DEPLOYMENTS, false);
                break;
        case RUN_FORWARD:
                if (run->cursor == STEP_RESUME_DEPLOYMENTS)
                        conclude(move, OUTCOME_SUCCEEDED);
                else
                        intend(move, (StepId)(run->cursor + 1), false);
                break;
        case RUN_UNDO:
                if (run->cursor == STEP_RESUME_DEPLOYMENTS)
                        conclude(move, run->failure[0] ? OUTCOME_UNDONE : OUTCOME_CANCELLED);
                else
                        intend(move, STEP_RESUME_DEPLOYMENTS, false);
                break;
        case RUN_RECOVERY:
                recovery_advance(move);
                break;
        case RUN_SETTLE:
                settle_advance(move);
                break;
        default:
                assert(false); /* a run that has not begun or has ended has no step */
        }
}

/* ---- answers ---- */

static void close_record(Move *move, StepState state) {
        StepRecord *record = record_of(move->run, move->run->cursor);
        record->state = state;
        record->ended_wall = move->event->wall;
        copy_text(record->detail, sizeof record->detail, move->event->detail);
        if (state == STEP_TIMED_OUT && record->detail[0] == '\0')
                copy_text(record->detail, sizeof record->detail, "no answer within its budget");
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
        advance(move);
}

static bool should_retry(const Move *move) {
        const Run *run = move->run;
        const StepRecord *record = run_record(run, run->cursor);
        if (run->phase == RUN_SETTLE || record->attempt > 1)
                return false;
        switch (step_spec(run->cursor)->retry) {
        case STEP_RETRY_FORCED:
                return true;
        case STEP_RETRY_ONCE:
                return run->plan.steps[run->cursor].critical && record->state == STEP_FAILED &&
                       budget_left(run, run->cursor, record->started_wall, move->event->wall) > 0;
        case STEP_RETRY_NEVER:
                break;
        }
        return false;
}

static void on_critical_failure(Move *move) {
        Run *run = move->run;
        set_failure(run, run->cursor);
        if (run->phase == RUN_PREFLIGHT) {
                skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "refused before anything was touched");
                run->outcome = OUTCOME_REFUSED;
                end(move);
        } else if (run->phase == RUN_RECOVERY) {
                recovery_advance(move);
        } else if (run->steps[STEP_STOP_VERSION].attempt == 0) {
                undo(move);
        } else {
                recover_original(move);
        }
}

static void on_failed(Move *move, StepState state) {
        Run *run = move->run;
        close_record(move, state);
        if (should_retry(move)) {
                intend(move, run->cursor, true);
        } else if (run->plan.steps[run->cursor].critical) {
                on_critical_failure(move);
        } else {
                run->outstanding |= BIT(run->cursor);
                advance(move);
        }
}

/* ---- after a crash ---- */

/* Only a living controller keeps traffic held: whoever takes over takes hold again before anything is stopped or started. */
static bool holds_traffic(const Run *run) {
        return (run->phase == RUN_FORWARD || run->phase == RUN_RECOVERY) && run->steps[STEP_DRAIN_TRAFFIC].state == STEP_DONE &&
               run->cursor >= STEP_STOP_VERSION && run->cursor <= STEP_VERIFY_HEALTH;
}

/* The intent is durable and the crash has used up nothing of the step's time. */
static void dispatch_afresh(Move *move) {
        record_of(move->run, move->run->cursor)->started_wall = move->event->wall;
        dispatch(move);
}

static void probe_or_repeat(Move *move) {
        if (step_spec(move->run->cursor)->probed)
                probe(move);
        else
                dispatch_afresh(move);
}

static void hold_again(Move *move) {
        Run *run = move->run;
        int64_t budget = run->plan.steps[STEP_DRAIN_TRAFFIC].budget_us;
        run->waiting = WAIT_DRAIN;
        call_step(move, UPDATE_DISPATCH, STEP_DRAIN_TRAFFIC, &run->steps[STEP_DRAIN_TRAFFIC],
                  budget < PROBE_BUDGET_US ? budget : PROBE_BUDGET_US);
}

static void on_start(Move *move) {
        if (move->run->phase != RUN_NEW)
                return;
        enter(move->run, RUN_PREFLIGHT);
        intend(move, STEP_PREFLIGHT, false);
}

static void on_recover(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_NOTHING;
        run->appends = 0;
        if (run_ended(run))
                finish(move);
        else if (run->phase == RUN_NEW)
                on_start(move);
        else if (run_record(run, run->cursor)->state != STEP_ACTING)
                settle_round(move); /* it died in the pause between two tries */
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
                finish(move);
        } else if (run->waiting == WAIT_NOTHING && run_record(run, run->cursor)->state == STEP_ACTING) {
                dispatch(move);
        } else if (run->waiting == WAIT_NOTHING) {
                run->waiting = WAIT_PAUSE;
                run->token++;
                arm_timer(move, SETTLE_PAUSE_US);
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
                        settle_round(move);
                break;
        case WAIT_NOTHING:
                break;
        }
}

static void on_cancel(Move *move) {
        Run *run = move->run;
        if (run->phase == RUN_NEW || run_ended(run) || run->cancel_requested)
                return;
        run->cancel_requested = true;
        if (!run_can_cancel(run)) { /* too late: it is recorded, and the run finishes */
                append(move);
                return;
        }
        skip(run, run->cursor, "cancelled while it was under way");
        run->steps[run->cursor].ended_wall = move->event->wall;
        if (run->phase == RUN_PREFLIGHT) {
                skip_range(run, STEP_PREFLIGHT, STEP_RESUME_DEPLOYMENTS, "cancelled before anything was touched");
                run->outcome = OUTCOME_CANCELLED;
                end(move);
        } else {
                undo(move);
        }
}

void run_step(Run *run, const RunEvent *event, RunUpdate *ret_update) {
        memset(ret_update, 0, sizeof *ret_update);
        Move move = { .run = run, .event = event, .update = ret_update };
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

void run_init(Run *ret_run, const Plan *plan, const char *reason, const char *initiator, int64_t decision_id, int64_t wall) {
        *ret_run = (Run){
                .plan = *plan,
                .decision_id = decision_id,
                .created_wall = wall,
                .requests_failed = -1,
        };
        copy_text(ret_run->reason, sizeof ret_run->reason, reason);
        copy_text(ret_run->initiator, sizeof ret_run->initiator, initiator);
}
