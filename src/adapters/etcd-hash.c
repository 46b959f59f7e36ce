/* The hash of every member's data, over the peers' address, now and then: hashing reads all of a member's data. */
#include "adapters/etcd-query.h"

#include <inttypes.h>
#include <string.h>

#define HASH_SOON_US USEC_PER_SEC /* while the members differ: as soon as it counts as another disagreement */
#define HASH_SOON_TIMES 10        /* and no longer */

/* Counted from question to question, as the members' disagreements are. */
static bool hash_is_due(const Query *query) {
        const Etcd *etcd = query->etcd;
        bool soon = etcd->hash_refused || (etcd->disagreements > 0 && etcd->disagreements < HASH_SOON_TIMES);
        int64_t interval = soon ? HASH_SOON_US : etcd->hash_interval_us;
        return etcd->hashed_mono == 0 || query->asked_mono - etcd->hashed_mono >= interval;
}

/* The newest that all who answer have. */
static int64_t common_revision(const ConsensusState *state) {
        int64_t revision = -1;
        for (unsigned i = 0; i < state->count; i++)
                if (state->members[i].reachable && (revision < 0 || state->members[i].revision < revision))
                        revision = state->members[i].revision;
        return revision;
}

static void on_hash(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Query *query = ask->query;
        ConsensusMember *member = &query->state.members[ask->member];
        EtcdHash hash;
        Error error = {0};
        ask->call = NULL;
        query->waiting--;
        int r = etcd_check_answer(answer, &error);
        if (r == 0)
                r = etcd_parse_hash(answer->body, answer->size, &hash, &error);
        if (r == 0) {
                member->hashed = true;
                query->hashed++;
                member->detail[0] = '\0';
                member->compact_revision = hash.compact_revision;
                member->hash = hash.hash;
        } else {
                query_explain(member, "its data's hash: ", &error);
                if (answer->code == 0)
                        query->etcd->ways[ask->member].peer++;
                else
                        query->hash_refusals++;
        }
        memcpy(query->etcd->ways[ask->member].hash_problem, member->detail, sizeof member->detail);
        query_go_on(query);
}

void query_begin_hash(Query *query) {
        ConsensusState *state = &query->state;
        int64_t revision = common_revision(state);
        char body[48];
        query->next = query_finish;
        if (revision > 0 && hash_is_due(query)) {
                query->etcd->hashed_mono = query->asked_mono;
                snprintf(body, sizeof body, "{\"revision\":%" PRId64 "}", revision);
                for (unsigned i = 0; i < state->count; i++) {
                        const EtcdQuestion question = {.base = etcd_peer_url(query->etcd, i),
                                                       .path = "/members/hashkv",
                                                       .method = "GET",
                                                       .body = body};
                        if (!state->members[i].reachable || question.base[0] == '\0')
                                continue;
                        state->members[i].hash_revision = revision;
                        query_ask_member(query, i, &question, query->member_us, on_hash);
                }
        }
        query_go_on(query);
}

/* ---- do they agree? ---- */

typedef enum Agreement { AGREE_UNKNOWN, AGREE, DISAGREE } Agreement;

static Agreement compare_hashes(const ConsensusState *state) {
        Agreement agreement = AGREE_UNKNOWN;
        for (unsigned i = 0; i < state->count; i++)
                for (unsigned k = i + 1; k < state->count; k++) {
                        const ConsensusMember *a = &state->members[i], *b = &state->members[k];
                        if (!a->hashed || !b->hashed || a->compact_revision != b->compact_revision)
                                continue;
                        if (a->hash != b->hash)
                                return DISAGREE;
                        agreement = AGREE;
                }
        return agreement;
}

void query_note_hashes(Query *query) {
        Etcd *etcd = query->etcd;
        Agreement agreement = compare_hashes(&query->state);
        if (agreement != AGREE_UNKNOWN)
                etcd->disagreements = agreement == DISAGREE ? etcd->disagreements + 1 : 0;
        if (query->hashed + query->hash_refusals > 0)
                etcd->hash_refused = query->hashed == 0;
}
