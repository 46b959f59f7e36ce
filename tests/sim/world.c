#include "world.h"

#include <string.h>

void world_init(World *world, const Plan *plan) {
        memset(world, 0, sizeof *world);
        world->current = world->current_at_start = plan->from[0] ? 0 : NOTHING;
        world->running[0] = plan->from[0] != '\0';
}

unsigned world_release(const Plan *plan, const char *version) {
        if (strcmp(version, plan->to) == 0)
                return 1;
        return *version ? 0 : NOTHING;
}

static bool lives(const World *world, unsigned release) {
        return release != NOTHING && world->running[release];
}

bool world_act(World *world, const Plan *plan, const StepCall *call) {
        unsigned leaving = world_release(plan, call->leaving), target = world_release(plan, call->target);
        switch (call->step) {
        case STEP_PREFLIGHT:
                return true;
        case STEP_PAUSE_DEPLOYMENTS:
                world->paused = 1;
                return true;
        case STEP_DRAIN_TRAFFIC:
                world->drained = 1;
                return true;
        case STEP_STOP_VERSION:
                if (leaving != NOTHING)
                        world->running[leaving] = 0;
                return true;
        case STEP_RESTORE_VERSION:
                world->current = (unsigned char)target;
                return true;
        case STEP_START_VERSION:
                if (lives(world, leaving) || world->current != target)
                        return false;
                world->running[target] = 1;
                return true;
        case STEP_VERIFY_HEALTH:
                return lives(world, target);
        case STEP_RESTORE_TRAFFIC:
                world->drained = 0;
                return true;
        case STEP_RESUME_DEPLOYMENTS:
                world->paused = 0;
                return true;
        }
        return false;
}

bool world_holds(const World *world, const Plan *plan, const StepCall *call) {
        World after = *world;
        return world_act(&after, plan, call) && memcmp(&after, world, sizeof after) == 0;
}

const char *world_check(const World *world) {
        if (world->running[0] && world->running[1])
                return "two releases run at once";
        if (world->current == NOTHING && world->current_at_start != NOTHING)
                return "`current` doesn't resolve any more";
        return NULL;
}

const char *world_check_end(const World *world, const Run *run) {
        bool traffic_told = (run->outstanding & (1U << STEP_RESTORE_TRAFFIC)) != 0;
        bool pause_told = (run->outstanding & (1U << STEP_RESUME_DEPLOYMENTS)) != 0 ||
                          run->recovery[STEP_RESUME_DEPLOYMENTS].state == STEP_SKIPPED;
        if (!run_ended(run))
                return "finished, but not ended";
        bool original_serves = run->outcome == OUTCOME_UNDONE; /* then what gives traffic back goes on after the run */
        if (world->drained && !((run->phase == RUN_HOLDING || original_serves) && traffic_told))
                return "traffic was left drained unseen";
        if (traffic_told && !world->paged)
                return "nobody was told that traffic may be held back";
        if (world->paused && !pause_told)
                return "deployments were left paused unseen";
        if ((run->phase == RUN_HOLDING || pause_told) && world->paused && !world->paged)
                return "nobody was told";
        if (run->phase == RUN_HOLDING && !world->paged)
                return "it holds and nobody was paged";
        if (run->phase == RUN_SUCCEEDED && (!world->running[1] || world->current != 1))
                return "succeeded, but the target doesn't serve";
        if (run->phase == RUN_FAILED && (world->running[1] || world->current != world->current_at_start))
                return "failed, but the original isn't what is current";
        if (run->phase == RUN_FAILED && world->current_at_start == 0 && !world->running[0])
                return "failed, but the original doesn't serve";
        return NULL;
}

const char *world_check_intent(const Run *durable, const Run *run, const StepCall *call) {
        if (!durable)
                return "an act with nothing in the journal";
        if (run->waiting == WAIT_DRAIN) { /* held again after a crash: the drain itself was announced long ago */
                bool given_back = durable->steps[STEP_RESTORE_TRAFFIC].attempt > 0 ||
                                  durable->recovery[STEP_RESTORE_TRAFFIC].attempt > 0;
                return durable->steps[STEP_DRAIN_TRAFFIC].attempt > 0 && !given_back
                               ? NULL
                               : "held again, though nobody had drained";
        }
        const StepRecord *record = run_record(durable, call->step);
        if (durable->phase != run->phase || durable->cursor != call->step || record->state != STEP_ACTING ||
            record->attempt != call->attempt)
                return "an act without its intent in the journal";
        return NULL;
}
