/* The consistency check: looks for damage in the database, asked for by an operator, in the background. One at a time, never beside a run:
 * it stops when one begins. It reads alone, and may be asked for again at any time. Its newest result is kept in the journal, so it
 * outlives us; one that we didn't live to end is told as stopped. */
#pragma once

#include "daemon/controller.h"

typedef enum ConsistencyState {
        CONSISTENCY_NONE, /* none was asked for yet */
        CONSISTENCY_RUNNING,
        CONSISTENCY_PASSED,
        CONSISTENCY_DAMAGED,
        CONSISTENCY_FAILED,  /* it couldn't be told; detail says why */
        CONSISTENCY_STOPPED, /* by a run, or with the controller */
} ConsistencyState;

#define CONSISTENCY_FINDINGS 8 /* that are told; all are counted */

typedef struct ConsistencyView {
        ConsistencyState state;
        int64_t begun_wall, ended_wall;
        char by[INITIATOR_MAX];
        int64_t done, total, problems;
        char now[DETAIL_MAX]; /* what is being looked at */
        unsigned finding_count;
        char findings[CONSISTENCY_FINDINGS][DETAIL_MAX];
        char detail[DETAIL_MAX];
} ConsistencyView;

/* What an earlier life has found, at the start. */
void consistency_recall(Controller *controller);
const ConsistencyView *consistency_view(const Controller *controller);
const char *consistency_state_name(ConsistencyState state); /* "none" "running" "passed" "damaged" "failed" "stopped" */

json_t *consistency_json(const ConsistencyView *view); /* `consistency` in api/shapes.h */

/* One that is under way goes on, and is no error. */
int consistency_begin(Controller *controller, const char *by, Error *error);
void consistency_stop(Controller *controller, const char *why); /* nothing when none is under way */
void consistency_free(Controller *controller);                  /* at the end */
