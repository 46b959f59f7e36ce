/* MetricsDriver "openmetrics": scrapes the service's own counters and histogram. What the service doesn't know of, a refused
 * connection or a cut answer, it can't tell: where there is a balancer, "edge" is the better witness. */
#include "adapters/adapter.h"
#include "adapters/openmetrics-text.h"
#include "adapters/scrape-pulse.h"

#include <errno.h>
#include <string.h>

#define ANSWER_MAX ((size_t)4 * 1024 * 1024)

typedef struct Scraper {
        DriverContext context;
        const char *url;
        int64_t timeout_us;
        OpenMetricsQuery query;
        bool has_before;
        OpenMetricsTotals before; /* the last good scrape, and when it was */
        int64_t before_mono;
        int64_t sample_start_mono;
        MetricsPulse pulse;
} Scraper;

static const SettingSpec openmetrics_settings[] = {
        {"url", SETTING_URL, NULL, 0, 0, NULL, "where the service tells its metrics"},
        {"requests", SETTING_STRING, "http_requests_total", 0, 0, NULL,
         "the counter of finished requests, labels allowed: name{service=\"api\"}"},
        {"error_match", SETTING_STRING, "code=5", 0, 0, NULL,
         "its label, and how the label's value begins on an error"},
        {"latency", SETTING_STRING, "http_request_duration_seconds", 0, 0, NULL,
         "the histogram of the response time, in seconds"},
        {"timeout", SETTING_DURATION, "2s", 10 * USEC_PER_MSEC, 60 * USEC_PER_SEC, NULL, "for one scrape"},
        {0},
};

static int64_t now_us(const Scraper *scraper, clockid_t clock) {
        uint64_t now = 0;
        (void)sd_event_now(scraper->context.event, clock, &now);
        return (int64_t)now;
}

static void scraper_close(void *self) {
        free(self);
}

static int scraper_open(const DriverContext *context, const Settings *settings, const Rules *rules, void **ret_self,
                        Error *error) {
        (void)rules;
        Scraper *scraper = calloc(1, sizeof *scraper);
        if (!scraper)
                return error_set(error, -ENOMEM, "openmetrics: out of memory");
        scraper->context = *context;
        scraper->url = settings_string(settings, "url");
        scraper->timeout_us = settings_int(settings, "timeout");
        scraper->sample_start_mono = now_us(scraper, CLOCK_BOOTTIME);
        snprintf(scraper->pulse.detail, sizeof scraper->pulse.detail, "not scraped yet");
        int r = openmetrics_query_parse(settings_string(settings, "requests"), settings_string(settings, "error_match"),
                                        settings_string(settings, "latency"), &scraper->query, error);
        if (r < 0) {
                error_prefix(error, "metrics.openmetrics");
                free(scraper);
                return r;
        }
        *ret_self = scraper;
        return 0;
}

static void scraper_pulse(void *self, MetricsPulse *ret_pulse) {
        *ret_pulse = ((Scraper *)self)->pulse;
}

/* ---- one scrape ---- */

typedef struct Scrape {
        Op op;
        Scraper *scraper;
        HttpCall *call;
} Scrape;

static void scrape_destroy(Op *op) {
        Scrape *scrape = (Scrape *)op;
        http_cancel(scrape->call);
        op_finish_base(op);
        free(scrape);
}

static int read_answer(const Scraper *scraper, const HttpAnswer *answer, OpenMetricsTotals *ret_totals, Error *error) {
        if (answer->code == 0) {
                *error = answer->error;
                return answer->error.code;
        }
        if (answer->code != 200)
                return error_set(error, -EPROTO, "%s: answered with status %d", scraper->url, answer->code);
        if (strlen(answer->body) != answer->size)
                return error_set(error, -EBADMSG, "%s: binary data instead of metrics", scraper->url);
        bool whole = strncmp(answer->content_type, "application/openmetrics-text",
                             strlen("application/openmetrics-text")) == 0;
        int r = openmetrics_parse(answer->body, whole, &scraper->query, ret_totals, error);
        if (r < 0)
                error_prefix(error, "%s", scraper->url);
        return r;
}

/* The sample begins where the scrape did that it is compared with: after a failed scrape that is further back. */
static void fill_sample(Scraper *scraper, const OpenMetricsTotals *difference, Sample *sample) {
        sample->measured = true;
        sample->start_mono = scraper->before_mono;
        sample->requests = difference->requests;
        sample->errors = difference->errors;
        sample->successes = difference->requests - difference->errors;
        sample->latency_p50_us = openmetrics_quantile_us(difference, 500000);
        sample->latency_p99_us = openmetrics_quantile_us(difference, 990000);
        scrape_pulse_count(&scraper->pulse, sample);
}

static void take_scrape(Scraper *scraper, const HttpAnswer *answer, Sample *sample) {
        OpenMetricsTotals totals, difference;
        Error error = {0};
        int r = read_answer(scraper, answer, &totals, &error);
        scraper->pulse.connected = r >= 0;
        snprintf(scraper->pulse.detail, sizeof scraper->pulse.detail, "%s", r < 0 ? error_text(&error) : "");
        if (r < 0) {
                snprintf(sample->note, sizeof sample->note, "%s", error_text(&error));
                return;
        }
        scraper->pulse.from_mono = scraper->pulse.as_of_mono = sample->end_mono;
        if (!scraper->has_before)
                snprintf(sample->note, sizeof sample->note, "first scrape: there is nothing to compare it with yet");
        else if (openmetrics_difference(&scraper->before, &totals, &difference, &error) < 0)
                snprintf(sample->note, sizeof sample->note, "%s: %s", scraper->url, error_text(&error));
        else
                fill_sample(scraper, &difference, sample);
        scraper->has_before = true;
        scraper->before = totals;
        scraper->before_mono = sample->end_mono;
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Scrape *scrape = userdata;
        Scraper *scraper = scrape->scraper;
        OpResult result = {.status = OP_DONE};
        scrape->call = NULL;
        result.sample = (Sample){
                .start_mono = scraper->sample_start_mono,
                .end_mono = now_us(scraper, CLOCK_BOOTTIME),
                .end_wall = now_us(scraper, CLOCK_REALTIME),
                .latency_p50_us = -1,
                .latency_p99_us = -1,
        };
        take_scrape(scraper, answer, &result.sample);
        scraper->sample_start_mono = result.sample.end_mono;
        op_complete(&scrape->op, &result);
}

static int scraper_collect(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                           Error *error) {
        Scraper *scraper = self;
        static const char *const headers[] = {
                "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", NULL};
        const HttpRequest request = {.url = scraper->url, .headers = headers, .answer_max = ANSWER_MAX, .reuse = true};
        Scrape *scrape = calloc(1, sizeof *scrape);
        if (!scrape)
                return error_set(error, -ENOMEM, "openmetrics: out of memory");
        scrape->scraper = scraper;
        /* Less than the Op's budget: a source that hangs is a sample that wasn't measured, not an Op that failed. */
        int64_t most_us = budget_us - budget_us / 10;
        int r = op_begin(&scrape->op, scraper->context.event, "metrics scrape", budget_us, callback, userdata,
                         scrape_destroy);
        if (r < 0)
                error_set(error, r, "%s: cannot begin a scrape: %s", scraper->url, strerror(-r));
        else
                r = http_begin(scraper->context.http, &request,
                               scraper->timeout_us < most_us ? scraper->timeout_us : most_us, on_answer, scrape,
                               &scrape->call, error);
        if (r < 0) {
                op_cancel(&scrape->op);
                return r;
        }
        *ret_op = &scrape->op;
        return 0;
}

const MetricsDriver openmetrics_metrics_driver = {
        .name = "openmetrics",
        .settings = openmetrics_settings,
        .open = scraper_open,
        .close = scraper_close,
        .collect = scraper_collect,
        .pulse = scraper_pulse,
};
