#include "core/rate.h"

#include <string.h>

static void drop_first(Rate *rate, unsigned count) {
        rate->count -= count;
        memmove(rate->points, rate->points + count, rate->count * sizeof rate->points[0]);
}

/* The newest of the points that are older than the window stays: the window begins at it. */
static void drop_old(Rate *rate, int64_t now_mono) {
        unsigned old = 0;
        while (old + 1 < rate->count && now_mono - rate->points[old + 1].mono >= rate->window_us)
                old++;
        drop_first(rate, old);
}

void rate_add(Rate *rate, const RatePoint *point) {
        if (rate->count > 0 && (point->part < rate->newest.part || point->whole < rate->newest.whole))
                rate->count = 0;
        rate->newest = *point;
        if (rate->count == 0 ||
            point->mono - rate->points[rate->count - 1].mono >= rate->window_us / (RATE_POINTS - 2)) {
                if (rate->count == RATE_POINTS)
                        drop_first(rate, 1);
                rate->points[rate->count++] = *point;
        }
        drop_old(rate, point->mono);
}

bool rate_between(const Rate *rate, RatePoint *ret_difference) {
        if (rate->count == 0 || rate->newest.mono <= rate->points[0].mono)
                return false;
        *ret_difference = (RatePoint){.mono = rate->newest.mono - rate->points[0].mono,
                                      .part = rate->newest.part - rate->points[0].part,
                                      .whole = rate->newest.whole - rate->points[0].whole};
        return true;
}
