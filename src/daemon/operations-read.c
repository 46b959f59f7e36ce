/* Operations that only read what the controller and its journal know. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "core/names.h"
#include "daemon/holds.h"
#include "daemon/operations.h"
#include "daemon/proof.h"

#define HISTORY_DEFAULT 20
#define HISTORY_MAX 1000

static unsigned limit_of(const json_t *arguments) {
        int64_t limit = number_of(arguments, "limit", HISTORY_DEFAULT);
        return limit < 1 ? 1 : limit > HISTORY_MAX ? HISTORY_MAX : (unsigned)limit;
}

int op_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(status_answer(self), ret_answer, problem);
}

/* In which state a release is; null when that isn't known. */
static json_t *release_state(Controller *controller, const char *version) {
        Release release = {.state = RELEASE_UNPROVEN};
        Error error = {0};
        if (!version[0] || (controller->journal && journal_release(controller->journal, version, &release, &error) < 0))
                return json_null();
        return json_string(release_state_name(release.state));
}

static json_t *version_deployment(Controller *controller) {
        const Deployment *deployment = &controller->deployment;
        bool armed = controller->deployment_known && deployment_armed(controller, NULL);
        Hold hold;
        Error error = {0};
        if (hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) < 0)
                hold = (Hold){0};
        return json_pack("{s:o, s:b, s:b}", "state",
                         release_state(controller, controller->deployment_known ? deployment->version : ""), "armed",
                         (int)armed, "paused", (int)hold.held);
}

int op_version(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        (void)arguments;
        (void)caller;
        const char *previous = controller->deployment_known ? controller->deployment.previous : "";
        return answer(json_pack("{s:o, s:o, s:o, s:o, s:s}", "version", wire_text_or_null(controller->version),
                                "previous_version", wire_text_or_null(previous), "deployment",
                                version_deployment(controller), "state", release_state(controller, controller->version),
                                "controller_version", PROJECT_VERSION),
                      ret_answer, problem);
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

int op_history(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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

int op_decisions(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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

int op_explain(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        (void)caller;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        return proof_explain(controller->journal, number_of(arguments, "id", 0), ret_answer, problem);
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

/* What its validation came to, as it was then: `GET validate` tells how things stand now. */
static json_t *run_with_validation(Controller *controller, const Run *run) {
        char verdict[32];
        AUTO_FREE char *text = NULL;
        Error error = {0};
        json_t *value = controller_run_json(controller, run);
        if (value && controller->journal &&
            journal_validation(controller->journal, run->id, verdict, sizeof verdict, &text, &error) == 1 && text) {
                json_t *validated = json_loads(text, 0, NULL);
                json_object_set_new(value, "validated", validated ? validated : json_null());
        }
        return value;
}

int op_run_show(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        (void)caller;
        if (run && find_run(self, arguments, run, problem) < 0)
                return -1;
        return answer(run ? run_with_validation(self, run) : NULL, ret_answer, problem);
}

int op_validate(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        Validation validation;
        (void)arguments;
        (void)caller;
        validating_answer(controller, &validation);
        const char *note = controller->validating.run_id ? "the validation sample is still being taken" : "";
        return answer(wire_validation(&validation, note), ret_answer, problem);
}

int op_deployment_status(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                         Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(status_hold(self, HOLD_DEPLOYMENTS), ret_answer, problem);
}
