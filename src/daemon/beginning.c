/* Beginning a run: who may, from where to where, and why not. */
#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "core/names.h"
#include "daemon/baseline.h"
#include "daemon/consistency.h"
#include "daemon/controller.h"
#include "daemon/holds.h"
#include "daemon/incidents.h"
#include "daemon/telling.h"

#include <errno.h>
#include <string.h>

int controller_unusable(const Controller *controller, Problem *problem) {
        if (controller->journal)
                return 0;
        return problem_set(problem, 503, EXIT_IO, "Journal unusable",
                           "%s. Only an emergency rollback can be done without it: auto-rollback emergency REASON",
                           error_text(&controller->journal_error));
}

int controller_busy(Problem *problem, const LockHolder *holder, const Error *error) {
        char time[CLOCK_TEXT_MAX];
        problem_set(problem, 409, EXIT_TRY_LATER, "Another run is under way", "%s", error_text(error));
        if (holder->known)
                problem_add(problem, "holder",
                            json_pack("{s:i, s:s, s:o, s:o}", "pid", (int)holder->pid, "since",
                                      clock_format_rfc3339(holder->since_wall, time, sizeof time), "why",
                                      wire_text(holder->why), "progress", wire_text(holder->progress)));
        return -1;
}

static int refuse_own_run(Problem *problem, const Run *run) {
        char time[CLOCK_TEXT_MAX];
        clock_format_rfc3339(run->created_wall, time, sizeof time);
        problem_set(problem, 409, EXIT_TRY_LATER, "Another run is under way",
                    "run %lld (%s %s to %s) holds the lock since %s, begun by %s: %s", (long long)run->id,
                    run_mode_name(run->plan.mode), run_kind_name(run->plan.kind), run->plan.to, time, run->initiator,
                    run->reason);
        problem_add(problem, "holder",
                    json_pack("{s:i, s:s, s:o, s:I}", "pid", (int)getpid(), "since", time, "why",
                              wire_text(run->reason), "run", (json_int_t)run->id));
        return -1;
}

/* Which symptoms are there now: a rollback would not help against them later. */
static unsigned symptoms_now(Controller *controller) {
        Verdict verdict;
        char reason[REASON_MAX];
        unsigned symptoms = controller_consensus_doubts(controller);
        if (!controller->watcher)
                return symptoms;
        watcher_verdict(controller->watcher, &verdict);
        if (verdict.triggered)
                symptoms |= verdict.triggers;
        if (watcher_service_failed(controller->watcher, reason, sizeof reason))
                symptoms |= TRIGGER_SERVICE_FAILED;
        if (watcher_outage(controller->watcher, reason, sizeof reason))
                symptoms |= TRIGGER_OUTAGE;
        return symptoms;
}

/* What is live but doesn't serve (its units died, or a run held) may be started again, on a wish that names it. Without a daemon
 * how it does isn't known: then the operator's word counts, and starting what already runs does no harm. */
static bool may_start_again(const Controller *controller) {
        if (!controller->watcher)
                return true;
        const UnitsState *units = watcher_units(controller->watcher);
        const ProbeView *probe = prober_view(controller->prober);
        return (units && !units->active) || (probe->known && probe->consecutive_failures > 0);
}

/* With no earlier release left, an emergency is worth another start of the one that is down. */
static bool is_last_resort(const Controller *controller, const RunWish *wish, int code) {
        const UnitsState *units = controller->watcher ? watcher_units(controller->watcher) : NULL;
        bool chosen = wish->to && wish->to[0] != '\0';
        return code == -ENOENT && wish->mode == MODE_EMERGENCY && !chosen && units && !units->active;
}

static int choose_target(Controller *controller, const RunWish *wish, char ret_to[VERSION_MAX], Problem *problem) {
        Release target;
        TargetDoubt doubt;
        Error error = {0};
        bool again = wish->to && strcmp(wish->to, controller->version) == 0 && may_start_again(controller);
        if (wish->kind == RUN_DEPLOYMENT || (again && wish->to[0] != '\0')) {
                snprintf(ret_to, VERSION_MAX, "%s", wish->to);
                return 0;
        }
        int r = catalog_target(controller, wish->mode, wish->to, &target, &doubt, &error);
        if (is_last_resort(controller, wish, r)) {
                memcpy(ret_to, controller->version, VERSION_MAX);
                return 0;
        }
        if (r < 0)
                return problem_set(problem, 409, EXIT_REFUSED, "No target", "%s", error_text(&error));
        memcpy(ret_to, target.version, VERSION_MAX);
        return 0;
}

static int refuse_run_elsewhere(Problem *problem, const LockHolder *holder) {
        char time[CLOCK_TEXT_MAX];
        Error error = {0};
        if (holder->known)
                error_set(&error, -EBUSY, "the run lock is held by process %d since %s: %s; try again later",
                          (int)holder->pid, clock_format_rfc3339(holder->since_wall, time, sizeof time), holder->why);
        else
                error_set(&error, -EBUSY, "the run lock is held by another process; try again later");
        return controller_busy(problem, holder, &error);
}

int controller_refuse_during_run(Controller *controller, Problem *problem) {
        LockHolder holder = {0};
        const Run *run = runner_run(controller->runner);
        if (run)
                return refuse_own_run(problem, run);
        return runner_elsewhere(controller->runner, &holder) ? refuse_run_elsewhere(problem, &holder) : 0;
}

static int refuse_paused(Problem *problem, const Hold *hold) {
        char since[CLOCK_TEXT_MAX];
        return problem_set(problem, 409, EXIT_TRY_LATER, "Deployments are paused",
                           "deployments are paused by %s since %s (%s); when that is settled: auto-rollback resume",
                           hold->by, clock_format_rfc3339(hold->since_wall, since, sizeof since), hold->why);
}

static int check_wish(Controller *controller, const RunWish *wish, Problem *problem) {
        Hold hold;
        Error error = {0};
        if (controller_refuse_during_run(controller, problem) < 0)
                return -1; /* in the middle of it nothing else is to be judged */
        if (wish->mode != MODE_EMERGENCY && controller_unusable(controller, problem) < 0)
                return -1;
        current_look(controller);
        if (controller->version[0] == '\0' &&
            (controller->version_error.code != -ENOENT || wish->kind == RUN_ROLLBACK ||
             controller->deployment_known)) /* only the first one needs none */
                return problem_set(problem, 409, EXIT_REFUSED, "The live release is not known", "%s",
                                   error_text(&controller->version_error));
        if (wish->expect_from && wish->expect_from[0] && strcmp(wish->expect_from, controller->version) != 0)
                return problem_set(problem, 409, EXIT_REFUSED, "The live release has changed",
                                   "%s is current, not %s as when this was planned",
                                   controller->version[0] ? controller->version : "nothing", wish->expect_from);
        if (wish->kind != RUN_DEPLOYMENT)
                return 0;
        if (hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) >= 0 && hold.held)
                return refuse_paused(problem, &hold);
        return 0;
}

int controller_begin(Controller *controller, const RunWish *wish, Problem *problem) {
        char to[VERSION_MAX], from[VERSION_MAX];
        LockHolder holder = {0};
        Error error = {0};
        if (controller->role == ROLE_DAEMON && controller_recovery_due(controller))
                (void)controller_recover(controller, &holder, &error); /* what was left open comes first */
        error = (Error){0};
        if (check_wish(controller, wish, problem) < 0 || choose_target(controller, wish, to, problem) < 0)
                return -1;
        memcpy(from, controller->version, sizeof from);
        if (strcmp(from, to) == 0 && may_start_again(controller))
                from[0] = '\0'; /* it is started again: there is nothing to stop, and nothing to put back */
        if (wish->kind == RUN_DEPLOYMENT)
                baseline_keep(controller, controller->version);
        const RunnerRequest request = {
                .plan = {.kind = wish->kind,
                         .mode = wish->mode,
                         .from = from,
                         .to = to,
                         .budgets_us = controller->config->budgets_us,
                         .emergency_drain_us = controller->config->emergency_drain_us},
                .reason = wish->reason,
                .initiator = wish->initiator,
                .decision_id = wish->decision_id,
                .symptoms_before = symptoms_now(controller),
                .allow_row_loss = wish->allow_row_loss,
        };
        operator_drain_yield(controller);
        if (controller->watcher)
                watcher_suspend(controller->watcher);
        checkup_suspend(controller->checkup);
        consistency_stop(controller, "a run has begun: ask for it again when that is over");
        readiness_interrupt(controller);
        int r = runner_begin(controller->runner, &request, &holder, &error);
        if (r >= 0) {
                validating_drop(controller);
                telling_run_begun(controller, runner_newest(controller->runner));
                incidents_run_begun(controller, runner_newest(controller->runner));
                return 0;
        }
        if (controller->watcher)
                watcher_resume(controller->watcher);
        checkup_resume(controller->checkup);
        if (r == -EBUSY)
                return controller_busy(problem, &holder, &error);
        if (r == -EINVAL || r == -EALREADY)
                return problem_set(problem, 409, EXIT_REFUSED, "Not possible", "%s", error_text(&error));
        return problem_set(problem, 503, EXIT_IO, "The run could not be begun", "%s", error_text(&error));
}
