/* Checkup: measures the components, each at its own interval, and keeps what it found. The built-in ones are consensus, network,
 * database, storage, api, scheduler and system; the operator adds others (components: in the configuration). It heals what it
 * was told to heal, and decides nothing else.
 *   checkup.c      when which is checked, strikes, what is told      component-*.c  one kind of check each
 *   disks.c        the file systems, asked once for storage and system
 *   healing.c      restart and clear, with back-off and a cap */
#pragma once

#include "core/consensus.h"
#include "core/healing.h"
#include "core/health.h"
#include "core/replication.h"
#include "daemon/disks.h"
#include "daemon/prober.h"
#include "daemon/watcher.h"
#include "daemon/world.h"
#include "store/journal.h"

typedef struct Checkup Checkup;

typedef struct CheckupHooks {
        /* A state or the score changed. */
        void (*changed)(void *userdata, const Health *health);
        /* A manual review: `source` "cpu", "memory", "disk", or "component NAME" when healing gave up; `problem` NULL: over. */
        void (*condition)(void *userdata, const char *source, const char *problem);
        /* The consensus cluster was asked. */
        void (*consensus)(void *userdata, const ConsensusView *view);
        /* Healing: "payments.service is restarted", and how that ended. */
        void (*healing)(void *userdata, const char *name, const char *what, HealingNews news);
} CheckupHooks;

/* What is measured with; all of it outlives the checkup. */
typedef struct CheckupTools {
        World *world;
        const Journal *journal;      /* as who writes it has it; NULL: it isn't open, or for reading alone */
        const char *journal_problem; /* why it isn't; NULL: nothing is wrong with it */
        const Prober *prober;
        const Watcher *watcher;
        bool heal;      /* what is configured to heal is healed */
        bool one_check; /* there is only one: a component that fails it is unhealthy */
} CheckupTools;

/* What a load is made of; each -1 while it isn't known. */
typedef struct SystemLoad {
        int64_t cpu_ppm, memory_ppm, disk_ppm;
        int64_t at_mono, disk_mono; /* the first two were measured then, and the third; disks are asked less often */
} SystemLoad;

/* One of network.peers, as it was found by the newest check. */
typedef struct PeerState {
        const char *address;
        Tristate reached;
        const char *problem; /* why it wasn't; "" */
} PeerState;

int checkup_new(const CheckupTools *tools, const CheckupHooks *hooks, void *userdata, Checkup **ret_checkup,
                Error *error);
Checkup *checkup_free(Checkup *checkup); /* NULL allowed; returns NULL */

/* While a run is under way nothing is healed, and failures of api and scheduler aren't counted. Afterwards everything is measured
 * at once. NULL allowed for both. */
void checkup_suspend(Checkup *checkup);
void checkup_resume(Checkup *checkup);
/* How often the component at `index` was healed in a life before this one; as healing_recall(). */
void checkup_recall_tries(Checkup *checkup, unsigned index, const int64_t *tries_mono, unsigned count);
/* Measured is as before, but nothing is healed. */
void checkup_hold_healing(Checkup *checkup, bool hold);

/* Every component has been measured at least once since checkup_new(), also what takes two looks. */
bool checkup_complete(const Checkup *checkup);
/* Something is being healed: a unit that is restarted by us isn't a deployment, and must not be left stopped. */
bool checkup_heals(const Checkup *checkup);

const Disks *checkup_disks(const Checkup *checkup); /* what was seen last: disks_seen() */
const Health *checkup_health(const Checkup *checkup);
const SystemLoad *checkup_load(const Checkup *checkup);
bool checkup_peer(const Checkup *checkup, unsigned index, PeerState *ret_peer); /* false: there is none */
/* NULL: not configured, or not asked yet. */
const ConsensusState *checkup_consensus(const Checkup *checkup);
const ReplicationState *checkup_replication(const Checkup *checkup); /* NULL: not configured, or it didn't answer */
const ReplicationView *checkup_replication_view(const Checkup *checkup);
void checkup_tell_damage(Checkup *checkup, const char *words); /* of the database's data; NULL: none is known */
const ConsensusView *checkup_consensus_view(const Checkup *checkup);
const ConsensusLook *checkup_consensus_look(const Checkup *checkup); /* what the view was made from */
