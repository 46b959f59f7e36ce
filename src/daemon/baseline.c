#include "daemon/baseline.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/controller.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define KEY_MAX (VERSION_MAX + 16)

static int by_size(const void *one, const void *other) {
        const int64_t *a = one, *b = other;
        return (*a > *b) - (*a < *b);
}

bool baseline_measure(const Rules *rules, const Verdict *verdict, Baseline *ret) {
        int64_t latencies[WINDOW_SAMPLES_MAX], requests = 0;
        unsigned count = 0;
        if (verdict->triggered)
                return false;
        for (unsigned i = 0; i < verdict->count; i++) {
                const Sample *sample = verdict->samples[i];
                if (!engine_sample_usable(rules, sample) || sample->latency_p99_us < 0)
                        continue;
                latencies[count++] = sample->latency_p99_us;
                requests += sample->requests;
        }
        if (count == 0)
                return false;
        qsort(latencies, count, sizeof latencies[0], by_size);
        /* of two in the middle the lower: the stricter baseline */
        *ret = (Baseline){.p99_us = latencies[(count - 1) / 2], .samples = count, .requests = requests};
        return true;
}

void baseline_format(const Baseline *baseline, char ret_text[BASELINE_TEXT_MAX]) {
        snprintf(ret_text, BASELINE_TEXT_MAX,
                 "{\"p99_us\": %" PRId64 ", \"samples\": %" PRId64 ", \"requests\": %" PRId64 ", \"at\": %" PRId64 "}",
                 baseline->p99_us, baseline->samples, baseline->requests, baseline->at_wall);
}

bool baseline_parse(const char *text, Baseline *ret) {
        json_t *value = json_loads(text, 0, NULL);
        json_int_t p99_us, samples, requests, at_wall;
        bool good = json_unpack(value, "{s:I, s:I, s:I, s:I}", "p99_us", &p99_us, "samples", &samples, "requests",
                                &requests, "at", &at_wall) == 0 &&
                    p99_us >= 0 && samples > 0;
        if (good)
                *ret = (Baseline){.p99_us = p99_us, .samples = samples, .requests = requests, .at_wall = at_wall};
        json_decref(value);
        return good;
}

static void key_of(const char *version, char ret_key[KEY_MAX]) {
        snprintf(ret_key, KEY_MAX, "baseline/%s", version);
}

void baseline_keep(Controller *controller, const char *version) {
        char key[KEY_MAX], text[BASELINE_TEXT_MAX];
        Verdict verdict;
        Baseline baseline;
        Error error = {0};
        if (!controller->journal || !controller->watcher || controller->role != ROLE_DAEMON || version[0] == '\0')
                return;
        watcher_verdict(controller->watcher, &verdict);
        if (!baseline_measure(&controller->config->rules, &verdict, &baseline))
                return;
        baseline.at_wall = clock_wall_us();
        key_of(version, key);
        baseline_format(&baseline, text);
        if (journal_set_value(controller->journal, key, text, &error) < 0)
                log_warn("the latency of %s before the deployment could not be journalled: %s", version,
                         error_text(&error));
        else
                log_info("%s before the deployment: p99 latency %" PRId64 " us, the median of %" PRId64 " samples",
                         version, baseline.p99_us, baseline.samples);
}

int baseline_read(Controller *controller, const char *version, Baseline *ret) {
        char key[KEY_MAX], text[BASELINE_TEXT_MAX];
        Error error = {0};
        if (!controller->journal || version[0] == '\0')
                return 0;
        key_of(version, key);
        return journal_get_value(controller->journal, key, text, sizeof text, &error) == 1 && baseline_parse(text, ret);
}
