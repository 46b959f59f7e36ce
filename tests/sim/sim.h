/* One run of the real core against the fake world, with a clock, a journal, acts that take time and fail by a counted plan,
 * and crashes wherever the caller wants them. All of it follows from the seed. */
#pragma once

#include "world.h"

#include "core/plan.h"

#define NEVER_CRASH 0xFFFFFFFFU

typedef struct Sim {
        uint64_t seed;
        uint64_t draws;         /* numbers taken from the seed so far */
        unsigned fault_percent; /* of the acts */
        unsigned crash_at[2];   /* which points to crash at; NEVER_CRASH */
        bool gate_opens;        /* by itself, when the controller dies */
        bool cancel;            /* somebody cancels during one of the first acts */
        bool clock_jumps;       /* the wall clock is set back and forth */
        unsigned points;        /* passed so far: before and after each append and each act */
        unsigned crashes;
        int64_t now, skew; /* elapsed time, and what the wall clock is off by */
        int64_t cut;       /* requests the drains have cut, as told */
        Run run, journal;
        bool in_journal;
        World world;
        const char *broken; /* the first invariant that did not hold */
} Sim;

/* A number below `limit`. */
unsigned sim_draw(Sim *sim, unsigned limit);

/* Plays `plan` from its start to its end. False: sim->broken says what went wrong. `world` must be set. */
bool sim_play(Sim *sim, const Plan *plan, const char *reason);
