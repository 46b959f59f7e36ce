#include "daemon/controller.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/consistency.h"
#include "daemon/incidents.h"
#include "daemon/schema-view.h"
#include "daemon/telling.h"
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
        json_t *value = wire_run(run, verdict[0] ? verdict : NULL);
        if (run->phase == RUN_HOLDING) {
                char remedy[REASON_MAX];
                json_object_set_new(value, "released", json_boolean(aftermath_released(controller, run)));
                json_object_set_new(value, "remedy",
                                    wire_text(aftermath_remedy(controller, run, remedy, sizeof remedy)));
        }
        return value;
}

void controller_tell_run(Controller *controller, const Run *run) {
        controller_tell(controller, "run", controller_run_json(controller, run));
}

/* ---- the runner's hooks ---- */

static void on_recovering(void *userdata, const Run *run) {
        Controller *controller = userdata;
        run_log_taken_over(&controller->run_log, run);
        telling_run_begun(controller, run); /* its process may have died before it did */
        incidents_run_begun(controller, run);
}

static void on_run_changed(void *userdata, const Run *run) {
        Controller *controller = userdata;
        run_log_progress(&controller->run_log, run);
        controller_tell_run(controller, run);
}

static void on_run_progress(void *userdata, const Run *run, const char *line) {
        Controller *controller = userdata;
        run_log_line(run, line);
        controller_tell_run(controller, run);
}

static void on_run_finished(void *userdata, const Run *run) {
        Controller *controller = userdata;
        const Run copy = *run; /* what follows may begin another */
        if (controller->prober && (copy.outcome == OUTCOME_SUCCEEDED || copy.outcome == OUTCOME_PUT_BACK))
                prober_proven(controller->prober);
        aftermath(controller, &copy);
        controller_tell_run(controller, &copy);
        if (controller->on_finished)
                controller->on_finished(controller->userdata, &copy);
}

static void on_page(void *userdata, const Run *run, const char *message) {
        Controller *controller = userdata;
        char text[ALERT_TEXT_MAX], remedy[REASON_MAX];
        if (run->phase == RUN_HOLDING) {
                snprintf(text, sizeof text, "%.1000s %s", message,
                         aftermath_remedy(controller, run, remedy, sizeof remedy));
                alert_set(controller, "holding", text);
                return;
        }
        bool unsaid = (run->outstanding & (1U << STEP_RESTORE_TRAFFIC)) != 0;
        alert_set(controller, unsaid ? "drain" : "deployments", message);
}

/* ---- the watcher's hooks ---- */

static void on_look(void *userdata) {
        Controller *controller = userdata;
        if (!controller->watcher) /* while it is being made */
                return;
        operator_drain_look(controller);
        deciding_look(controller);
}

static void on_sampled(void *userdata, const Sample *sample) {
        Controller *controller = userdata;
        controller_tell(controller, "sample", wire_sample(sample, &controller->config->rules, clock_mono_us()));
        recorder_sampled(controller, sample);
        incidents_sampled(controller, sample);
}

static void on_condition(void *userdata, const char *source, const char *problem) {
        alert_set(userdata, source, problem);
}

static void on_warn(void *userdata, const char *source, const char *message) {
        (void)userdata;
        log_warn("%s: %s", source, message);
}

/* ---- life ---- */

static bool any_taken_in(ReleaseStore *releases) {
        AUTO_FREE char(*versions)[VERSION_MAX] = NULL;
        size_t count = 0;
        Error error = {0};
        if (release_store_list(releases, &versions, &count, &error) < 0)
                return false;
        for (size_t i = 0; i < count; i++)
                if (release_store_has_manifest(releases, versions[i]))
                        return true;
        return false;
}

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
        if (journal_is_new(controller->journal) && any_taken_in(controller->world->releases))
                log_warn("a new journal was begun in %s, though releases were taken in before: their states and the "
                         "history until now are not in it; if it was moved away: stop the controller, put it and its "
                         "-wal back",
                         path);
        if (journal_import_sidefile(controller->journal, side_path, &imported, &error) < 0)
                log_error("the side file could not be taken into the journal: %s", error_text(&error));
        else if (imported > 0)
                log_warn("%u runs of an emergency without journal were taken in from %s", imported, side_path);
        return 0;
}

void controller_look_at_journal(Controller *controller) {
        char message[REASON_MAX];
        if (!controller->journal || journal_is_in_place(controller->journal)) {
                alert_set(controller, "journal", NULL);
                return;
        }
        snprintf(message, sizeof message,
                 "the journal %.200s/journal.db, or its -wal, was removed or replaced under the controller: what is "
                 "written from now on is lost when it ends. Move the very same files back; or restart the controller, "
                 "which goes on with what stands there then, or begins a new one",
                 controller->config->state);
        alert_set(controller, "journal", message);
}

void controller_remember_deployment(Controller *controller) {
        Error error = {0};
        Run run;
        if (!controller->journal)
                return;
        int64_t before_id = controller->deployment_known ? controller->deployment.id : 0;
        controller->deployment = (Deployment){0};
        controller->deployment_is_rollback = controller->baked = false;
        controller->deployment_known =
                journal_last_deployment(controller->journal, &controller->deployment, &error) == 1;
        deployment_remembered(controller, before_id);
        if (controller->deployment_known && controller->deployment.run_id > 0 &&
            journal_run(controller->journal, controller->deployment.run_id, &run, &error) == 1)
                controller->deployment_is_rollback = run.plan.kind == RUN_ROLLBACK;
}

int controller_new(sd_event *event, const Config *config, ControllerRole role, Controller **ret_controller,
                   Error *error) {
        Controller *controller = calloc(1, sizeof *controller);
        if (!controller)
                return error_set(error, -ENOMEM, "out of memory");
        controller->event = sd_event_ref(event);
        controller->config = config;
        controller->role = role;
        controller->begun_wall = clock_wall_us();
        controller->decision = calloc(1, sizeof *controller->decision);

        const RunnerHooks hooks = {.recovering = on_recovering,
                                   .changed = on_run_changed,
                                   .progress = on_run_progress,
                                   .finished = on_run_finished,
                                   .page = on_page};
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
        controller_remember_deployment(controller);
        Error ignored = {0};
        if (release_store_current(controller->world->releases, controller->version, &ignored) < 0)
                controller->version[0] = '\0'; /* current_look() says what is wrong with it */
        *ret_controller = controller;
        return 0;
}

Controller *controller_free(Controller *controller) {
        if (!controller)
                return NULL;
        alerts_cancel(controller);
        adoption_cancel(controller);
        readiness_cancel(controller);
        cache_clear_cancel(controller);
        receiver_test_cancel(controller);
        force_election_cancel(controller);
        schema_view_free(controller);
        consistency_free(controller);
        operator_drain_cancel(controller);
        incidents_free(controller);
        controller->validating.op = op_cancel(controller->validating.op);
        controller->checkup = checkup_free(controller->checkup);
        controller->watcher = watcher_free(controller->watcher);
        controller->prober = prober_free(controller->prober);
        controller->runner = runner_free(controller->runner);
        telling_cancel(controller);
        controller->world = world_close(controller->world);
        recorder_free(controller);
        audit_free(controller);
        controller->journal = journal_close(controller->journal);
        sd_event_unref(controller->event);
        exposition_free(controller);
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
        /* its port is the daemon's: who only looks must not take it from one that is about to start */
        int metrics = controller->role == ROLE_DAEMON ? world_open_metrics(controller->world, &metrics_error) : 0;
        int r = prober_new(controller->world, &controller->prober, error);
        if (r >= 0)
                r = watcher_new(controller->world, controller->prober, &hooks, controller, &controller->watcher, error);
        if (r >= 0)
                r = checking_begin(controller, error);
        if (r < 0)
                return r;
        if (runner_run(controller->runner))
                watcher_suspend(controller->watcher);
        if (metrics >= 0)
                return 0;
        alert_set(controller, "metrics", error_text(&metrics_error));
        return sd_event_add_time_relative(controller->event, NULL, CLOCK_BOOTTIME, (uint64_t)METRICS_AGAIN_US, 0,
                                          on_metrics_again, controller);
}

bool controller_recovery_due(const Controller *controller) {
        return !controller->recovered || runner_disturbed(controller->runner);
}

bool controller_at_rest(const Controller *controller) {
        return !controller_recovery_due(controller) && !runner_run(controller->runner) &&
               !runner_elsewhere(controller->runner, NULL);
}

/* What others did while they held the run lock is neither a symptom nor an observed deployment. */
static void look_afresh(Controller *controller) {
        if (!controller->watcher)
                return;
        watcher_resume(controller->watcher);
        checkup_resume(controller->checkup);
        if (controller->current_seen)
                current_watch_units(controller);
}

int controller_recover(Controller *controller, LockHolder *ret_holder, Error *error) {
        int failed_before = controller->recovery_failed;
        int r = runner_recover(controller->runner, ret_holder, error);
        controller->recovered = r != -EBUSY;
        controller->recovery_tried_mono = clock_mono_us();
        if (r != -EBUSY)
                controller->recovery_failed = r < 0 ? r : 0;
        checkup_hold_healing(controller->checkup, controller->recovery_failed < 0);
        if (r > 0 && runner_run(controller->runner)) {
                if (controller->watcher)
                        watcher_suspend(controller->watcher);
                checkup_suspend(controller->checkup);
                consistency_stop(controller, "a run has begun: ask for it again when that is over");
                readiness_interrupt(controller);
                validating_drop(controller);
        }
        if (controller->role != ROLE_DAEMON)
                return r;
        if (r == 0) {
                controller_remember_deployment(controller);
                aftermath_catch_up(controller);
                aftermath_remind(controller);
        }
        if (r >= 0) {
                validating_pick_up(controller);
                incidents_catch_up(controller);
        }
        if (r == 0 || (r < 0 && r != -EBUSY && failed_before == 0))
                look_afresh(controller);
        return r;
}

int controller_settle(Controller *controller, const Caller *caller, Problem *problem) {
        LockHolder holder = {0};
        int64_t id = 0;
        Error error = {0};
        int r = runner_put_aside(controller->runner, caller->name, &id, &holder, &error);
        if (r == -EBUSY)
                return controller_busy(problem, &holder, &error);
        if (r < 0)
                return problem_set(problem, 503, EXIT_IO, "The run can't be put aside", "%s", error_text(&error));
        if (r > 0) {
                log_warn("run %lld was put aside by %s, who has looked at it", (long long)id, caller->name);
                aftermath_skip(controller, id);
        }
        r = controller_recover(controller, &holder, &error);
        alert_set(controller, "recovery", r < 0 ? error_text(&error) : NULL);
        return r >= 0 ? 0
                      : problem_set(problem, 409, EXIT_TRY_LATER, "There is still something to settle", "%s",
                                    error_text(&error));
}
