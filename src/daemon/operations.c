/* The API's operations: each answers at once from what the controller knows; a run is begun here and followed by the events. */
#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "core/names.h"
#include "core/version.h"
#include "daemon/controller.h"
#include "daemon/holds.h"

#include <string.h>

#define HISTORY_DEFAULT 20
#define HISTORY_MAX 1000

static const char *text_of(const json_t *arguments, const char *key) {
        const char *text = json_string_value(json_object_get(arguments, key));
        return text ? text : "";
}

/* A number, or a query parameter that is one. */
static int64_t number_of(const json_t *arguments, const char *key, int64_t fallback) {
        const json_t *value = json_object_get(arguments, key);
        if (json_is_integer(value))
                return json_integer_value(value);
        const char *text = json_string_value(value);
        char *end;
        if (!text || text[0] == '\0')
                return fallback;
        long long number = strtoll(text, &end, 10);
        return *end == '\0' ? number : -1;
}

static unsigned limit_of(const json_t *arguments) {
        int64_t limit = number_of(arguments, "limit", HISTORY_DEFAULT);
        return limit < 1 ? 1 : limit > HISTORY_MAX ? HISTORY_MAX : (unsigned)limit;
}

static int answer(json_t *value, json_t **ret_answer, Problem *problem) {
        if (!value)
                return problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
        *ret_answer = value;
        return 0;
}

static int journal_failed(Problem *problem, const Error *error) {
        return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(error));
}

/* ---- reading ---- */

static int op_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(status_answer(self), ret_answer, problem);
}

static int op_version(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                      Problem *problem) {
        Controller *controller = self;
        (void)arguments;
        (void)caller;
        const Deployment *deployment = &controller->deployment;
        bool previous = controller->deployment_known && deployment->previous[0];
        Release release = {.state = RELEASE_UNPROVEN};
        Error error = {0};
        if (controller->journal && controller->version[0])
                (void)journal_release(controller->journal, controller->version, &release, &error);
        return answer(json_pack("{s:s?, s:s?, s:s?, s:s}", "version",
                                controller->version[0] ? controller->version : NULL, "previous_version",
                                previous ? deployment->previous : NULL, "state",
                                controller->version[0] ? release_state_name(release.state) : NULL, "controller_version",
                                PROJECT_VERSION),
                      ret_answer, problem);
}

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

static const char *warning_about(const Release *target, TargetDoubt doubt, RunKind kind) {
        if (doubt == TARGET_FAILED || target->state == RELEASE_FAILED)
                return kind == RUN_DEPLOYMENT
                               ? "it was rolled back before and has not changed since: it may fail the same way"
                               : "it was rolled back from before: it is known to fail";
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
        *ret_warning = warning_about(ret_target, doubt, wish->kind);
        return 0;
}

static int op_plan(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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
        const Run *run = runner_run(controller->runner);
        const char *refused = run ? "another run is under way" : not_ready ? readiness->detail : NULL;
        Tristate gate = gate_known(controller);
        json_object_set_new(value, "target_state", json_string(release_state_name(target.state)));
        json_object_set_new(value, "target_warning", warning ? json_string(warning) : json_null());
        json_object_set_new(value, "gate", gate == KNOWN_NOT ? json_null() : json_boolean(gate == KNOWN_TRUE));
        json_object_set_new(value, "refused", refused ? json_string(refused) : json_null());
        return answer(value, ret_answer, problem);
}

typedef struct Collect {
        Controller *controller;
        json_t *list;
} Collect;

static int collect_run(void *userdata, const Run *run) {
        const Collect *collect = userdata;
        json_array_append_new(collect->list, controller_run_json(collect->controller, run));
        return 0;
}

static int collect_deployment(void *userdata, const Deployment *deployment) {
        const Collect *collect = userdata;
        json_array_append_new(collect->list, wire_deployment(deployment));
        return 0;
}

static int collect_decision(void *userdata, const Decision *decision) {
        const Collect *collect = userdata;
        json_array_append_new(collect->list, wire_decision(decision));
        return 0;
}

static int op_history(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                      Problem *problem) {
        Controller *controller = self;
        Collect runs = {controller, json_array()}, deployments = {controller, json_array()};
        Error error = {0};
        (void)caller;
        int r = controller_unusable(controller, problem);
        if (r >= 0) {
                r = journal_runs(controller->journal, limit_of(arguments), collect_run, &runs, &error);
                if (r >= 0)
                        r = journal_deployments(controller->journal, limit_of(arguments), collect_deployment,
                                                &deployments, &error);
                if (r < 0)
                        journal_failed(problem, &error);
        }
        json_t *value = json_pack("{s:o, s:o}", "runs", runs.list, "deployments", deployments.list);
        if (r >= 0)
                return answer(value, ret_answer, problem);
        json_decref(value);
        return -1;
}

static int op_decisions(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                        Problem *problem) {
        Controller *controller = self;
        Error error = {0};
        (void)caller;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        int64_t id = number_of(arguments, "id", 0);
        if (id != 0) {
                AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
                int r = decision ? journal_decision(controller->journal, id, decision, &error) : -1;
                if (r < 0)
                        return journal_failed(problem, &error);
                if (r == 0)
                        return problem_set(problem, 404, EXIT_NO_INPUT, "No such decision", "there is no decision %lld",
                                           (long long)id);
                return answer(wire_decision(decision), ret_answer, problem);
        }
        Collect collect = {controller, json_array()};
        if (journal_decisions(controller->journal, limit_of(arguments), collect_decision, &collect, &error) >= 0)
                return answer(json_pack("{s:o}", "decisions", collect.list), ret_answer, problem);
        json_decref(collect.list);
        return journal_failed(problem, &error);
}

/* Without an id: the run under way, else the newest. */
static int find_run(Controller *controller, const json_t *arguments, Run *ret_run, Problem *problem) {
        const Run *current = runner_run(controller->runner);
        int64_t id = number_of(arguments, "id", 0);
        Error error = {0};
        if (current && (id == 0 || id == current->id)) {
                *ret_run = *current;
                return 0;
        }
        if (controller_unusable(controller, problem) < 0)
                return -1;
        int r = 0;
        if (id == 0) {
                Collect newest = {controller, json_array()};
                r = journal_runs(controller->journal, 1, collect_run, &newest, &error);
                id = json_integer_value(json_object_get(json_array_get(newest.list, 0), "id"));
                json_decref(newest.list);
        }
        if (r >= 0 && id != 0)
                r = journal_run(controller->journal, id, ret_run, &error);
        if (r < 0)
                return journal_failed(problem, &error);
        if (r == 0)
                return problem_set(problem, 404, EXIT_NO_INPUT, "No such run",
                                   id ? "there is no run %lld" : "there has been no run yet", (long long)id);
        return 0;
}

static int op_run_show(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        (void)caller;
        if (run && find_run(self, arguments, run, problem) < 0)
                return -1;
        return answer(run ? controller_run_json(self, run) : NULL, ret_answer, problem);
}

static int op_validate(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        Controller *controller = self;
        Validation validation;
        (void)arguments;
        (void)caller;
        validating_answer(controller, &validation);
        const char *note = controller->validating.run_id ? "the validation sample is still being taken" : "";
        return answer(wire_validation(&validation, note), ret_answer, problem);
}

static int op_deployment_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                                Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(status_hold(self, HOLD_DEPLOYMENTS), ret_answer, problem);
}

/* ---- acting ---- */

/* Every act is told of, whoever did it. */
static void audit(const Caller *caller, const char *what, const char *detail) {
        char pid[24];
        snprintf(pid, sizeof pid, "%d", (int)caller->pid);
        const LogField fields[] = {{"by", caller->name}, {"pid", pid}, {NULL, NULL}};
        log_event(LEVEL_INFO, fields, "%s: %s", what, detail);
}

static int begun_run(Controller *controller, json_t **ret_answer, Problem *problem) {
        const Run *run = runner_newest(controller->runner); /* it may have ended at once */
        if (!run)
                return problem_set(problem, 500, EXIT_INTERNAL, "No run", "it was begun, but is not known");
        return answer(controller_run_json(controller, run), ret_answer, problem);
}

static int op_rollback(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                       Problem *problem) {
        Controller *controller = self;
        RunWish wish = {0};
        if (parse_kind_and_mode(arguments, &wish, problem) < 0)
                return -1;
        wish.kind = RUN_ROLLBACK;
        wish.reason = text_of(arguments, "reason");
        wish.expect_from = text_of(arguments, "expect_from");
        wish.initiator = caller->name;
        if (wish.reason[0] == '\0')
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "No reason",
                                   "a rollback needs a reason: it is what others will read");
        audit(caller, run_mode_name(wish.mode), wish.reason);
        if (controller_begin(controller, &wish, problem) < 0)
                return -1;
        return begun_run(controller, ret_answer, problem);
}

static int op_deploy(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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
        if (find_target(controller, &wish, &target, &warning, problem) < 0)
                return -1;
        audit(caller, "deploy", version);
        if (controller_begin(controller, &wish, problem) < 0 || begun_run(controller, ret_answer, problem) < 0)
                return -1;
        if (warning) {
                log_warn("%s is deployed again: %s", version, warning);
                json_object_set_new(*ret_answer, "warning", json_string(warning));
        }
        return 0;
}

static int op_run_cancel(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                         Problem *problem) {
        Controller *controller = self;
        const Run *run = runner_run(controller->runner);
        int64_t id = number_of(arguments, "id", 0);
        if (!run)
                return problem_set(problem, 409, EXIT_NO_INPUT, "Nothing to cancel",
                                   "the controller has no run under way");
        if (id != 0 && id != run->id)
                return problem_set(problem, 409, EXIT_NO_INPUT, "Nothing to cancel",
                                   "run %lld is not under way, but run %lld is", (long long)id, (long long)run->id);
        audit(caller, "cancel", run->plan.to);
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

static int op_pause(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        Hold hold;
        Error error = {0};
        if (controller_unusable(controller, problem) < 0)
                return -1;
        if (hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0)
                return journal_failed(problem, &error);
        if (!hold.held || hold.run_id != 0) { /* an operator's pause outlasts a run's */
                const char *why = text_of(arguments, "why");
                hold = (Hold){.held = true, .since_wall = clock_wall_us()};
                snprintf(hold.by, sizeof hold.by, "%s", caller->name);
                snprintf(hold.why, sizeof hold.why, "%s", why[0] ? why : "no reason given");
                if (hold_take(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0)
                        return journal_failed(problem, &error);
        }
        audit(caller, "pause", hold.why);
        return answer(status_hold(controller, HOLD_DEPLOYMENTS), ret_answer, problem);
}

static int op_resume(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        Error error = {0};
        (void)arguments;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        const Run *run = runner_run(controller->runner);
        if (run)
                return problem_set(problem, 409, EXIT_TRY_LATER, "A run is under way",
                                   "run %lld has paused deployments and resumes them itself when it ends",
                                   (long long)run->id);
        if (hold_release(controller->journal, HOLD_DEPLOYMENTS, &error) < 0)
                return journal_failed(problem, &error);
        alert_set(controller, "deployments", NULL);
        audit(caller, "resume", "deployments");
        return answer(status_hold(controller, HOLD_DEPLOYMENTS), ret_answer, problem);
}

static int op_adopt(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        AUTO_FREE Release *releases = calloc(RELEASES_MAX, sizeof *releases);
        unsigned count = 0;
        Error error = {0};
        (void)arguments;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        if (runner_run(controller->runner))
                return problem_set(problem, 409, EXIT_TRY_LATER, "A run is under way", "adopt again when it has ended");
        audit(caller, "adopt", controller->config->versions);
        if (!releases || adoption_begin(controller, true, &error) < 0 ||
            catalog_read(controller, releases, &count, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "The releases can't be read", "%s", error_text(&error));
        json_t *list = json_array();
        for (unsigned i = 0; i < count; i++) {
                bool taken = release_store_has_manifest(controller->world->releases, releases[i].version);
                json_array_append_new(
                        list,
                        json_pack("{s:s, s:s, s:b, s:s}", "version", releases[i].version, "state",
                                  release_state_name(releases[i].state), "taken_in", taken, "detail",
                                  taken ? "has a manifest; renewed if it changed" : "its manifest is being written"));
        }
        return answer(json_pack("{s:o}", "releases", list), ret_answer, problem);
}

static void op_acted(void *self, const Caller *caller, const char *method, const char *path, const json_t *arguments,
                     int status, const char *outcome) {
        (void)self;
        (void)caller;
        (void)method;
        (void)path;
        (void)arguments;
        (void)status;
        (void)outcome;
}

const ApiOps controller_operations = {
        .acted = op_acted,
        .status = op_status,
        .version = op_version,
        .plan = op_plan,
        .rollback = op_rollback,
        .deploy = op_deploy,
        .run_show = op_run_show,
        .run_cancel = op_run_cancel,
        .history = op_history,
        .decisions = op_decisions,
        .validate = op_validate,
        .pause = op_pause,
        .resume = op_resume,
        .deployment_status = op_deployment_status,
        .adopt = op_adopt,
};
