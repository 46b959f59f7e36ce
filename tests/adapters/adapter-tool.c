/* Drives a traffic or metrics driver from a pipe, so that a script can put it before real parts:
 *   adapter-tool traffic|metrics DRIVER KEY=VALUE...      (a list: KEY=a,b)
 * then one command a line on stdin, one line of JSON as the answer on stdout:
 *   drain CUT_MS BUDGET_MS | restore BUDGET_MS [everything: 1] | query BUDGET_MS | collect BUDGET_MS | pulse
 * Between commands the event loop runs, so a drained driver keeps its gate closed. The end of stdin ends it without restoring. */
#include "adapters/adapter.h"

#include <errno.h>
#include <string.h>

#include "tool-line.h"

static sd_event *event;
static const TrafficDriver *traffic;
static const MetricsDriver *metrics;
static void *driver;
static json_t *warnings;
static int64_t begun_us;
static Op *op;

static void warn(void *userdata, const char *source, const char *message) {
        (void)userdata;
        json_array_append_new(warnings, json_pack("{ssss}", "source", source, "message", message));
}

static int64_t now_us(void) {
        uint64_t now = 0;
        (void)sd_event_now(event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

static void tell(json_t *answer) {
        json_object_set_new(answer, "ms", json_real((double)(now_us() - begun_us) / 1000));
        json_object_set(answer, "warnings", warnings);
        tool_tell(answer);
        json_array_clear(warnings);
}

static json_t *describe(const OpResult *result) {
        json_t *answer = tool_result(result);
        json_object_set_new(answer, "number", json_integer(result->number));
        return answer;
}

static void on_act(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        tell(describe(result));
}

static void on_query(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        json_t *answer = describe(result);
        if (result->status == OP_DONE)
                json_object_update_new(
                        answer, json_pack("{sbsbsIsIsIss}", "drained", result->traffic.drained, "gated",
                                          result->traffic.gated, "in_flight", (json_int_t)result->traffic.in_flight,
                                          "parked", (json_int_t)result->traffic.parked, "limit",
                                          (json_int_t)result->traffic.limit, "detail", result->traffic.detail));
        tell(answer);
}

static void on_sample(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        const Sample *s = &result->sample;
        json_t *answer = describe(result);
        if (result->status == OP_DONE)
                json_object_update_new(
                        answer, json_pack("{sb sI sI sI sI sI sI sI ss}", "measured", s->measured, "requests",
                                          (json_int_t)s->requests, "errors", (json_int_t)s->errors, "successes",
                                          (json_int_t)s->successes, "p50_us", (json_int_t)s->latency_p50_us, "p99_us",
                                          (json_int_t)s->latency_p99_us, "dropped", (json_int_t)s->dropped, "span_us",
                                          (json_int_t)(s->end_mono - s->start_mono), "note", s->note));
        tell(answer);
}

static void tell_pulse(void) {
        MetricsPulse p;
        metrics->pulse(driver, &p);
        tell(json_pack("{sb sI sI sI sI sb sb sI sI sI ss}", "connected", p.connected, "requests",
                       (json_int_t)p.requests, "failures", (json_int_t)p.failures, "errors", (json_int_t)p.errors,
                       "scraped_us", (json_int_t)(p.as_of_mono > 0 ? p.as_of_mono - p.from_mono : -1), "succeeded",
                       p.last_success_mono != 0, "failing", p.first_failure_mono != 0, "failures_since_success",
                       (json_int_t)p.failures_since_success, "parked", (json_int_t)p.parked, "parked_longest_us",
                       (json_int_t)p.parked_longest_us, "detail", p.detail));
}

static void act(const char *line) {
        char verb[16] = "";
        long long a = 1000, b = 1000;
        Error error = {0};
        int r = -EINVAL;
        begun_us = now_us();
        sscanf(line, "%15s %lld %lld", verb, &a, &b);
        if (traffic && strcmp(verb, "drain") == 0)
                r = traffic->drain(driver, a * 1000, b * 1000, on_act, NULL, &op, &error);
        else if (traffic && strcmp(verb, "restore") == 0)
                r = traffic->restore(driver, b != 1000, a * 1000, on_act, NULL, &op, &error);
        else if (traffic && strcmp(verb, "query") == 0)
                r = traffic->query(driver, a * 1000, on_query, NULL, &op, &error);
        else if (metrics && strcmp(verb, "collect") == 0)
                r = metrics->collect(driver, a * 1000, on_sample, NULL, &op, &error);
        else if (metrics && strcmp(verb, "pulse") == 0) {
                tell_pulse();
                return;
        }
        if (r < 0)
                tell(tool_refused(&error));
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 64;
        Error error = {0};
        const Rules rules = {.latency_p99_us = 100 * USEC_PER_MSEC};
        traffic = strcmp(argv[1], "traffic") == 0 ? traffic_driver_find(argv[2]) : NULL;
        metrics = strcmp(argv[1], "metrics") == 0 ? metrics_driver_find(argv[2]) : NULL;
        const SettingSpec *specs = traffic ? traffic->settings : metrics ? metrics->settings : NULL;
        Settings *settings = NULL;
        HttpClient *http = NULL;
        warnings = json_array();
        int r = specs ? settings_new(specs, &settings, &error) : error_set(&error, -EINVAL, "no such driver");
        for (int i = 3; i < argc && r >= 0; i++)
                r = tool_set(settings, specs, argv[i], &error);
        if (r >= 0)
                r = sd_event_new(&event);
        if (r >= 0)
                r = http_client_new(event, &http, &error);
        const DriverContext context = {.event = event, .http = http, .warn = warn};
        if (r >= 0)
                r = traffic ? traffic->open(&context, settings, &driver, &error)
                            : metrics->open(&context, settings, &rules, &driver, &error);
        tell(r < 0 ? tool_refused(&error) : tool_open());
        if (r >= 0)
                r = tool_serve(event, act);
        op_cancel(op);
        if (driver && traffic)
                traffic->close(driver);
        if (driver && metrics)
                metrics->close(driver);
        http_client_free(http);
        settings_free(settings);
        json_decref(warnings);
        sd_event_unref(event);
        return r < 0;
}
