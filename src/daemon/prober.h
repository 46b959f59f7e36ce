/* Prober: asks the service's own health URL every health.interval, so that an outage seen in the metrics can be confirmed, and
 * `status` can say how the service does right now. It never decides anything. */
#pragma once

#include "core/engine.h"
#include "daemon/world.h"

typedef struct Prober Prober;

int prober_new(World *world, Prober **ret_prober, Error *error);
Prober *prober_free(Prober *prober); /* NULL allowed; returns NULL */

/* A run has just proven the service healthy; what was seen before is out of date. */
void prober_proven(Prober *prober);

const ProbeView *prober_view(const Prober *prober);
/* What the newest answer was, for people: "http://... answered 503". "" while there is none. */
const char *prober_detail(const Prober *prober);
int64_t prober_since_wall(const Prober *prober);    /* healthy or unhealthy since; 0: unknown */
int64_t prober_answered_mono(const Prober *prober); /* the newest answer, good or bad, or that none came; 0: none yet */
