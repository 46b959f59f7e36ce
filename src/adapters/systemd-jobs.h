/* Stopping and starting units by systemd's jobs. */
#pragma once

#include "adapters/systemd-request.h"

typedef enum JobsGoal {
        JOBS_STOP,
        JOBS_KILL, /* stop, with SIGKILL to every process of the units until they are gone */
        JOBS_START,
        JOBS_RUN, /* start units that do one thing and end (Type=oneshot): reached when they ended well */
} JobsGoal;

/* Result: `detail` describes the units as they are then. */
int systemd_jobs_begin(SystemdBus *bus, JobsGoal goal, const UnitSet *units, int64_t budget_us, OpCallback callback,
                       void *userdata, Op **ret_op, Error *error);
