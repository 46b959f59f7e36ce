/* What follows from a run's end: the states of the two releases, the deployment, the alert, the validation, and readiness for the
 * next time. */
#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "daemon/controller.h"

#include <string.h>

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
                alert_set(controller, "run", message);
}

void aftermath(Controller *controller, const Run *run) {
        bool switched = run->outcome == OUTCOME_SUCCEEDED;
        controller->baked = false;
        judge_releases(controller, run);
        alert_set(controller, "run", NULL);
        alert_set(controller, "rollback", NULL);
        say_how_it_ended(controller, run);

        /* what is live was changed by us: not an observed deployment */
        char version[VERSION_MAX] = "";
        Error error = {0};
        if (release_store_current(controller->world->releases, version, &error) < 0)
                version[0] = '\0';
        memcpy(controller->version, version, sizeof controller->version);
        controller->version_error = error;
        controller->current_seen = true;
        controller->decided = 0;
        bool left_switched = version[0] != '\0' && strcmp(version, controller->deployment.version) != 0;
        if (switched || left_switched) /* a run that holds may leave its target live */
                current_made(controller, run, version, run->plan.from);

        if (controller->journal && journal_prepare_space(controller->journal, &error) < 0)
                alert_set(controller, "journal", error_text(&error));
        else
                alert_set(controller, "journal", NULL);
        if (controller->watcher) {
                watcher_resume(controller->watcher);
                current_watch_units(controller);
                if (switched && run->plan.kind == RUN_ROLLBACK)
                        validating_begin(controller, run);
        }
        if (controller->role == ROLE_DAEMON)
                readiness_check(controller);
}
