#include "daemon/prober.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

struct Prober {
        World *world;
        sd_event_source *timer;
        HttpCall *call;
        ProbeView view;
        int64_t since_wall, answered_mono;
        char detail[DETAIL_MAX];
};

static void note_answer(Prober *prober, bool healthy) {
        bool was_healthy = prober->view.consecutive_failures == 0;
        if (!prober->view.known || healthy != was_healthy)
                prober->since_wall = clock_wall_us();
        prober->view.known = true;
        if (healthy) {
                prober->view.consecutive_failures = 0;
                prober->view.last_success_mono = clock_mono_us();
        } else {
                prober->view.consecutive_failures++;
        }
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Prober *prober = userdata;
        prober->call = NULL;
        prober->answered_mono = clock_mono_us();
        if (answer->code == 0)
                snprintf(prober->detail, sizeof prober->detail, "%.*s", DETAIL_MAX - 1, error_text(&answer->error));
        else
                snprintf(prober->detail, sizeof prober->detail, "%.200s answered %d in %.1f ms",
                         prober->world->config->health_url, answer->code,
                         (double)answer->elapsed_us / (double)USEC_PER_MSEC);
        note_answer(prober, answer->code >= 200 && answer->code < 300);
}

/* The next time is reckoned from the last one, so that the interval doesn't drift with the answers. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Prober *prober = userdata;
        const Config *config = prober->world->config;
        if (!prober->call) {
                const HttpRequest request = {.url = config->health_url, .answer_max = 1024 * 1024, .reuse = true};
                Error error = {0};
                if (http_begin(prober->world->http, &request, config->health_timeout_us, on_answer, prober,
                               &prober->call, &error) < 0) {
                        snprintf(prober->detail, sizeof prober->detail, "%.*s", DETAIL_MAX - 1, error_text(&error));
                        prober->view.known = false; /* our own failure says nothing of the service */
                }
        }
        int r = sd_event_source_set_time(source, usec + (uint64_t)config->health_interval_us);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int prober_new(World *world, Prober **ret_prober, Error *error) {
        Prober *prober = calloc(1, sizeof *prober);
        if (!prober)
                return error_set(error, -ENOMEM, "out of memory");
        prober->world = world;
        int r = sd_event_add_time_relative(world->event, &prober->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC,
                                           on_timer, prober);
        if (r < 0) {
                prober_free(prober);
                return error_set(error, r, "cannot set the health probe's timer: %s", strerror(-r));
        }
        *ret_prober = prober;
        return 0;
}

Prober *prober_free(Prober *prober) {
        if (!prober)
                return NULL;
        prober->timer = sd_event_source_disable_unref(prober->timer);
        prober->call = http_cancel(prober->call);
        free(prober);
        return NULL;
}

void prober_proven(Prober *prober) {
        prober->call = http_cancel(prober->call); /* it may have been sent to the release that is gone */
        snprintf(prober->detail, sizeof prober->detail, "%.200s was healthy at the run's end",
                 prober->world->config->health_url);
        note_answer(prober, true);
}

const ProbeView *prober_view(const Prober *prober) {
        return &prober->view;
}

const char *prober_detail(const Prober *prober) {
        return prober->detail;
}

int64_t prober_answered_mono(const Prober *prober) {
        return prober->answered_mono;
}

int64_t prober_since_wall(const Prober *prober) {
        return prober->since_wall;
}
