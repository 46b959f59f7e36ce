/* Between the two files of an operator's drain: operator-drain.c (what is asked, and what is kept every second) and
 * operator-drain-act.c (what is done at the balancer, and who is answered). */
#pragma once

#include "daemon/controller.h"
#include "daemon/holds.h"

#define WAITERS_MAX 32
#define OPERATOR_AGAIN_US (5 * USEC_PER_SEC) /* between two tries to do what has failed */

typedef struct Waiter {
        ApiReply *reply;
        int64_t begun_mono, deadline_mono;
} Waiter;

typedef struct OperatorDrain {
        Op *op; /* a drain, a restore, or the look after it */
        bool restoring, drained;
        unsigned count;
        Waiter waiters[WAITERS_MAX]; /* for the drain */
        ApiReply *restorer;
        Error failure; /* of the act, until it has been looked what came of it */

        bool looked; /* `hold` is as the journal has it */
        Hold hold;
        bool taken;             /* this process has drained for that hold */
        bool give_back;         /* a restore has failed: to be tried again */
        int64_t again_mono;     /* not before */
        Tristate timed_out;     /* the newest drain */
        char by[INITIATOR_MAX]; /* who restores */
} OperatorDrain;

/* -errno when it could not even be begun; else on its end all who wait are answered. */
int operator_drain_act(Controller *controller, int64_t budget_us, Error *error);
int operator_drain_give_back(Controller *controller, Error *error);

void operator_drain_answer(Controller *controller); /* who waits, as far as there is an answer */
void operator_drain_refuse(OperatorDrain *drain, int status, int exit_code, const char *title, const char *detail);
void operator_drain_forget(Controller *controller); /* the hold: nobody wants it any more, and it is over */
/* The same while it isn't over: a controller that dies now leaves its successor the wish to give it back, not the drain. */
int operator_drain_note_restoring(Controller *controller, const char *by, Error *error);
void operator_drain_tell(Controller *controller);
