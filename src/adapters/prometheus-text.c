#include "adapters/prometheus-text.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#define COUNT_MOST 1e12
#define LATENCY_MOST_S 86400.0
#define TIME_MOST_S 253402300800.0 /* the year 10000 */
#define WINDOW "{window}"

static void release_json(json_t **json) {
        json_decref(*json);
}
#define AUTO_JSON CLEANUP(release_json)

/* Of what isn't negative. */
static int64_t rounded(double number) {
        return (int64_t)(number + 0.5);
}

/* ---- the envelope ---- */

static const char *line_of(const json_t *value, char *buffer, size_t size) {
        const char *text = json_string_value(value);
        text_to_line(text ? text : "", buffer, size);
        return buffer;
}

static int check_status(const json_t *root, Error *error) {
        char said[200];
        const char *status = json_string_value(json_object_get(root, "status"));
        if (!status)
                return error_set(error, -EBADMSG, "no 'status' in the answer");
        if (strcmp(status, "success") != 0)
                return error_set(error, -EPROTO, "it says: %s",
                                 line_of(json_object_get(root, "error"), said, sizeof said));
        const json_t *warnings = json_object_get(root, "warnings");
        if (json_array_size(warnings) > 0) /* what is missing isn't known */
                return error_set(error, -EBADMSG, "it warns: %s",
                                 line_of(json_array_get(warnings, 0), said, sizeof said));
        return 0;
}

/* The list of series, of the type that the query should have. */
static int load(const char *text, size_t size, const char *type, json_t **ret_root, const json_t **ret_result,
                Error *error) {
        json_error_t why;
        AUTO_JSON json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
        if (!root)
                return error_set(error, -EBADMSG, "not a JSON answer (%.60s)", why.text);
        int r = check_status(root, error);
        if (r < 0)
                return r;
        const json_t *data = json_object_get(root, "data"), *result = json_object_get(data, "result");
        const char *said = json_string_value(json_object_get(data, "resultType"));
        char shown[40];
        if (!said || !json_is_array(result))
                return error_set(error, -EBADMSG, "no 'data.result' in the answer");
        if (strcmp(said, type) != 0 && strcmp(said, "scalar") != 0) {
                text_to_line(said, shown, sizeof shown);
                return error_set(error, -EBADMSG, "the query gives a %s, not a %s", shown, type);
        }
        *ret_result = result;
        *ret_root = TAKE_PTR(root);
        return 0;
}

/* [1700000000.123, "12.5"] */
static int take_point(const json_t *point, PrometheusValue *ret_value, Error *error) {
        const json_t *time = json_array_get(point, 0);
        const char *text = json_string_value(json_array_get(point, 1));
        double at = json_is_number(time) ? json_number_value(time) : -1;
        char *end = NULL;
        if (json_array_size(point) != 2 || !text || !(at >= 0 && at < TIME_MOST_S))
                return error_set(error, -EBADMSG, "a value in the answer is no pair of a time and a number");
        errno = 0;
        double number = strtod(text, &end);
        if (end == text || *end != '\0' || strpbrk(text, "xX "))
                return error_set(error, -EBADMSG, "a value in the answer is no number");
        *ret_value = (PrometheusValue){.answer = PROMETHEUS_NUMBER, .at_us = rounded(at * 1e6), .number = number};
        if (isnan(number)) {
                ret_value->answer = PROMETHEUS_NAN;
                ret_value->number = 0;
        } else if (isinf(number))
                return error_set(error, -EBADMSG, "the answer is infinite");
        return 0;
}

static int one_series(const json_t *result, const json_t **ret_series, Error *error) {
        size_t count = json_array_size(result);
        *ret_series = json_array_get(result, 0);
        if (count > 1)
                return error_set(error, -EBADMSG, "the query gives %zu series, not one; sum() over them", count);
        return 0;
}

int prometheus_parse_instant(const char *text, size_t size, PrometheusValue *ret_value, Error *error) {
        AUTO_JSON json_t *root = NULL;
        const json_t *result, *series;
        PrometheusValue value = {0};
        int r = load(text, size, "vector", &root, &result, error);
        if (r < 0)
                return r;
        if (json_is_number(json_array_get(result, 0))) /* a scalar's point stands alone */
                r = take_point(result, &value, error);
        else {
                r = one_series(result, &series, error);
                if (r == 0 && series)
                        r = take_point(json_object_get(series, "value"), &value, error);
        }
        if (r == 0)
                *ret_value = value;
        return r;
}

int prometheus_parse_range(const char *text, size_t size, PrometheusValue *values, size_t max, size_t *ret_count,
                           Error *error) {
        AUTO_JSON json_t *root = NULL;
        const json_t *result, *series = NULL;
        int r = load(text, size, "matrix", &root, &result, error);
        if (r == 0)
                r = one_series(result, &series, error);
        if (r < 0)
                return r;
        const json_t *points = json_object_get(series, "values");
        if (series && !json_is_array(points))
                return error_set(error, -EBADMSG, "a series in the answer has no values");
        if (json_array_size(points) > max)
                return error_set(error, -EBADMSG, "%zu values, more than were asked for", json_array_size(points));
        for (size_t i = 0; i < json_array_size(points); i++) {
                r = take_point(json_array_get(points, i), &values[i], error);
                if (r == 0 && i > 0 && values[i].at_us <= values[i - 1].at_us)
                        r = error_set(error, -EBADMSG, "the values in the answer aren't in the order of time");
                if (r < 0)
                        return r;
        }
        *ret_count = json_array_size(points);
        return 0;
}

/* ---- the question ---- */

static char *put_encoded(char *to, const char *text, size_t length) {
        static const char hex[] = "0123456789ABCDEF";
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];
                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.')
                        *to++ = (char)c;
                else {
                        *to++ = '%';
                        *to++ = hex[c >> 4];
                        *to++ = hex[c & 15];
                }
        }
        return to;
}

char *prometheus_fill_query(const char *query, int64_t window_us) {
        char window[32];
        size_t windows = 0, window_length;
        window_length = (size_t)snprintf(window, sizeof window, "%" PRId64 "ms", window_us / USEC_PER_MSEC);
        for (const char *at = strstr(query, WINDOW); at; at = strstr(at + 1, WINDOW))
                windows++;
        char *filled = malloc(3 * strlen(query) + windows * window_length + 1), *to = filled;
        if (!filled)
                return NULL;
        for (const char *at = query, *next; *at;) {
                next = strstr(at, WINDOW);
                to = put_encoded(to, at, next ? (size_t)(next - at) : strlen(at));
                if (!next)
                        break;
                to = put_encoded(to, window, window_length);
                at = next + strlen(WINDOW);
        }
        *to = '\0';
        return filled;
}

/* ---- what it says ---- */

static int take_count(const PrometheusValue *value, const char *name, int64_t *ret, Error *error) {
        if (value->answer == PROMETHEUS_NOTHING)
                return error_set(error, -ENODATA, "'%s': no data", name);
        if (value->answer == PROMETHEUS_NAN)
                return error_set(error, -ENODATA, "'%s': not a number (NaN)", name);
        if (value->number < 0 || value->number > COUNT_MOST)
                return error_set(error, -EBADMSG, "'%s': %g is no count", name, value->number);
        *ret = rounded(value->number);
        return 0;
}

/* In seconds; -1: not known. */
static int take_quantile(const PrometheusValue *value, const char *name, int64_t *ret_us, Error *error) {
        *ret_us = -1;
        if (!value || value->answer != PROMETHEUS_NUMBER)
                return 0;
        if (value->number < 0 || value->number > LATENCY_MOST_S)
                return error_set(error, -EBADMSG, "'%s': %g s is no latency", name, value->number);
        *ret_us = rounded(value->number * 1e6);
        return 0;
}

int prometheus_fill_sample(const PrometheusReadings *readings, Sample *sample, Error *error) {
        int64_t requests = 0, errors = 0, p99 = -1, p50 = -1;
        int r = take_count(readings->requests, "requests", &requests, error);
        if (r == 0)
                r = take_count(readings->errors, "errors", &errors, error);
        if (r == 0)
                r = take_quantile(readings->p99, "latency_p99", &p99, error);
        if (r == 0)
                r = take_quantile(readings->p50, "latency_p50", &p50, error);
        if (r < 0)
                return r;
        /* both are interpolated, each for itself: a little more errors than requests are all of them */
        if (errors > requests + requests / 100 + 1)
                return error_set(error, -EBADMSG, "'errors': %" PRId64 " of %" PRId64 " requests", errors, requests);
        sample->measured = true;
        sample->requests = requests;
        sample->errors = errors < requests ? errors : requests;
        sample->successes = requests - sample->errors;
        sample->latency_p99_us = p99;
        sample->latency_p50_us = p50;
        if (requests > 0 && readings->p99 && p99 < 0)
                snprintf(sample->note, sizeof sample->note, "'latency_p99': no data");
        return 0;
}
