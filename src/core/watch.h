/* What triggers at once, without a window: a total outage and a failed service. Plain data that remembers between two looks;
 * times are `mono` microseconds. */
#pragma once

#include "core/types.h"

#include <stddef.h>

/* What the health probe has seen lately. */
typedef struct ProbeView {
        bool known; /* it has answered, or failed to, at least once since watching began */
        int consecutive_failures;
        int64_t last_success_mono; /* 0: none */
} ProbeView;

/* Remembers between two looks at the pulse when a request was last seen to fail. Plain data; restart it with the engine. */
typedef struct OutageWatch {
        int64_t since_mono;        /* an outage isn't counted from before */
        int64_t failures;          /* of the pulse, at the last look */
        int64_t last_failure_mono; /* 0: none since */
        bool looked;
} OutageWatch;

void outage_watch_restart(OutageWatch *watch, int64_t mono);

/* All that engine_outage() was given, so that it can be asked again. */
typedef struct OutageLook {
        bool asked;
        int64_t now_mono;
        OutageWatch before; /* as the watch was then */
        MetricsPulse pulse;
        ProbeView probe;
} OutageLook;

/* To be asked about every second. True: for outage_window no request has succeeded, at least one has failed in that time, and
 * the health probe has failed at least twice in a row. No traffic is never an outage, and neither is a source that isn't
 * heard. `reason` (at least 1 byte) says it with numbers; it is "" otherwise. */
bool engine_outage(const Rules *rules, OutageWatch *watch, const MetricsPulse *pulse, const ProbeView *probe,
                   int64_t now_mono, char *reason, size_t size);

#define RESTARTS_KEPT 32 /* restart_limit may not be higher */

/* When the supervisor's restart counter was seen to rise, newest last. Plain data; zero it when the units change. */
typedef struct RestartWatch {
        bool looked;
        int64_t restarts; /* at the last look */
        unsigned count;
        int64_t rises[RESTARTS_KEPT];
} RestartWatch;

/* All that engine_units() was given. */
typedef struct UnitsLook {
        bool asked;
        int64_t now_mono;
        RestartWatch before;
        UnitsState units;
} UnitsLook;

/* True: a unit is in state failed, or restarted restart_limit times within outage_window (Restart=on-failure hides `failed`). */
bool engine_units(const Rules *rules, RestartWatch *watch, const UnitsState *units, int64_t now_mono, char *reason,
                  size_t size);
