/* Answers of Prometheus' HTTP API v1: one number of an instant query, or a series of a range query. Pure. Whatever is more, less or
 * else than that is refused with a sentence: half an answer is no evidence. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

typedef enum PrometheusAnswer {
        PROMETHEUS_NOTHING, /* no series: nothing was scraped in that time */
        PROMETHEUS_NAN,     /* 0 / 0: a quantile of no observation */
        PROMETHEUS_NUMBER,
} PrometheusAnswer;

typedef struct PrometheusValue {
        PrometheusAnswer answer;
        int64_t at_us; /* the moment it is for */
        double number; /* finite */
} PrometheusValue;

/* The one value of an instant query. -EBADMSG: no such answer, several series, infinite, or with a warning; -EPROTO: Prometheus
 * said that it failed, in its own words. */
int prometheus_parse_instant(const char *text, size_t size, PrometheusValue *ret_value, Error *error);

/* The values of a range query, by rising time, into values[0..max]; *ret_count of them. What isn't there is left out. */
int prometheus_parse_range(const char *text, size_t size, PrometheusValue *values, size_t max, size_t *ret_count,
                           Error *error);

/* `query` with each "{window}" replaced by "30000ms", percent-encoded for a form. NULL: no memory. free() it. */
char *prometheus_fill_query(const char *query, int64_t window_us);

/* What the numbers of one time say. NULL: wasn't asked for. */
typedef struct PrometheusReadings {
        const PrometheusValue *requests, *errors, *p99, *p50;
} PrometheusReadings;

/* Counts are rounded (increase() interpolates). -EBADMSG: they contradict each other; -ENODATA: one of them isn't there. Then `error`
 * names it. A quantile that isn't there is -1. */
int prometheus_fill_sample(const PrometheusReadings *readings, Sample *sample, Error *error);
