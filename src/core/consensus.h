/* What the members of a consensus cluster say, judged: is there a leader, a quorum, a member that differs?
 *
 * Quorum: a majority of the members that vote answers and follows one leader in one term. An election under way, or members that
 * are just being restarted, are no loss: the quorum is known to be lost only when it has been missing at every look for the
 * rules' patience, until then it isn't known. (etcd's followers wait one to two election time-outs, 1 to 2 s by default, before
 * they elect, and as long again when the vote was split: five seconds outlast both. Counting looks instead would make a busy
 * loop's looks count like slow ones.) Who is cut off together with a minority sees the quorum lost, and rightly: there nothing
 * can be written. A minority's member still answers, with old data: that it answers is no sign of health.
 *
 * Byzantine: a member whose data's hash differs from a majority's at the same revision and the same compact revision (compaction
 * changes the hash: else nothing is known), or that claims another leader than a majority in the same term; each three times, a
 * second apart. One look at which it agrees clears it. Where no majority agrees (two against two) nobody is Byzantine: it
 * can't be told who is wrong, and the words say so. */
#pragma once

#include "core/types.h"
#include <stddef.h>

#define CONSENSUS_STRIKES 3
#define CONSENSUS_STRIKE_GAP_US USEC_PER_SEC

/* Disagreements in a row, each a second after the last. */
typedef struct ConsensusStrikes {
        unsigned count;
        int64_t newest_mono;
} ConsensusStrikes;

/* What is remembered from one look to the next. Zeroed: nothing. */
typedef struct ConsensusHistory {
        int64_t missing_mono; /* there was no quorum at any look since; 0: there was at the last */
        bool divided;         /* the newest hashes differed, and no majority agreed */
        bool agreed;          /* at the newest hashes a majority agreed */
        unsigned count;
        struct ConsensusRecord {
                uint64_t id;
                ConsensusStrikes data, leader; /* apart: leaders are compared at each look, hashes only now and then */
        } members[MEMBERS_MAX];
} ConsensusHistory;

/* All that consensus_judge() was given, so that it can be asked again. */
typedef struct ConsensusLook {
        bool asked;
        int64_t patience_us;
        ConsensusHistory before;
        ConsensusState state;
} ConsensusLook;

typedef struct ConsensusView {
        Tristate quorum;                   /* not known: missing, but not for long enough yet */
        uint64_t leader;                   /* that a majority follows; 0: none */
        uint64_t term;                     /* its term, or the newest that is told of */
        unsigned reachable, needed, count; /* members that answer; votes that make a majority; members */
        unsigned byzantine;                /* members that are */
        bool is_byzantine[MEMBERS_MAX];    /* as in ConsensusState.members */
        bool data_agrees;       /* a majority's data was compared; nobody's differs, nobody claims another leader */
        int64_t lag_us;         /* the slowest reachable member's, at most; -1: not known */
        char words[DETAIL_MAX]; /* "3 of 3 members answer, n2 leads in term 5" */
} ConsensusView;

/* `patience_us`: how long the quorum must have been missing until it is lost. Looks come in the order of their time. */
void consensus_judge(ConsensusHistory *history, const ConsensusState *state, int64_t patience_us,
                     ConsensusView *ret_view);

/* Whom the leadership can be moved to: the reachable, sound follower with a vote that has applied most; NULL: nobody, `words`
 * says why. */
const ConsensusMember *consensus_successor(const ConsensusState *state, const ConsensusView *view, char *words,
                                           size_t size);

const ConsensusMember *consensus_find(const ConsensusState *state, uint64_t id); /* NULL: there is none */
