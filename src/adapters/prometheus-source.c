#include "adapters/prometheus-source.h"

#include "base/fsio.h"
#include "core/types.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ANSWER_MAX ((size_t)4 * 1024 * 1024)
#define TOKEN_MAX 8192
#define URL_MAX 512

const SettingSpec prometheus_settings[] = {
        {"url", SETTING_URL, NULL, 0, 0, NULL, "of Prometheus, without /api"},
        {"requests", SETTING_STRING, "sum(increase(http_requests_total[{window}]))", 0, 0, NULL,
         "PromQL: the finished requests in {window}, which is the sample's length; take an interval of four scrapes or more"},
        {"errors", SETTING_STRING, "sum(increase(http_requests_total{code=~\"5..\"}[{window}])) or vector(0)", 0, 0,
         NULL, "PromQL: those that failed; without 'or vector(0)' nothing is known until the first one"},
        {"latency_p99", SETTING_STRING,
         "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[{window}])))", 0, 0, NULL,
         "PromQL: in seconds; a histogram's quantile is as exact as its buckets are narrow; '' for none"},
        {"latency_p50", SETTING_STRING,
         "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[{window}])))", 0, 0, NULL,
         "PromQL: the same for the median, which is only shown; '' for none"},
        {"timeout", SETTING_DURATION, "2s", 10 * USEC_PER_MSEC, 60 * USEC_PER_SEC, NULL, "for one query"},
        {"ca", SETTING_PATH, "", 0, 0, NULL, "Authority that signed its certificate, for https"},
        {"certificate", SETTING_PATH, "", 0, 0, NULL, "Our certificate, where it wants one"},
        {"key", SETTING_PATH, "", 0, 0, NULL, "Its key"},
        {"bearer", SETTING_PATH, "", 0, 0, NULL, "File with a token to be sent; read each time"},
        {0},
};

static const char *const metric_names[] = {
        [PROMETHEUS_REQUESTS] = "requests",
        [PROMETHEUS_ERRORS] = "errors",
        [PROMETHEUS_P99] = "latency_p99",
        [PROMETHEUS_P50] = "latency_p50",
};

const char *prometheus_metric_name(PrometheusMetric metric) {
        return metric_names[metric];
}

int prometheus_source_open(const Settings *settings, PrometheusSource *ret_source, Error *error) {
        PrometheusSource source = {
                .url = settings_string(settings, "url"),
                .bearer = settings_string(settings, "bearer"),
                .tls = {.ca = settings_string(settings, "ca"),
                        .certificate = settings_string(settings, "certificate"),
                        .key = settings_string(settings, "key")},
                .timeout_us = settings_int(settings, "timeout"),
        };
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++)
                source.queries[i] = settings_string(settings, metric_names[i]);
        for (unsigned i = PROMETHEUS_REQUESTS; i <= PROMETHEUS_ERRORS; i++)
                if (!source.queries[i][0])
                        return error_set(error, -EINVAL, "metrics.prometheus.%s: must not be empty", metric_names[i]);
        if (strlen(source.url) > URL_MAX)
                return error_set(error, -ENAMETOOLONG, "metrics.prometheus.url: at most %d bytes", URL_MAX);
        if ((source.tls.certificate[0] == '\0') != (source.tls.key[0] == '\0'))
                return error_set(error, -EINVAL, "metrics.prometheus: certificate and key belong together: set both");
        *ret_source = source;
        return 0;
}

/* A token in a file is mostly a line. */
static int read_token(const PrometheusSource *source, char **ret_header, Error *error) {
        AUTO_FREE char *token = NULL;
        if (!source->bearer[0])
                return 0;
        int r = fs_read_file(source->bearer, TOKEN_MAX, &token, NULL, error);
        if (r < 0)
                return r;
        token[strcspn(token, "\r\n")] = '\0';
        if (token[0] == '\0')
                return error_set(error, -EBADMSG, "%s: there is no token in it", source->bearer);
        return asprintf(ret_header, "Authorization: Bearer %s", token) < 0 ? error_set(error, -ENOMEM, "out of memory")
                                                                           : 0;
}

int prometheus_ask(const PrometheusSource *source, HttpClient *http, PrometheusMetric metric, int64_t window_us,
                   const char *path, const char *moments, int64_t budget_us, HttpCallback callback, void *userdata,
                   HttpCall **ret_call, Error *error) {
        AUTO_FREE char *query = prometheus_fill_query(source->queries[metric], window_us), *body = NULL, *token = NULL;
        char url[URL_MAX + 32];
        size_t length = strlen(source->url);
        if (!query ||
            asprintf(&body, "query=%s%s&timeout=%" PRId64 "ms", query, moments, budget_us / USEC_PER_MSEC) < 0)
                return error_set(error, -ENOMEM, "out of memory");
        int r = read_token(source, &token, error);
        if (r < 0)
                return r;
        const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", token, NULL};
        snprintf(url, sizeof url, "%.*s/api/v1/%s", (int)(length - (source->url[length - 1] == '/')), source->url,
                 path);
        const HttpRequest request = {
                .method = "POST", /* it changes nothing: that is how a long query is asked */
                .url = url,
                .headers = headers,
                .body = body,
                .body_size = strlen(body),
                .tls = &source->tls,
                .answer_max = ANSWER_MAX,
                .reuse = true,
        };
        return http_begin(http, &request, budget_us, callback, userdata, ret_call, error);
}

int prometheus_check_answer(const HttpAnswer *answer, Error *error) {
        PrometheusValue ignored;
        Error said = {0};
        if (answer->code == 0) {
                *error = answer->error;
                return answer->error.code;
        }
        if (answer->code == 200)
                return 0;
        /* its errors are JSON, too; a proxy's are not */
        bool in_words = prometheus_parse_instant(answer->body, answer->size, &ignored, &said) == -EPROTO;
        return error_set(error, -EPROTO, "answered with status %d%s%.300s", answer->code, in_words ? "; " : "",
                         in_words ? error_text(&said) : "");
}

int prometheus_blame(const PrometheusSource *source, PrometheusMetric metric, Error *error) {
        return error_prefix(error, "'%s' at %.150s", metric_names[metric], source->url);
}

PrometheusReadings prometheus_readings(const PrometheusSource *source,
                                       const PrometheusValue values[PROMETHEUS_METRICS]) {
        return (PrometheusReadings){
                .requests = &values[PROMETHEUS_REQUESTS],
                .errors = &values[PROMETHEUS_ERRORS],
                .p99 = source->queries[PROMETHEUS_P99][0] ? &values[PROMETHEUS_P99] : NULL,
                .p50 = source->queries[PROMETHEUS_P50][0] ? &values[PROMETHEUS_P50] : NULL,
        };
}
