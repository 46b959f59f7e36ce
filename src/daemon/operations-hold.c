/* Deployments are paused and resumed by an operator; releases are taken in. */
#include "base/clock.h"
#include "base/exit-codes.h"
#include "core/names.h"
#include "daemon/holds.h"
#include "daemon/operations.h"

int op_pause(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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
        return answer(status_hold(controller, HOLD_DEPLOYMENTS), ret_answer, problem);
}

int op_resume(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
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
        if (controller->recovery_failed < 0 && controller_settle(controller, caller, problem) < 0)
                return -1;
        if (hold_release(controller->journal, HOLD_DEPLOYMENTS, &error) < 0)
                return journal_failed(problem, &error);
        alert_set(controller, "deployments", NULL);
        aftermath_release(controller);
        return answer(status_hold(controller, HOLD_DEPLOYMENTS), ret_answer, problem);
}

int op_adopt(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        Controller *controller = self;
        AUTO_FREE Release *releases = calloc(RELEASES_MAX, sizeof *releases);
        unsigned count = 0;
        Error error = {0};
        (void)arguments;
        (void)caller;
        if (controller_unusable(controller, problem) < 0)
                return -1;
        if (runner_run(controller->runner))
                return problem_set(problem, 409, EXIT_TRY_LATER, "A run is under way", "adopt again when it has ended");
        if (!releases || adoption_begin(controller, true, &error) < 0 ||
            catalog_read(controller, releases, &count, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "The releases can't be read", "%s", error_text(&error));
        json_t *list = json_array();
        for (unsigned i = 0; i < count; i++) {
                bool taken = release_store_has_manifest(controller->world->releases, releases[i].version);
                json_array_append_new(
                        list,
                        json_pack(
                                "{s:s, s:s, s:b, s:s}", "version", releases[i].version, "state",
                                release_state_name(releases[i].state), "taken_in", taken, "detail",
                                taken ? "has a manifest; it is compared now: what changed is taken in anew, and is unproven"
                                      : "its manifest is being written"));
        }
        return answer(json_pack("{s:o}", "releases", list), ret_answer, problem);
}
