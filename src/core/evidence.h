/* The evidence of a decision: all that it rests on, as plain data, so that it can be kept and made again (core/replay.h). */
#pragma once

#include "core/consensus.h"
#include "core/watch.h"

#define EVIDENCE_RELEASES_MAX 256

/* All that the policy went by, besides the samples and rules that are in the decision itself. What others reported (the balancer's
 * pulse, the units, the members of the cluster) is a fact here; what we made of it isn't kept but made again. */
typedef struct Evidence {
        int64_t now_mono; /* when the window was judged */
        bool window_known;
        bool deployment_known;
        Deployment deployment;
        int64_t deployment_age_us;
        bool deployment_is_rollback, drained_by_operator, run_unsound, shadow;
        int64_t rollbacks_today;
        unsigned release_count;
        Release releases[EVIDENCE_RELEASES_MAX];
        OutageLook outage;
        UnitsLook units;
        ConsensusLook consensus;
} Evidence;
