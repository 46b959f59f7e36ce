/* A run in the log: a line when a step begins and one when it ended, with what it took. */
#pragma once

#include "core/types.h"

typedef struct LoggedStep {
        StepState state;
        unsigned attempt;
} LoggedStep;

/* What has been logged of which run. Plain data, zero to begin with. */
typedef struct RunLog {
        int64_t run_id;
        LoggedStep logged[2][STEP_COUNT]; /* [0] forward, [1] recovery */
} RunLog;

void run_log_progress(RunLog *log, const Run *run);

/* The step under way says how far it is. */
void run_log_line(const Run *run, const char *line);

/* A run that somebody else began: what it has done is in the log already. */
void run_log_taken_over(RunLog *log, const Run *run);
