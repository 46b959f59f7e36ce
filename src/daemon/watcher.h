/* Watcher: looks at the service all the time: a sample every decision.interval, the source's pulse and the outage rule every second,
 * the units as they change, the balancer now and then (every second while a run or an operator drains). It keeps what it saw and
 * says when there is something to think about; it decides nothing. */
#pragma once

#include "core/engine.h"
#include "daemon/minute.h"
#include "daemon/prober.h"
#include "daemon/world.h"

typedef struct Watcher Watcher;

typedef struct WatcherHooks {
        void (*look)(void *userdata);                          /* every second, and at once when the units changed */
        void (*sampled)(void *userdata, const Sample *sample); /* before the look that follows it */
        /* Something that should work doesn't ("metrics", "traffic"); `problem` NULL: it works again. */
        void (*condition)(void *userdata, const char *source, const char *problem);
} WatcherHooks;

int watcher_new(World *world, const Prober *prober, const WatcherHooks *hooks, void *userdata, Watcher **ret_watcher,
                Error *error);
Watcher *watcher_free(Watcher *watcher); /* NULL allowed; returns NULL */

/* Which units to watch: those of the release that is current; NULL: none. */
void watcher_set_units(Watcher *watcher, const UnitSet *units);

/* While a run is under way nothing is judged; what was measured then is left out, and the window starts empty. */
void watcher_suspend(Watcher *watcher);
void watcher_resume(Watcher *watcher);

/* Takes a sample now, apart from the series: of what has happened since watcher_resume(). `sampled` isn't called. -ENODEV: no source;
 * -EBUSY: the series is taking one at this moment, look again when it is there. */
int watcher_sample_now(Watcher *watcher, OpCallback callback, void *userdata, Op **ret_op, Error *error);

bool watcher_service_failed(Watcher *watcher, char *reason, size_t size);
bool watcher_outage(Watcher *watcher, char *reason, size_t size);
/* What the newest answers of these two were made from. */
const UnitsLook *watcher_units_look(const Watcher *watcher);
const OutageLook *watcher_outage_look(const Watcher *watcher);
void watcher_verdict(const Watcher *watcher, Verdict *ret_verdict);

const Engine *watcher_engine(const Watcher *watcher);
const UnitsState *watcher_units(const Watcher *watcher);             /* NULL: not known yet */
const TrafficState *watcher_traffic(const Watcher *watcher);         /* NULL: not known */
int64_t watcher_traffic_mono(const Watcher *watcher);                /* when it was seen; 0: not known */
const char *watcher_traffic_problem(const Watcher *watcher);         /* "" when it is known */
bool watcher_pulse(const Watcher *watcher, MetricsPulse *ret_pulse); /* false: no source */

/* The last minute, over the seconds that are known, a run's too. False: no source, it isn't heard, or nothing is known yet. */
bool watcher_minute(const Watcher *watcher, MinuteTotals *ret_totals);

/* What somebody else has just seen there. */
void watcher_note_traffic(Watcher *watcher, const TrafficState *traffic);
/* Looks at the balancer every second, instead of now and then: somebody waits for what is in flight. */
void watcher_follow_traffic(Watcher *watcher, bool follow);
