/* Runs: planned, begun and cancelled. What becomes of them is told by the events. */
#include "api/wire.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "core/names.h"
#include "core/version.h"
#include "daemon/holds.h"
#include "daemon/operations.h"
#include "daemon/readiness.h"
#include "daemon/schema-view.h"

#include <string.h>

#define RUNS_LOOKED_AT 200 /* for why a release is failed */

static int parse_kind_and_mode(const json_t *arguments, RunWish *wish, Problem *problem) {
        const char *kind = text_of(arguments, "kind"), *mode = text_of(arguments, "mode");
        wish->kind = RUN_ROLLBACK;
        wish->mode = MODE_MANUAL;
        if (kind[0] && run_kind_parse(kind, &wish->kind) < 0)
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Unknown kind",
                                   "kind is 'rollback' or 'deployment', not '%s'", kind);
        if (mode[0] && (run_mode_parse(mode, &wish->mode) < 0 || wish->mode == MODE_AUTOMATIC))
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Unknown mode",
                                   "mode is 'manual' or 'emergency', not '%s'", mode);
        wish->to = text_of(arguments, "to");
        if (wish->to[0] && !version_valid(wish->to))
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Not a version",
                                   "'%s' is not a version: like v2.4.0", wish->to);
        if (wish->kind == RUN_DEPLOYMENT && !wish->to[0])
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "No version",
                                   "which version is to be deployed? Like v2.4.0");
        return 0;
}

typedef struct LastTry {
        const char *version;
        RunOutcome outcome;
        bool left; /* a rollback left it; else its own run ended so */
} LastTry;

static int find_last_try(void *userdata, const Run *run) {
        LastTry *last = userdata;
        bool left = run->plan.kind == RUN_ROLLBACK && strcmp(run->plan.from, last->version) == 0 &&
                    run->outcome == OUTCOME_SUCCEEDED;
        bool failed = strcmp(run->plan.to, last->version) == 0 &&
                      (run->outcome == OUTCOME_PUT_BACK || run->outcome == OUTCOME_HELD);
        last->left = left;
        last->outcome = left || failed ? run->outcome : OUTCOME_OPEN;
        return left || failed;
}

/* A release is failed because it was rolled back, or because its deployment never got as far. */
static const char *how_it_failed(Controller *controller, const Release *target, RunKind kind) {
        LastTry last = {.version = target->version};
        Error error = {0};
        if (controller->journal)
                (void)journal_runs(controller->journal, RUNS_LOOKED_AT, find_last_try, &last, &error);
        bool deployed = kind == RUN_DEPLOYMENT;
        if (last.left)
                return deployed ? "it was rolled back before and has not changed since: it may fail the same way"
                                : "it was rolled back from before: it is known to fail";
        if (last.outcome == OUTCOME_PUT_BACK)
                return "its last deployment failed, and the release before it was put back: it may fail the same way";
        if (last.outcome == OUTCOME_HELD)
                return "its last deployment could not be finished and was held: it is not known to work";
        return "it is marked as failed: it may fail again";
}

static const char *warning_about(Controller *controller, const Release *target, TargetDoubt doubt, RunKind kind) {
        if (doubt == TARGET_FAILED || target->state == RELEASE_FAILED)
                return how_it_failed(controller, target, kind);
        if (kind == RUN_ROLLBACK && doubt == TARGET_UNPROVEN)
                return "it is unproven: it has not lived through a bake on this machine";
        return NULL;
}

static Tristate gate_known(Controller *controller) {
        const TrafficState *traffic = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        return traffic ? (traffic->gated ? KNOWN_TRUE : KNOWN_FALSE) : KNOWN_NOT;
}

static int find_target(Controller *controller, const RunWish *wish, Release *ret_target, const char **ret_warning,
                       Problem *problem) {
        TargetDoubt doubt = TARGET_SURE;
        Error error = {0};
        int r = 0;
        *ret_target = (Release){0};
        if (wish->kind == RUN_ROLLBACK) {
                r = catalog_target(controller, wish->mode, wish->to, ret_target, &doubt, &error);
        } else {
                snprintf(ret_target->version, sizeof ret_target->version, "%s", wish->to);
                if (controller->journal)
                        r = journal_release(controller->journal, wish->to, ret_target, &error);
        }
        if (r < 0)
                return problem_set(problem, 409, EXIT_REFUSED, "No target", "%s", error_text(&error));
        *ret_warning = warning_about(controller, ret_target, doubt, wish->kind);
        return 0;
}

/* No script is ever applied forward, so what leaves doesn't matter to a deployment. */
static SchemaViewState view_schema(Controller *controller, const Plan *plan, SchemaGate *ret_gate) {
        return schema_view(controller, plan->kind == RUN_DEPLOYMENT ? "" : plan->from, plan->to, ret_gate);
}

static const char *schema_refusal(const Controller *controller, const Plan *plan, SchemaViewState viewed,
                                  const SchemaGate *gate) {
        if (plan->mode == MODE_EMERGENCY && schema_view_harmless(controller))
                return NULL;
        if (viewed != SCHEMA_VIEW_KNOWN || gate->verdict == SCHEMA_COMPATIBLE || gate->verdict == SCHEMA_REVERSIBLE)
                return NULL;
        return gate->detail;
}

int op_plan(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        RunWish wish = {0};
        Release target;
        const char *warning = NULL;
        Plan plan;
        Error error = {0};
        (void)caller;
        if (parse_kind_and_mode(arguments, &wish, problem) < 0)
                return -1;
        if (controller->role == ROLE_READER || controller_at_rest(controller))
                current_look(controller);
        if (find_target(controller, &wish, &target, &warning, problem) < 0)
                return -1;
        const PlanRequest request = {.kind = wish.kind,
                                     .mode = wish.mode,
                                     .from = controller->version,
                                     .to = target.version,
                                     .budgets_us = controller->config->budgets_us,
                                     .emergency_drain_us = controller->config->emergency_drain_us};
        if (plan_make(&request, &plan, &error) < 0)
                return problem_set(problem, 409, EXIT_REFUSED, "Not possible", "%s", error_text(&error));
        json_t *value = wire_plan(&plan);
        const struct Readiness *readiness = &controller->readiness;
        bool not_ready = readiness->ready == KNOWN_FALSE && strcmp(readiness->version, target.version) == 0;
        bool busy = runner_run(controller->runner) || runner_elsewhere(controller->runner, NULL);
        SchemaGate gate_of_schema = {0};
        SchemaViewState viewed = view_schema(controller, &plan, &gate_of_schema);
        const char *refused = busy        ? "another run is under way"
                              : not_ready ? readiness->detail
                                          : schema_refusal(controller, &plan, viewed, &gate_of_schema);
        Tristate gate = gate_known(controller);
        json_object_set_new(value, "target_state", json_string(release_state_name(target.state)));
        json_object_set_new(value, "target_warning", warning ? json_string(warning) : json_null());
        json_object_set_new(value, "gate", gate == KNOWN_NOT ? json_null() : json_boolean(gate == KNOWN_TRUE));
        json_object_set_new(value, "database", schema_view_json(viewed, &gate_of_schema));
        char none_left[REASON_MAX];
        bool asks = wish.kind == RUN_DEPLOYMENT &&
                    readiness_none_left(controller, target.version, none_left, sizeof none_left);
        json_object_set_new(value, "none_left", asks ? wire_text(none_left) : json_null());
        json_object_set_new(value, "refused", refused ? json_string(refused) : json_null());
        return answer(value, ret_answer, problem);
}

static int begun_run(Controller *controller, json_t **ret_answer, Problem *problem) {
        const Run *run = runner_newest(controller->runner); /* it may have ended at once */
        if (!run)
                return problem_set(problem, 500, EXIT_INTERNAL, "No run", "it was begun, but is not known");
        return answer(controller_run_json(controller, run), ret_answer, problem);
}

int op_rollback(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        RunWish wish = {0};
        if (parse_kind_and_mode(arguments, &wish, problem) < 0)
                return -1;
        wish.kind = RUN_ROLLBACK;
        wish.reason = text_of(arguments, "reason");
        wish.expect_from = text_of(arguments, "expect_from");
        wish.initiator = caller->name;
        wish.allow_row_loss = json_is_true(json_object_get(arguments, "allow_row_loss"));
        if (wish.reason[0] == '\0')
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "No reason",
                                   "a rollback needs a reason: it is what others will read");
        if (controller_begin(controller, &wish, problem) < 0)
                return -1;
        return begun_run(controller, ret_answer, problem);
}

/* A deployment that burns the way back is the operator's to decide. One that is refused anyway says why itself. */
static int refuse_none_left(Controller *controller, const char *version, bool accepted, Problem *problem) {
        char why[REASON_MAX];
        Hold hold;
        Error error = {0};
        bool paused = hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) >= 0 && hold.held;
        if (paused || !controller_at_rest(controller) || !readiness_none_left(controller, version, why, sizeof why))
                return 0;
        if (accepted) {
                log_warn("%s is deployed though no target that is proven ready would be left: %s", version, why);
                return 0;
        }
        problem_set(problem, 409, EXIT_REFUSED, "No ready target would be left",
                    "%s. Mend that, or go on all the same: auto-rollback deploy --yes %s", why, version);
        problem_add(problem, "hint", json_string("accept_no_target: true goes on all the same"));
        return -1;
}

int op_deploy(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        const char *version = text_of(arguments, "version"), *reason = text_of(arguments, "reason");
        if (!version_valid(version))
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Not a version",
                                   "'%s' is not a version: like v2.4.0", version);
        const RunWish wish = {.kind = RUN_DEPLOYMENT,
                              .mode = MODE_MANUAL,
                              .to = version,
                              .expect_from = text_of(arguments, "expect_from"),
                              .reason = reason[0] ? reason : "deployment",
                              .initiator = caller->name};
        Release target;
        const char *warning = NULL;
        if (find_target(controller, &wish, &target, &warning, problem) < 0 ||
            refuse_none_left(controller, version, json_is_true(json_object_get(arguments, "accept_no_target")),
                             problem) < 0)
                return -1;
        if (controller_begin(controller, &wish, problem) < 0 || begun_run(controller, ret_answer, problem) < 0)
                return -1;
        if (warning) {
                log_warn("%s is deployed again: %s", version, warning);
                json_object_set_new(*ret_answer, "warning", json_string(warning));
        }
        return 0;
}

int op_run_cancel(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        const Run *run = runner_run(controller->runner);
        int64_t id = number_of(arguments, "id", 0);
        (void)caller;
        if (!run)
                return problem_set(problem, 409, EXIT_NO_INPUT, "Nothing to cancel",
                                   "the controller has no run under way");
        if (id != 0 && id != run->id)
                return problem_set(problem, 409, EXIT_NO_INPUT, "Nothing to cancel",
                                   "run %lld is not under way, but run %lld is", (long long)id, (long long)run->id);
        int64_t cancelled_id = run->id;
        bool cancelled = runner_cancel(controller->runner);
        const char *detail = cancelled
                                     ? "it is being undone: the current release was never stopped"
                                     : "too late to undo: the current release was already stopped, so the run finishes";
        run = runner_run(controller->runner);
        return answer(json_pack("{s:b, s:s, s:I, s:o}", "cancelled", cancelled, "detail", detail, "id",
                                (json_int_t)cancelled_id, "run",
                                run ? controller_run_json(controller, run) : json_null()),
                      ret_answer, problem);
}
