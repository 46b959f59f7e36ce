/* A share taken over a window from two counters that only grow: busy ticks of all ticks, segments sent again of all segments. */
#pragma once

#include "core/types.h"

#define RATE_POINTS 32

typedef struct RatePoint {
        int64_t mono, part, whole;
} RatePoint;

/* `window_us` set, the rest zeroed: nothing is known yet. */
typedef struct Rate {
        int64_t window_us;
        RatePoint newest;
        unsigned count;
        RatePoint points[RATE_POINTS]; /* the oldest first, at least a 30th of the window apart */
} Rate;

/* A counter that went backwards was begun anew: so is the window. */
void rate_add(Rate *rate, const RatePoint *point);

/* What was counted between the oldest point of the window and the newest; false: there aren't two yet. */
bool rate_between(const Rate *rate, RatePoint *ret_difference);
