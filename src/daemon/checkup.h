/* Checkup: measures the components, each at its own interval, and keeps what it found. The built-in ones are consensus, network,
 * database, storage, api, scheduler and system; the operator adds others (components: in the configuration). It heals what it
 * was told to heal, and decides nothing else.
 *   checkup.c      when which is checked, strikes, what is told      component-*.c  one kind of check each
 *   healing.c      restart and clear, with back-off and a cap */
#pragma once

#include "core/consensus.h"
#include "core/health.h"
#include "daemon/prober.h"
#include "daemon/watcher.h"
#include "daemon/world.h"

typedef struct Checkup Checkup;

typedef struct CheckupHooks {
        /* A state or the score changed. */
        void (*changed)(void *userdata, const Health *health);
        /* A manual review: `source` "cpu", "memory", "disk", or "component NAME" when healing gave up; `problem` NULL: over. */
        void (*condition)(void *userdata, const char *source, const char *problem);
        /* The consensus cluster was asked. */
        void (*consensus)(void *userdata, const ConsensusView *view);
} CheckupHooks;

/* What a load is made of; each -1 while it isn't known. */
typedef struct SystemLoad {
        int64_t cpu_ppm, memory_ppm, disk_ppm;
        int64_t at_mono;
} SystemLoad;

/* `prober` and `watcher` may be NULL (health-checker once, without a controller): what they'd tell is measured or unknown then.
 * `heal`: what is configured to heal is healed. */
int checkup_new(World *world, const Prober *prober, const Watcher *watcher, bool heal, const CheckupHooks *hooks,
                void *userdata, Checkup **ret_checkup, Error *error);
Checkup *checkup_free(Checkup *checkup); /* NULL allowed; returns NULL */

/* While a run is under way nothing is healed, and failures of api and scheduler aren't counted. */
void checkup_suspend(Checkup *checkup);
void checkup_resume(Checkup *checkup);

/* Every component has been measured at least once since checkup_new(). */
bool checkup_complete(const Checkup *checkup);

const Health *checkup_health(const Checkup *checkup);
const SystemLoad *checkup_load(const Checkup *checkup);
/* NULL: not configured, or not asked yet. */
const ConsensusState *checkup_consensus(const Checkup *checkup);
const ConsensusView *checkup_consensus_view(const Checkup *checkup);
