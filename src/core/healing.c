#include "core/healing.h"

#include <string.h>

int64_t healing_pause(const Healing *healing, const HealingRules *rules) {
        int64_t pause = rules->backoff_us;
        for (unsigned i = 1; i < healing->row && pause < HEALING_DAY_US; i++)
                pause *= 2;
        return pause < HEALING_DAY_US ? pause : HEALING_DAY_US;
}

static void forget_old_tries(Healing *healing, int64_t now_mono) {
        unsigned old = 0;
        while (old < healing->count && now_mono - healing->tries_mono[old] >= HEALING_DAY_US)
                old++;
        healing->count -= old;
        memmove(healing->tries_mono, healing->tries_mono + old, healing->count * sizeof healing->tries_mono[0]);
}

void healing_recall(Healing *healing, const int64_t *tries_mono, unsigned count) {
        unsigned kept = count < HEALING_TRIES_MAX ? count : HEALING_TRIES_MAX;
        memcpy(healing->tries_mono, tries_mono + (count - kept), kept * sizeof tries_mono[0]);
        healing->count = healing->row = kept;
}

static HealingStep well(Healing *healing) {
        bool had_given_up = healing->given_up;
        healing->failures = healing->row = 0;
        healing->given_up = false;
        return had_given_up ? HEALING_WELL : HEALING_NOTHING;
}

static HealingStep failed(Healing *healing, const HealingRules *rules, int64_t now_mono) {
        unsigned limit = rules->limit < HEALING_TRIES_MAX ? rules->limit : HEALING_TRIES_MAX;
        if (healing->failures < rules->after)
                healing->failures++;
        if (healing->failures < rules->after || rules->after == 0)
                return HEALING_NOTHING;
        forget_old_tries(healing, now_mono);
        if (healing->row > 0 && healing->count > 0 &&
            now_mono - healing->tries_mono[healing->count - 1] < healing_pause(healing, rules))
                return HEALING_NOTHING;
        if (healing->count >= limit) {
                bool said = healing->given_up;
                healing->given_up = true;
                return said ? HEALING_NOTHING : HEALING_GIVE_UP;
        }
        healing->tries_mono[healing->count++] = now_mono;
        healing->row++;
        return HEALING_TRY;
}

HealingStep healing_look(Healing *healing, const HealingRules *rules, HealthState found, int64_t now_mono) {
        switch (found) {
        case HEALTH_HEALTHY:
                return well(healing);
        case HEALTH_DEGRADED:
                healing->failures = 0;
                return HEALING_NOTHING;
        case HEALTH_UNHEALTHY:
                return failed(healing, rules, now_mono);
        case HEALTH_UNKNOWN:
                break;
        }
        return HEALING_NOTHING;
}
