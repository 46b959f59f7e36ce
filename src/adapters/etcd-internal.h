/* Between the etcd driver's files.
 *   etcd.c        settings, and one question to one member      etcd-text.c    what an answer says
 *   etcd-query.c  the whole cluster asked at once (with its phases etcd-catch-up.c, etcd-hash.c; see etcd-query.h)
 *   etcd-leader.c moving the leadership */
#pragma once

#include "adapters/adapter.h"
#include "adapters/etcd-text.h"

#define ETCD_PATH_STATUS "/v3/maintenance/status"
#define ETCD_ENDPOINTS_MAX 16

typedef struct Etcd {
        DriverContext context;
        const char *const *endpoints;
        HttpTls tls;
        int64_t hash_interval_us;

        bool known; /* `members` is what a member told last; a dead one stays in it until it is removed from the cluster */
        EtcdMembers members;
        /* Which of its URLs each member is asked at: the next one when that didn't answer. As in `members`. */
        struct EtcdWay {
                unsigned client, peer;
                char hash_problem[sizeof(
                        ((ConsensusMember *)0)->detail)]; /* why its data wasn't hashed the last time */
        } ways[MEMBERS_MAX];
        int64_t listed_mono, hashed_mono; /* 0: never */
        unsigned disagreements;           /* hashings in a row in which the members' data differed */
        bool hash_refused;                /* the last time by all: what was asked for was compacted meanwhile */
} Etcd;

int64_t etcd_now_us(const Etcd *etcd);

/* Takes a new list over; the ways to members that were known stay. */
void etcd_remember(Etcd *etcd, const EtcdMembers *members);

/* "" when there is none. */
const char *etcd_client_url(const Etcd *etcd, unsigned member);
const char *etcd_peer_url(const Etcd *etcd, unsigned member);

/* `base`: http://host:port; `method` NULL: POST; `once`: it must not be sent twice. */
typedef struct EtcdQuestion {
        const char *base, *path, *method, *body;
        bool once;
} EtcdQuestion;
int etcd_ask(Etcd *etcd, const EtcdQuestion *question, int64_t budget_us, HttpCallback callback, void *userdata,
             HttpCall **ret_call, Error *error);

/* 0: it is an answer to be read; else why it isn't. */
int etcd_check_answer(const HttpAnswer *answer, Error *error);

int etcd_query(void *self, int64_t member_us, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
               Error *error);
int etcd_move_leader(void *self, uint64_t from, uint64_t to, int64_t budget_us, OpCallback callback, void *userdata,
                     Op **ret_op, Error *error);
