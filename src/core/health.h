/* Component health and its score, as integers, so that the arithmetic can be shown and checked by hand:
 *
 *     score = sum(weight * component's score) / sum(weight), over the components that are known, rounded down
 *
 * A component that couldn't be measured is unknown: it is listed, and counts neither for nor against. Specification, "Service
 * Health". */
#pragma once

#include "core/types.h"

#define HEALTH_COMPONENTS_MAX 32
#define HEALTH_NAME_MAX 32

typedef enum HealthState { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY } HealthState;

typedef struct ComponentHealth {
        char name[HEALTH_NAME_MAX]; /* "consensus" */
        HealthState state;
        unsigned score;                   /* 0..100; without meaning when unknown */
        unsigned weight;                  /* 0: shown, not counted */
        bool critical;                    /* unhealthy, it makes the whole unhealthy */
        bool configured;                  /* false: there is nothing to measure; unknown then, and not a flaw */
        int64_t checked_wall, since_wall; /* the newest check; in this state since. 0: never */
        int64_t begun_mono;               /* the newest check that is over was begun then; 0: none */
        char reason[DETAIL_MAX];          /* what was measured, against which limit; why it is unknown */
} ComponentHealth;

typedef struct Health {
        HealthState
                state; /* unhealthy: a critical component is, or the score is below 50; degraded: any component is worse than
                            * healthy; unknown: nothing that counts is known */
        int score;                /* 0..100; -1: unknown */
        unsigned points, weights; /* score = points / weights; both 0: unknown */
        unsigned count;
        ComponentHealth components[HEALTH_COMPONENTS_MAX];
} Health;

/* Fills state, score, points and weights from the components. */
void health_sum_up(Health *health);

const ComponentHealth *health_find(const Health *health, const char *name); /* NULL: there is none of that name */

#define HEALTH_SCORE_LOW                                                                                               \
        50 /* below it the whole is unhealthy; while failures are counted a component has at least this */

/* One check's finding, with the failed ones in a row before it counted in *strikes: unhealthy becomes degraded until `failures`
 * came in a row, and so it does when they aren't `counted` now. `at_once`: unhealthy beyond doubt. Returns the state to show,
 * and raises *score accordingly. */
HealthState health_strike(unsigned *strikes, unsigned failures, HealthState found, bool at_once, bool counted,
                          unsigned *score);

/* The first critical one that is unhealthy, else the first unhealthy, else the first degraded one; one of weight 0 only when it is
 * critical. NULL: none. */
const ComponentHealth *health_worst(const Health *health);

const char *health_state_name(HealthState state); /* "unknown" "healthy" "degraded" "unhealthy" */
