#include "adapters/etcd-query.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

void query_go_on(Query *query) {
        if (query->waiting == 0 && query->lists_waiting == 0)
                query->next(query);
}

void query_explain(ConsensusMember *member, const char *what, const Error *error) {
        snprintf(member->detail, sizeof member->detail, "%s%.100s", what, error_text(error));
}

/* ---- list ---- */

static void take_list(Query *query, const EtcdMembers *list) {
        const Etcd *etcd = query->etcd;
        query->has_new_list = true;
        query->new_list = *list;
        query->of_another_cluster = etcd->known && list->cluster != etcd->members.cluster;
        if (query->of_another_cluster)
                return; /* somebody else may know better */
        for (unsigned i = 0; i < query->list_count; i++)
                query->lists[i].call = http_cancel(query->lists[i].call);
        query->lists_waiting = 0;
}

static int read_list(const HttpAnswer *answer, EtcdMembers *ret_list, Error *error) {
        int r = etcd_check_answer(answer, error);
        return r < 0 ? r : etcd_parse_members(answer->body, answer->size, ret_list, error);
}

static void on_list(void *userdata, const HttpAnswer *answer) {
        Ask *ask = userdata;
        Query *query = ask->query;
        EtcdMembers list;
        Error error = {0};
        ask->call = NULL;
        query->lists_waiting--;
        if (read_list(answer, &list, &error) == 0) {
                take_list(query, &list);
        } else if (query->list_error.code == 0) {
                query->list_error = error;
                if (answer->code != 0)
                        error_prefix(&query->list_error, "%s", ask->base);
        }
        query_go_on(query);
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

int query_read_status(const Query *query, unsigned index, const HttpAnswer *answer, EtcdStatus *ret_status,
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
        if (query_read_status(query, ask->member, answer, &status, &error) == 0) {
                take_status(member, &status);
                query->answered_mono[ask->member] = etcd_now_us(query->etcd);
                memcpy(member->detail, query->etcd->ways[ask->member].hash_problem, sizeof member->detail);
        } else {
                query_explain(member, "", &error);
                query->etcd->ways[ask->member].client++;
        }
        query_go_on(query);
}

void query_ask_member(Query *query, unsigned index, const EtcdQuestion *question, int64_t budget_us,
                      HttpCallback callback) {
        Ask *ask = &query->asks[index];
        Error error = {0};
        *ask = (Ask){.query = query, .member = index, .begun_mono = etcd_now_us(query->etcd)};
        if (etcd_ask(query->etcd, question, budget_us, callback, ask, &ask->call, &error) == 0)
                query->waiting++;
        else
                query_explain(&query->state.members[index], "", &error);
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
        query->next = query_begin_catch_up;
        query->state.at_mono = query->asked_mono = etcd_now_us(query->etcd);
        query->state.count = query->etcd->members.count;
        for (unsigned i = 0; i < query->state.count; i++) {
                describe_member(query, i);
                const EtcdQuestion question = {.base = query->state.members[i].address, .path = ETCD_PATH_STATUS};
                if (question.base[0])
                        query_ask_member(query, i, &question, query->member_us, on_status);
        }
        query_go_on(query);
}

/* ---- the end ---- */

/* Then a cluster that was made anew, from a backup as a rule, has taken the place of the one that is known. */
static bool nobody_reachable(const ConsensusState *state) {
        for (unsigned i = 0; i < state->count; i++)
                if (state->members[i].reachable)
                        return false;
        return true;
}

void query_finish(Query *query) {
        Etcd *etcd = query->etcd;
        OpResult result = {.status = OP_DONE};
        query_note_hashes(query);
        if (query->has_new_list && (!query->of_another_cluster || nobody_reachable(&query->state)))
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
                query_go_on(query);
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
