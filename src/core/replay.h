/* A decision again, from its evidence: what was seen is kept as it was seen, what was made of it is
 * recomputed with the same functions. Pure, like what it replays. */
#pragma once

#include "core/evidence.h"
#include "core/policy.h"

/* What triggers at once, in words; "" for what isn't so, or isn't known. */
typedef struct ImmediateWords {
        char unit_failure[REASON_MAX], outage[REASON_MAX], quorum_lost[DETAIL_MAX], byzantine[DETAIL_MAX];
} ImmediateWords;

/* Notes what the policy was given; the looks are the caller's to fill in. Releases beyond EVIDENCE_RELEASES_MAX are left out. */
void evidence_of_input(const PolicyInput *input, Evidence *evidence);

/* The other way: the policy's input, made again. It points into all of the arguments. */
typedef struct ReplayRoom {
        Engine engine;
        Verdict verdict;
        ImmediateWords immediate;
} ReplayRoom; /* large: not for the stack */
void replay_input(const Decision *kept, const Evidence *evidence, ReplayRoom *room, PolicyInput *ret_input);

/* Decides again. `id` stays 0. */
void replay_decide(const Decision *kept, const Evidence *evidence, ReplayRoom *room, Decision *ret_again);

/* True: every member is the same. Else `words` names the first that isn't: "degraded 4, kept 3". */
bool replay_same(const Decision *again, const Decision *kept, char *words, size_t size);
