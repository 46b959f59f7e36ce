/* What the service measures of itself: requests of clients by status and a histogram of their duration, as OpenMetrics text.
 * /health and /metrics are left out, so that probing does not make a bad release look better. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define METRICS_BUCKETS 16

typedef struct ServiceMetrics {
        int64_t by_status[600];
        int64_t buckets[METRICS_BUCKETS]; /* each counts its own range; summed up when printed */
        int64_t count;
        int64_t sum_us;
} ServiceMetrics;

void metrics_count(ServiceMetrics *metrics, int status, int64_t duration_us);

/* Prints the exposition; returns its length, 0 when it didn't fit. */
size_t metrics_print(const ServiceMetrics *metrics, const char *version, char *out, size_t size);
