/* What a Prometheus has of a time that is over, as samples: for a backtest at the command line. */
#pragma once

#include "base/error.h"
#include "base/settings.h"
#include "core/types.h"

/* Waits for it, in an event loop of its own; each query has the time-out that the settings give. A sample for each interval; one for
 * which a number isn't there wasn't measured. Their `mono` times are the wall's. `settings`: the block metrics.prometheus. */
int prometheus_range_read(const Settings *settings, int64_t interval_us, int64_t from_wall, int64_t to_wall,
                          void (*visit)(void *userdata, const Sample *sample), void *userdata, Error *error);
