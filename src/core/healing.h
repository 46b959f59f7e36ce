/* When a component that fails is healed: after so many failed checks in a row, then again after a back-off that doubles, and not
 * oftener than the limit in 24 hours. What healing is, is not known here. */
#pragma once

#include "core/health.h"

#define HEALING_TRIES_MAX 64
#define HEALING_DAY_US (24 * 3600 * USEC_PER_SEC)

typedef struct HealingRules {
        unsigned after; /* failed checks in a row; 0: never */
        unsigned limit; /* tries in 24 hours, at most HEALING_TRIES_MAX */
        int64_t backoff_us;
} HealingRules;

/* Zeroed: nothing has happened yet. */
typedef struct Healing {
        unsigned failures; /* in a row */
        unsigned row;      /* tries since it was last well */
        unsigned count;    /* tries in the last 24 hours, the oldest first */
        int64_t tries_mono[HEALING_TRIES_MAX];
        bool given_up; /* said once, until it is well again */
} Healing;

typedef enum HealingStep {
        HEALING_NOTHING,
        HEALING_TRY,     /* now; counted already */
        HEALING_GIVE_UP, /* the limit is reached, and it still fails */
        HEALING_WELL,    /* it had been given up, and is well again */
} HealingStep;

/* What is told of a try. */
typedef enum HealingNews { HEALING_BEGUN, HEALING_DONE, HEALING_FAILED } HealingNews;

/* Tries of a life before this one, the oldest first; the newest HEALING_TRIES_MAX are kept. It isn't known whether it was well in
 * between: until it is, the pause after them is kept, too. */
void healing_recall(Healing *healing, const int64_t *tries_mono, unsigned count);

/* What follows from a check. Only unhealthy is a failure, and only healthy is well. */
HealingStep healing_look(Healing *healing, const HealingRules *rules, HealthState found, int64_t now_mono);

/* How long after the newest try the next one may come: the back-off, doubled with each try in a row, a day at most. */
int64_t healing_pause(const Healing *healing, const HealingRules *rules);
