/* Metrics: each from what really measures it, with its age; null, never 0, for what isn't known. */
#include "api/wire.h"
#include "base/clock.h"
#include "daemon/operations.h"

#include <string.h>

#define WHOLE_MINUTE_US (MINUTE_US - 3 * USEC_PER_SEC) /* its edges fall between seconds */

static json_t *age(int64_t mono_us) {
        if (mono_us <= 0)
                return json_null();
        return json_real((double)(clock_mono_us() - mono_us) / (double)USEC_PER_SEC);
}

static json_t *count_or_null(int64_t count) {
        return count >= 0 ? json_integer(count) : json_null();
}

/* To two decimals. */
static json_t *rate(int64_t count, int64_t length_us) {
        int64_t hundredths = count * 100 * USEC_PER_SEC / length_us;
        return json_real((double)hundredths / 100);
}

static int64_t share_ppm(int64_t part, int64_t whole) {
        return whole > 0 ? part * PPM / whole : -1;
}

/* ---- the last minute ---- */

typedef struct LastMinute {
        const char *source;
        bool connected, known;
        MinuteTotals totals;
        char note[DETAIL_MAX];
} LastMinute;

static void read_minute(Controller *controller, LastMinute *minute) {
        const Config *config = controller->config;
        MetricsPulse pulse = {0};
        *minute = (LastMinute){.source = config->metrics_driver ? config->metrics_driver->name : "none"};
        bool open = controller->watcher && watcher_pulse(controller->watcher, &pulse);
        minute->connected = open && pulse.connected;
        minute->known = minute->connected && watcher_minute(controller->watcher, &minute->totals);
        const char *why = !config->metrics_driver ? "no metrics source is configured (metrics.source)"
                          : !open                 ? "the metrics source isn't open"
                          : pulse.detail[0]       ? pulse.detail
                                                  : "nothing has been counted yet";
        if (!minute->known)
                snprintf(minute->note, sizeof minute->note, "%s", why);
        else if (minute->totals.known_us < WHOLE_MINUTE_US)
                snprintf(minute->note, sizeof minute->note, "of the last minute only %.0f s are known",
                         (double)minute->totals.known_us / (double)USEC_PER_SEC);
}

static json_t *requests_part(Controller *controller) {
        LastMinute minute;
        read_minute(controller, &minute);
        const MinuteTotals *totals = &minute.totals;
        int64_t success_ppm = share_ppm(totals->requests - totals->failures, totals->requests);
        return json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:o}", "rate_1m",
                         minute.known ? rate(totals->requests, totals->known_us) : json_null(), "success_rate_1m",
                         wire_percent(minute.known ? success_ppm : -1), "count_1m",
                         count_or_null(minute.known ? totals->requests : -1), "sample_age_s",
                         age(minute.known ? totals->end_mono : 0), "source", minute.source, "connected",
                         (int)minute.connected, "note", wire_text(minute.note));
}

static json_t *errors_part(Controller *controller) {
        LastMinute minute;
        read_minute(controller, &minute);
        const MinuteTotals *totals = &minute.totals;
        return json_pack("{s:o, s:o, s:o, s:o}", "count_1m", count_or_null(minute.known ? totals->errors : -1),
                         "rate_1m", wire_percent(minute.known ? share_ppm(totals->errors, totals->requests) : -1),
                         "sample_age_s", age(minute.known ? totals->end_mono : 0), "note", wire_text(minute.note));
}

/* ---- latency ---- */

/* The newest sample with a latency; a thin one, too, which is then said. */
static const Sample *newest_sample(const Engine *engine) {
        for (unsigned back = 0; back < engine->count; back++) {
                const Sample *sample =
                        &engine->samples[(engine->newest + WINDOW_SAMPLES_MAX - back) % WINDOW_SAMPLES_MAX];
                if (sample->measured && sample->latency_p99_us >= 0)
                        return sample;
        }
        return NULL;
}

static json_t *latency_part(Controller *controller) {
        const Rules *rules = &controller->config->rules;
        const Sample *sample = controller->watcher ? newest_sample(watcher_engine(controller->watcher)) : NULL;
        char note[DETAIL_MAX] = "";
        if (!sample)
                return json_pack("{s:n, s:n, s:n, s:n, s:n, s:n, s:s}", "p50_ms", "p99_ms", "error_rate_percent",
                                 "sample_age_s", "sample_s", "requests", "note",
                                 controller->config->metrics_driver
                                         ? "no sample has a latency yet"
                                         : "no metrics source is configured (metrics.source)");
        if (!engine_sample_usable(rules, sample))
                snprintf(note, sizeof note, "thin: %lld requests, and %lld are needed to decide anything%s%.60s",
                         (long long)sample->requests, (long long)rules->min_requests, sample->note[0] ? "; " : "",
                         sample->note);
        else
                snprintf(note, sizeof note, "%s", sample->note);
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "p50_ms", wire_ms(sample->latency_p50_us), "p99_ms",
                         wire_ms(sample->latency_p99_us), "error_rate_percent",
                         wire_percent(share_ppm(sample->errors, sample->requests)), "sample_age_s",
                         age(sample->end_mono), "sample_s",
                         json_real((double)(sample->end_mono - sample->start_mono) / (double)USEC_PER_SEC), "requests",
                         (json_int_t)sample->requests, "note", wire_text(note));
}

/* ---- the balancer and this machine ---- */

static json_t *connections_part(Controller *controller) {
        const TrafficState *traffic = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        const char *problem = controller->watcher ? watcher_traffic_problem(controller->watcher) : "";
        const char *why = !controller->config->traffic_driver ? "no balancer is configured (traffic.driver)" : problem;
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "active", count_or_null(traffic ? traffic->in_flight : -1), "max",
                         count_or_null(traffic ? traffic->limit : -1), "parked",
                         count_or_null(traffic ? traffic->parked : -1), "sample_age_s",
                         age(traffic ? watcher_traffic_mono(controller->watcher) : 0), "note",
                         wire_text(traffic ? traffic->detail : why));
}

static json_t *system_part(Controller *controller) {
        SystemLoad load = {-1, -1, -1, 0, 0};
        if (controller->checkup)
                load = *checkup_load(controller->checkup);
        int64_t oldest_mono = load.cpu_ppm >= 0 || load.memory_ppm >= 0 ? load.at_mono : 0;
        if (load.disk_ppm >= 0 && (oldest_mono == 0 || load.disk_mono < oldest_mono))
                oldest_mono = load.disk_mono;
        return json_pack("{s:o, s:o, s:o, s:o}", "cpu_percent", wire_percent(load.cpu_ppm), "memory_percent",
                         wire_percent(load.memory_ppm), "disk_percent", wire_percent(load.disk_ppm), "sample_age_s",
                         age(oldest_mono));
}

static const struct Part {
        const char *name;
        json_t *(*make)(Controller *controller);
} parts[] = {
        {"requests", requests_part},       {"latency", latency_part}, {"errors", errors_part},
        {"connections", connections_part}, {"system", system_part},
};

int op_metrics(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        const char *wanted = text_of(arguments, "part");
        (void)caller;
        json_t *summary = json_object();
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                if (strcmp(wanted, parts[i].name) == 0) {
                        json_decref(summary);
                        return answer(parts[i].make(self), ret_answer, problem);
                }
                json_object_set_new(summary, parts[i].name, parts[i].make(self));
        }
        return answer(summary, ret_answer, problem);
}
