/* Shadow mode judged by what operators then did: would the engine have been right? Pure: the journal's rows in, a report out. */
#pragma once

#include "core/types.h"

#define SHADOW_WITHIN_US                                                                                               \
        (INT64_C(24) * 3600 * USEC_PER_SEC) /* an operator's rollback later than that isn't put down to it */

/* A decision that only shadow mode forbade. */
typedef struct ShadowDecision {
        int64_t id, at_wall;
        char version[VERSION_MAX];
        int64_t bake_for_us; /* of its rules */
} ShadowDecision;

/* A rollback that changed something, or tried until it held. */
typedef struct ShadowRollback {
        int64_t run_id, at_wall;
        bool automatic; /* the controller's own: shadow mode was off. Else an operator's */
        char from[VERSION_MAX];
} ShadowRollback;

typedef struct ShadowInput {
        const ShadowDecision *decisions; /* oldest first, as all three */
        unsigned decision_count;
        const ShadowRollback *rollbacks;
        unsigned rollback_count;
        const Deployment *deployments;
        unsigned deployment_count;
        int64_t from_wall, to_wall; /* deployments made in this time are judged */
        int64_t now_wall;
} ShadowInput;

typedef enum ShadowVerdict {
        SHADOW_RIGHT,     /* an operator rolled it back, after it was decided */
        SHADOW_WRONG,     /* nobody did, and it lived through a whole bake after that */
        SHADOW_MISSED,    /* an operator rolled it back, and nothing had been decided */
        SHADOW_UNDECIDED, /* not old enough yet, or replaced by another release first */
        SHADOW_AUTOMATIC, /* the controller rolled it back itself: shadow mode was off */
        SHADOW_QUIET,     /* neither: nothing to decide, and nobody did */
} ShadowVerdict;

/* One deployment. */
typedef struct ShadowCase {
        ShadowVerdict verdict;
        int64_t deployment_id, made_wall;
        char version[VERSION_MAX];
        int64_t decision_id, decided_wall; /* the first; 0: none */
        unsigned decisions;                /* for it, in all */
        int64_t run_id, rolled_back_wall;  /* run_id 0: by other means than ours; wall 0: none */
        bool automatic;                    /* that was the controller's own */
        int64_t sooner_us;                 /* the engine than the operator; -1: nothing to compare */
} ShadowCase;

typedef struct ShadowReport {
        unsigned counts[SHADOW_QUIET + 1];
        int64_t precision_ppm;    /* right / (right + wrong); -1: not known */
        int64_t sooner_median_us; /* of those that were right; -1: none */
} ShadowReport;

const char *shadow_verdict_name(ShadowVerdict verdict); /* "right" "wrong" "missed" "undecided" "automatic" "quiet" */

/* Fills at most `max` cases, in the order of the deployments; returns how many. The report is of those. */
unsigned shadow_judge(const ShadowInput *input, ShadowCase *ret_cases, unsigned max, ShadowReport *ret_report);
