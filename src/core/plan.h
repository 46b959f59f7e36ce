/* From a wish to an ordered list of steps. A plan is fixed when a run begins; nothing changes it later. */
#pragma once

#include "base/error.h"
#include "core/types.h"

typedef struct PlanRequest {
        RunKind kind;
        RunMode mode;
        const char *from; /* NULL or "": nothing is current, so nothing can be put back */
        const char *to;
        const int64_t *budgets_us;  /* STEP_COUNT of them, or NULL: the table's */
        int64_t emergency_drain_us; /* 0: the table's */
} PlanRequest;

/* -EINVAL: a version isn't valid or a budget isn't positive; -EALREADY: `to` is already current. */
int plan_make(const PlanRequest *request, Plan *ret_plan, Error *error);

/* The most the steps may take together, preflight not counted: 155 s on the defaults (specification: ~2m35s). */
int64_t plan_ceiling(const Plan *plan);
