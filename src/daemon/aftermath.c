/* What follows from a run's end: the states of the two releases, the deployment, the alert, the validation, and readiness for the
 * next time. */
#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/severity.h"
#include "core/words.h"
#include "daemon/controller.h"
#include "daemon/holds.h"
#include "daemon/incidents.h"
#include "daemon/telling.h"

#include <inttypes.h>
#include <string.h>

#define DONE_KEY "aftermath.run"          /* the newest run of which all that follows is in the journal */
#define RELEASED_KEY "aftermath.released" /* the newest run that held and that an operator has released */
#define CATCH_UP_MAX 16

static void set_state(Controller *controller, const char *version, ReleaseState state) {
        Error error = {0};
        if (!controller->journal || version[0] == '\0')
                return;
        if (journal_set_release(controller->journal, version, state, clock_wall_us(), &error) < 0)
                log_error("%s could not be journalled as %s: %s", version, release_state_name(state),
                          error_text(&error));
}

static ReleaseState state_of(Controller *controller, const char *version) {
        Release release = {0};
        Error error = {0};
        if (!controller->journal || journal_release(controller->journal, version, &release, &error) != 1)
                return RELEASE_UNPROVEN;
        return release.state;
}

/* A release that was rolled back from is never an automatic target again; one that would not start when it was needed isn't
 * proven any more. */
static void judge_releases(Controller *controller, const Run *run) {
        const Plan *plan = &run->plan;
        bool deployment = plan->kind == RUN_DEPLOYMENT;
        switch (run->outcome) {
        case OUTCOME_SUCCEEDED:
                if (!deployment)
                        set_state(controller, plan->from, RELEASE_FAILED);
                if (state_of(controller, plan->to) != RELEASE_GOOD)
                        set_state(controller, plan->to, RELEASE_BAKING);
                break;
        case OUTCOME_PUT_BACK:
        case OUTCOME_HELD:
                if (!deployment && run->steps[STEP_START_VERSION].attempt == 0)
                        break; /* it was never tried: nothing is known about it that wasn't before */
                set_state(controller, plan->to, deployment ? RELEASE_FAILED : RELEASE_UNPROVEN);
                break;
        case OUTCOME_OPEN:
        case OUTCOME_REFUSED:
        case OUTCOME_CANCELLED:
        case OUTCOME_UNDONE:
                break;
        }
}

static void say_how_it_ended(Controller *controller, const Run *run) {
        char message[REASON_MAX];
        const char *kind = run_kind_name(run->plan.kind);
        long long id = (long long)run->id;
        if (run->outcome == OUTCOME_SUCCEEDED) {
                snprintf(message, sizeof message, "run %lld: %s from %s to %s succeeded; %s is serving. Reason: %.256s",
                         id, kind, run->plan.from[0] ? run->plan.from : "nothing", run->plan.to, run->serving,
                         run->reason);
                log_info("%s", message);
                if (run->plan.kind == RUN_ROLLBACK && run->plan.mode != MODE_MANUAL)
                        alert_set(controller, "rollback", message);
                return;
        }
        snprintf(message, sizeof message, "run %lld: %s to %s ended %s (%s); serving: %s. %.256s", id, kind,
                 run->plan.to, run_phase_name(run->phase), run_outcome_name(run->outcome),
                 run->serving[0] ? run->serving : "nothing that is proven", run->failure);
        /* an operator who asked for it is told by the answer; nobody has to be woken for what was never touched */
        bool untouched =
                run->outcome == OUTCOME_REFUSED || run->outcome == OUTCOME_CANCELLED || run->outcome == OUTCOME_UNDONE;
        if (untouched && run->plan.mode != MODE_AUTOMATIC)
                log_warn("%s", message);
        else
                alert_set_as(controller, "run", severity_of_run(run), message);
}

/* Never twice for one deployment, however the rollback ended; but one that was refused was none, and touched nothing: it is tried again
 * when its target has been proven ready (deciding.c). While it is under way nothing is decided. */
static void mark_rolled_back(Controller *controller, const Run *run) {
        Deployment *deployment = &controller->deployment;
        Error error = {0};
        if (run->plan.kind != RUN_ROLLBACK || run->plan.mode != MODE_AUTOMATIC || !controller->journal ||
            !controller->deployment_known || deployment->rolled_back ||
            strcmp(deployment->version, run->plan.from) != 0)
                return;
        controller->refused_mono = run->outcome == OUTCOME_REFUSED ? clock_mono_us() : 0;
        if (run->outcome == OUTCOME_REFUSED)
                return;
        if (journal_mark_rolled_back(controller->journal, deployment->id, &error) < 0)
                log_error("deployment %lld could not be marked as rolled back: %s", (long long)deployment->id,
                          error_text(&error));
        deployment->rolled_back = true;
}

/* What a run makes obsolete. What it has itself to say was said before (RunnerHooks.page). */
static void clear_alerts(Controller *controller, const Run *run) {
        Hold hold;
        Error error = {0};
        alert_set(controller, "run", NULL);
        alert_set(controller, "rollback", NULL);
        if (run->outcome == OUTCOME_SUCCEEDED || run->outcome == OUTCOME_PUT_BACK)
                alert_set(controller, "holding", NULL);
        if (run->outcome == OUTCOME_SUCCEEDED)
                alert_set(controller, "validation", NULL);
        if (hold_read(controller->journal, HOLD_DEPLOYMENTS, &hold, &error) >= 0 && !hold.held)
                alert_set(controller, "deployments", NULL);
        if ((run->outstanding & (1U << STEP_RESTORE_TRAFFIC)) == 0 &&
            hold_read(controller->journal, HOLD_TRAFFIC, &hold, &error) >= 0 && !hold.held)
                alert_set(controller, "drain", NULL);
}

/* The balancer could not be asked while the run was undone: giving back goes on after it (operator-drain.c), for what the run took. */
static void go_on_giving_back(Controller *controller, const Run *run) {
        Error error = {0};
        if (run->outcome != OUTCOME_UNDONE || (run->outstanding & (1U << STEP_RESTORE_TRAFFIC)) == 0)
                return;
        Hold hold = {.held = true,
                     .restoring = true,
                     .run_id = run->id,
                     .since_wall = run->ended_wall,
                     .why = "being given back"};
        snprintf(hold.by, sizeof hold.by, "run %" PRId64, run->id);
        if (hold_take(controller->journal, HOLD_TRAFFIC, &hold, &error) < 0)
                log_error("that traffic is given back could not be journalled: %s", error_text(&error));
}

static int64_t newest_done(Controller *controller) {
        char text[32];
        Error error = {0};
        if (journal_get_value(controller->journal, DONE_KEY, text, sizeof text, &error) != 1)
                return 0;
        return strtoll(text, NULL, 10);
}

static void note_done(Controller *controller, const Run *run) {
        char text[32];
        Error error = {0};
        if (!controller->journal || run->id <= 0)
                return;
        snprintf(text, sizeof text, "%" PRId64, run->id);
        if (journal_set_value(controller->journal, DONE_KEY, text, &error) < 0)
                log_warn("what follows from run %lld will be done again: %s", (long long)run->id, error_text(&error));
}

void aftermath_skip(Controller *controller, int64_t run_id) {
        const Run run = {.id = run_id};
        if (run_id > newest_done(controller))
                note_done(controller, &run);
}

void aftermath(Controller *controller, const Run *run) {
        bool switched = run->outcome == OUTCOME_SUCCEEDED;
        controller->baked = false;
        judge_releases(controller, run);
        mark_rolled_back(controller, run);
        clear_alerts(controller, run);
        go_on_giving_back(controller, run);
        say_how_it_ended(controller, run);
        incidents_run_ended(controller, run);
        telling_run_ended(controller, run);

        /* what is live was changed by us: not an observed deployment */
        char version[VERSION_MAX] = "";
        Error error = {0};
        if (release_store_current(controller->world->releases, version, &error) < 0)
                version[0] = '\0';
        memcpy(controller->version, version, sizeof controller->version);
        controller->version_error = error;
        const char *made = switched ? run->plan.to : version;
        controller->current_seen = strcmp(made, version) == 0; /* else others were here since: to be observed */
        controller->decided = 0;
        controller->symptoms_mono = 0;
        bool left_switched = version[0] != '\0' && strcmp(version, controller->deployment.version) != 0;
        bool known = controller->deployment_known && controller->deployment.run_id == run->id && run->id > 0;
        if ((switched || left_switched) && !known) /* a run that holds may leave its target live */
                current_made(controller, run, made, run->plan.from);

        if (controller->journal && journal_prepare_space(controller->journal, &error) < 0)
                alert_set(controller, "space", error_text(&error)); /* readiness tells when it is over */
        checkup_resume(controller->checkup);
        if (controller->watcher) {
                watcher_resume(controller->watcher);
                current_watch_units(controller);
                if (switched && run->plan.kind == RUN_ROLLBACK)
                        validating_begin(controller, run);
        }
        if (controller->role == ROLE_DAEMON)
                readiness_check(controller);
        note_done(controller, run);
}

typedef struct Missed {
        int64_t after;
        unsigned count;
        Run runs[CATCH_UP_MAX]; /* newest first */
} Missed;

static int collect_missed(void *userdata, const Run *run) {
        Missed *missed = userdata;
        if (run->id <= missed->after || missed->count == CATCH_UP_MAX)
                return 1;
        if (run_ended(run))
                missed->runs[missed->count++] = *run;
        return 0;
}

/* A run's end and what follows from it are several writes; a process may die between them, and an emergency without journal has
 * only the first. Of all but the newest run only what the releases are worth still matters. */
void aftermath_catch_up(Controller *controller) {
        Error error = {0};
        AUTO_FREE Missed *missed = calloc(1, sizeof *missed);
        if (!missed || !controller->journal)
                return;
        missed->after = newest_done(controller);
        if (journal_runs(controller->journal, CATCH_UP_MAX, collect_missed, missed, &error) < 0) {
                log_error("it can't be told whether a run ended without its aftermath: %s", error_text(&error));
                return;
        }
        for (unsigned i = missed->count; i-- > 1;) {
                judge_releases(controller, &missed->runs[i]);
                incidents_run_ended(controller, &missed->runs[i]);
        }
        if (missed->count == 0)
                return;
        log_info("run %lld ended, but its process did not get to what follows from it: done now",
                 (long long)missed->runs[0].id);
        aftermath(controller, &missed->runs[0]);
        controller_tell_run(controller, &missed->runs[0]);
}

static int keep_newest(void *userdata, const Run *run) {
        memcpy(userdata, run, sizeof *run);
        return 1;
}

static bool newest_holds(Controller *controller, Run *ret_run) {
        Error error = {0};
        return controller->journal && journal_runs(controller->journal, 1, keep_newest, ret_run, &error) == 1 &&
               ret_run->phase == RUN_HOLDING;
}

/* An alert lives as long as its process; a run that holds, until a person has mended it. */
void aftermath_remind(Controller *controller) {
        char message[ALERT_TEXT_MAX], remedy[REASON_MAX];
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        if (!run || !newest_holds(controller, run) || aftermath_released(controller, run))
                return;
        snprintf(message, sizeof message, "run %" PRId64 " to %s still holds: %.300s. A person has to look. %s",
                 run->id, run->plan.to, run->failure, aftermath_remedy(controller, run, remedy, sizeof remedy));
        alert_set(controller, "holding", message);
}

const char *aftermath_remedy(Controller *controller, const Run *run, char *text, size_t size) {
        char current[VERSION_MAX] = "";
        AUTO_FREE UnitSet *units = calloc(1, sizeof *units);
        Error error = {0};
        const char *version = run->plan.from;
        if (release_store_current(controller->world->releases, current, &error) >= 0 && current[0])
                version = current;
        text[0] = '\0';
        words_append(text, size, "Mend the cause, then: ");
        if (units && version[0] && config_units(controller->config, version, units, &error) >= 0) {
                words_append(text, size, "systemctl start");
                for (unsigned i = 0; i < units->count; i++)
                        words_append(text, size, " %s", units->names[i]);
                words_append(text, size, "; ");
        }
        words_append(text, size, "%sauto-rollback resume",
                     controller->config->traffic_driver ? "auto-rollback restore; " : "");
        return text;
}

bool aftermath_released(Controller *controller, const Run *run) {
        char text[32];
        Error error = {0};
        return controller->journal && run->id > 0 &&
               journal_get_value(controller->journal, RELEASED_KEY, text, sizeof text, &error) == 1 &&
               strtoll(text, NULL, 10) == run->id;
}

void aftermath_release(Controller *controller) {
        char text[32];
        Error error = {0};
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        alert_set(controller, "holding", NULL);
        if (!run || !newest_holds(controller, run) || aftermath_released(controller, run))
                return;
        snprintf(text, sizeof text, "%" PRId64, run->id);
        if (journal_set_value(controller->journal, RELEASED_KEY, text, &error) < 0)
                log_error("that run %" PRId64 " was released could not be journalled, so a restart reminds of it: %s",
                          run->id, error_text(&error));
        else
                log_info("run %" PRId64 ", which held, was released by an operator", run->id);
        controller_tell_run(controller, run);
}
