/* Everything measured anew, once, by this process: for `health-checker once`, and for `status` when no controller answers. */
#pragma once

#include "api/api.h"
#include "core/health.h"
#include "daemon/config.h"

/* How long it may take: the slowest component's own time-out, and a little for what takes two looks. */
int64_t checkup_once_budget(const Config *config);

/* Blocks until every component is measured or the budget is spent; one that was not is unknown and says so. -1 with `problem` (exit code
 * 77 when it takes root or the service's user). */
int checkup_once(const Config *config, Health *ret_health, Problem *problem);
