/* A Prometheus, as the block `metrics.prometheus` names it: which queries, and how it is asked. */
#pragma once

#include "adapters/prometheus-text.h"
#include "base/settings.h"
#include "io/http-client.h"

typedef enum PrometheusMetric {
        PROMETHEUS_REQUESTS,
        PROMETHEUS_ERRORS,
        PROMETHEUS_P99,
        PROMETHEUS_P50,
        PROMETHEUS_METRICS,
} PrometheusMetric;

typedef struct PrometheusSource {
        const char *url;
        const char *queries[PROMETHEUS_METRICS]; /* "": isn't asked for */
        const char *bearer;                      /* the file with the token; "": none */
        HttpTls tls;
        int64_t timeout_us;
} PrometheusSource;

extern const SettingSpec prometheus_settings[];

/* The settings are borrowed. */
int prometheus_source_open(const Settings *settings, PrometheusSource *ret_source, Error *error);
const char *prometheus_metric_name(PrometheusMetric metric); /* the setting's key: "latency_p99" */

/* `path`: "query" or "query_range"; `moments`: "&time=1700000000.000". */
int prometheus_ask(const PrometheusSource *source, HttpClient *http, PrometheusMetric metric, int64_t window_us,
                   const char *path, const char *moments, int64_t budget_us, HttpCallback callback, void *userdata,
                   HttpCall **ret_call, Error *error);

/* Anything but an answer that can be read. What it says of itself is in `error`, too. */
int prometheus_check_answer(const HttpAnswer *answer, Error *error);

/* "'errors' at http://10.0.0.1:9090: " before the message. */
int prometheus_blame(const PrometheusSource *source, PrometheusMetric metric, Error *error);

/* The readings of all that is asked for. */
PrometheusReadings prometheus_readings(const PrometheusSource *source,
                                       const PrometheusValue values[PROMETHEUS_METRICS]);
