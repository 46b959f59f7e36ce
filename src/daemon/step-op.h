/* StepOp: one step's act or probe, made of stages that run one after the other on the event loop. A stage begins the next
 * child request, or ends the step. The step's budget covers all of them; a child gets what is left of it. */
#pragma once

#include "adapters/adapter.h"
#include "core/run.h"
#include "core/steps.h"
#include "daemon/world.h"
#include "store/journal.h"

typedef struct StepOp StepOp;
/* `result`: of the child the last stage began; NULL for the first stage. */
typedef void StepStage(StepOp *step, const OpResult *result);

struct StepOp {
        Op op;
        World *world;
        Journal *journal; /* NULL: it can't be used (break glass on a broken disk) */
        StepCall call;
        const Run *run; /* as the runner has it */
        int64_t run_id;
        RunKind kind;
        RunMode mode;
        char why[REASON_MAX];
        UnitSet leaving, target; /* count 0: none */

        sd_event_source *first;
        Op *child;
        HttpCall *http;
        sd_event_source *pause; /* between two health requests */
        int64_t begun_mono;
        StepStage *next;       /* when the child is done */
        StepStage *on_failure; /* when it failed or timed out; NULL: the step ends the same way */

        int64_t successes;              /* verify_health: in a row */
        char what[DETAIL_MAX + 64];     /* the step's title, and what it is waiting for: said when its budget ends */
        char note[DETAIL_MAX];          /* put before the final detail */
        char drained_by[INITIATOR_MAX]; /* drain_traffic: who has drained already */

        SchemaRequest *schema;                              /* what is asked of the database; NULL: not yet */
        Error schema_doubt;                                 /* why the leaving release's scripts aren't known */
        StepStage *schema_then;                             /* when the schema is as it must be */
        void (*progress)(void *userdata, const char *line); /* may be NULL */
        void *progress_userdata;
};

/* What a step works with; the pointers must outlive it. */
typedef struct StepTools {
        World *world;
        Journal *journal;
        const Run *run;
        void (*progress)(void *userdata, const char *line); /* a long act says how far it is; may be NULL */
        void *userdata;                                     /* of `progress` */
} StepTools;

int step_op_begin(const StepTools *tools, const StepCall *call, StepStage *first, OpCallback callback, void *userdata,
                  Op **ret_op, Error *error);

int64_t step_budget_left(const StepOp *step); /* at least 1 us, so that it can be passed on */
void step_expect(StepOp *step, StepStage *next, StepStage *on_failure);
/* Passed as callback (userdata: the step) to what a stage begins. */
void step_on_child(void *userdata, const OpResult *result);
/* The end of a stage that began a child: `begun` is what the begin function returned. */
void step_began(StepOp *step, int begun, const Error *error);

void step_done(StepOp *step, const char *format, ...) PRINTF_LIKE(2, 3);
void step_answer(StepOp *step, ProbeAnswer answer); /* ends a probe */
