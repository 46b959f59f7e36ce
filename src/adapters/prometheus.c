/* MetricsDriver "prometheus": one instant query for each number, over just the sample's time. It sees the service through scrapes: what
 * happened since the newest one it learns with the next sample, so the interval should be four scrapes or more. The first error
 * that a service ever tells with a series of its own can't be seen by increase(); a service should begin its counters at 0. */
#include "adapters/adapter.h"
#include "adapters/prometheus-source.h"
#include "adapters/scrape-pulse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SAME_TIME_US USEC_PER_SEC /* an answer for another moment than the one that was asked for is stale */

typedef struct Prometheus {
        DriverContext context;
        PrometheusSource source;
        int64_t sample_start_mono;
        MetricsPulse pulse;
} Prometheus;

static int64_t now_us(const Prometheus *prometheus, clockid_t clock) {
        uint64_t now = 0;
        (void)sd_event_now(prometheus->context.event, clock, &now);
        return (int64_t)now;
}

static void prometheus_close(void *self) {
        free(self);
}

static int prometheus_open(const DriverContext *context, const Settings *settings, const Rules *rules, void **ret_self,
                           Error *error) {
        (void)rules;
        Prometheus *prometheus = calloc(1, sizeof *prometheus);
        if (!prometheus)
                return error_set(error, -ENOMEM, "prometheus: out of memory");
        prometheus->context = *context;
        prometheus->sample_start_mono = now_us(prometheus, CLOCK_BOOTTIME);
        snprintf(prometheus->pulse.detail, sizeof prometheus->pulse.detail, "not asked yet");
        int r = prometheus_source_open(settings, &prometheus->source, error);
        if (r < 0) {
                free(prometheus);
                return r;
        }
        *ret_self = prometheus;
        return 0;
}

static void prometheus_pulse(void *self, MetricsPulse *ret_pulse) {
        *ret_pulse = ((Prometheus *)self)->pulse;
}

/* ---- one sample ---- */

typedef struct Collect Collect;

typedef struct Ask {
        Collect *collect;
        PrometheusMetric metric;
        HttpCall *call;
} Ask;

struct Collect {
        Op op;
        Prometheus *prometheus;
        Ask asks[PROMETHEUS_METRICS];
        unsigned waiting;
        PrometheusValue values[PROMETHEUS_METRICS];
        Sample sample; /* its time; the numbers follow */
};

static void collect_destroy(Op *op) {
        Collect *collect = (Collect *)op;
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++)
                http_cancel(collect->asks[i].call);
        op_finish_base(op);
        free(collect);
}

/* The sample as it is, measured or not; `r` and `error`: why not. */
static void finish(Collect *collect, int r, const Error *error) {
        Prometheus *prometheus = collect->prometheus;
        OpResult result = {.status = OP_DONE, .sample = collect->sample};
        if (r < 0)
                snprintf(result.sample.note, sizeof result.sample.note, "%.*s", DETAIL_MAX - 1, error_text(error));
        /* who answers that nothing was scraped is heard all the same */
        prometheus->pulse.connected = r >= 0 || r == -ENODATA;
        snprintf(prometheus->pulse.detail, sizeof prometheus->pulse.detail, "%s", r < 0 ? result.sample.note : "");
        if (r >= 0)
                scrape_pulse_count(&prometheus->pulse, &result.sample);
        op_complete(&collect->op, &result);
}

static void finish_answered(Collect *collect) {
        Error error = {0};
        const PrometheusSource *source = &collect->prometheus->source;
        PrometheusReadings readings = prometheus_readings(source, collect->values);
        int r = prometheus_fill_sample(&readings, &collect->sample, &error);
        if (r < 0)
                error_prefix(&error, "%.100s", source->url);
        finish(collect, r, &error);
}

static int take_answer(const Ask *ask, const HttpAnswer *answer, Error *error) {
        Collect *collect = ask->collect;
        PrometheusValue *value = &collect->values[ask->metric];
        int r = prometheus_check_answer(answer, error);
        if (r == 0)
                r = prometheus_parse_instant(answer->body, answer->size, value, error);
        if (r < 0 || value->answer == PROMETHEUS_NOTHING)
                return r;
        int64_t off = value->at_us - collect->sample.end_wall;
        if (off > SAME_TIME_US || off < -SAME_TIME_US)
                return error_set(error, -EBADMSG, "stale: the answer is %" PRId64 " s off the time that was asked for",
                                 off / USEC_PER_SEC);
        return 0;
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Collect *collect = ask->collect;
        Error error = {0};
        ask->call = NULL;
        collect->waiting--;
        int r = take_answer(ask, answer, &error);
        if (r < 0) {
                prometheus_blame(&collect->prometheus->source, ask->metric, &error);
                finish(collect, r, &error);
        } else if (collect->waiting == 0)
                finish_answered(collect);
}

static int begin_asks(Collect *collect, int64_t budget_us, Error *error) {
        Prometheus *prometheus = collect->prometheus;
        const PrometheusSource *source = &prometheus->source;
        const Sample *sample = &collect->sample;
        char moment[48];
        snprintf(moment, sizeof moment, "&time=%" PRId64 ".%03" PRId64, sample->end_wall / USEC_PER_SEC,
                 sample->end_wall % USEC_PER_SEC / USEC_PER_MSEC);
        for (unsigned i = 0; i < PROMETHEUS_METRICS; i++) {
                Ask *ask = &collect->asks[i];
                *ask = (Ask){.collect = collect, .metric = (PrometheusMetric)i};
                if (!source->queries[i][0])
                        continue;
                int r = prometheus_ask(source, prometheus->context.http, ask->metric,
                                       sample->end_mono - sample->start_mono, "query", moment, budget_us, on_answer,
                                       ask, &ask->call, error);
                if (r < 0)
                        return r;
                collect->waiting++;
        }
        return 0;
}

static int prometheus_collect(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                              Error *error) {
        Prometheus *prometheus = self;
        Collect *collect = calloc(1, sizeof *collect);
        if (!collect)
                return error_set(error, -ENOMEM, "prometheus: out of memory");
        collect->prometheus = prometheus;
        collect->sample = (Sample){
                .start_mono = prometheus->sample_start_mono,
                .end_mono = now_us(prometheus, CLOCK_BOOTTIME),
                .end_wall = now_us(prometheus, CLOCK_REALTIME),
                .latency_p50_us = -1,
                .latency_p99_us = -1,
        };
        prometheus->sample_start_mono = collect->sample.end_mono;
        /* Less than the Op's budget: a source that hangs is a sample that wasn't measured, not an Op that failed. */
        int64_t most_us = budget_us - budget_us / 10;
        int r = op_begin(&collect->op, prometheus->context.event, "metrics query", budget_us, callback, userdata,
                         collect_destroy);
        if (r < 0)
                error_set(error, r, "%s: cannot begin a query: %s", prometheus->source.url, strerror(-r));
        else
                r = begin_asks(collect,
                               prometheus->source.timeout_us < most_us ? prometheus->source.timeout_us : most_us,
                               error);
        if (r < 0) {
                op_cancel(&collect->op);
                return r;
        }
        *ret_op = &collect->op;
        return 0;
}

const MetricsDriver prometheus_metrics_driver = {
        .name = "prometheus",
        .settings = prometheus_settings,
        .open = prometheus_open,
        .close = prometheus_close,
        .collect = prometheus_collect,
        .pulse = prometheus_pulse,
};
