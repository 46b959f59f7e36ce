/* The lag of every follower, bounded from both sides. */
#include "adapters/etcd-query.h"

#define CATCH_UP_GAP_US (5 * USEC_PER_MSEC)

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
        if (query_read_status(query, ask->member, answer, &status, &error) == 0) {
                query->state.members[ask->member].applied = status.applied;
                look_at_applied(query, ask->member, ask->begun_mono, etcd_now_us(query->etcd));
        }
}

static void ask_who_lacks(Query *query) {
        int64_t left = query->catch_up_until - etcd_now_us(query->etcd);
        for (unsigned i = 0; i < query->state.count; i++) {
                const EtcdQuestion question = {.base = query->state.members[i].address, .path = ETCD_PATH_STATUS};
                if (query->catching_up[i] && !query->asks[i].call && left > 0)
                        query_ask_member(query, i, &question, left, on_applied);
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
        query_begin_hash(query);
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

void query_begin_catch_up(Query *query) {
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
