#include "core/health.h"

#include <stddef.h>
#include <string.h>

static bool counts(const ComponentHealth *component) {
        return component->state != HEALTH_UNKNOWN && component->weight > 0;
}

static void add_up(Health *health) {
        health->points = health->weights = 0;
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                if (!counts(component))
                        continue;
                health->points += component->weight * (component->score > 100 ? 100 : component->score);
                health->weights += component->weight;
        }
        health->score = health->weights > 0 ? (int)(health->points / health->weights) : -1;
}

/* Of weight 0 a component is shown and says nothing about the whole, unless the operator called it critical. */
void health_sum_up(Health *health) {
        bool critical = false, worse = false;
        add_up(health);
        for (unsigned i = 0; i < health->count; i++) {
                const ComponentHealth *component = &health->components[i];
                critical |= component->critical && component->state == HEALTH_UNHEALTHY;
                worse |= counts(component) && component->state != HEALTH_HEALTHY;
        }
        if (critical || (health->score >= 0 && health->score < HEALTH_SCORE_LOW))
                health->state = HEALTH_UNHEALTHY;
        else if (health->score < 0)
                health->state = HEALTH_UNKNOWN;
        else
                health->state = worse ? HEALTH_DEGRADED : HEALTH_HEALTHY;
}

const ComponentHealth *health_find(const Health *health, const char *name) {
        for (unsigned i = 0; i < health->count; i++)
                if (strcmp(health->components[i].name, name) == 0)
                        return &health->components[i];
        return NULL;
}

HealthState health_strike(unsigned *strikes, unsigned failures, HealthState found, bool at_once, bool counted,
                          unsigned *score) {
        if (found == HEALTH_HEALTHY || found == HEALTH_DEGRADED)
                *strikes = 0;
        if (found != HEALTH_UNHEALTHY)
                return found;
        if (counted && *strikes < failures)
                ++*strikes;
        if (counted && (at_once || *strikes >= failures))
                return HEALTH_UNHEALTHY;
        if (*score < HEALTH_SCORE_LOW)
                *score = HEALTH_SCORE_LOW;
        return HEALTH_DEGRADED;
}

const char *health_state_name(HealthState state) {
        static const char *const names[] = {[HEALTH_UNKNOWN] = "unknown",
                                            [HEALTH_HEALTHY] = "healthy",
                                            [HEALTH_DEGRADED] = "degraded",
                                            [HEALTH_UNHEALTHY] = "unhealthy"};
        return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

static unsigned badness(const ComponentHealth *component) {
        if (component->weight == 0 && !component->critical)
                return 0;
        if (component->state == HEALTH_UNHEALTHY)
                return component->critical ? 3 : 2;
        return component->state == HEALTH_DEGRADED ? 1 : 0;
}

const ComponentHealth *health_worst(const Health *health) {
        const ComponentHealth *worst = NULL;
        for (unsigned i = 0; i < health->count; i++)
                if (badness(&health->components[i]) > (worst ? badness(worst) : 0))
                        worst = &health->components[i];
        return worst;
}
