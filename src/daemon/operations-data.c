/* What is asked of the database: how far its replicas are behind, and whether its data is sound. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "daemon/consistency.h"
#include "daemon/operations.h"

#include <errno.h>

static int no_database(Problem *problem, const char *what) {
        return problem_set(problem, 501, EXIT_CONFIG, "No data adapter",
                           "no data adapter is configured (data.driver in rollback.yaml is none): %s is not known",
                           what);
}

static json_t *count_json(int64_t count) {
        return count < 0 ? json_null() : json_integer(count);
}

/* ---- database/replication ---- */

/* What a replica's lag_ms is, in words: the three that look alike are told apart. */
static const char *lag_label(const Replica *replica) {
        if (replica->missing || replica->lag_us < 0)
                return "not known";
        if (replica->lag_bytes == 0)
                return "it has replayed everything";
        if (replica->stale)
                return "at least: the primary's replay_lag stands still, it is the time in which nothing was seen to be replayed";
        return "the primary's replay_lag: of what was replayed last";
}

static json_t *replica_json(const Replica *replica) {
        return json_pack("{s:o, s:o, s:s, s:o, s:b, s:b, s:b, s:o, s:s, s:o, s:o, s:o}", "name",
                         wire_text(replica->name), "address", wire_text_or_null(replica->address), "state",
                         replica_word(replica), "sync", wire_text_or_null(replica->sync), "paused",
                         (int)replica->paused, "stale", (int)replica->stale, "missing", (int)replica->missing, "lag_ms",
                         wire_ms(replica->lag_us), "lag_is", lag_label(replica), "lag_bytes",
                         count_json(replica->lag_bytes), "idle_ms", wire_ms(replica->idle_us), "detail",
                         wire_text(replica->detail));
}

static json_t *replicas_json(const ReplicationState *state) {
        json_t *replicas = json_array();
        for (unsigned i = 0; state && i < state->count; i++)
                if (json_array_append_new(replicas, replica_json(&state->replicas[i])) < 0) {
                        json_decref(replicas);
                        return NULL;
                }
        return replicas;
}

static const char *reason_unknown(const Controller *controller) {
        const Health *health = controller->checkup ? checkup_health(controller->checkup) : NULL;
        const ComponentHealth *database = health ? health_find(health, "database") : NULL;
        return database && database->reason[0] ? database->reason : "the database has not been asked yet";
}

int op_database_replication(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                            Problem *problem) {
        static const char *const healthy[] = {[KNOWN_NOT] = NULL, [KNOWN_FALSE] = "degraded", [KNOWN_TRUE] = "healthy"};
        const Controller *controller = self;
        (void)arguments;
        (void)caller;
        if (!controller->config->data_driver)
                return no_database(problem, "how far the database's replicas are behind");
        const ReplicationState *state = controller->checkup ? checkup_replication(controller->checkup) : NULL;
        const ReplicationView *view = state ? checkup_replication_view(controller->checkup) : NULL;
        const char *word = view && healthy[view->healthy] ? healthy[view->healthy] : "unknown";
        json_t *age =
                state ? json_real((double)((clock_mono_us() - state->at_mono) / USEC_PER_MSEC) / 1000) : json_null();
        return answer(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state", word, "lag_ms",
                                wire_ms(view ? view->lag_us : -1), "lag_bytes", count_json(view ? view->lag_bytes : -1),
                                "primary", state ? json_boolean(state->primary) : json_null(), "expected",
                                count_json(state ? (int64_t)state->expected : -1), "replicas", replicas_json(state),
                                "sample_age_s", age, "detail",
                                wire_text(view ? view->words : reason_unknown(controller))),
                      ret_answer, problem);
}

/* ---- admin/consistency-check ---- */

json_t *consistency_json(const ConsistencyView *view) {
        json_t *findings = json_array();
        for (unsigned i = 0; i < view->finding_count; i++)
                json_array_append_new(findings, wire_text(view->findings[i]));
        bool any = view->state != CONSISTENCY_NONE;
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state",
                         consistency_state_name(view->state), "begun", wire_time(view->begun_wall), "ended",
                         wire_time(view->ended_wall), "by", wire_text_or_null(view->by), "done",
                         count_json(any ? view->done : -1), "total", count_json(any ? view->total : -1), "now",
                         wire_text_or_null(view->now), "problems", count_json(any ? view->problems : -1), "findings",
                         findings, "detail", wire_text(any ? view->detail : "none was asked for yet"));
}

int op_consistency(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        const Controller *controller = self;
        (void)arguments;
        (void)caller;
        if (!controller->config->data_driver)
                return no_database(problem, "whether the data is sound");
        return answer(consistency_json(consistency_view(controller)), ret_answer, problem);
}

/* 202, also when one is under way: whoever asks twice means the same check. */
int op_consistency_check(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                         Problem *problem) {
        Controller *controller = self;
        Error error = {0};
        (void)arguments;
        if (!controller->config->data_driver)
                return no_database(problem, "whether the data is sound");
        if (controller_refuse_during_run(controller, problem) < 0)
                return -1;
        if (consistency_begin(controller, caller->name, &error) < 0)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "The check could not be begun", "%s",
                                   error_text(&error));
        int r = answer(consistency_json(consistency_view(controller)), ret_answer, problem);
        return r < 0 ? r : 202;
}
