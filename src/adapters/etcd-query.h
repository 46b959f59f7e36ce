/* Between the files of a query: the whole cluster asked at once, in phases. Each phase is bounded by the time that one member is
 * given, and begins the next:
 *   etcd-query.c     list     who the members are; every endpoint is asked, the first answer counts. Beside the next, once it is known
 *                    status   every member: the leader it claims, and what it has applied
 *   etcd-catch-up.c  catch-up the followers that lacked something of what the leader had, until they have it: that is the lag
 *   etcd-hash.c      hash     every member: the hash of its data at one revision that all of them have */
#pragma once

#include "adapters/etcd-internal.h"

#define LISTS_MAX (ETCD_ENDPOINTS_MAX + MEMBERS_MAX)

typedef struct Query Query;

typedef struct Ask {
        Query *query;
        unsigned member;
        const char *base; /* list: who is asked */
        int64_t begun_mono;
        HttpCall *call; /* NULL: nothing is under way */
} Ask;

struct Query {
        Op op;
        Etcd *etcd;
        int64_t member_us;

        Ask lists[LISTS_MAX];
        unsigned list_count, lists_waiting;
        Error list_error; /* the first endpoint's */

        Ask asks[MEMBERS_MAX]; /* of the phase under way */
        unsigned waiting;
        void (*next)(Query *query); /* the phase after it */
        ConsensusState state;       /* as etcd->members was when it began: that list is replaced at the end alone */
        bool has_new_list, of_another_cluster; /* that counts only when nobody of the known one is left */
        EtcdMembers new_list;

        int64_t asked_mono, catch_up_until;
        int64_t answered_mono[MEMBERS_MAX]; /* the status; 0: it wasn't */
        int64_t leader_applied, leader_answered_mono;
        bool catching_up[MEMBERS_MAX];
        unsigned hashed, hash_refusals; /* answers to that question */
        sd_event_source *again;
};

/* A phase is over when everybody has answered, or failed to; then the next one. `query` may be gone after this, and after every
 * function that begins or ends a phase. */
void query_go_on(Query *query);

/* Asks one member; when that can't be begun, its detail says why. */
void query_ask_member(Query *query, unsigned index, const EtcdQuestion *question, int64_t budget_us,
                      HttpCallback callback);
int query_read_status(const Query *query, unsigned index, const HttpAnswer *answer, EtcdStatus *ret_status,
                      Error *error);
void query_explain(ConsensusMember *member, const char *what, const Error *error);

void query_begin_catch_up(Query *query);
void query_begin_hash(Query *query);
void query_note_hashes(Query *query); /* what the next hashing's time depends on */
void query_finish(Query *query);
