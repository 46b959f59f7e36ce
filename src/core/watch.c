#include "core/watch.h"

#include "core/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- total outage ---- */

void outage_watch_restart(OutageWatch *watch, int64_t mono) {
        *watch = (OutageWatch){.since_mono = mono};
}

/* When was a request last seen to fail? The pulse knows only the first failure since the last success. */
static void look_at_failures(OutageWatch *watch, const MetricsPulse *pulse, int64_t now_mono) {
        if (watch->looked && pulse->failures > watch->failures)
                watch->last_failure_mono = now_mono;
        else if (pulse->failures_since_success > 0 && pulse->first_failure_mono > watch->last_failure_mono)
                watch->last_failure_mono = pulse->first_failure_mono;
        watch->failures = pulse->failures;
        watch->looked = true;
}

bool engine_outage(const Rules *rules, OutageWatch *watch, const MetricsPulse *pulse, const ProbeView *probe,
                   int64_t now_mono, char *reason, size_t size) {
        reason[0] = '\0';
        if (!pulse->connected) { /* blind: the time until it is heard again is no evidence of anything */
                outage_watch_restart(watch, now_mono);
                return false;
        }
        look_at_failures(watch, pulse, now_mono);
        int64_t since = pulse->last_success_mono > watch->since_mono ? pulse->last_success_mono : watch->since_mono;
        bool long_enough = now_mono - since >= rules->outage_window_us;
        bool failing = pulse->failures_since_success > 0 && watch->last_failure_mono > since &&
                       now_mono - watch->last_failure_mono <= rules->outage_window_us;
        bool probe_agrees = probe->known && probe->consecutive_failures >= 2;
        if (!long_enough || !failing || !probe_agrees)
                return false;
        char duration[WORDS_MAX];
        words_append(
                reason, size,
                "no request has succeeded for %s (%" PRId64 " failed) and the health probe failed %d times in a row",
                words_duration(now_mono - since, duration), pulse->failures_since_success, probe->consecutive_failures);
        return true;
}

/* ---- failed units ---- */

static void note_rise(RestartWatch *watch, int64_t now_mono) {
        if (watch->count == RESTARTS_KEPT) {
                memmove(watch->rises, watch->rises + 1, (RESTARTS_KEPT - 1) * sizeof *watch->rises);
                watch->count--;
        }
        watch->rises[watch->count++] = now_mono;
}

static void look_at_restarts(RestartWatch *watch, int64_t restarts, int64_t now_mono) {
        if (!watch->looked || restarts < watch->restarts) { /* the first look, or started by hand: a new count */
                watch->count = 0;
        } else {
                int64_t rises = restarts - watch->restarts;
                for (int64_t i = 0; i < rises && i < RESTARTS_KEPT; i++)
                        note_rise(watch, now_mono);
        }
        watch->restarts = restarts;
        watch->looked = true;
}

bool engine_units(const Rules *rules, RestartWatch *watch, const UnitsState *units, int64_t now_mono, char *reason,
                  size_t size) {
        reason[0] = '\0';
        look_at_restarts(watch, units->restarts, now_mono);
        unsigned recent = 0;
        for (unsigned i = 0; i < watch->count; i++)
                recent += now_mono - watch->rises[i] <= rules->outage_window_us;
        if (units->failed) {
                words_append(reason, size, "%s", units->detail[0] ? units->detail : "a unit of the service has failed");
                return true;
        }
        if (recent == 0 || recent < rules->restart_limit)
                return false;
        char duration[WORDS_MAX];
        words_append(reason, size, "restarted %u times within %s", recent,
                     words_duration(rules->outage_window_us, duration));
        if (units->detail[0])
                words_append(reason, size, ": %s", units->detail);
        return true;
}
