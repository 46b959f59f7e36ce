/* Pauses and drains have owners: a run undoes only its own, an operator's stays until the operator takes it back. Kept in the
 * journal, so that a restart knows what is whose. */
#pragma once

#include "base/error.h"
#include "core/types.h"
#include "store/journal.h"

typedef enum HoldKind { HOLD_DEPLOYMENTS, HOLD_TRAFFIC } HoldKind;

typedef struct Hold {
        bool held;
        int64_t run_id;   /* 0: an operator's */
        bool at_balancer; /* of traffic: drained at the balancer itself, which therefore knows when it is over */
        bool restoring; /* of traffic: wanted back, by an operator or after a run (run_id); nobody's any more, but it may not flow yet */
        int64_t since_wall;
        char by[INITIATOR_MAX];
        char why[REASON_MAX];
} Hold;

/* `journal` may be NULL (it can't be used): then nothing is known to be held, and taking fails. */
int hold_read(Journal *journal, HoldKind kind, Hold *ret_hold, Error *error);
int hold_take(Journal *journal, HoldKind kind, const Hold *hold, Error *error);
int hold_release(Journal *journal, HoldKind kind, Error *error);

/* An operator's drain that stays until the operator restores, whatever the balancer says meanwhile. */
static inline bool hold_stays(const Hold *hold) {
        return hold->held && hold->run_id == 0 && !hold->at_balancer && !hold->restoring;
}
