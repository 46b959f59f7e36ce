/* Op: one asynchronous request to the world, with a deadline. Rules every adapter keeps:
 *   - the callback is called exactly once, always from the event loop, never from inside the call that began the Op;
 *   - after op_cancel() it is never called;
 *   - the budget is enforced here: an Op cannot outlive it, whatever hangs on the other side.
 * An adapter embeds Op as the first member of its own request struct and frees the whole in `destroy`. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <systemd/sd-event.h>

typedef enum OpStatus { OP_DONE, OP_FAILED, OP_TIMED_OUT } OpStatus;

typedef struct OpResult {
        OpStatus status;
        Error error;             /* set unless OP_DONE */
        char detail[DETAIL_MAX]; /* for people; may be empty */
        union {                  /* which one is set is part of the call's contract */
                UnitsState units;
                TrafficState traffic;
                Sample sample;
                ConsensusState consensus;
                SchemaGate gate;
                ReplicationState replication;
                int64_t number;
        };
} OpResult;

typedef void (*OpCallback)(void *userdata, const OpResult *result);

typedef struct Op Op;
struct Op {
        sd_event *event;
        sd_event_source *deadline; /* fires when the budget is spent */
        sd_event_source *deferred; /* set when the result is known at once, but must be told from the loop */
        OpResult *early;
        OpCallback callback;
        void *userdata;
        const char *what; /* for the time-out's message: static text, "HAProxy drain" */
        int64_t budget_us;
        void (*destroy)(Op *op); /* releases what the request holds and frees it; op_finish_base() first */
};

/* `budget_us` must be > 0. `destroy` is called exactly once, after the callback or by op_cancel(). */
int op_begin(Op *op, sd_event *event, const char *what, int64_t budget_us, OpCallback callback, void *userdata,
             void (*destroy)(Op *op));

/* The request is over: calls back, then destroys. Only from the event loop. */
void op_complete(Op *op, const OpResult *result);
void op_succeed(Op *op, const char *detail); /* OP_DONE with no payload */
void op_fail(Op *op, const Error *error);

/* The result is known while the request is still being begun: tells it from the loop's next turn. */
int op_complete_soon(Op *op, const OpResult *result);

/* Stops caring: destroys without calling back. NULL is allowed. Returns NULL. */
Op *op_cancel(Op *op);

/* Releases the base part; for use inside `destroy`. */
void op_finish_base(Op *op);
