#include "core/consensus.h"

#include "core/words.h"

#include <inttypes.h>
#include <string.h>

const ConsensusMember *consensus_find(const ConsensusState *state, uint64_t id) {
        for (unsigned i = 0; id != 0 && i < state->count; i++)
                if (state->members[i].id == id)
                        return &state->members[i];
        return NULL;
}

/* ---- quorum ---- */

static bool votes(const ConsensusMember *member) {
        return member->reachable && !member->learner;
}

static unsigned needed_votes(const ConsensusState *state) {
        unsigned voters = 0;
        for (unsigned i = 0; i < state->count; i++)
                voters += !state->members[i].learner;
        return voters / 2 + 1;
}

static unsigned followers_of(const ConsensusState *state, uint64_t leader, uint64_t term) {
        unsigned count = 0;
        for (unsigned i = 0; i < state->count; i++)
                count += votes(&state->members[i]) && state->members[i].leader == leader &&
                         state->members[i].term == term;
        return count;
}

/* The leader that a majority follows in one term. There can be only one. */
static void find_leader(const ConsensusState *state, ConsensusView *view) {
        for (unsigned i = 0; i < state->count; i++) {
                const ConsensusMember *member = &state->members[i];
                if (votes(member) && member->leader != 0 &&
                    followers_of(state, member->leader, member->term) >= view->needed) {
                        view->leader = member->leader;
                        view->term = member->term;
                        return;
                }
                if (member->reachable && member->term > view->term)
                        view->term = member->term;
        }
}

static void judge_quorum(ConsensusHistory *history, const ConsensusState *state, int64_t patience_us,
                         ConsensusView *view) {
        if (view->leader != 0) {
                history->missing_mono = 0;
                view->quorum = KNOWN_TRUE;
                return;
        }
        if (history->missing_mono == 0)
                history->missing_mono = state->at_mono;
        view->quorum = state->at_mono - history->missing_mono >= patience_us ? KNOWN_FALSE : KNOWN_NOT;
}

/* ---- Byzantine members ---- */

/* The records in the order of the members; what is known of each stays. */
static void arrange_records(ConsensusHistory *history, const ConsensusState *state) {
        struct ConsensusRecord records[MEMBERS_MAX] = {0};
        for (unsigned i = 0; i < state->count; i++) {
                records[i].id = state->members[i].id;
                for (unsigned k = 0; k < history->count; k++)
                        if (history->members[k].id == records[i].id)
                                records[i] = history->members[k];
        }
        memcpy(history->members, records, sizeof records);
        history->count = state->count;
}

static void note(ConsensusStrikes *strikes, bool agrees, int64_t mono) {
        if (agrees) {
                *strikes = (ConsensusStrikes){0};
                return;
        }
        if (strikes->count > 0 && mono - strikes->newest_mono < CONSENSUS_STRIKE_GAP_US)
                return;
        if (strikes->count < CONSENSUS_STRIKES)
                strikes->count++;
        strikes->newest_mono = mono;
}

static bool comparable(const ConsensusMember *a, const ConsensusMember *b) {
        return a->reachable && b->reachable && a->hashed && b->hashed && a->hash_revision == b->hash_revision &&
               a->compact_revision == b->compact_revision;
}

/* How many that vote can be compared with `member`, and how many of them have its hash; itself among them. */
static unsigned count_like(const ConsensusState *state, const ConsensusMember *member, unsigned *ret_comparable) {
        unsigned like = 0;
        *ret_comparable = 0;
        for (unsigned i = 0; i < state->count; i++) {
                const ConsensusMember *other = &state->members[i];
                if (other->learner || !comparable(member, other))
                        continue;
                (*ret_comparable)++;
                like += other->hash == member->hash;
        }
        return like;
}

static bool any_hashed(const ConsensusState *state) {
        for (unsigned i = 0; i < state->count; i++)
                if (state->members[i].reachable && state->members[i].hashed)
                        return true;
        return false;
}

/* A member with the hash of a majority of all that vote, not only of those that happen to be comparable: else, with one member down,
 * two that differ would each be half of a cluster of three. */
static const ConsensusMember *find_witness(ConsensusHistory *history, const ConsensusState *state, unsigned needed) {
        history->divided = false;
        for (unsigned i = 0; i < state->count; i++) {
                unsigned all;
                unsigned like = count_like(state, &state->members[i], &all);
                history->divided = history->divided || like < all;
                if (like >= needed) {
                        history->divided = false;
                        return &state->members[i];
                }
        }
        return NULL;
}

static void judge_data(ConsensusHistory *history, const ConsensusState *state, unsigned needed) {
        if (!any_hashed(state)) /* not at this look */
                return;
        const ConsensusMember *witness = find_witness(history, state, needed);
        history->agreed = witness != NULL;
        for (unsigned i = 0; witness && i < state->count; i++)
                if (comparable(&state->members[i], witness))
                        note(&history->members[i].data, state->members[i].hash == witness->hash, state->at_mono);
}

static void judge_leaders(ConsensusHistory *history, const ConsensusState *state, const ConsensusView *view) {
        for (unsigned i = 0; view->leader != 0 && i < state->count; i++) {
                const ConsensusMember *member = &state->members[i];
                if (!member->reachable || member->leader == 0)
                        continue; /* it says nothing */
                /* of an older term it just hasn't heard yet */
                bool other = member->term == view->term && member->leader != view->leader;
                note(&history->members[i].leader, !other, state->at_mono);
        }
}

/* ---- words ---- */

static void describe_leader(const ConsensusHistory *history, const ConsensusState *state, const ConsensusView *view,
                            int64_t patience_us, char *text, size_t size) {
        char missing[WORDS_MAX], patience[WORDS_MAX];
        const ConsensusMember *leader = consensus_find(state, view->leader);
        if (leader) {
                words_append(text, size, ", %s leads in term %" PRIu64, leader->name, view->term);
                return;
        }
        if (view->leader != 0) {
                words_append(text, size, ", a member that isn't listed leads in term %" PRIu64, view->term);
                return;
        }
        words_duration(state->at_mono - history->missing_mono, missing);
        words_append(text, size, ", no leader that a majority (%u) follows", view->needed);
        if (view->quorum == KNOWN_FALSE)
                words_append(text, size, " for %s: the quorum is lost", missing);
        else
                words_append(text, size, " for %s; after %s the quorum counts as lost", missing,
                             words_duration(patience_us, patience));
}

static void describe_members(const ConsensusHistory *history, const ConsensusState *state, const ConsensusView *view,
                             char *text, size_t size) {
        for (unsigned i = 0; i < state->count; i++) {
                const ConsensusMember *member = &state->members[i];
                const struct ConsensusRecord *record = &history->members[i];
                if (record->leader.count > 0)
                        words_append(text, size, "; %s claims another leader in the same term%s", member->name,
                                     record->leader.count < CONSENSUS_STRIKES ? ", to be confirmed" : ": Byzantine");
                if (record->data.count > 0)
                        words_append(text, size, "; the data of %s differs from the majority's%s", member->name,
                                     record->data.count < CONSENSUS_STRIKES ? ", to be confirmed" : ": Byzantine");
        }
        if (history->divided)
                words_append(text, size,
                             "; the members' data differs and no majority (%u) agrees: it can't be told who is wrong",
                             view->needed);
        if (!history->agreed && !history->divided)
                words_append(text, size, "; the members' data isn't compared");
        for (unsigned i = 0; i < state->count; i++)
                if (!state->members[i].reachable)
                        words_append(text, size, "; %s doesn't answer", state->members[i].name);
}

/* ---- all of it ---- */

static void sum_up(const ConsensusHistory *history, const ConsensusState *state, ConsensusView *view) {
        view->data_agrees = history->agreed;
        for (unsigned i = 0; i < state->count; i++) {
                const ConsensusMember *member = &state->members[i];
                const struct ConsensusRecord *record = &history->members[i];
                view->data_agrees = view->data_agrees && record->data.count == 0 && record->leader.count == 0;
                view->is_byzantine[i] =
                        record->data.count >= CONSENSUS_STRIKES || record->leader.count >= CONSENSUS_STRIKES;
                view->byzantine += view->is_byzantine[i];
                view->reachable += member->reachable;
                if (member->reachable && member->lag_us > view->lag_us)
                        view->lag_us = member->lag_us;
        }
}

void consensus_judge(ConsensusHistory *history, const ConsensusState *state, int64_t patience_us,
                     ConsensusView *ret_view) {
        ConsensusView view = {.count = state->count, .needed = needed_votes(state), .lag_us = -1};
        arrange_records(history, state);
        find_leader(state, &view);
        judge_quorum(history, state, patience_us, &view);
        judge_data(history, state, view.needed);
        judge_leaders(history, state, &view);
        sum_up(history, state, &view);
        words_append(view.words, sizeof view.words, "%u of %u members answer", view.reachable, view.count);
        describe_leader(history, state, &view, patience_us, view.words, sizeof view.words);
        describe_members(history, state, &view, view.words, sizeof view.words);
        *ret_view = view;
}

static bool could_lead(const ConsensusState *state, const ConsensusView *view, unsigned index) {
        const ConsensusMember *member = &state->members[index];
        return votes(member) && member->id != view->leader && member->term == view->term &&
               member->leader == view->leader;
}

const ConsensusMember *consensus_successor(const ConsensusState *state, const ConsensusView *view, char *words,
                                           size_t size) {
        const ConsensusMember *best = NULL;
        unsigned byzantine = 0;
        words[0] = '\0';
        for (unsigned i = 0; view->leader != 0 && i < state->count; i++) {
                if (!could_lead(state, view, i))
                        continue;
                if (view->is_byzantine[i])
                        byzantine++;
                else if (!best || state->members[i].applied > best->applied)
                        best = &state->members[i];
        }
        if (best)
                return best;
        if (view->leader == 0)
                words_append(words, size, "there is no leader that a majority follows: %s", view->words);
        else if (byzantine > 0)
                words_append(words, size, "the only member that could take over is Byzantine: %s", view->words);
        else
                words_append(words, size, "no other member with a vote answers and follows the leader: %s",
                             view->words);
        return NULL;
}
