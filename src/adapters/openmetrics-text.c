#include "adapters/openmetrics-text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PPM INT64_C(1000000)
#define COUNT_MAX 9007199254740992.0 /* 2^53: beyond it a float can't count */
#define DIFFERENCE_MAX (PPM * PPM)   /* of one sample; more isn't a count, and ranks must not overflow */
#define LABELS_MAX 32

/* A piece of the line; not NUL-terminated. */
typedef struct Text {
        const char *data;
        size_t size;
} Text;

typedef struct Label {
        Text name;
        char value[OPENMETRICS_TEXT_MAX]; /* unescaped, cut */
} Label;

typedef struct Series {
        Text name;
        unsigned label_count;
        Label labels[LABELS_MAX];
        double value;
} Series;

static bool text_is(Text text, const char *word) {
        return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* ---- one line ---- */

static Text scan_name(const char **at, const char *more) {
        const char *start = *at;
        if (isalpha((unsigned char)**at) || (**at && strchr(more, **at)))
                while (isalnum((unsigned char)**at) || (**at && strchr(more, **at)))
                        (*at)++;
        return (Text){start, (size_t)(*at - start)};
}

static bool scan_quoted(const char **at, char *buffer, size_t size) {
        size_t used = 0;
        if (*(*at)++ != '"')
                return false;
        for (; **at != '"'; (*at)++) {
                char c = **at;
                if (c == '\0' || c == '\n')
                        return false;
                if (c == '\\') {
                        c = *++(*at);
                        if (c != '\\' && c != '"' && c != 'n')
                                return false;
                        if (c == 'n')
                                c = '\n';
                }
                if (used + 1 < size)
                        buffer[used++] = c;
        }
        (*at)++;
        buffer[used] = '\0';
        return true;
}

static bool scan_labels(const char **at, Series *series) {
        series->label_count = 0;
        if (**at != '{')
                return true;
        (*at)++;
        while (**at != '}') {
                if (series->label_count >= LABELS_MAX)
                        return false;
                Label *label = &series->labels[series->label_count++];
                label->name = scan_name(at, "_");
                if (label->name.size == 0 || *(*at)++ != '=' || !scan_quoted(at, label->value, sizeof label->value))
                        return false;
                if (**at == ',')
                        (*at)++;
                else if (**at != '}')
                        return false;
        }
        (*at)++;
        return true;
}

/* "12", "1.5e+06", "NaN", "+Inf"; strtod alone would also take hexadecimal and leading blanks. */
static bool scan_value(const char **at, double *ret_value) {
        size_t size = strspn(*at, "0123456789+-.eEinfatyINFATY");
        char *end;
        if (size == 0)
                return false;
        *ret_value = strtod(*at, &end);
        if (end != *at + size)
                return false;
        *at = end;
        return true;
}

/* name{label="value",...} value [timestamp] [# exemplar] */
static bool scan_series(const char *line, Series *series) {
        const char *at = line;
        double ignored;
        series->name = scan_name(&at, "_:");
        if (series->name.size == 0 || !scan_labels(&at, series))
                return false;
        size_t blanks = strspn(at, " \t");
        at += blanks;
        if (blanks == 0 || !scan_value(&at, &series->value))
                return false;
        blanks = strspn(at, " \t");
        at += blanks;
        if (blanks > 0 && *at != '#' && *at != '\n' && *at != '\r' && *at != '\0' && !scan_value(&at, &ignored))
                return false;
        at += strspn(at, " \t\r");
        return *at == '\n' || *at == '\0' || *at == '#';
}

/* ---- what it means to us ---- */

typedef enum Presence { LABEL_ABSENT, LABEL_EQUAL, LABEL_OTHER } Presence;

static const char *label_value(const Series *series, const char *name) {
        for (unsigned i = 0; i < series->label_count; i++)
                if (text_is(series->labels[i].name, name))
                        return series->labels[i].value;
        return NULL;
}

static bool matches(const Series *series, const OpenMetricsQuery *query, bool absent_matches) {
        for (unsigned i = 0; i < query->matcher_count; i++) {
                const char *value = label_value(series, query->matchers[i].label);
                if (value ? strcmp(value, query->matchers[i].value) != 0 : !absent_matches)
                        return false;
        }
        return true;
}

static bool is_count(double value) {
        return isfinite(value) && value >= 0 && value <= COUNT_MAX;
}

static bool add_count(int64_t *sum, double value) {
        return !__builtin_add_overflow(*sum, (int64_t)value, sum);
}

static bool is_bucket_of(Text name, const char *histogram) {
        size_t size = strlen(histogram);
        return size > 0 && name.size == size + strlen("_bucket") && memcmp(name.data, histogram, size) == 0 &&
               memcmp(name.data + size, "_bucket", strlen("_bucket")) == 0;
}

static bool parse_limit(const char *text, int64_t *ret_limit_us) {
        char *end;
        double seconds = strtod(text, &end);
        if (end == text || *end != '\0' || isnan(seconds) || seconds < 0)
                return false;
        *ret_limit_us = seconds > 1e9 ? OPENMETRICS_INFINITY : (int64_t)(seconds * 1e6 + 0.5);
        return true;
}

/* Keeps the buckets in order: services list them so, several series repeat the same limits. */
static bool add_bucket(OpenMetricsTotals *totals, int64_t limit_us, double count) {
        unsigned at = totals->bucket_count;
        while (at > 0 && totals->buckets[at - 1].limit_us >= limit_us)
                at--;
        if (at < totals->bucket_count && totals->buckets[at].limit_us == limit_us)
                return add_count(&totals->buckets[at].count, count);
        if (totals->bucket_count >= OPENMETRICS_BUCKETS_MAX)
                return false;
        memmove(&totals->buckets[at + 1], &totals->buckets[at],
                (totals->bucket_count - at) * sizeof totals->buckets[0]);
        totals->buckets[at] = (OpenMetricsBucket){limit_us, (int64_t)count};
        totals->bucket_count++;
        return true;
}

static bool take_series(const Series *series, const OpenMetricsQuery *query, OpenMetricsTotals *totals,
                        bool *requests_seen) {
        if (text_is(series->name, query->requests) && matches(series, query, false)) {
                const char *kind = label_value(series, query->error.label);
                *requests_seen = true;
                if (!is_count(series->value) || !add_count(&totals->requests, series->value))
                        return false;
                return !kind || strncmp(kind, query->error.value, strlen(query->error.value)) != 0 ||
                       add_count(&totals->errors, series->value);
        }
        if (is_bucket_of(series->name, query->latency) && matches(series, query, true)) {
                const char *limit = label_value(series, "le");
                int64_t limit_us;
                return limit && parse_limit(limit, &limit_us) && is_count(series->value) &&
                       add_bucket(totals, limit_us, series->value);
        }
        return true;
}

/* A copy of the line's beginning that can be shown. */
static const char *shown(const char *line, char *buffer, size_t size) {
        size_t used = 0;
        for (; line[used] && line[used] != '\n' && used + 1 < size; used++)
                buffer[used] = isprint((unsigned char)line[used]) ? line[used] : '?';
        buffer[used] = '\0';
        return buffer;
}

static int check_totals(const OpenMetricsQuery *query, const OpenMetricsTotals *totals, bool requests_seen,
                        Error *error) {
        if (!requests_seen)
                return error_set(error, -ENOENT, "no %s in the answer", query->requests);
        if (!query->latency[0])
                return 0;
        if (totals->bucket_count == 0)
                return error_set(error, -ENOENT, "no %s_bucket in the answer", query->latency);
        if (totals->buckets[totals->bucket_count - 1].limit_us != OPENMETRICS_INFINITY)
                return error_set(error, -EBADMSG, "%s has no bucket le=\"+Inf\"", query->latency);
        for (unsigned i = 1; i < totals->bucket_count; i++)
                if (totals->buckets[i].count < totals->buckets[i - 1].count)
                        return error_set(error, -EBADMSG, "%s: a larger bucket has a smaller count", query->latency);
        return 0;
}

int openmetrics_parse(const char *text, bool whole, const OpenMetricsQuery *query, OpenMetricsTotals *ret_totals,
                      Error *error) {
        OpenMetricsTotals totals = {0};
        Series series;
        bool requests_seen = false, ended = false;
        char line_shown[64];
        unsigned number = 1;
        for (const char *line = text; *line && !ended; number++) {
                size_t blanks = strspn(line, " \t\r");
                const char *end = line + strcspn(line, "\n");
                if (line[0] == '#')
                        ended = strncmp(line, "# EOF", strlen("# EOF")) == 0;
                else if (line + blanks != end) {
                        if (!scan_series(line, &series))
                                return error_set(error, -EBADMSG, "line %u isn't a metric: \"%s\"", number,
                                                 shown(line, line_shown, sizeof line_shown));
                        if (!take_series(&series, query, &totals, &requests_seen))
                                return error_set(error, -EBADMSG, "line %u isn't a possible count: \"%s\"", number,
                                                 shown(line, line_shown, sizeof line_shown));
                }
                line = *end ? end + 1 : end;
        }
        if (whole && !ended)
                return error_set(error, -EBADMSG, "the answer is cut off: no # EOF");
        int r = check_totals(query, &totals, requests_seen, error);
        if (r == 0)
                *ret_totals = totals;
        return r;
}

/* ---- the query ---- */

static bool copy_text(char buffer[static OPENMETRICS_TEXT_MAX], const char *data, size_t size) {
        if (size == 0 || size >= OPENMETRICS_TEXT_MAX)
                return false;
        memcpy(buffer, data, size);
        buffer[size] = '\0';
        return true;
}

static bool parse_selector(const char *text, OpenMetricsQuery *query) {
        Series series;
        const char *at = text;
        series.name = scan_name(&at, "_:");
        if (!copy_text(query->requests, series.name.data, series.name.size) || !scan_labels(&at, &series) ||
            *at != '\0' || series.label_count > OPENMETRICS_MATCHERS_MAX)
                return false;
        for (unsigned i = 0; i < series.label_count; i++) {
                OpenMetricsMatcher *matcher = &query->matchers[query->matcher_count++];
                if (!copy_text(matcher->label, series.labels[i].name.data, series.labels[i].name.size))
                        return false;
                memcpy(matcher->value, series.labels[i].value, sizeof matcher->value);
        }
        return true;
}

static bool parse_error_match(const char *text, OpenMetricsMatcher *matcher) {
        const char *at = text;
        Text name = scan_name(&at, "_");
        return *at == '=' && copy_text(matcher->label, name.data, name.size) &&
               copy_text(matcher->value, at + 1, strlen(at + 1));
}

static bool parse_name(const char *text, char buffer[static OPENMETRICS_TEXT_MAX]) {
        const char *at = text;
        Text name = scan_name(&at, "_:");
        return *at == '\0' && copy_text(buffer, name.data, name.size);
}

int openmetrics_query_parse(const char *requests, const char *error_match, const char *latency,
                            OpenMetricsQuery *ret_query, Error *error) {
        OpenMetricsQuery query = {0};
        if (!parse_selector(requests, &query))
                return error_set(
                        error, -EINVAL,
                        "requests: \"%s\" isn't a metric such as http_requests_total or http_requests_total{service=\"api\"}",
                        requests);
        if (!parse_error_match(error_match, &query.error))
                return error_set(error, -EINVAL,
                                 "error_match: \"%s\" isn't a label and the beginning of its value, such as code=5",
                                 error_match);
        if (latency[0] && !parse_name(latency, query.latency))
                return error_set(error, -EINVAL,
                                 "latency: \"%s\" isn't a histogram's name such as http_request_duration_seconds",
                                 latency);
        *ret_query = query;
        return 0;
}

/* ---- two scrapes ---- */

static int subtract(int64_t before, int64_t after, int64_t *ret_difference) {
        if (after < before)
                return -ERANGE;
        *ret_difference = after - before;
        return *ret_difference > DIFFERENCE_MAX ? -EBADMSG : 0;
}

static int explain(int r, Error *error) {
        if (r == -ERANGE)
                return error_set(error, r, "the counters went back: the service was restarted since the last scrape");
        return error_set(error, r, "the numbers contradict those of the last scrape");
}

int openmetrics_difference(const OpenMetricsTotals *before, const OpenMetricsTotals *after,
                           OpenMetricsTotals *ret_difference, Error *error) {
        OpenMetricsTotals difference = {.bucket_count = after->bucket_count};
        int r = subtract(before->requests, after->requests, &difference.requests);
        if (r == 0)
                r = subtract(before->errors, after->errors, &difference.errors);
        if (r < 0)
                return explain(r, error);
        if (before->bucket_count != after->bucket_count)
                return error_set(error, -EBADMSG, "the histogram's buckets changed since the last scrape");
        for (unsigned i = 0; i < after->bucket_count; i++) {
                if (before->buckets[i].limit_us != after->buckets[i].limit_us)
                        return error_set(error, -EBADMSG, "the histogram's buckets changed since the last scrape");
                difference.buckets[i].limit_us = after->buckets[i].limit_us;
                r = subtract(before->buckets[i].count, after->buckets[i].count, &difference.buckets[i].count);
                if (r == 0 && i > 0 && difference.buckets[i].count < difference.buckets[i - 1].count)
                        r = -EBADMSG;
                if (r < 0)
                        return explain(r, error);
        }
        if (difference.errors > difference.requests)
                return explain(-EBADMSG, error);
        *ret_difference = difference;
        return 0;
}

int64_t openmetrics_quantile_us(const OpenMetricsTotals *difference, int64_t ppm) {
        unsigned count = difference->bucket_count;
        if (count == 0 || difference->buckets[count - 1].count == 0)
                return -1;
        int64_t rank = difference->buckets[count - 1].count * ppm; /* in millionths of a request */
        unsigned at = 0;
        while (difference->buckets[at].count * PPM < rank)
                at++;
        const OpenMetricsBucket *bucket = &difference->buckets[at];
        int64_t lower_us = at > 0 ? bucket[-1].limit_us : 0, below = at > 0 ? bucket[-1].count : 0;
        if (bucket->limit_us == OPENMETRICS_INFINITY)
                return at > 0 ? lower_us : -1;
        double share = (double)(rank - below * PPM) / ((double)(bucket->count - below) * (double)PPM);
        return lower_us + (int64_t)((double)(bucket->limit_us - lower_us) * share + 0.5);
}
