/* What the members of a consensus cluster say, judged: is there a leader, a quorum, a member that differs? Byzantine is a member whose
 * data's hash differs from the majority's at the same revision and the same compact revision, three times a second apart
 * (compaction changes the hash: else nothing is known), or that claims another leader in the same term. */
#pragma once

#include "core/types.h"
#include <stddef.h>

#define CONSENSUS_STRIKES 3
#define CONSENSUS_STRIKE_GAP_US USEC_PER_SEC

/* What is remembered from one look to the next. Zeroed: nothing. */
typedef struct ConsensusHistory {
        unsigned count;
        struct ConsensusStrikes {
                uint64_t id;
                unsigned strikes; /* disagreements in a row, each a second after the last */
                int64_t newest_mono;
        } members[MEMBERS_MAX];
} ConsensusHistory;

typedef struct ConsensusView {
        Tristate quorum; /* known false: fewer members answer than a majority, or none of them knows a leader */
        uint64_t leader; /* that a majority follows; 0: none */
        uint64_t term;
        unsigned reachable, needed, count;
        unsigned byzantine;             /* members that are */
        bool is_byzantine[MEMBERS_MAX]; /* as in ConsensusState.members */
        int64_t lag_us;                 /* the slowest reachable member's; -1: not known */
        char words[DETAIL_MAX];         /* "3 of 3 members answer, n2 leads in term 5" */
} ConsensusView;

void consensus_judge(ConsensusHistory *history, const ConsensusState *state, ConsensusView *ret_view);

/* Whom the leadership can be moved to: the reachable, sound follower that has applied most; NULL: nobody, `words` says why. */
const ConsensusMember *consensus_successor(const ConsensusState *state, const ConsensusView *view, char *words,
                                           size_t size);
