/* The whole cluster asked at once. One after the other, each bounded by the time that one member is given:
 *   list     who the members are; every endpoint is asked, the first answer counts. Beside the next, once the list is known
 *   status   every member: the leader it claims, and what it has applied
 *   catch-up the followers that lacked something of what the leader had, until they have it: that is the lag
 *   hash     every member: the hash of its data at one revision that all of them have */
#include "adapters/etcd-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LISTS_MAX (ETCD_ENDPOINTS_MAX + MEMBERS_MAX)
#define CATCH_UP_GAP_US (5 * USEC_PER_MSEC)
#define HASH_SOON_US USEC_PER_SEC /* while the members differ: as soon as it counts as another disagreement */
#define HASH_SOON_TIMES 10        /* and no longer: hashing reads all of a member's data */

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
        bool has_new_list;
        EtcdMembers new_list;

        int64_t asked_mono, catch_up_until;
        int64_t answered_mono[MEMBERS_MAX]; /* the status; 0: it wasn't */
        int64_t leader_applied, leader_answered_mono;
        bool catching_up[MEMBERS_MAX];
        unsigned hashed, hash_refusals; /* answers to that question */
        sd_event_source *again;
};

static void query_destroy(Op *op) {
        Query *query = (Query *)op;
        for (unsigned i = 0; i < query->list_count; i++)
                http_cancel(query->lists[i].call);
        for (unsigned i = 0; i < MEMBERS_MAX; i++)
                http_cancel(query->asks[i].call);
        sd_event_source_disable_unref(query->again);
        op_finish_base(op);
        free(query);
}

static void begin_status(Query *query);
static void begin_catch_up(Query *query);
static void begin_hash(Query *query);
static void finish(Query *query);

/* A phase is over when everybody has answered, or failed to. */
static void go_on(Query *query) {
        if (query->waiting == 0 && query->lists_waiting == 0)
                query->next(query);
}

static void explain(ConsensusMember *member, const char *what, const Error *error) {
        snprintf(member->detail, sizeof member->detail, "%s%.100s", what, error_text(error));
}

/* ---- list ---- */

static void take_list(Query *query, const EtcdMembers *list) {
        for (unsigned i = 0; i < query->list_count; i++)
                query->lists[i].call = http_cancel(query->lists[i].call);
        query->lists_waiting = 0;
        query->has_new_list = true;
        query->new_list = *list;
}

static int read_list(const Query *query, const HttpAnswer *answer, EtcdMembers *ret_list, Error *error) {
        const Etcd *etcd = query->etcd;
        int r = etcd_check_answer(answer, error);
        if (r == 0)
                r = etcd_parse_members(answer->body, answer->size, ret_list, error);
        if (r == 0 && etcd->known && ret_list->cluster != etcd->members.cluster)
                r = error_set(error, -EBADMSG, "it belongs to another cluster (%" PRIx64 ", not %" PRIx64 ")",
                              ret_list->cluster, etcd->members.cluster);
        return r;
}

static void on_list(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Query *query = ask->query;
        EtcdMembers list;
        Error error = {0};
        ask->call = NULL;
        query->lists_waiting--;
        if (read_list(query, answer, &list, &error) == 0) {
                take_list(query, &list);
        } else if (query->list_error.code == 0) {
                query->list_error = error;
                if (answer->code != 0)
                        error_prefix(&query->list_error, "%s", ask->base);
        }
        go_on(query);
}

static void ask_for_list(Query *query, const char *base) {
        const EtcdQuestion question = {.base = base, .path = "/v3/cluster/member/list"};
        Error error = {0};
        if (base[0] == '\0' || query->list_count == LISTS_MAX)
                return;
        Ask *ask = &query->lists[query->list_count++];
        *ask = (Ask){.query = query, .base = base};
        if (etcd_ask(query->etcd, &question, query->member_us, on_list, ask, &ask->call, &error) == 0)
                query->lists_waiting++;
        else if (query->list_error.code == 0)
                query->list_error = error;
}

static void begin_list(Query *query) {
        const Etcd *etcd = query->etcd;
        for (const char *const *endpoint = etcd->endpoints; *endpoint; endpoint++)
                ask_for_list(query, *endpoint);
        for (unsigned i = 0; i < etcd->members.count; i++)
                ask_for_list(query, etcd_client_url(etcd, i));
}

/* The very first time: without a list there is nobody to ask. */
static void after_first_list(Query *query) {
        if (!query->has_new_list) {
                error_prefix(&query->list_error, "the cluster's members aren't known");
                op_fail(&query->op, &query->list_error);
                return;
        }
        etcd_remember(query->etcd, &query->new_list);
        query->has_new_list = false;
        begin_status(query);
}

/* ---- status ---- */

static int read_status(const Query *query, unsigned index, const HttpAnswer *answer, EtcdStatus *ret_status,
                       Error *error) {
        const EtcdMembers *members = &query->etcd->members;
        int r = etcd_check_answer(answer, error);
        if (r == 0)
                r = etcd_parse_status(answer->body, answer->size, ret_status, error);
        if (r == 0 && ret_status->cluster != members->cluster)
                r = error_set(error, -EBADMSG, "a member of another cluster answers there");
        if (r == 0 && ret_status->member != members->members[index].id)
                r = error_set(error, -EBADMSG, "another member (%" PRIx64 ") answers there", ret_status->member);
        return r;
}

static void take_status(ConsensusMember *member, const EtcdStatus *status) {
        member->reachable = true;
        member->term = status->term;
        member->leader = status->leader;
        member->applied = status->applied;
        member->revision = status->revision;
}

static void on_status(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Query *query = ask->query;
        ConsensusMember *member = &query->state.members[ask->member];
        EtcdStatus status;
        Error error = {0};
        ask->call = NULL;
        query->waiting--;
        if (read_status(query, ask->member, answer, &status, &error) == 0) {
                take_status(member, &status);
                query->answered_mono[ask->member] = etcd_now_us(query->etcd);
                memcpy(member->detail, query->etcd->ways[ask->member].hash_problem, sizeof member->detail);
        } else {
                explain(member, "", &error);
                query->etcd->ways[ask->member].client++;
        }
        go_on(query);
}

static void ask_member(Query *query, unsigned index, const EtcdQuestion *question, int64_t budget_us,
                       HttpCallback callback) {
        Ask *ask = &query->asks[index];
        Error error = {0};
        *ask = (Ask){.query = query, .member = index, .begun_mono = etcd_now_us(query->etcd)};
        if (etcd_ask(query->etcd, question, budget_us, callback, ask, &ask->call, &error) == 0)
                query->waiting++;
        else
                explain(&query->state.members[index], "", &error);
}

static void describe_member(Query *query, unsigned index) {
        const EtcdMember *known = &query->etcd->members.members[index];
        ConsensusMember *member = &query->state.members[index];
        *member = (ConsensusMember){.id = known->id,
                                    .learner = known->learner,
                                    .applied = -1,
                                    .revision = -1,
                                    .lag_us = -1,
                                    .lag_least_us = -1};
        memcpy(member->name, known->name, sizeof member->name);
        if (member->name[0] == '\0')
                snprintf(member->name, sizeof member->name, "%" PRIx64, known->id);
        snprintf(member->address, sizeof member->address, "%s", etcd_client_url(query->etcd, index));
        if (member->address[0] == '\0')
                snprintf(member->detail, sizeof member->detail, "%s",
                         known->name[0] ? "it tells no http or https URL for clients"
                                        : "it was added to the cluster, but has never been started");
}

static void begin_status(Query *query) {
        query->next = begin_catch_up;
        query->state.at_mono = query->asked_mono = etcd_now_us(query->etcd);
        query->state.count = query->etcd->members.count;
        for (unsigned i = 0; i < query->state.count; i++) {
                describe_member(query, i);
                const EtcdQuestion question = {.base = query->state.members[i].address, .path = ETCD_PATH_STATUS};
                if (question.base[0])
                        ask_member(query, i, &question, query->member_us, on_status);
        }
        go_on(query);
}

/* ---- catch-up ---- */

/* Of several that say they lead (an old one doesn't know yet) the one of the newest term. */
static const ConsensusMember *find_leader(const ConsensusState *state) {
        const ConsensusMember *leader = NULL;
        for (unsigned i = 0; i < state->count; i++) {
                const ConsensusMember *member = &state->members[i];
                if (member->reachable && member->leader == member->id && (!leader || member->term > leader->term))
                        leader = member;
        }
        return leader;
}

/* `begun_mono`: when it was asked; what it says is of a moment between that and its answer, as the leader's was. */
static void look_at_applied(Query *query, unsigned index, int64_t begun_mono, int64_t answered_mono) {
        ConsensusMember *member = &query->state.members[index];
        int64_t since_leader = begun_mono - query->leader_answered_mono;
        query->catching_up[index] = member->applied < query->leader_applied;
        member->lag_us = answered_mono - query->asked_mono;
        if (query->catching_up[index] && since_leader > member->lag_least_us)
                member->lag_least_us = since_leader;
}

static void on_applied(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Query *query = ask->query;
        EtcdStatus status;
        Error error = {0};
        ask->call = NULL;
        query->waiting--;
        if (read_status(query, ask->member, answer, &status, &error) == 0) {
                query->state.members[ask->member].applied = status.applied;
                look_at_applied(query, ask->member, ask->begun_mono, etcd_now_us(query->etcd));
        }
}

static void ask_who_lacks(Query *query) {
        int64_t left = query->catch_up_until - etcd_now_us(query->etcd);
        for (unsigned i = 0; i < query->state.count; i++) {
                const EtcdQuestion question = {.base = query->state.members[i].address, .path = ETCD_PATH_STATUS};
                if (query->catching_up[i] && !query->asks[i].call && left > 0)
                        ask_member(query, i, &question, left, on_applied);
        }
}

static bool anybody_lacks(const Query *query) {
        for (unsigned i = 0; i < query->state.count; i++)
                if (query->catching_up[i])
                        return true;
        return false;
}

static void end_catch_up(Query *query) {
        int64_t now = etcd_now_us(query->etcd);
        for (unsigned i = 0; i < query->state.count; i++) {
                ConsensusMember *member = &query->state.members[i];
                query->asks[i].call = http_cancel(query->asks[i].call);
                if (!query->catching_up[i])
                        continue;
                member->behind = query->leader_applied - member->applied;
                member->lag_us = now - query->asked_mono;
        }
        query->waiting = 0;
        query->again = sd_event_source_disable_unref(query->again);
        begin_hash(query);
}

static int on_again(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Query *query = userdata;
        if (!anybody_lacks(query) || etcd_now_us(query->etcd) >= query->catch_up_until) {
                end_catch_up(query);
                return 0;
        }
        ask_who_lacks(query);
        int r = sd_event_source_set_time_relative(source, CATCH_UP_GAP_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void begin_catch_up(Query *query) {
        ConsensusState *state = &query->state;
        const ConsensusMember *leader = find_leader(state);
        for (unsigned i = 0; leader && i < state->count; i++) {
                ConsensusMember *member = &state->members[i];
                query->leader_applied = leader->applied;
                query->leader_answered_mono = query->answered_mono[leader - state->members];
                if (!member->reachable)
                        continue;
                member->lag_us = member->lag_least_us = 0;
                if (member != leader)
                        look_at_applied(query, i, query->asked_mono, query->answered_mono[i]);
        }
        query->catch_up_until = etcd_now_us(query->etcd) + query->member_us;
        if (anybody_lacks(query) &&
            sd_event_add_time_relative(query->op.event, &query->again, CLOCK_BOOTTIME, 0, 1000, on_again, query) >= 0)
                return;
        end_catch_up(query);
}

/* ---- hash ---- */

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
                explain(member, "its data's hash: ", &error);
                if (answer->code == 0)
                        query->etcd->ways[ask->member].peer++;
                else
                        query->hash_refusals++;
        }
        memcpy(query->etcd->ways[ask->member].hash_problem, member->detail, sizeof member->detail);
        go_on(query);
}

static void begin_hash(Query *query) {
        ConsensusState *state = &query->state;
        int64_t revision = common_revision(state);
        char body[48];
        query->next = finish;
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
                        ask_member(query, i, &question, query->member_us, on_hash);
                }
        }
        go_on(query);
}

/* ---- the end ---- */

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

static void finish(Query *query) {
        Etcd *etcd = query->etcd;
        OpResult result = {.status = OP_DONE};
        Agreement agreement = compare_hashes(&query->state);
        if (agreement != AGREE_UNKNOWN)
                etcd->disagreements = agreement == DISAGREE ? etcd->disagreements + 1 : 0;
        if (query->hashed + query->hash_refusals > 0)
                etcd->hash_refused = query->hashed == 0;
        if (query->has_new_list)
                etcd_remember(etcd, &query->new_list);
        result.consensus = query->state;
        op_complete(&query->op, &result);
}

static bool list_is_due(const Etcd *etcd) {
        return etcd_now_us(etcd) - etcd->listed_mono >= etcd->hash_interval_us;
}

static int on_begin(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Query *query = userdata;
        query->again = sd_event_source_disable_unref(query->again);
        bool first = !query->etcd->known;
        query->next = after_first_list;
        if (first || list_is_due(query->etcd))
                begin_list(query);
        if (first)
                go_on(query);
        else
                begin_status(query);
        return 0;
}

int etcd_query(void *self, int64_t member_us, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
               Error *error) {
        Etcd *etcd = self;
        Query *query = calloc(1, sizeof *query);
        if (!query)
                return error_set(error, -ENOMEM, "etcd: out of memory");
        query->etcd = etcd;
        query->member_us = member_us;
        int r = op_begin(&query->op, etcd->context.event, "etcd query", budget_us, callback, userdata, query_destroy);
        if (r >= 0) /* from the loop, so that whatever fails at once is told from there too */
                r = sd_event_add_time_relative(etcd->context.event, &query->again, CLOCK_BOOTTIME, 0, 1000, on_begin,
                                               query);
        if (r < 0) {
                op_cancel(&query->op);
                return error_set(error, r, "etcd: cannot begin to ask the cluster: %s", strerror(-r));
        }
        *ret_op = &query->op;
        return 0;
}
