/* A histogram of fixed size for latencies: exact below 256 units, above that log-linear with 128 slots to each doubling, so that a
 * quantile is never more than the truth and less than 1 % below it. The unit is the caller's: what a threshold compares
 * should be a small number of it (HAProxy's milliseconds: a limit of 100 ms is compared exactly). 8 KiB, no allocation. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_VALUE_MAX ((INT64_C(1) << 22) - 1) /* larger ones count as this: 70 minutes in milliseconds */
#define HISTOGRAM_SLOTS (256 + 14 * 128)

typedef struct Histogram {
        int64_t total;
        uint32_t slots[HISTOGRAM_SLOTS];
} Histogram;

void histogram_reset(Histogram *histogram);
void histogram_add(Histogram *histogram, int64_t value); /* negative counts as 0 */

/* The smallest value that at least `ppm` parts per million of all values don't exceed (nearest rank; 990000: p99); -1 when empty. */
int64_t histogram_quantile(const Histogram *histogram, int64_t ppm);
