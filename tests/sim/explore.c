/* Explores the real run_step() exhaustively: from every state that can be reached, every answer, every time-out, a cancel, and
 * a crash before and after every append and every act. In each state the invariants of the run and of the world must hold, and
 * from each the run must still come to its end once the faults stop.
 *
 * A state is what decides the future and nothing else: texts and clocks are left out, so that equal states are equal bytes. */
#include "core/names.h"
#include "core/plan.h"
#include "core/run.h"
#include "core/steps.h"

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL 1000

/* ---- states as few bytes ---- */

typedef struct PackedRun {
        unsigned char phase, outcome, cursor, waiting, appends, settle_tries, cancelled, blamed;
        unsigned char outstanding[2];
        unsigned char states[2][STEP_COUNT], attempts[2][STEP_COUNT];
} PackedRun;

typedef enum PendingKind { PENDING_NOTHING, PENDING_ACT, PENDING_PROBE, PENDING_TIMER } PendingKind;

typedef struct State {
        PackedRun run, durable;
        unsigned char in_journal; /* `durable` is something */
        unsigned char pending, step, attempt, forced, back;
        World world;
} State;

static Plan plan; /* of the exploration that is under way */

/* Once a record is closed it matters that the step was tried and whether it held; failed or timed out is but a word. Of one that
 * acts it matters whether it is the first attempt. */
static void pack_record(const StepRecord *record, unsigned char *state, unsigned char *attempt) {
        unsigned most = record->state == STEP_ACTING ? 2 : 1;
        *state = (unsigned char)(record->state == STEP_TIMED_OUT ? STEP_FAILED : record->state);
        *attempt = (unsigned char)(record->attempt < most ? record->attempt : most);
}

static void pack_run(const Run *run, PackedRun *packed) {
        memset(packed, 0, sizeof *packed);
        packed->phase = (unsigned char)run->phase;
        packed->outcome = (unsigned char)run->outcome;
        packed->cursor = (unsigned char)run->cursor;
        packed->waiting = (unsigned char)run->waiting;
        packed->appends = (unsigned char)run->appends;
        packed->settle_tries = (unsigned char)run->settle_tries;
        packed->cancelled = run->cancel_requested;
        packed->blamed = run->failure[0] != '\0';
        packed->outstanding[0] = (unsigned char)run->outstanding;
        packed->outstanding[1] = (unsigned char)(run->outstanding >> 8);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                pack_record(&run->steps[i], &packed->states[0][i], &packed->attempts[0][i]);
                pack_record(&run->recovery[i], &packed->states[1][i], &packed->attempts[1][i]);
        }
}

static void unpack_run(const PackedRun *packed, Run *run) {
        run_init(run, &plan, "", "", 0, WALL);
        run->phase = (RunPhase)packed->phase;
        run->outcome = (RunOutcome)packed->outcome;
        run->cursor = (StepId)packed->cursor;
        run->waiting = (RunWait)packed->waiting;
        run->appends = packed->appends;
        run->settle_tries = packed->settle_tries;
        run->cancel_requested = packed->cancelled;
        run->outstanding = packed->outstanding[0] | (unsigned)packed->outstanding[1] << 8;
        if (packed->blamed)
                strcpy(run->failure, "it failed");
        if (run->phase == RUN_SUCCEEDED)
                strcpy(run->serving, plan.to);
        if (run->phase == RUN_FAILED)
                strcpy(run->serving, plan.from);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                run->steps[i].state = (StepState)packed->states[0][i];
                run->recovery[i].state = (StepState)packed->states[1][i];
                run->steps[i].attempt = packed->attempts[0][i];
                run->recovery[i].attempt = packed->attempts[1][i];
                run->steps[i].started_wall = run->recovery[i].started_wall = WALL;
        }
}

static StepCall pending_call(const State *state) {
        StepCall call = {.step = (StepId)state->step, .attempt = state->attempt, .forced = state->forced};
        strcpy(call.leaving, state->back ? plan.to : plan.from);
        strcpy(call.target, state->back ? plan.from : plan.to);
        return call;
}

/* ---- what can happen ---- */

typedef enum Choice {
        CHOICE_PERSISTED, /* the good ones first: liveness tries them in this order */
        CHOICE_DONE,
        CHOICE_PROBED_TRUE,
        CHOICE_TIMER,
        CHOICE_FAILED, /* the last that keeps a run going when the world refuses */
        CHOICE_GOOD_LAST = CHOICE_FAILED,
        CHOICE_FAILED_LATE,     /* when its budget is spent */
        CHOICE_FAILED_BUT_DONE, /* it took effect, and said it didn't */
        CHOICE_TIMED_OUT,
        CHOICE_TIMED_OUT_BUT_DONE,
        CHOICE_PROBED_UNKNOWN,
        CHOICE_PROBE_TIMED_OUT,
        CHOICE_STALE_ANSWER,
        CHOICE_CANCEL,
        CHOICE_CANCEL_BUT_DONE,
        CHOICE_CRASH,
        CHOICE_CRASH_AFTER_ACT,
        CHOICE_CRASH_AFTER_APPEND,
        CHOICE_CRASH_AND_GATE_OPENS,
        CHOICE_CRASH_AFTER_ACT_AND_GATE_OPENS,
        CHOICE_COUNT,
} Choice;

static const char *const choice_names[CHOICE_COUNT] = {
        "persisted",
        "done",
        "probed, truly",
        "timer",
        "failed",
        "failed late",
        "failed but done",
        "timed out",
        "timed out but done",
        "probed: unknown",
        "probe timed out",
        "stale answer",
        "cancel",
        "cancel but done",
        "crash",
        "crash after the act",
        "crash after the append",
        "crash, and the gate opens",
        "crash after the act, and the gate opens",
};

static const State *explored_from; /* for the report when something breaks */
static Choice explored_by;

static void print_state(const State *state) {
        static Run run;
        unpack_run(&state->run, &run);
        fprintf(stderr, "  run: %s/%s cursor %s, waiting %d, appends %u, outstanding 0x%x, tries %u%s\n  ",
                run_phase_name(run.phase), run_outcome_name(run.outcome), step_key(run.cursor), (int)run.waiting,
                run.appends, run.outstanding, run.settle_tries, run.cancel_requested ? ", cancelled" : "");
        for (unsigned i = 0; i < STEP_COUNT; i++)
                fprintf(stderr, " %u:%s/%s", i, step_state_name(run.steps[i].state),
                        step_state_name(run.recovery[i].state));
        fprintf(stderr, "\n  world: running %d %d, current %d, drained %d, paused %d, paged %d; pending %d step %d\n",
                state->world.running[0], state->world.running[1], state->world.current, state->world.drained,
                state->world.paused, state->world.paged, state->pending, state->step);
}

static void __attribute__((noreturn)) broken(const char *what, const State *state) {
        fprintf(stderr, "BROKEN: %s (%s, %s -> %s)\nbefore, then '%s':\n", what, run_mode_name(plan.mode), plan.from,
                plan.to, choice_names[explored_by]);
        print_state(explored_from);
        fprintf(stderr, "after:\n");
        print_state(state);
        exit(1);
}

/* Feeds one event and keeps what the run then wants. */
static void feed(State *state, Run *run, RunEvent event) {
        static RunUpdate update;
        static Run durable;
        event.wall = event.wall ? event.wall : WALL;
        run_step(run, &event, &update);
        if (update.flags & (UPDATE_DISPATCH | UPDATE_PROBE | UPDATE_ARM_TIMER)) {
                bool act = (update.flags & UPDATE_DISPATCH) != 0, probe = (update.flags & UPDATE_PROBE) != 0;
                state->pending = act ? PENDING_ACT : probe ? PENDING_PROBE : PENDING_TIMER;
                state->step = (unsigned char)update.call.step;
                state->attempt = update.call.attempt > 1 ? 2 : 1;
                state->forced = update.call.forced;
                state->back = strcmp(update.call.target, plan.to) != 0;
                if (act) {
                        if (update.call.attempt > 2) /* as it is packed */
                                update.call.attempt = 2;
                        unpack_run(&state->durable, &durable);
                        const char *wrong = world_check_intent(state->in_journal ? &durable : NULL, run, &update.call);
                        if (wrong)
                                broken(wrong, state);
                }
        } else if (run->waiting == WAIT_NOTHING) {
                state->pending = PENDING_NOTHING; /* an act that nobody waits for any more is cancelled */
                state->step = state->attempt = state->forced = state->back = 0;
        }
        if (update.flags & UPDATE_NOTIFY)
                state->world.paged = 1;
        if (update.flags & UPDATE_FINISH) {
                state->world.finished = 1;
                if (!state->in_journal || state->durable.phase != run->phase)
                        broken("it finished before its end was durable", state);
        }
}

static void crash(State *state, Run *run) {
        state->pending = PENDING_NOTHING;
        state->step = state->attempt = state->forced = state->back = 0;
        if (!state->in_journal) { /* the run never was: nothing may have been touched */
                World untouched;
                world_init(&untouched, &plan);
                if (memcmp(&untouched, &state->world, sizeof untouched) != 0)
                        broken("touched before the first append", state);
                run_init(run, &plan, "", "", 0, WALL);
                return;
        }
        unpack_run(&state->durable, run);
        feed(state, run, (RunEvent){.type = EVENT_RECOVER});
}

static void persist(State *state, Run *run) {
        pack_run(run, &state->durable);
        state->durable.waiting = WAIT_NOTHING;
        state->durable.appends = 0;
        state->in_journal = 1;
}

static bool is_settled(const State *state) {
        return state->world.finished || state->run.phase == RUN_NEW;
}

/* An act under way, ended by one of the choices. */
static bool take_act_choice(State *state, Run *run, Choice choice) {
        StepCall call = pending_call(state);
        bool effect = choice == CHOICE_DONE || choice == CHOICE_FAILED_BUT_DONE ||
                      choice == CHOICE_TIMED_OUT_BUT_DONE || choice == CHOICE_CANCEL_BUT_DONE ||
                      choice == CHOICE_CRASH_AFTER_ACT || choice == CHOICE_CRASH_AFTER_ACT_AND_GATE_OPENS;
        if (effect && !world_act(&state->world, &plan, &call))
                return false;
        switch (choice) {
        case CHOICE_DONE:
                feed(state, run, (RunEvent){.type = EVENT_STEP_DONE, .token = run->token});
                return true;
        case CHOICE_FAILED:
        case CHOICE_FAILED_BUT_DONE:
                feed(state, run, (RunEvent){.type = EVENT_STEP_FAILED, .token = run->token});
                return true;
        case CHOICE_FAILED_LATE:
                feed(state, run,
                     (RunEvent){.type = EVENT_STEP_FAILED,
                                .token = run->token,
                                .wall = WALL + plan.steps[call.step].budget_us});
                return true;
        case CHOICE_TIMED_OUT:
        case CHOICE_TIMED_OUT_BUT_DONE:
                feed(state, run, (RunEvent){.type = EVENT_TIMEOUT, .token = run->token});
                return true;
        case CHOICE_CANCEL_BUT_DONE:
                feed(state, run, (RunEvent){.type = EVENT_CANCEL});
                return true;
        case CHOICE_CRASH_AFTER_ACT_AND_GATE_OPENS:
                state->world.drained = 0;
                crash(state, run);
                return true;
        case CHOICE_CRASH_AFTER_ACT:
                crash(state, run);
                return true;
        default:
                return false;
        }
}

static bool take_probe_choice(State *state, Run *run, Choice choice) {
        StepCall call = pending_call(state);
        RunEvent event = {.type = EVENT_PROBED, .token = run->token};
        if (choice == CHOICE_PROBED_TRUE)
                event.answer = world_holds(&state->world, &plan, &call) ? PROBE_YES : PROBE_NO;
        else if (choice == CHOICE_PROBE_TIMED_OUT)
                event.type = EVENT_TIMEOUT;
        else if (choice != CHOICE_PROBED_UNKNOWN)
                return false;
        feed(state, run, event);
        return true;
}

/* False: it can't happen here. */
static bool take_choice(State *state, Run *run, Choice choice) {
        switch (choice) {
        case CHOICE_PERSISTED:
                if (run->appends == 0)
                        return false;
                persist(state, run);
                feed(state, run, (RunEvent){.type = EVENT_PERSISTED});
                return true;
        case CHOICE_CRASH_AFTER_APPEND:
                if (run->appends == 0)
                        return false;
                persist(state, run);
                crash(state, run);
                return true;
        case CHOICE_CRASH:
                crash(state, run);
                return true;
        case CHOICE_CRASH_AND_GATE_OPENS: /* only a living controller keeps it shut */
                if (!state->world.drained)
                        return false;
                state->world.drained = 0;
                crash(state, run);
                return true;
        case CHOICE_CANCEL:
                if (run->cancel_requested)
                        return false;
                feed(state, run, (RunEvent){.type = EVENT_CANCEL});
                return true;
        case CHOICE_STALE_ANSWER:
                feed(state, run, (RunEvent){.type = EVENT_STEP_DONE, .token = run->token + 1});
                return true;
        case CHOICE_TIMER:
                if (state->pending != PENDING_TIMER)
                        return false;
                feed(state, run, (RunEvent){.type = EVENT_TIMEOUT, .token = run->token});
                return true;
        default:
                if (state->pending == PENDING_ACT)
                        return take_act_choice(state, run, choice);
                return state->pending == PENDING_PROBE && take_probe_choice(state, run, choice);
        }
}

static bool successor(const State *from, Choice choice, State *ret) {
        static Run run;
        explored_from = from;
        explored_by = choice;
        *ret = *from;
        unpack_run(&from->run, &run);
        if (!take_choice(ret, &run, choice))
                return false;
        run.token = 0;
        pack_run(&run, &ret->run);
        const char *wrong = run_check(&run);
        if (!wrong)
                wrong = world_check(&ret->world);
        if (!wrong && ret->world.finished)
                wrong = world_check_end(&ret->world, &run);
        if (wrong)
                broken(wrong, ret);
        return true;
}

/* ---- the set of states ---- */

typedef struct StateSet {
        State *states;
        unsigned char *live;
        unsigned *slots; /* index + 1; 0: free */
        size_t count, capacity, slot_count;
} StateSet;

static uint64_t hash_state(const State *state) {
        const unsigned char *bytes = (const unsigned char *)state;
        uint64_t hash = UINT64_C(14695981039346656037);
        for (size_t i = 0; i < sizeof *state; i++)
                hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
        return hash ^ hash >> 29;
}

static void *must_resize(void *memory, size_t count, size_t size) {
        void *resized = reallocarray(memory, count, size);
        if (!resized) {
                fputs("out of memory\n", stderr);
                exit(1);
        }
        return resized;
}

static void grow(StateSet *set) {
        set->capacity = set->capacity ? set->capacity * 2 : 1024;
        set->slot_count = set->capacity * 2;
        set->states = must_resize(set->states, set->capacity, sizeof *set->states);
        set->live = must_resize(set->live, set->capacity, 1);
        set->slots = must_resize(set->slots, set->slot_count, sizeof *set->slots);
        memset(set->slots, 0, set->slot_count * sizeof *set->slots);
        for (size_t i = 0; i < set->count; i++) {
                size_t slot = hash_state(&set->states[i]) % set->slot_count;
                while (set->slots[slot])
                        slot = (slot + 1) % set->slot_count;
                set->slots[slot] = (unsigned)i + 1;
        }
}

/* Its index; it is added when it is new. */
static size_t intern(StateSet *set, const State *state) {
        if (set->count == set->capacity)
                grow(set);
        size_t slot = hash_state(state) % set->slot_count;
        for (; set->slots[slot]; slot = (slot + 1) % set->slot_count)
                if (memcmp(&set->states[set->slots[slot] - 1], state, sizeof *state) == 0)
                        return set->slots[slot] - 1;
        set->states[set->count] = *state;
        set->live[set->count] = is_settled(state);
        set->slots[slot] = (unsigned)++set->count;
        return set->count - 1;
}

static void free_set(StateSet *set) {
        free(set->states);
        free(set->live);
        free(set->slots);
}

/* ---- exploring ---- */

static bool good_successor(const State *from, State *ret) {
        for (int choice = 0; choice <= CHOICE_GOOD_LAST; choice++)
                if (successor(from, (Choice)choice, ret))
                        return true;
        return false;
}

/* Once the faults stop, it ends. Every state on the way is marked, so that each is walked once. */
static void check_liveness(StateSet *set) {
        enum { LONGEST = 400 };
        size_t path[LONGEST];
        for (size_t i = 0; i < set->count; i++) {
                size_t length = 0, at = i;
                while (!set->live[at]) {
                        State next, from = set->states[at];
                        if (length == LONGEST || !good_successor(&from, &next))
                                broken("the run doesn't come to an end though nothing fails any more", &from);
                        path[length++] = at;
                        at = intern(set, &next);
                }
                while (length > 0)
                        set->live[path[--length]] = 1;
        }
}

static size_t explore(const char *name, RunMode mode, const char *from, const char *to) {
        PlanRequest request = {.kind = RUN_ROLLBACK, .mode = mode, .from = from, .to = to};
        if (plan_make(&request, &plan, NULL) < 0)
                abort();
        static Run run;
        static RunUpdate update;
        State initial;
        memset(&initial, 0, sizeof initial);
        world_init(&initial.world, &plan);
        run_init(&run, &plan, "", "", 0, WALL);
        RunEvent start = {.type = EVENT_START, .wall = WALL};
        run_step(&run, &start, &update);
        pack_run(&run, &initial.run);

        StateSet set = {0};
        size_t moves = 0, ends[RUN_HOLDING + 1] = {0};
        intern(&set, &initial);
        for (size_t i = 0; i < set.count; i++) {
                ends[set.states[i].run.phase] += set.states[i].world.finished;
                if (is_settled(&set.states[i]))
                        continue;
                for (int choice = 0; choice < CHOICE_COUNT; choice++) {
                        State here = set.states[i], next; /* the set may move while it grows */
                        if (successor(&here, (Choice)choice, &next)) {
                                intern(&set, &next);
                                moves++;
                        }
                }
        }
        size_t reached = set.count;
        check_liveness(&set);
        if (set.count != reached)
                broken("liveness found a state that exploring had not", &set.states[reached]);
        printf("%-22s %8zu states, %9zu moves; ended: %zu succeeded, %zu failed, %zu holding\n", name, reached, moves,
               ends[RUN_SUCCEEDED], ends[RUN_FAILED], ends[RUN_HOLDING]);
        free_set(&set);
        return reached;
}

int main(void) {
        size_t states = explore("automatic rollback", MODE_AUTOMATIC, "v3.0.0", "v2.4.0");
        states += explore("emergency rollback", MODE_EMERGENCY, "v3.0.0", "v2.4.0");
        states += explore("first deployment", MODE_MANUAL, "", "v1.0.0");
        printf("%zu states in all, every invariant holds in each\n", states);
        return 0;
}
