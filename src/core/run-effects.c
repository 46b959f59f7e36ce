/* What a move sends out, and how it reads on the outside. */
#include "core/run-move.h"

#include "core/run-table.h"
#include "core/steps.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- records ---- */

/* Cuts between characters, not inside one: half a UTF-8 sequence would spoil the JSON it ends up in. */
void run_copy_text(char *to, size_t size, const char *text) {
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

bool run_goes_forward(const Run *run) {
        return run->phase == RUN_NEW || run->phase == RUN_PREFLIGHT || run->phase == RUN_FORWARD;
}

const StepRecord *run_record(const Run *run, StepId id) {
        assert((unsigned)id < STEP_COUNT);
        return run_goes_forward(run) ? &run->steps[id] : &run->recovery[id];
}

StepRecord *run_record_of(Run *run, StepId id) {
        return run_goes_forward(run) ? &run->steps[id] : &run->recovery[id];
}

bool record_failed(const StepRecord *record) {
        return record->state == STEP_FAILED || record->state == STEP_TIMED_OUT;
}

bool run_ended(const Run *run) {
        return phase_ended(run->phase);
}

void run_enter(Run *run, RunPhase phase) {
        assert(phase_may_follow(run->phase, phase));
        run->phase = phase;
}

/* ---- effects ---- */

void move_append(Move *move) {
        move->update->flags |= UPDATE_APPEND;
        move->run->appends++;
}

void move_arm_timer(Move *move, int64_t delay_us) {
        move->update->flags |= UPDATE_ARM_TIMER;
        move->update->timer_us = delay_us;
        move->update->timer_token = move->run->token;
}

/* Clocks are set back and forth: what is left is never more than all of it. */
int64_t run_budget_left(const Run *run, StepId id, int64_t started_wall, int64_t now_wall) {
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
        int64_t left = run_budget_left(run, id, record->started_wall, now_wall);
        return left > USEC_PER_MSEC ? left : USEC_PER_MSEC; /* the append took the rest: it still gets its chance */
}

/* Towards the target, or back to the original? */
static bool heading_back(const Run *run) {
        if (run->phase == RUN_SETTLE)
                return run->outcome != OUTCOME_SUCCEEDED;
        return !run_goes_forward(run);
}

void move_call(Move *move, RunUpdateFlag how, StepId id, const StepRecord *record, int64_t budget_us) {
        Run *run = move->run;
        StepCall *call = &move->update->call;
        bool back = heading_back(run);
        run->token++;
        *call = (StepCall){
                .step = id,
                .token = run->token,
                .attempt = record->attempt,
                .forced = is_forced(id, record),
                .recovery = !run_goes_forward(run),
                .budget_us = budget_us,
        };
        run_copy_text(call->leaving, sizeof call->leaving, back ? run->plan.to : run->plan.from);
        run_copy_text(call->target, sizeof call->target, back ? run->plan.from : run->plan.to);
        move->update->flags |= how;
        move_arm_timer(move, budget_us);
}

/* Its intent is durable. */
void move_dispatch(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_STEP;
        move_call(move, UPDATE_DISPATCH, run->cursor, run_record(run, run->cursor),
                  attempt_budget(run, run->cursor, move->event->wall));
}

void move_probe(Move *move) {
        Run *run = move->run;
        run->waiting = WAIT_PROBE;
        move_call(move, UPDATE_PROBE, run->cursor, run_record(run, run->cursor), PROBE_BUDGET_US);
}

/* Announces an attempt at a step; it is dispatched when that is durable. The result of the step before goes into the journal
 * with the same append: one fsync a step. */
void move_intend(Move *move, StepId id, bool again) {
        Run *run = move->run;
        StepRecord *record = run_record_of(run, id);
        run->cursor = id;
        run->waiting = WAIT_NOTHING;
        record->state = STEP_ACTING;
        record->attempt++;
        record->ended_wall = 0;
        if (!again)
                record->started_wall = move->event->wall;
        move_append(move);
}

void run_skip(Run *run, StepId id, const char *why) {
        StepRecord *record = run_record_of(run, id);
        record->state = STEP_SKIPPED;
        run_copy_text(record->detail, sizeof record->detail, why);
}

void run_skip_range(Run *run, StepId first, StepId last, const char *why) {
        for (unsigned id = first; id <= (unsigned)last; id++)
                if (run_record_of(run, (StepId)id)->state == STEP_PENDING)
                        run_skip(run, (StepId)id, why);
}

/* ---- the last effects ---- */

static const char *direction(const Run *run) {
        return run->plan.kind == RUN_ROLLBACK ? "rollback" : "deployment";
}

static const char *origin(const Run *run) {
        return run->plan.from[0] ? run->plan.from : "nothing";
}

static void describe_holding(const Run *run, char *text, size_t size) {
        bool dark = (run->outstanding & BIT(STEP_RESTORE_TRAFFIC)) != 0;
        bool drained = run->steps[STEP_DRAIN_TRAFFIC].state == STEP_DONE;
        const StepRecord *resume = &run->recovery[STEP_RESUME_DEPLOYMENTS];
        bool paused = (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS)) != 0 || resume->state == STEP_SKIPPED;
        const char *undone = "";
        for (unsigned id = STEP_RESTORE_VERSION; id <= STEP_VERIFY_HEALTH; id++)
                if (record_failed(&run->recovery[id]))
                        undone = run->recovery[id].detail;
        snprintf(text, size, "HOLDING: %s %s -> %s: %s.%s%s%s Traffic is %s; deployments are %s. A person has to look.",
                 direction(run), origin(run), run->plan.to, run->failure,
                 *undone ? " Putting the original back failed: " : "", undone, *undone ? "." : "",
                 !dark     ? "let through to whatever runs"
                 : drained ? "STILL DRAINED"
                           : "PERHAPS STILL DRAINED (the balancer can't be asked)",
                 paused ? "still paused" : "resumed");
}

/* The balancer could not be asked: nothing was stopped, but whether requests get through isn't known. */
static void describe_unsaid(const Run *run, char *text, size_t size) {
        snprintf(
                text, size,
                "%s %s -> %s was undone: %s was never stopped. Whether traffic is held back can't be told (%s): giving it "
                "back is tried again until it flows; at once: auto-rollback restore.%s",
                direction(run), origin(run), run->plan.to, origin(run), run->recovery[STEP_RESTORE_TRAFFIC].detail,
                run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS)
                        ? " Deployments are still paused; to resume them: auto-rollback resume."
                        : "");
}

void move_finish(Move *move) {
        const Run *run = move->run;
        RunUpdate *update = move->update;
        update->flags |= UPDATE_FINISH;
        if (run->phase == RUN_HOLDING) {
                update->flags |= UPDATE_NOTIFY;
                describe_holding(run, update->notify, sizeof update->notify);
        } else if (run->outstanding & BIT(STEP_RESTORE_TRAFFIC)) {
                update->flags |= UPDATE_NOTIFY;
                describe_unsaid(run, update->notify, sizeof update->notify);
        } else if (run->outstanding & BIT(STEP_RESUME_DEPLOYMENTS)) {
                update->flags |= UPDATE_NOTIFY;
                snprintf(
                        update->notify, sizeof update->notify,
                        "%s %s -> %s has ended, but deployments are still paused (%s): resume them with: auto-rollback resume.",
                        direction(run), origin(run), run->plan.to, run->recovery[STEP_RESUME_DEPLOYMENTS].detail);
        }
}
