/* The last minute, second by second, from the running totals of a metrics source. A second is known when the source was heard at its
 * beginning and at its end, and its totals didn't begin anew in between; what isn't known is a gap, never a zero. Pure. */
#pragma once

#include "core/types.h"

#define MINUTE_US (60 * USEC_PER_SEC)
#define MINUTE_LOOKS 64                       /* kept: some more than a minute of them, one a second */
#define MINUTE_STEP_MAX_US (5 * USEC_PER_SEC) /* looks further apart don't belong together: it slept, or hung */

typedef struct Minute {
        bool heard; /* at the last look: what follows can be counted from there */
        int64_t mono, requests, failures, errors;
        unsigned count, next; /* a ring */
        struct MinuteSpan {
                int64_t end_mono, length_us;
                int64_t requests, failures, errors;
        } spans[MINUTE_LOOKS];
} Minute;

typedef struct MinuteTotals {
        int64_t known_us; /* of the last minute: what the numbers below are about */
        int64_t end_mono; /* of the newest known second */
        int64_t requests, failures, errors;
} MinuteTotals;

/* To be called about every second. A source that is scraped tells of its last scrape: then the spans lie between those. */
void minute_look(Minute *minute, int64_t now_mono, const MetricsPulse *pulse);

/* False: nothing of the last minute is known, or the source isn't heard now. */
bool minute_read(const Minute *minute, int64_t now_mono, MinuteTotals *ret_totals);
