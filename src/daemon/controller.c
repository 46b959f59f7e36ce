#include "daemon/controller.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "core/names.h"
#include "core/steps.h"
#include "daemon/holds.h"
#include "store/sidefile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define METRICS_AGAIN_US (5 * USEC_PER_SEC)

/* ---- what is told ---- */

void controller_tell(Controller *controller, const char *type, json_t *event) {
        if (controller->on_event && event)
                controller->on_event(controller->userdata, type, event);
        json_decref(event);
}

json_t *controller_run_json(Controller *controller, const Run *run) {
        char verdict[32] = "";
        Error error = {0};
        if (controller->journal && run->id > 0)
                (void)journal_validation(controller->journal, run->id, verdict, sizeof verdict, NULL, &error);
        return wire_run(run, verdict[0] ? verdict : NULL);
}

void controller_tell_run(Controller *controller, const Run *run) {
        controller_tell(controller, "run", controller_run_json(controller, run));
}

/* ---- the runner's hooks ---- */

static void log_step(const Run *run, StepId id, const StepRecord *record, bool recovery) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)run->id);
        const LogField fields[] = {{"run", number}, {"phase", run_phase_name(run->phase)}, {"step", step_key(id)}, {NULL, NULL}};
        const char *title = step_title(id, run->plan.kind, recovery);
        double budget_s = (double)run->plan.steps[id].budget_us / (double)USEC_PER_SEC;
        double took_s = (double)(record->ended_wall - record->started_wall) / (double)USEC_PER_SEC;
        if (record->state == STEP_ACTING && record->attempt > 1) /* the detail is still that of the attempt before */
                log_event(LEVEL_WARN, fields, "step %d/8 %s: attempt %u begins, the last one failed: %s", (int)id, title, record->attempt,
                          record->detail);
        else if (record->state == STEP_ACTING)
                log_event(LEVEL_INFO, fields, "step %d/8 %s: begins (budget %g s)", (int)id, title, budget_s);
        else if (record->state == STEP_SKIPPED)
                log_event(LEVEL_DEBUG, fields, "step %d/8 %s: skipped: %s", (int)id, title, record->detail);
        else
                log_event(record->state == STEP_DONE ? LEVEL_INFO : LEVEL_WARN, fields, "step %d/8 %s: %s in %.3f s%s%s", (int)id, title,
                          step_state_name(record->state), took_s, record->detail[0] ? ": " : "", record->detail);
}

/* A run that somebody else began: what it has done is in its log already. */
static void note_taken_over(Controller *controller, const Run *run) {
        for (unsigned id = 0; id < STEP_COUNT; id++) {
                controller->logged[0][id] = (struct LoggedStep){run->steps[id].state, run->steps[id].attempt};
                controller->logged[1][id] = (struct LoggedStep){run->recovery[id].state, run->recovery[id].attempt};
        }
        log_info("run %lld: taken over from a process that died: %s %s from %s to %s", (long long)run->id, run_mode_name(run->plan.mode),
                 run_kind_name(run->plan.kind), run->plan.from[0] ? run->plan.from : "nothing", run->plan.to);
}

/* What has changed since it was last logged: results before the next intent, as they share an append. */
static void log_steps(const Run *run, const StepRecord *records, struct LoggedStep *logged, bool recovery) {
        for (int acting = 0; acting <= 1; acting++)
                for (unsigned id = 0; id < STEP_COUNT; id++) {
                        const StepRecord *record = &records[id];
                        if ((record->state == STEP_ACTING) != acting
                            || (record->state == logged[id].state && record->attempt == logged[id].attempt))
                                continue;
                        logged[id] = (struct LoggedStep){record->state, record->attempt};
                        log_step(run, (StepId)id, record, recovery);
                }
}

static void log_progress(Controller *controller, const Run *run) {
        if (controller->logged_run != run->id) {
                memset(controller->logged, 0, sizeof controller->logged);
                controller->logged_run = run->id;
                log_info("run %lld: %s %s from %s to %s, by %s: %s", (long long)run->id, run_mode_name(run->plan.mode),
                         run_kind_name(run->plan.kind), run->plan.from[0] ? run->plan.from : "nothing", run->plan.to, run->initiator,
                         run->reason);
        }
        log_steps(run, run->steps, controller->logged[0], false);
        log_steps(run, run->recovery, controller->logged[1], true);
}

static void on_recovering(void *userdata, const Run *run) {
        Controller *controller = userdata;
        controller->logged_run = run->id;
        note_taken_over(controller, run);
}

static void on_run_changed(void *userdata, const Run *run) {
        log_progress(userdata, run);
        controller_tell_run(userdata, run);
}

static void on_run_finished(void *userdata, const Run *run) {
        Controller *controller = userdata;
        const Run copy = *run; /* what follows may begin another */
        aftermath(controller, &copy);
        controller_tell_run(controller, &copy);
        if (controller->on_finished)
                controller->on_finished(controller->userdata, &copy);
}

static void on_page(void *userdata, const Run *run, const char *message) {
        Controller *controller = userdata;
        alert_set(controller, run->phase == RUN_HOLDING ? "holding" : "run", message);
}

/* ---- the watcher's hooks ---- */

static void on_look(void *userdata) {
        Controller *controller = userdata;
        if (controller->watcher) /* not while it is being made */
                deciding_look(controller);
}

static void on_sampled(void *userdata, const Sample *sample) {
        Controller *controller = userdata;
        controller_tell(controller, "sample", wire_sample(sample, &controller->config->rules, clock_mono_us()));
}

static void on_condition(void *userdata, const char *source, const char *problem) {
        alert_set(userdata, source, problem);
}

static void on_warn(void *userdata, const char *source, const char *message) {
        (void)userdata;
        log_warn("%s: %s", source, message);
}

/* ---- life ---- */

static int open_journal(Controller *controller) {
        char path[PATH_MAX], side_path[PATH_MAX];
        unsigned imported = 0;
        Error error = {0};
        snprintf(path, sizeof path, "%s/journal.db", controller->config->state);
        snprintf(side_path, sizeof side_path, "%s/emergency.jsonl", controller->config->state);
        bool reader = controller->role == ROLE_READER;
        int r = reader ? journal_open_reader(path, &controller->journal, &controller->journal_error)
                       : journal_open(path, &controller->journal, &controller->journal_error);
        if (r < 0 || reader)
                return r;
        if (journal_import_sidefile(controller->journal, side_path, &imported, &error) < 0)
                log_error("the side file could not be taken into the journal: %s", error_text(&error));
        else if (imported > 0)
                log_warn("%u runs of an emergency without journal were taken in from %s", imported, side_path);
        return 0;
}

static void remember_deployment(Controller *controller) {
        Error error = {0};
        Run run;
        if (!controller->journal)
                return;
        controller->deployment_known = journal_last_deployment(controller->journal, &controller->deployment, &error) == 1;
        if (controller->deployment_known && controller->deployment.run_id > 0
            && journal_run(controller->journal, controller->deployment.run_id, &run, &error) == 1)
                controller->deployment_is_rollback = run.plan.kind == RUN_ROLLBACK;
}

int controller_new(sd_event *event, const Config *config, ControllerRole role, Controller **ret_controller, Error *error) {
        Controller *controller = calloc(1, sizeof *controller);
        if (!controller)
                return error_set(error, -ENOMEM, "out of memory");
        controller->event = sd_event_ref(event);
        controller->config = config;
        controller->role = role;
        controller->begun_wall = clock_wall_us();
        controller->decision = calloc(1, sizeof *controller->decision);

        const RunnerHooks hooks = {.recovering = on_recovering, .changed = on_run_changed, .finished = on_run_finished, .page = on_page};
        int r = controller->decision ? world_open(event, config, on_warn, controller, &controller->world, error)
                                     : error_set(error, -ENOMEM, "out of memory");
        if (r >= 0) {
                (void)open_journal(controller);
                r = runner_new(controller->world, controller->journal, &hooks, controller, &controller->runner, error);
        }
        if (r < 0) {
                controller_free(controller);
                return r;
        }
        remember_deployment(controller);
        Error ignored = {0};
        if (release_store_current(controller->world->releases, controller->version, &ignored) < 0)
                controller->version[0] = '\0'; /* current_look() says what is wrong with it */
        *ret_controller = controller;
        return 0;
}

Controller *controller_free(Controller *controller) {
        if (!controller)
                return NULL;
        adoption_cancel(controller);
        readiness_cancel(controller);
        controller->validating.op = op_cancel(controller->validating.op);
        controller->watcher = watcher_free(controller->watcher);
        controller->prober = prober_free(controller->prober);
        controller->runner = runner_free(controller->runner);
        controller->world = world_close(controller->world);
        controller->journal = journal_close(controller->journal);
        sd_event_unref(controller->event);
        free(controller->decision);
        free(controller);
        return NULL;
}

/* Its port may still be held by the one before us. */
static int on_metrics_again(sd_event_source *source, uint64_t usec, void *userdata) {
        Controller *controller = userdata;
        Error error = {0};
        (void)usec;
        if (world_open_metrics(controller->world, &error) >= 0) {
                alert_set(controller, "metrics", NULL);
                if (!runner_run(controller->runner))
                        watcher_resume(controller->watcher);
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        alert_set(controller, "metrics", error_text(&error));
        int r = sd_event_source_set_time_relative(source, (uint64_t)METRICS_AGAIN_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int controller_watch(Controller *controller, Error *error) {
        const WatcherHooks hooks = {.look = on_look, .sampled = on_sampled, .condition = on_condition};
        Error metrics_error = {0};
        int metrics = world_open_metrics(controller->world, &metrics_error);
        int r = prober_new(controller->world, &controller->prober, error);
        if (r >= 0)
                r = watcher_new(controller->world, controller->prober, &hooks, controller, &controller->watcher, error);
        if (r < 0)
                return r;
        if (runner_run(controller->runner))
                watcher_suspend(controller->watcher);
        if (metrics >= 0 || controller->role != ROLE_DAEMON)
                return 0;
        alert_set(controller, "metrics", error_text(&metrics_error));
        return sd_event_add_time_relative(controller->event, NULL, CLOCK_BOOTTIME, (uint64_t)METRICS_AGAIN_US, 0, on_metrics_again,
                                          controller);
}

/* ---- beginning runs ---- */

int controller_unusable(const Controller *controller, Problem *problem) {
        if (controller->journal)
                return 0;
        return problem_set(problem, 503, EXIT_IO, "Journal unusable",
                           "%s. Only an emergency rollback can be done without it: auto-rollback emergency REASON",
                           error_text(&controller->journal_error));
}

static int refuse_busy(Problem *problem, const LockHolder *holder, const Error *error) {
        char time[CLOCK_TEXT_MAX];
        problem_set(problem, 409, EXIT_TRY_LATER, "Another run is under way", "%s", error_text(error));
        if (holder->known)
                problem_add(problem, "holder",
                            json_pack("{s:i, s:s, s:s, s:s}", "pid", (int)holder->pid, "since",
                                      clock_format_rfc3339(holder->since_wall, time, sizeof time), "why", holder->why, "progress",
                                      holder->progress));
        return -1;
}

static int refuse_own_run(Problem *problem, const Run *run) {
        char time[CLOCK_TEXT_MAX];
        clock_format_rfc3339(run->created_wall, time, sizeof time);
        problem_set(problem, 409, EXIT_TRY_LATER, "Another run is under way",
                    "run %lld (%s %s to %s) holds the lock since %s, begun by %s: %s", (long long)run->id, run_mode_name(run->plan.mode),
                    run_kind_name(run->plan.kind), run->plan.to, time, run->initiator, run->reason);
        problem_add(problem, "holder",
                    json_pack("{s:i, s:s, s:s, s:I}", "pid", (int)getpid(), "since", time, "why", run->reason, "run", (json_int_t)run->id));
        return -1;
}

/* Which symptoms were there before: a rollback would not help against them. */
static void note_symptoms(Controller *controller) {
        Verdict verdict;
        char reason[REASON_MAX];
        controller->symptoms_at_begin = 0;
        if (!controller->watcher)
                return;
        watcher_verdict(controller->watcher, &verdict);
        controller->symptoms_at_begin = verdict.triggered ? verdict.triggers : 0;
        if (watcher_service_failed(controller->watcher, reason, sizeof reason))
                controller->symptoms_at_begin |= TRIGGER_SERVICE_FAILED;
        if (watcher_outage(controller->watcher, reason, sizeof reason))
                controller->symptoms_at_begin |= TRIGGER_OUTAGE;
}

static int choose_target(Controller *controller, const RunWish *wish, char ret_to[VERSION_MAX], Problem *problem) {
        Release target;
        TargetDoubt doubt;
        Error error = {0};
        if (wish->kind == RUN_DEPLOYMENT) {
                snprintf(ret_to, VERSION_MAX, "%s", wish->to);
                return 0;
        }
        int r = catalog_target(controller, wish->mode, wish->to, &target, &doubt, &error);
        if (r < 0)
                return problem_set(problem, 409, EXIT_REFUSED, "No target", "%s", error_text(&error));
        memcpy(ret_to, target.version, VERSION_MAX);
        return 0;
}

static int check_wish(Controller *controller, const RunWish *wish, Problem *problem) {
        Hold hold;
        Error error = {0};
        const Run *run = runner_run(controller->runner);
        if (run)
                return refuse_own_run(problem, run);
        if (wish->mode != MODE_EMERGENCY && controller_unusable(controller, problem) < 0)
                return -1;
        if (release_store_current(controller->world->releases, controller->version, &error) < 0) {
                controller->version[0] = '\0';
                controller->version_error = error;
                if (error.code != -ENOENT || wish->kind == RUN_ROLLBACK || controller->deployment_known) /* only the first one needs none */
                        return problem_set(problem, 409, EXIT_REFUSED, "The live release is not known", "%s", error_text(&error));
        }
        if (wish->expect_from && wish->expect_from[0] && strcmp(wish->expect_from, controller->version) != 0)
                return problem_set(problem, 409, EXIT_REFUSED, "The live release has changed", "%s is current, not %s as when this was planned",
                                   controller->version[0] ? controller->version : "nothing", wish->expect_from);
        if (wish->kind != RUN_DEPLOYMENT)
                return 0;
        if (hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) >= 0 && hold.held)
                return problem_set(problem, 409, EXIT_TRY_LATER, "Deployments are paused",
                                   "deployments are paused by %s (%s); when that is settled: auto-rollback resume", hold.by, hold.why);
        return 0;
}

int controller_begin(Controller *controller, const RunWish *wish, Problem *problem) {
        char to[VERSION_MAX], from[VERSION_MAX];
        LockHolder holder = {0};
        Error error = {0};
        if (check_wish(controller, wish, problem) < 0 || choose_target(controller, wish, to, problem) < 0)
                return -1;
        memcpy(from, controller->version, sizeof from);
        note_symptoms(controller);
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
        };
        if (controller->watcher)
                watcher_suspend(controller->watcher);
        controller->validating.op = op_cancel(controller->validating.op);
        controller->validating.run_id = 0;
        controller->readiness.op = op_cancel(controller->readiness.op);
        int r = runner_begin(controller->runner, &request, &holder, &error);
        if (r >= 0)
                return 0;
        if (controller->watcher)
                watcher_resume(controller->watcher);
        if (r == -EBUSY)
                return refuse_busy(problem, &holder, &error);
        if (r == -EINVAL || r == -EALREADY)
                return problem_set(problem, 409, EXIT_REFUSED, "Not possible", "%s", error_text(&error));
        return problem_set(problem, 503, EXIT_IO, "The run could not be begun", "%s", error_text(&error));
}

int controller_recover(Controller *controller, LockHolder *ret_holder, Error *error) {
        int r = runner_recover(controller->runner, ret_holder, error);
        if (r > 0 && controller->watcher && runner_run(controller->runner))
                watcher_suspend(controller->watcher);
        return r;
}
