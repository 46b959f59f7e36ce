/* Healing: clears the cache of a component that fails (a command) and restarts its unit, when core/healing.h says so. Off unless
 * components.NAME.heal_after is set. */
#pragma once

#include "core/healing.h"
#include "daemon/world.h"

typedef struct Healer Healer;

typedef struct HealerHooks {
        /* What is done, and how it ended. */
        void (*told)(void *userdata, const char *what, HealingNews news);
        /* It was given up (words for a person), or is well again after that (NULL). */
        void (*given_up)(void *userdata, const char *problem);
} HealerHooks;

/* *ret_healer NULL: nothing is configured to heal it. */
int healer_new(World *world, const char *name, const Settings *settings, const HealerHooks *hooks, void *userdata,
               Healer **ret_healer, Error *error);
Healer *healer_free(Healer *healer); /* NULL allowed; returns NULL */

/* As healing_recall(); before the first look. */
void healer_recall(Healer *healer, const int64_t *tries_mono, unsigned count);
/* A check's finding, and what it was. Begins to heal when it is time for it. */
void healer_look(Healer *healer, HealthState found, const char *reason);
/* Nothing is begun between the two; what was begun stops, and is finished afterwards if it had stopped the unit. */
void healer_suspend(Healer *healer);
void healer_resume(Healer *healer);
bool healer_busy(const Healer *healer); /* it heals right now; false for NULL */
