/* The pulse of a source that is asked now and then: what a sample has counted goes into its running totals. */
#pragma once

#include "core/types.h"

/* `sample` was measured; its start and end say what was counted. */
void scrape_pulse_count(MetricsPulse *pulse, const Sample *sample);
