#include "adapters/prometheus-range.h"

#include "adapters/prometheus-source.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-event.h>

#define CHUNK 5000 /* points in one answer; Prometheus gives 11,000 at most */

typedef struct Reader Reader;

typedef struct Ask {
        Reader *reader;
        PrometheusMetric metric;
        HttpCall *call;
} Ask;

struct Reader {
        PrometheusSource source;
        sd_event *event;
        HttpClient *http;
        int64_t interval_us, begin_us, end_us; /* of the chunk: its first and its last point */
        Ask asks[PROMETHEUS_METRICS];
        PrometheusValue *points[PROMETHEUS_METRICS]; /* CHUNK each, by place */
        PrometheusValue *answer;                     /* as it came */
        unsigned waiting;
        Error error; /* of the first that failed */
};

/* Each value to its place; what is missing stays nothing. */
static int place(Reader *reader, PrometheusMetric metric, size_t count, Error *error) {
        PrometheusValue *points = reader->points[metric];
        memset(points, 0, CHUNK * sizeof *points);
        for (size_t i = 0; i < count; i++) {
                int64_t off = reader->answer[i].at_us - reader->begin_us;
                int64_t at = (off + reader->interval_us / 2) / reader->interval_us;
                if (off < -reader->interval_us / 2 || at >= CHUNK)
                        return error_set(error, -EBADMSG, "a value is of another time than was asked for");
                points[at] = reader->answer[i];
        }
        return 0;
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Reader *reader = ask->reader;
        Error error = {0};
        size_t count = 0;
        ask->call = NULL;
        reader->waiting--;
        int r = prometheus_check_answer(answer, &error);
        if (r == 0)
                r = prometheus_parse_range(answer->body, answer->size, reader->answer, CHUNK, &count, &error);
        if (r == 0)
                r = place(reader, ask->metric, count, &error);
        if (r < 0 && reader->error.code == 0) {
                prometheus_blame(&reader->source, ask->metric, &error);
                reader->error = error;
        }
}

static int ask_chunk(Reader *reader, Error *error) {
        char moments[128];
        snprintf(moments, sizeof moments,
                 "&start=%" PRId64 ".%06" PRId64 "&end=%" PRId64 ".%06" PRId64 "&step=%" PRId64 "ms",
                 reader->begin_us / USEC_PER_SEC, reader->begin_us % USEC_PER_SEC, reader->end_us / USEC_PER_SEC,
                 reader->end_us % USEC_PER_SEC, reader->interval_us / USEC_PER_MSEC);
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++) {
                Ask *ask = &reader->asks[i];
                *ask = (Ask){.reader = reader, .metric = (PrometheusMetric)i};
                if (!reader->source.queries[i][0])
                        continue;
                int r = prometheus_ask(&reader->source, reader->http, ask->metric, reader->interval_us, "query_range",
                                       moments, reader->source.timeout_us, on_answer, ask, &ask->call, error);
                if (r < 0)
                        return r;
                reader->waiting++;
        }
        while (reader->waiting > 0 && reader->error.code == 0) {
                int r = sd_event_run(reader->event, UINT64_MAX);
                if (r < 0)
                        return error_set(error, r, "cannot wait for %s: %s", reader->source.url, strerror(-r));
        }
        if (reader->error.code != 0)
                *error = reader->error;
        return reader->error.code;
}

static void tell_chunk(Reader *reader, void (*visit)(void *userdata, const Sample *sample), void *userdata) {
        PrometheusValue values[PROMETHEUS_METRICS];
        for (int64_t at = reader->begin_us, i = 0; at <= reader->end_us; at += reader->interval_us, i++) {
                Sample sample = {
                        .start_mono = at - reader->interval_us,
                        .end_mono = at,
                        .end_wall = at,
                        .latency_p50_us = -1,
                        .latency_p99_us = -1,
                };
                Error error = {0};
                for (unsigned metric = 0; metric < PROMETHEUS_METRICS; metric++)
                        values[metric] = reader->points[metric][i];
                PrometheusReadings readings = prometheus_readings(&reader->source, values);
                if (prometheus_fill_sample(&readings, &sample, &error) < 0)
                        snprintf(sample.note, sizeof sample.note, "%.*s", DETAIL_MAX - 1, error_text(&error));
                visit(userdata, &sample);
        }
}

static int open_reader(Reader *reader, const Settings *settings, Error *error) {
        int r = prometheus_source_open(settings, &reader->source, error);
        if (r >= 0 && (r = sd_event_new(&reader->event)) < 0)
                error_set(error, r, "cannot make an event loop: %s", strerror(-r));
        if (r >= 0)
                r = http_client_new(reader->event, &reader->http, error);
        reader->answer = calloc(CHUNK, sizeof *reader->answer);
        bool complete = reader->answer;
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++)
                complete = (reader->points[i] = calloc(CHUNK, sizeof *reader->points[i])) && complete;
        return r >= 0 && !complete ? error_set(error, -ENOMEM, "out of memory") : r;
}

static void close_reader(Reader *reader) {
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++) {
                http_cancel(reader->asks[i].call);
                free(reader->points[i]);
        }
        free(reader->answer);
        http_client_free(reader->http);
        sd_event_unref(reader->event);
}

int prometheus_range_read(const Settings *settings, int64_t interval_us, int64_t from_wall, int64_t to_wall,
                          void (*visit)(void *userdata, const Sample *sample), void *userdata, Error *error) {
        Reader reader = {.interval_us = interval_us};
        int r = open_reader(&reader, settings, error);
        for (reader.begin_us = from_wall; r >= 0 && reader.begin_us <= to_wall;
             reader.begin_us = reader.end_us + interval_us) {
                int64_t left = (to_wall - reader.begin_us) / interval_us;
                reader.end_us = reader.begin_us + (left < CHUNK - 1 ? left : CHUNK - 1) * interval_us;
                r = ask_chunk(&reader, error);
                if (r >= 0)
                        tell_chunk(&reader, visit, userdata);
        }
        close_reader(&reader);
        return r < 0 ? r : 0;
}
