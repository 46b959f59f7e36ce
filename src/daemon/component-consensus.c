/* The consensus cluster: asked and judged at each check. A member is sound when it answers, isn't Byzantine and wasn't seen to lag
 * more than consensus.lag; the score is the share of sound members. The quorum lost, or a Byzantine member, is beyond doubt
 * by the time it is told: it isn't counted up to. */
#include "core/words.h"
#include "daemon/component.h"

#include <errno.h>

#define BUDGET_SLACK_US USEC_PER_SEC /* so that a query ends by its members' time-outs, not by its own */

typedef struct ConsensusCheck {
        const ComponentContext *context;
        Op *op;
        bool known;         /* of the newest query: else it failed, or there was none */
        ConsensusLook look; /* the newest state, and what was remembered before it */
        ConsensusHistory history;
        ConsensusView view;
} ConsensusCheck;

static int open_consensus(const ComponentContext *context, void **ret_self, Error *error) {
        ConsensusCheck *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        check->context = context;
        *ret_self = check;
        return 0;
}

static void close_consensus(void *self) {
        ConsensusCheck *check = self;
        if (check)
                op_cancel(check->op);
        free(check);
}

/* ---- what it comes to ---- */

static bool lags(const ConsensusMember *member, int64_t limit_us) {
        return member->lag_least_us > limit_us || member->behind > 0;
}

static unsigned count_sound(const ConsensusCheck *check, int64_t limit_us) {
        unsigned sound = 0;
        for (unsigned i = 0; i < check->look.state.count; i++)
                sound += check->look.state.members[i].reachable && !check->view.is_byzantine[i] &&
                         !lags(&check->look.state.members[i], limit_us);
        return sound;
}

static HealthState judge(const ConsensusView *view, unsigned sound) {
        if (view->quorum == KNOWN_FALSE || view->byzantine > 0)
                return HEALTH_UNHEALTHY;
        return sound == view->count && view->quorum == KNOWN_TRUE ? HEALTH_HEALTHY : HEALTH_DEGRADED;
}

static void describe(const ConsensusCheck *check, unsigned sound, int64_t limit_us, ComponentFinding *finding) {
        const ConsensusView *view = &check->view;
        char lag[WORDS_MAX], limit[WORDS_MAX];
        words_append(finding->reason, sizeof finding->reason, "%u of %u sound = %u; ", sound, view->count,
                     finding->score);
        if (view->lag_us >= 0)
                words_append(finding->reason, sizeof finding->reason, "lag at most %s (limit %s); ",
                             words_duration(view->lag_us, lag), words_duration(limit_us, limit));
        words_append(finding->reason, sizeof finding->reason, "%s", view->words);
}

static void tell(ConsensusCheck *check) {
        int64_t limit_us = check->context->world->config->consensus_lag_us;
        unsigned sound = count_sound(check, limit_us);
        ComponentFinding finding = {.state = judge(&check->view, sound),
                                    .score = check->view.count ? sound * 100 / check->view.count : 0};
        finding.at_once = finding.state == HEALTH_UNHEALTHY;
        describe(check, sound, limit_us, &finding);
        check->context->found(check->context->userdata, &finding);
}

static void cannot_tell(ConsensusCheck *check, const Error *error) {
        ComponentFinding finding = {.state = HEALTH_UNKNOWN};
        check->known = false;
        snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(error));
        check->context->found(check->context->userdata, &finding);
}

/* ---- asking ---- */

static void on_answer(void *userdata, const OpResult *result) {
        ConsensusCheck *check = userdata;
        check->op = NULL;
        if (result->status != OP_DONE) {
                cannot_tell(check, &result->error);
                return;
        }
        check->look = (ConsensusLook){.asked = true,
                                      .patience_us = check->context->world->config->consensus_patience_us,
                                      .before = check->history,
                                      .state = result->consensus};
        consensus_judge(&check->history, &check->look.state, check->look.patience_us, &check->view);
        check->known = true;
        tell(check);
}

static void check_consensus(void *self) {
        ConsensusCheck *check = self;
        const World *world = check->context->world;
        const Config *config = world->config;
        Error error = {0};
        if (!world->consensus) {
                const ComponentFinding finding = {.not_configured = true, .reason = "consensus.driver is none"};
                check->context->found(check->context->userdata, &finding);
                return;
        }
        if (config->consensus_driver->query(world->consensus, config->consensus_timeout_us,
                                            CONSENSUS_QUESTIONS * config->consensus_timeout_us + BUDGET_SLACK_US,
                                            on_answer, check, &check->op, &error) < 0)
                cannot_tell(check, &error);
}

static int64_t consensus_interval(const ComponentContext *context) {
        return context->world->config->consensus_interval_us;
}

const ComponentKind component_consensus = {
        .name = "consensus",
        .open = open_consensus,
        .close = close_consensus,
        .check = check_consensus,
        .interval = consensus_interval,
};

const ConsensusState *component_consensus_state(const void *self) {
        const ConsensusCheck *check = self;
        return check && check->known ? &check->look.state : NULL;
}

const ConsensusView *component_consensus_view(const void *self) {
        const ConsensusCheck *check = self;
        return check && check->known ? &check->view : NULL;
}

const ConsensusLook *component_consensus_look(const void *self) {
        const ConsensusCheck *check = self;
        return check && check->known ? &check->look : NULL;
}
