/* The consensus cluster and the nodes: how they stand, and the leadership moved on request. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/operations.h"

#include <assert.h>

#define MOVE_BUDGET_US (10 * USEC_PER_SEC)

/* The newest answer of the cluster, judged; both NULL: there is none. */
typedef struct Cluster {
        const ConsensusState *state;
        const ConsensusView *view;
} Cluster;

static Cluster cluster_of(const Controller *controller) {
        if (!controller->checkup)
                return (Cluster){0};
        const Cluster cluster = {checkup_consensus(controller->checkup), checkup_consensus_view(controller->checkup)};
        return cluster.state && cluster.view ? cluster : (Cluster){0};
}

static bool is_configured(const Controller *controller) {
        return controller->config->consensus_driver != NULL;
}

/* Why nothing is known of the cluster. */
static const char *reason_unknown(const Controller *controller) {
        const Health *health = controller->checkup ? checkup_health(controller->checkup) : NULL;
        if (!is_configured(controller))
                return "no cluster is configured: consensus.driver in rollback.yaml is none";
        const ComponentHealth *consensus = health ? health_find(health, "consensus") : NULL;
        return consensus && consensus->reason[0] ? consensus->reason : "the cluster has not been asked yet";
}

static json_t *tristate_json(Tristate value) {
        return value == KNOWN_NOT ? json_null() : json_boolean(value == KNOWN_TRUE);
}

static json_t *count_json(int64_t count) {
        return count < 0 ? json_null() : json_integer(count);
}

static const char *role_of(const ConsensusMember *member, const ConsensusView *view) {
        return member->id == view->leader ? "leader" : "follower";
}

/* ---- consensus/status ---- */

static const char *member_state(const Cluster *cluster, unsigned index) {
        const ConsensusMember *member = &cluster->state->members[index];
        if (cluster->view->is_byzantine[index])
                return "byzantine";
        return member->reachable ? role_of(member, cluster->view) : "unreachable";
}

static void describe_member(const ConsensusMember *member, bool byzantine, char *text, size_t size) {
        snprintf(text, size, "%s%s%s%s%s", byzantine ? "its data or its leader differs from the majority's" : "",
                 byzantine && (member->detail[0] || member->behind > 0 || member->learner) ? "; " : "", member->detail,
                 member->learner ? " (no vote yet)" : "", member->behind > 0 ? " (has not caught up)" : "");
}

static json_t *member_json(const Cluster *cluster, unsigned index) {
        const ConsensusMember *member = &cluster->state->members[index];
        char detail[DETAIL_MAX];
        describe_member(member, cluster->view->is_byzantine[index], detail, sizeof detail);
        return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "name", wire_text(member->name), "address",
                         wire_text(member->address), "state", member_state(cluster, index), "applied",
                         count_json(member->applied), "revision", count_json(member->revision), "lag_ms",
                         wire_ms(member->lag_us), "detail", wire_text(detail));
}

static json_t *members_json(const Cluster *cluster) {
        json_t *members = json_array();
        for (unsigned i = 0; i < cluster->state->count; i++)
                if (json_array_append_new(members, member_json(cluster, i)) < 0) {
                        json_decref(members);
                        return NULL;
                }
        return members;
}

static json_t *byzantine_names(const Cluster *cluster) {
        json_t *names = json_array();
        for (unsigned i = 0; i < cluster->state->count; i++)
                if (cluster->view->is_byzantine[i])
                        json_array_append_new(names, wire_text(cluster->state->members[i].name));
        return names;
}

static json_t *known_cluster(const Cluster *cluster) {
        const ConsensusView *view = cluster->view;
        const ConsensusMember *leader = consensus_find(cluster->state, view->leader);
        double age_s = (double)(clock_mono_us() - cluster->state->at_mono) / (double)USEC_PER_SEC;
        return json_pack("{s:b, s:b, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:i, s:o, s:f, s:o}", "configured", 1,
                         "leader_elected", (int)(view->leader != 0), "leader", wire_text(leader ? leader->name : NULL),
                         "term", count_json(view->term > 0 ? (int64_t)view->term : -1), "quorum_healthy",
                         tristate_json(view->quorum), "reachable", (int)view->reachable, "needed", (int)view->needed,
                         "members", members_json(cluster), "replication_lag_ms", wire_ms(view->lag_us),
                         "byzantine_nodes", (int)view->byzantine, "byzantine", byzantine_names(cluster), "sample_age_s",
                         age_s, "detail", wire_text(view->words));
}

int op_consensus_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                        Problem *problem) {
        const Controller *controller = self;
        const Cluster cluster = cluster_of(controller);
        (void)arguments;
        (void)caller;
        if (cluster.view)
                return answer(known_cluster(&cluster), ret_answer, problem);
        return answer(json_pack("{s:b, s:n, s:n, s:n, s:n, s:n, s:n, s:[], s:n, s:n, s:[], s:n, s:o}", "configured",
                                (int)is_configured(controller), "leader_elected", "leader", "term", "quorum_healthy",
                                "reachable", "needed", "members", "replication_lag_ms", "byzantine_nodes", "byzantine",
                                "sample_age_s", "detail", wire_text(reason_unknown(controller))),
                      ret_answer, problem);
}

/* ---- cluster/status ---- */

static const char *node_state(const Controller *controller, const Cluster *cluster, unsigned index) {
        const ConsensusMember *member = &cluster->state->members[index];
        if (!member->reachable)
                return "unreachable";
        bool lags = member->lag_least_us > controller->config->consensus_lag_us || member->behind > 0;
        return cluster->view->is_byzantine[index] || lags ? "degraded" : "healthy";
}

static json_t *node_of_member(const Controller *controller, const Cluster *cluster, unsigned index) {
        const ConsensusMember *member = &cluster->state->members[index];
        char detail[DETAIL_MAX];
        describe_member(member, cluster->view->is_byzantine[index], detail, sizeof detail);
        return json_pack("{s:o, s:o, s:s, s:o, s:o}", "name", wire_text(member->name), "address",
                         wire_text(member->address), "state", node_state(controller, cluster, index), "role",
                         wire_text(member->reachable ? role_of(member, cluster->view) : NULL), "detail",
                         wire_text(detail));
}

static json_t *node_of_peer(const PeerState *peer) {
        const char *state = peer->reached == KNOWN_NOT    ? "unknown"
                            : peer->reached == KNOWN_TRUE ? "healthy"
                                                          : "unreachable";
        return json_pack("{s:o, s:o, s:s, s:n, s:o}", "name", wire_text(peer->address), "address",
                         wire_text(peer->address), "state", state, "role", "detail", wire_text(peer->problem));
}

static json_t *nodes_json(const Controller *controller, const Cluster *cluster) {
        json_t *nodes = json_array();
        PeerState peer;
        int r = 0;
        for (unsigned i = 0; r == 0 && cluster->state && i < cluster->state->count; i++)
                r = json_array_append_new(nodes, node_of_member(controller, cluster, i));
        for (unsigned i = 0; r == 0 && controller->checkup && checkup_peer(controller->checkup, i, &peer); i++)
                r = json_array_append_new(nodes, node_of_peer(&peer));
        if (r == 0)
                return nodes;
        json_decref(nodes);
        return NULL;
}

int op_cluster_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                      Problem *problem) {
        const Controller *controller = self;
        const Cluster cluster = cluster_of(controller);
        (void)arguments;
        (void)caller;
        return answer(json_pack("{s:o, s:o, s:o}", "nodes", nodes_json(controller, &cluster), "quorum_healthy",
                                tristate_json(cluster.view ? cluster.view->quorum : KNOWN_NOT), "detail",
                                wire_text(cluster.view ? cluster.view->words : reason_unknown(controller))),
                      ret_answer, problem);
}

/* ---- consensus/force-election ---- */

typedef struct Election {
        Controller *controller;
        ApiReply *reply;
        Op *op;
        char from[sizeof(((ConsensusMember *)0)->name)], to[sizeof(((ConsensusMember *)0)->name)];
} Election;

static void on_moved(void *userdata, const OpResult *result) {
        Election *election = userdata;
        ApiReply *reply = election->reply;
        char detail[DETAIL_MAX];
        Problem problem = {0};
        election->controller->election = NULL;
        if (result->status == OP_DONE) {
                snprintf(detail, sizeof detail, "the leadership went from %s to %s", election->from, election->to);
                log_info("%s, as was asked", detail);
                api_reply(reply, 200,
                          json_pack("{s:b, s:o, s:o, s:o}", "moved", 1, "from", wire_text(election->from), "to",
                                    wire_text(election->to), "detail", wire_text(detail)),
                          NULL);
        } else {
                log_warn("the leadership could not be moved from %s to %s: %s", election->from, election->to,
                         error_text(&result->error));
                problem_set(&problem, 503, EXIT_UNAVAILABLE, "The leadership was not moved", "from %s to %s: %s",
                            election->from, election->to, error_text(&result->error));
                api_reply(reply, 0, NULL, &problem);
        }
        free(election);
}

/* The leader and who is to take over; -1: `problem` says why not. */
static int choose(const Controller *controller, const Cluster *cluster, const ConsensusMember **ret_from,
                  const ConsensusMember **ret_to, Problem *problem) {
        char words[DETAIL_MAX];
        if (!is_configured(controller))
                return problem_set(problem, 501, EXIT_CONFIG, "No cluster is configured",
                                   "name it in rollback.yaml, as consensus: { driver: etcd, etcd: { endpoints: "
                                   "[http://127.0.0.1:2379] } }");
        if (!cluster->view)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "The cluster is not known", "%s",
                                   reason_unknown(controller));
        if (cluster->view->quorum != KNOWN_TRUE)
                return problem_set(problem, 409, EXIT_REFUSED, "No quorum",
                                   "without a quorum no leader can be elected: %s", cluster->view->words);
        *ret_to = consensus_successor(cluster->state, cluster->view, words, sizeof words);
        if (!*ret_to)
                return problem_set(problem, 409, EXIT_REFUSED, "Nobody can take over", "%s", words);
        *ret_from = consensus_find(cluster->state, cluster->view->leader);
        if (!*ret_from || !(*ret_from)->reachable)
                return problem_set(problem, 409, EXIT_REFUSED, "The leader does not answer",
                                   "it would have to give its leadership away: %s", cluster->view->words);
        return 0;
}

int op_force_election(void *self, const json_t *arguments, const Caller *caller, ApiReply *reply, Problem *problem) {
        Controller *controller = self;
        const Cluster cluster = cluster_of(controller);
        const ConsensusMember *from = NULL, *to = NULL;
        Error error = {0};
        if (controller_refuse_during_run(controller, problem) < 0)
                return -1;
        if (controller->election)
                return problem_set(problem, 409, EXIT_TRY_LATER, "The leadership is being moved",
                                   "from %s to %s: try again later", controller->election->from,
                                   controller->election->to);
        if (choose(controller, &cluster, &from, &to, problem) < 0)
                return -1;
        assert(from && to);
        Election *election = calloc(1, sizeof *election);
        if (!election)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to ask the leader");
        *election = (Election){.controller = controller, .reply = reply};
        snprintf(election->from, sizeof election->from, "%s", from->name);
        snprintf(election->to, sizeof election->to, "%s", to->name);
        audit_begun(controller, caller, "/api/v3/consensus/force-election", arguments);
        if (controller->config->consensus_driver->move_leader(controller->world->consensus, from->id, to->id,
                                                              MOVE_BUDGET_US, on_moved, election, &election->op,
                                                              &error) < 0) {
                free(election);
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "The leadership was not moved", "%s",
                                   error_text(&error));
        }
        controller->election = election;
        return 0;
}

void force_election_cancel(Controller *controller) {
        Election *election = controller->election;
        Problem problem = {0};
        if (!election)
                return;
        op_cancel(election->op);
        problem_set(&problem, 503, EXIT_UNAVAILABLE, "The controller ends",
                    "whether the leadership went from %s to %s isn't known", election->from, election->to);
        api_reply(election->reply, 0, NULL, &problem);
        free(election);
        controller->election = NULL;
}
