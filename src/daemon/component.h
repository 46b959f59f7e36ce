/* Component: how one kind of thing is measured. checkup.c opens each component with the kind that fits it, asks for a check at the
 * component's interval, counts failures, and keeps and tells what was found; a kind only measures. One file each,
 * component-*.c; a kind is one row here. */
#pragma once

#include "daemon/checkup.h"
#include "daemon/disks.h"

/* What one check found. */
typedef struct ComponentFinding {
        /* HEALTH_UNHEALTHY is a failed check: the component is degraded until components.NAME.failures of them came in a row.
         * HEALTH_DEGRADED is shown at once, and isn't a failure. HEALTH_UNKNOWN: it couldn't be measured; changes no count. */
        HealthState state;
        unsigned score;      /* 0..100; without meaning when unknown. While failures are counted it is at least 50 */
        bool at_once;        /* unhealthy beyond doubt (quorum lost): not counted up to */
        bool not_configured; /* there is nothing to measure: `state` must be HEALTH_UNKNOWN */
        bool partial;        /* something takes two looks (a rate): the next check comes in half a second */
        char reason[DETAIL_MAX]; /* what was measured, against which limit: "3 of 3 members answer, lag 2ms of 50ms" */
} ComponentFinding;

typedef struct ComponentContext {
        World *world;
        const Journal *journal;      /* as in CheckupTools */
        const char *journal_problem; /* the same */
        bool one_check;              /* the same */
        const Prober *prober;
        const Watcher *watcher;
        Disks *disks;             /* shared by storage and system */
        const char *name;         /* "consensus" */
        const Settings *settings; /* rows of component_specs (config-schema.c): "timeout", "http" ... */
        /* Of system alone: a limit is exceeded for a while; NULL: no longer. As CheckupHooks.condition. */
        void (*condition)(void *userdata, const char *source, const char *problem);
        /* What a check found: exactly once for each, from inside check() or later from the event loop. */
        void (*found)(void *userdata, const ComponentFinding *finding);
        void *userdata;
} ComponentContext;

typedef struct ComponentKind {
        const char *name; /* of a built-in component, or the key that declares one ("http") */
        bool of_service;  /* measures what a run restarts: its failures aren't counted while one is under way */
        /* `context` outlives what is opened. */
        int (*open)(const ComponentContext *context, void **ret_self, Error *error);
        void (*close)(void *self); /* stops what is under way; found() isn't called any more. NULL allowed */
        /* Bounded by its own budgets, "timeout" as a rule; the next one is never begun before found(). Must not block. */
        void (*check)(void *self);
        int64_t (*interval)(const ComponentContext *context); /* NULL: the setting "interval" */
} ComponentKind;

extern const ComponentKind component_consensus, component_network, component_database, component_storage, component_api,
        component_scheduler, component_system;                                               /* built in */
extern const ComponentKind component_http, component_tcp, component_command, component_unit; /* declared */

/* What the newest query of the cluster gave, and how it is judged; NULL: none yet, or it failed. `self` is component_consensus's.
 * checkup.c tells CheckupHooks.consensus after each finding that has a view. */
const ConsensusState *component_consensus_state(const void *self);
const ConsensusView *component_consensus_view(const void *self);
const ConsensusLook *component_consensus_look(const void *self); /* what the view was made from */

/* What the database answered the last time, and how its replication is judged; NULL: it didn't, or none yet. */
const ReplicationState *component_database_state(const void *self);
const ReplicationView *component_database_view(const void *self);
/* What the newest consistency check has found, in words; NULL: nothing. Told with the next check. */
void component_database_damage(void *self, const char *words);

/* The peer at `index`, of component_network; false: there is none. */
bool component_network_peer(const void *self, unsigned index, PeerState *ret_peer);

/* What component_system measured; never NULL. */
const SystemLoad *component_system_load(const void *self);
