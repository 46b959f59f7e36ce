/* The steps of every run, once (law 9): plan, run, documentation, API and progress bar print from this table.
 * Specification, "Rollback Execution Steps" and "Total Rollback Time". */
#pragma once

#include "core/types.h"

#define STOP_KILL_GRACE_US (2 * USEC_PER_SEC) /* after SIGKILL, what the kernel may take to reap the process */

typedef enum StepRetry {
        STEP_RETRY_NEVER,  /* its answer stands */
        STEP_RETRY_ONCE,   /* safe to repeat: once, within what is left of its budget; a time-out has spent it */
        STEP_RETRY_FORCED, /* failed or timed out: a second attempt that doesn't ask any more (SIGKILL) */
} StepRetry;

typedef enum StepScope { SCOPE_ONCE, SCOPE_NODE } StepScope; /* for the whole run, or on each node of it */

typedef struct StepSpec {
        StepId id;
        const char *key;              /* "drain_traffic": journal, API, metrics */
        const char *title;            /* of a rollback's step: "Restore previous version" */
        const char *deployment_title; /* of a deployment's: "Switch to new version" */
        const char *undo_title;       /* while undoing or recovering: "Restore original version" */
        int64_t budget_us;
        bool critical;
        int64_t emergency_budget_us;
        bool emergency_critical;
        StepRetry retry;
        StepScope scope;
        bool probed;         /* after a crash: asked whether it has taken effect; else simply done again */
        const char *probe;   /* what "it has taken effect" means, in words */
        const char *comment; /* what an operator wants to know about it */
} StepSpec;

const StepSpec *step_spec(StepId id); /* never NULL: an id out of range is a programming error (assert) */
const char *step_key(StepId id);
const char *step_title(StepId id, RunKind kind, bool recovery);
int step_parse(const char *key, StepId *ret); /* -EINVAL: no such step */
