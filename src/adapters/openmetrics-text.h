/* The text exposition of OpenMetrics 1.0 and of Prometheus 0.0.4: the few numbers we need of one scrape, and the arithmetic on
 * two of them. Pure. Whatever isn't such text, a negative or not finite count among our numbers included, is refused as a whole
 * with the line that is wrong: half a scrape is no evidence. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define OPENMETRICS_TEXT_MAX 128
#define OPENMETRICS_MATCHERS_MAX 8
#define OPENMETRICS_BUCKETS_MAX 64
#define OPENMETRICS_INFINITY INT64_MAX

typedef struct OpenMetricsMatcher {
        char label[OPENMETRICS_TEXT_MAX], value[OPENMETRICS_TEXT_MAX];
} OpenMetricsMatcher;

/* What to look for. A series of either metric that carries a matcher's label with another value is left out; of the requests,
 * also one that doesn't carry it. */
typedef struct OpenMetricsQuery {
        char requests[OPENMETRICS_TEXT_MAX]; /* a counter */
        unsigned matcher_count;
        OpenMetricsMatcher matchers[OPENMETRICS_MATCHERS_MAX];
        OpenMetricsMatcher error;           /* an error is a request whose label begins with this value */
        char latency[OPENMETRICS_TEXT_MAX]; /* a histogram in seconds; "": none */
} OpenMetricsQuery;

/* `requests`: http_requests_total or http_requests_total{service="api",zone="a"}; `error_match`: code=5; `latency`: a name or "". */
int openmetrics_query_parse(const char *requests, const char *error_match, const char *latency,
                            OpenMetricsQuery *ret_query, Error *error);

typedef struct OpenMetricsBucket {
        int64_t limit_us; /* OPENMETRICS_INFINITY for the last one */
        int64_t count;    /* cumulative, as in the text */
} OpenMetricsBucket;

typedef struct OpenMetricsTotals {
        int64_t requests, errors;
        unsigned bucket_count;
        OpenMetricsBucket buckets[OPENMETRICS_BUCKETS_MAX]; /* by rising limit */
} OpenMetricsTotals;

/* `text` is NUL-terminated. `whole`: an "# EOF" must end it (OpenMetrics says so; 0.0.4 knows no end). -EBADMSG: nonsense;
 * -ENOENT: a metric we need isn't there. */
int openmetrics_parse(const char *text, bool whole, const OpenMetricsQuery *query, OpenMetricsTotals *ret_totals,
                      Error *error);

/* What happened between two scrapes. -ERANGE: a counter went back, the service was restarted in between; -EBADMSG: the histogram's
 * buckets changed, or the numbers contradict each other. */
int openmetrics_difference(const OpenMetricsTotals *before, const OpenMetricsTotals *after,
                           OpenMetricsTotals *ret_difference, Error *error);

/* Linear within the bucket, as histogram_quantile() does it; what lies beyond the last finite limit is told as that limit.
 * -1: no histogram, or nothing in it. */
int64_t openmetrics_quantile_us(const OpenMetricsTotals *difference, int64_t ppm);
