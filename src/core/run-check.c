/* What must hold for every run at every moment, in memory and in the journal. Written apart from the run itself and from the
 * other end: it looks at what a run is, not at how it came to be so. */
#include "core/run-table.h"
#include "core/run.h"

#include <stddef.h>
#include <string.h>

#define GIVE_BACK ((1U << STEP_RESTORE_TRAFFIC) | (1U << STEP_RESUME_DEPLOYMENTS))

typedef const char *RunCheck(const Run *run);

static bool begun(const StepRecord *record) {
        return record->attempt > 0;
}

static bool went_wrong(const StepRecord *record) {
        return record->state == STEP_FAILED || record->state == STEP_TIMED_OUT;
}

static unsigned count_acting(const StepRecord *records) {
        unsigned count = 0;
        for (unsigned i = 0; i < STEP_COUNT; i++)
                count += records[i].state == STEP_ACTING;
        return count;
}

static const char *check_ranges(const Run *run) {
        if ((unsigned)run->phase >= PHASE_COUNT || (unsigned)run->outcome > OUTCOME_HELD ||
            (unsigned)run->cursor >= STEP_COUNT)
                return "phase, outcome or cursor is out of range";
        if (run->settle_tries > SETTLE_TRIES_MAX)
                return "it settles for ever";
        if (run->outstanding >> STEP_COUNT)
                return "an unknown step is outstanding";
        for (unsigned i = 0; i < STEP_COUNT; i++)
                if ((unsigned)run->steps[i].state > STEP_SKIPPED || (unsigned)run->recovery[i].state > STEP_SKIPPED)
                        return "a step's state is out of range";
        return NULL;
}

static const char *check_plan(const Run *run) {
        const Plan *plan = &run->plan;
        if (plan->count != STEP_COUNT)
                return "the plan has not all the steps";
        for (unsigned i = 0; i < STEP_COUNT; i++)
                if ((unsigned)plan->steps[i].id != i || plan->steps[i].budget_us <= 0)
                        return "a step of the plan is out of order or has no budget";
        if (plan->steps[STEP_RESTORE_TRAFFIC].critical || plan->steps[STEP_RESUME_DEPLOYMENTS].critical)
                return "giving back traffic or deployments must not be critical: there is nothing to fall back to";
        return plan->to[0] ? NULL : "the plan has no target";
}

static const char *check_outcome(const Run *run) {
        bool decided = run->phase == RUN_SETTLE || phase_ended(run->phase);
        if (decided != (run->outcome != OUTCOME_OPEN))
                return "the outcome is set exactly when all is decided";
        if (run->phase == RUN_SUCCEEDED && run->outcome != OUTCOME_SUCCEEDED)
                return "succeeded, but the outcome says otherwise";
        if (run->phase == RUN_HOLDING && run->outcome != OUTCOME_HELD)
                return "holding, but the outcome says otherwise";
        if (run->phase == RUN_FAILED && (run->outcome == OUTCOME_SUCCEEDED || run->outcome == OUTCOME_HELD))
                return "failed, but the outcome says otherwise";
        bool unexplained = run->failure[0] == '\0';
        if (phase_ended(run->phase) && unexplained && run->outcome != OUTCOME_SUCCEEDED &&
            run->outcome != OUTCOME_CANCELLED)
                return "it ended badly and doesn't say why";
        if (run->outcome == OUTCOME_CANCELLED && !run->cancel_requested)
                return "cancelled, but nobody asked for it";
        return NULL;
}

static const char *check_acting(const Run *run) {
        bool forward = run->phase == RUN_PREFLIGHT || run->phase == RUN_FORWARD;
        bool back = run->phase == RUN_UNDO || run->phase == RUN_RECOVERY;
        unsigned in_steps = count_acting(run->steps), in_recovery = count_acting(run->recovery);
        if (forward && (in_steps != 1 || in_recovery != 0 || run->steps[run->cursor].state != STEP_ACTING))
                return "on its way forward exactly the step at the cursor acts";
        if (back && (in_recovery != 1 || in_steps != 0 || run->recovery[run->cursor].state != STEP_ACTING))
                return "on its way back exactly the step at the cursor acts";
        if (run->phase == RUN_SETTLE &&
            (in_steps != 0 || in_recovery > 1 || (in_recovery == 1 && run->recovery[run->cursor].state != STEP_ACTING)))
                return "while settling only the step at the cursor acts";
        if ((run->phase == RUN_NEW || phase_ended(run->phase)) && in_steps + in_recovery != 0)
                return "a step acts before the run's beginning or after its end";
        return NULL;
}

/* Forward goes in order, and nobody passes a critical step that failed. */
static const char *check_order(const Run *run) {
        if (run->phase != RUN_PREFLIGHT && run->phase != RUN_FORWARD)
                return NULL;
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                const StepRecord *record = &run->steps[i];
                if (i < (unsigned)run->cursor && record->state != STEP_DONE &&
                    !(went_wrong(record) && !run->plan.steps[i].critical))
                        return "a step before the cursor neither holds nor may be missing";
                if (i > (unsigned)run->cursor && record->state != STEP_PENDING)
                        return "a step behind the cursor has begun";
        }
        return NULL;
}

static const char *check_touched(const Run *run) {
        bool stopped = begun(&run->steps[STEP_STOP_VERSION]);
        if ((run->phase == RUN_UNDO || run->outcome == OUTCOME_UNDONE) && stopped)
                return "undone, though something was stopped";
        if (run->outcome == OUTCOME_CANCELLED && stopped)
                return "cancelled, though something was stopped";
        if ((run->phase == RUN_RECOVERY || run->outcome == OUTCOME_PUT_BACK) && !stopped)
                return "put back, though nothing was stopped";
        if (run->outcome != OUTCOME_REFUSED)
                return NULL;
        for (unsigned i = STEP_PREFLIGHT + 1; i < STEP_COUNT; i++)
                if (begun(&run->steps[i]) || begun(&run->recovery[i]))
                        return "refused, though something was touched";
        return NULL;
}

static const char *check_given_back(const Run *run) {
        if (run->phase == RUN_SETTLE && (run->outstanding & GIVE_BACK) == 0)
                return "it settles, but nothing is outstanding";
        if ((run->phase == RUN_SUCCEEDED || (run->phase == RUN_FAILED && run->outcome != OUTCOME_UNDONE)) &&
            (run->outstanding & (1U << STEP_RESTORE_TRAFFIC)))
                return "it ended with traffic drained and doesn't hold";
        if (run->outcome == OUTCOME_UNDONE && run->steps[STEP_DRAIN_TRAFFIC].state == STEP_DONE)
                return "undone, though traffic was drained for good";
        if (phase_ended(run->phase) && (run->outstanding & ~GIVE_BACK))
                return "it ended with something outstanding that nobody will retry";
        return NULL;
}

/* The step that undoes what was taken has held, or is outstanding, or (while holding) was left out on purpose. */
static const char *check_undone(const Run *run) {
        if (!phase_ended(run->phase))
                return NULL;
        for (unsigned id = STEP_RESTORE_TRAFFIC; id <= STEP_RESUME_DEPLOYMENTS; id++) {
                bool taken =
                        begun(&run->steps[id == STEP_RESTORE_TRAFFIC ? STEP_DRAIN_TRAFFIC : STEP_PAUSE_DEPLOYMENTS]);
                bool given = run->steps[id].state == STEP_DONE || run->recovery[id].state == STEP_DONE;
                bool kept = id == STEP_RESUME_DEPLOYMENTS && run->outcome == OUTCOME_HELD;
                if (taken && !given && !kept && !(run->outstanding & (1U << id)))
                        return id == STEP_RESTORE_TRAFFIC ? "traffic was drained and nobody gave it back"
                                                          : "deployments were paused and nobody resumed them";
        }
        return NULL;
}

static const char *check_end(const Run *run) {
        if (!phase_ended(run->phase))
                return run->serving[0] ? "it serves before it has ended" : NULL;
        if (run->waiting != WAIT_NOTHING)
                return "it has ended and waits for something";
        for (unsigned i = 0; i < STEP_COUNT; i++)
                if (run->steps[i].state == STEP_PENDING)
                        return "it has ended and a step is still to come";
        const char *serving = run->phase == RUN_SUCCEEDED ? run->plan.to
                              : run->phase == RUN_FAILED  ? run->plan.from
                                                          : "";
        return strcmp(run->serving, serving) == 0 ? NULL : "it says that another release serves than can be";
}

static const char *check_waiting(const Run *run) {
        bool acting = run_record(run, run->cursor)->state == STEP_ACTING;
        if ((run->waiting == WAIT_STEP || run->waiting == WAIT_PROBE || run->waiting == WAIT_DRAIN) && !acting)
                return "it waits for a step that doesn't act";
        if (run->waiting == WAIT_PAUSE && (run->phase != RUN_SETTLE || acting))
                return "it pauses though it isn't between two tries";
        return NULL;
}

const char *run_check(const Run *run) {
        static RunCheck *const checks[] = {check_ranges,  check_plan,       check_outcome, check_acting, check_order,
                                           check_touched, check_given_back, check_undone,  check_end,    check_waiting};
        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
                const char *broken = checks[i](run);
                if (broken)
                        return broken;
        }
        return NULL;
}
