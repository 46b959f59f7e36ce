/* Which units the next boot starts. */
#pragma once

#include "adapters/systemd-request.h"

/* Enables, then disables what isn't in `enable`. Result: `detail` says what a reboot will do. */
int systemd_enable_begin(SystemdBus *bus, const UnitSet *enable, const UnitSet *disable, int64_t budget_us,
                         OpCallback callback, void *userdata, Op **ret_op, Error *error);
