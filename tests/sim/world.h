/* A world small enough to be looked at whole: two releases, one symlink, one balancer, one pause switch. Release 0 is the
 * original (plan.from), release 1 the target (plan.to). Acts are idempotent, as an adapter's must be. */
#pragma once

#include "core/run.h"

#define NOTHING 255 /* no release */

typedef struct World {
        unsigned char running[2]; /* its main process lives */
        unsigned char current;    /* 0, 1 or NOTHING */
        unsigned char drained, paused;
        unsigned char paged, finished;
        unsigned char current_at_start;
} World;

/* `from` "": nothing is current and nothing runs. */
void world_init(World *world, const Plan *plan);

/* Which release the call is about. */
unsigned world_release(const Plan *plan, const char *version);

/* Does the act. False when the world refuses it: starting beside a living process, verifying what doesn't run. */
bool world_act(World *world, const Plan *plan, const StepCall *call);

/* Has it taken effect already? */
bool world_holds(const World *world, const Plan *plan, const StepCall *call);

/* What must be so at every moment, and what when the run has finished. NULL, or what is broken. */
const char *world_check(const World *world);
const char *world_check_end(const World *world, const Run *run);

/* Law 2: what is asked for was announced in the journal. `durable` NULL: there is nothing in it. */
const char *world_check_intent(const Run *durable, const Run *run, const StepCall *call);
