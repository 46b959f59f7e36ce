#include "daemon/watcher.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define TRAFFIC_LOOK_SECONDS 5 /* the balancer's state is only shown and guarded on, so it needn't be newer */
#define COLLECT_BUDGET_US (5 * USEC_PER_SEC)
#define TRAFFIC_BUDGET_US (2 * USEC_PER_SEC)

struct Watcher {
        World *world;
        const Prober *prober;
        WatcherHooks hooks;
        void *userdata;

        Engine engine;
        OutageWatch outage;
        RestartWatch restarts;
        OutageLook outage_look;
        UnitsLook units_look;
        sd_event_source *sample_timer, *second_timer;
        Op *collect, *traffic_query;
        bool suspended;
        bool discard; /* the sample under way belongs to a run */
        unsigned seconds;
        unsigned unmeasured; /* samples in a row */

        bool units_known, traffic_known;
        UnitsState units;
        TrafficState traffic;
        int64_t traffic_mono;
        bool follow_traffic;
        Minute minute;
        char traffic_problem[DETAIL_MAX];
};

static const MetricsDriver *metrics_driver(const Watcher *watcher) {
        return watcher->world->config->metrics_driver;
}

/* ---- samples ---- */

/* A source that isn't heard is alerted at once. One that is heard and still has no sample (its first scrape, a counter that began
 * anew with a release) is alerted when that lasts. */
static void tell_source_condition(Watcher *watcher, const Sample *sample) {
        MetricsPulse pulse;
        watcher->unmeasured = sample->measured ? 0 : watcher->unmeasured + 1;
        bool heard = watcher_pulse(watcher, &pulse) && pulse.connected;
        if (sample->measured)
                watcher->hooks.condition(watcher->userdata, "metrics", NULL);
        else if (!heard || watcher->unmeasured > 1)
                watcher->hooks.condition(watcher->userdata, "metrics", sample->note);
}

static void on_sample(void *userdata, const OpResult *result) {
        Watcher *watcher = userdata;
        watcher->collect = NULL;
        if (watcher->discard || watcher->suspended) {
                watcher->discard = false;
                return;
        }
        Sample sample = result->sample;
        if (result->status != OP_DONE) {
                sample = (Sample){.end_mono = clock_mono_us(), .end_wall = clock_wall_us()};
                sample.start_mono = sample.end_mono - watcher->engine.rules.interval_us;
                snprintf(sample.note, sizeof sample.note, "%.*s", DETAIL_MAX - 1, error_text(&result->error));
        }
        tell_source_condition(watcher, &sample);
        engine_add(&watcher->engine, &sample);
        watcher->hooks.sampled(watcher->userdata, &sample);
        watcher->hooks.look(watcher->userdata);
}

static void begin_collect(Watcher *watcher, bool discard) {
        if (!watcher->world->metrics || watcher->collect)
                return;
        int64_t budget = watcher->engine.rules.interval_us < COLLECT_BUDGET_US ? watcher->engine.rules.interval_us
                                                                               : COLLECT_BUDGET_US;
        Error error = {0};
        watcher->discard = discard;
        if (metrics_driver(watcher)->collect(watcher->world->metrics, budget, on_sample, watcher, &watcher->collect,
                                             &error) < 0)
                watcher->hooks.condition(watcher->userdata, "metrics", error_text(&error));
}

static int on_sample_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Watcher *watcher = userdata;
        begin_collect(watcher, false);
        int r = sd_event_source_set_time(source, usec + (uint64_t)watcher->engine.rules.interval_us);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- every second ---- */

static void on_traffic(void *userdata, const OpResult *result) {
        Watcher *watcher = userdata;
        watcher->traffic_query = NULL;
        watcher->traffic_known = result->status == OP_DONE;
        watcher->traffic_problem[0] = '\0';
        if (watcher->traffic_known) {
                watcher->traffic = result->traffic;
                watcher->traffic_mono = clock_mono_us();
        } else
                snprintf(watcher->traffic_problem, sizeof watcher->traffic_problem, "%.*s", DETAIL_MAX - 1,
                         error_text(&result->error));
        if (!watcher->suspended) /* during a run the step that fails for it says so */
                watcher->hooks.condition(watcher->userdata, "traffic",
                                         watcher->traffic_known ? NULL : watcher->traffic_problem);
}

static void look_at_traffic(Watcher *watcher) {
        const TrafficDriver *driver = watcher->world->config->traffic_driver;
        if (!driver || watcher->traffic_query)
                return;
        Error error = {0};
        if (driver->query(watcher->world->traffic, TRAFFIC_BUDGET_US, on_traffic, watcher, &watcher->traffic_query,
                          &error) < 0 &&
            !watcher->suspended)
                watcher->hooks.condition(watcher->userdata, "traffic", error_text(&error));
}

static void look_at_pulse(Watcher *watcher) {
        MetricsPulse pulse;
        if (watcher_pulse(watcher, &pulse))
                minute_look(&watcher->minute, clock_mono_us(), &pulse);
}

/* While something drains or is drained, who watches it wants to see it come. */
static bool traffic_is_due(Watcher *watcher) {
        bool closely = watcher->suspended || watcher->follow_traffic;
        return watcher->seconds++ % TRAFFIC_LOOK_SECONDS == 0 || closely;
}

static int on_second(sd_event_source *source, uint64_t usec, void *userdata) {
        Watcher *watcher = userdata;
        look_at_pulse(watcher);
        if (traffic_is_due(watcher))
                look_at_traffic(watcher);
        int r = sd_event_source_set_time(source, usec + (uint64_t)USEC_PER_SEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        watcher->hooks.look(watcher->userdata);
        return r;
}

/* ---- units ---- */

static void on_units_changed(void *userdata, const UnitsState *state) {
        Watcher *watcher = userdata;
        watcher->units = *state;
        watcher->units_known = true;
        watcher->hooks.look(watcher->userdata);
}

void watcher_set_units(Watcher *watcher, const UnitSet *units) {
        Error error = {0};
        watcher->units_known = false;
        watcher->restarts = (RestartWatch){0};
        int r = watcher->world->config->units_driver->watch(watcher->world->units, units, on_units_changed, watcher,
                                                            &error);
        watcher->hooks.condition(watcher->userdata, "units", r < 0 ? error_text(&error) : NULL);
}

bool watcher_service_failed(Watcher *watcher, char *reason, size_t size) {
        reason[0] = '\0';
        watcher->units_look = (UnitsLook){.asked = watcher->units_known,
                                          .now_mono = clock_mono_us(),
                                          .before = watcher->restarts,
                                          .units = watcher->units};
        return watcher->units_known && engine_units(&watcher->engine.rules, &watcher->restarts, &watcher->units,
                                                    watcher->units_look.now_mono, reason, size);
}

const UnitsLook *watcher_units_look(const Watcher *watcher) {
        return &watcher->units_look;
}

bool watcher_outage(Watcher *watcher, char *reason, size_t size) {
        OutageLook *look = &watcher->outage_look;
        reason[0] = '\0';
        *look = (OutageLook){
                .now_mono = clock_mono_us(), .before = watcher->outage, .probe = *prober_view(watcher->prober)};
        look->asked = watcher_pulse(watcher, &look->pulse);
        return look->asked && engine_outage(&watcher->engine.rules, &watcher->outage, &look->pulse, &look->probe,
                                            look->now_mono, reason, size);
}

const OutageLook *watcher_outage_look(const Watcher *watcher) {
        return &watcher->outage_look;
}

void watcher_verdict(const Watcher *watcher, Verdict *ret_verdict) {
        engine_verdict(&watcher->engine, clock_mono_us(), ret_verdict);
}

/* ---- life ---- */

static int arm_sampling(Watcher *watcher) {
        watcher->sample_timer = sd_event_source_disable_unref(watcher->sample_timer);
        return sd_event_add_time_relative(watcher->world->event, &watcher->sample_timer, CLOCK_BOOTTIME,
                                          (uint64_t)watcher->engine.rules.interval_us, 1000, on_sample_timer, watcher);
}

static int start_again(Watcher *watcher) {
        uint64_t loop_now =
                0; /* the sources' clock, too: by a later one the first sample would begin before the window and be left out */
        (void)sd_event_now(watcher->world->event, CLOCK_BOOTTIME, &loop_now);
        int64_t now = (int64_t)loop_now;
        engine_restart(&watcher->engine, now);
        outage_watch_restart(&watcher->outage, now);
        watcher->restarts = (RestartWatch){0};
        watcher->collect = op_cancel(watcher->collect);
        begin_collect(watcher, true); /* closes off what was measured before */
        return arm_sampling(watcher);
}

int watcher_new(World *world, const Prober *prober, const WatcherHooks *hooks, void *userdata, Watcher **ret_watcher,
                Error *error) {
        Watcher *watcher = calloc(1, sizeof *watcher);
        if (!watcher)
                return error_set(error, -ENOMEM, "out of memory");
        watcher->world = world;
        watcher->prober = prober;
        watcher->hooks = *hooks;
        watcher->userdata = userdata;
        engine_init(&watcher->engine, &world->config->rules);
        int r = start_again(watcher);
        if (r >= 0)
                r = sd_event_add_time_relative(world->event, &watcher->second_timer, CLOCK_BOOTTIME, 0,
                                               10 * USEC_PER_MSEC, on_second, watcher);
        if (r < 0) {
                watcher_free(watcher);
                return error_set(error, r, "cannot set the watcher's timers: %s", strerror(-r));
        }
        *ret_watcher = watcher;
        return 0;
}

Watcher *watcher_free(Watcher *watcher) {
        if (!watcher)
                return NULL;
        Error error = {0};
        (void)watcher->world->config->units_driver->watch(watcher->world->units, NULL, NULL, NULL, &error);
        watcher->collect = op_cancel(watcher->collect);
        watcher->traffic_query = op_cancel(watcher->traffic_query);
        watcher->sample_timer = sd_event_source_disable_unref(watcher->sample_timer);
        watcher->second_timer = sd_event_source_disable_unref(watcher->second_timer);
        free(watcher);
        return NULL;
}

void watcher_suspend(Watcher *watcher) {
        if (watcher->suspended)
                return;
        watcher->suspended = true;
        watcher->sample_timer = sd_event_source_disable_unref(watcher->sample_timer);
        watcher->collect = op_cancel(watcher->collect);
        watcher->traffic_query = op_cancel(watcher->traffic_query);
        watcher->traffic_known = false;
        look_at_traffic(watcher); /* and then every second */
}

void watcher_resume(Watcher *watcher) {
        watcher->suspended = false;
        watcher->seconds = 0;
        watcher->traffic_query = op_cancel(watcher->traffic_query);
        watcher->traffic_known = false; /* what the run saw of its own drain is nobody else's */
        if (start_again(watcher) < 0)
                watcher->hooks.condition(watcher->userdata, "metrics",
                                         "cannot set the sampling timer: nothing is measured");
        look_at_traffic(watcher);
}

int watcher_sample_now(Watcher *watcher, OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        if (!watcher->world->metrics)
                return error_set(error, -ENODEV, "no metrics source is configured (metrics.source)");
        if (watcher->collect)
                return error_set(error, -EBUSY, "the next sample is just being taken");
        int r = metrics_driver(watcher)->collect(watcher->world->metrics, COLLECT_BUDGET_US, callback, userdata, ret_op,
                                                 error);
        if (r < 0)
                return r;
        return arm_sampling(watcher); /* the series goes on from here */
}

const Engine *watcher_engine(const Watcher *watcher) {
        return &watcher->engine;
}

const UnitsState *watcher_units(const Watcher *watcher) {
        return watcher->units_known ? &watcher->units : NULL;
}

const TrafficState *watcher_traffic(const Watcher *watcher) {
        return watcher->traffic_known ? &watcher->traffic : NULL;
}

int64_t watcher_traffic_mono(const Watcher *watcher) {
        return watcher->traffic_known ? watcher->traffic_mono : 0;
}

void watcher_note_traffic(Watcher *watcher, const TrafficState *traffic) {
        watcher->traffic = *traffic;
        watcher->traffic_known = true;
        watcher->traffic_mono = clock_mono_us();
        watcher->traffic_problem[0] = '\0';
        watcher->traffic_query = op_cancel(watcher->traffic_query); /* it may have been asked before */
}

void watcher_follow_traffic(Watcher *watcher, bool follow) {
        watcher->follow_traffic = follow;
}

bool watcher_minute(const Watcher *watcher, MinuteTotals *ret_totals) {
        return watcher->world->metrics && minute_read(&watcher->minute, clock_mono_us(), ret_totals);
}

const char *watcher_traffic_problem(const Watcher *watcher) {
        return watcher->traffic_problem;
}

bool watcher_pulse(const Watcher *watcher, MetricsPulse *ret_pulse) {
        if (!watcher->world->metrics)
                return false;
        metrics_driver(watcher)->pulse(watcher->world->metrics, ret_pulse);
        return true;
}
