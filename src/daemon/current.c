/* What is live: the symlink `current` and the units that run it. A change that no run of ours made is an observed deployment: it is
 * journalled and arms the automatic rollback, as ours do. */
#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "daemon/baseline.h"
#include "daemon/telling.h"

#include <errno.h>
#include <string.h>

#define HEALED_US (5 * USEC_PER_SEC)

void current_watch_units(Controller *controller) {
        UnitSet units;
        Error error = {0};
        controller->invocation[0] = '\0';
        if (!controller->watcher)
                return;
        if (controller->version[0] == '\0') {
                watcher_set_units(controller->watcher, NULL);
                return;
        }
        if (config_units(controller->config, controller->version, &units, &error) < 0) {
                watcher_set_units(controller->watcher, NULL); /* first: that in itself is no trouble, and says so */
                alert_set(controller, "units", error_text(&error));
                return;
        }
        watcher_set_units(controller->watcher, &units);
}

static void add_deployment(Controller *controller, const Deployment *deployment, bool is_rollback) {
        Error error = {0};
        controller->deployment = *deployment;
        controller->deployment_known = true;
        controller->deployment_is_rollback = is_rollback;
        controller->triggered_since_deployment = controller->baked = false;
        controller->decided = 0;
        controller->symptoms_mono = controller->refused_mono = 0;
        alert_set(controller, "decision", NULL); /* it was about another deployment */
        if (controller->journal && journal_add_deployment(controller->journal, &controller->deployment, &error) < 0)
                log_error("the deployment of %s could not be journalled: %s", deployment->version, error_text(&error));
        deployment_made_now(controller);
        if (!is_rollback)
                telling_deployed(controller, &controller->deployment);
}

void current_made(Controller *controller, const Run *run, const char *version, const char *previous) {
        Deployment deployment = {
                .run_id = run->id, .at_wall = clock_wall_us(), .symptoms_before = run->symptoms_before};
        snprintf(deployment.version, sizeof deployment.version, "%s", version);
        snprintf(deployment.previous, sizeof deployment.previous, "%s", previous);
        add_deployment(controller, &deployment, run->plan.kind == RUN_ROLLBACK);
}

static void set_baking(Controller *controller, const char *version) {
        Release release;
        Error error = {0};
        if (!controller->journal)
                return;
        int r = journal_release(controller->journal, version, &release, &error);
        if (r == 1 && release.state == RELEASE_GOOD)
                return;
        if (r >= 0)
                r = journal_set_release(controller->journal, version, RELEASE_BAKING, clock_wall_us(), &error);
        if (r < 0)
                log_error("the state of %s could not be journalled: %s", version, error_text(&error));
}

unsigned controller_consensus_doubts(const Controller *controller) {
        const ConsensusView *view = controller->checkup ? checkup_consensus_view(controller->checkup) : NULL;
        return (view && view->quorum == KNOWN_TRUE ? 0U : TRIGGER_QUORUM) |
               (view && view->data_agrees ? 0U : TRIGGER_BYZANTINE);
}

/* The window was filled before the change was seen, so it tells what was wrong before. What triggers at once may be the new one's. */
static unsigned symptoms_before(Controller *controller) {
        Verdict verdict = {0};
        if (controller->watcher)
                watcher_verdict(controller->watcher, &verdict);
        return (verdict.triggered ? verdict.triggers : 0) | controller_consensus_doubts(controller);
}

static void observe(Controller *controller, const char *version, const char *previous, const char *how) {
        Deployment deployment = {.at_wall = clock_wall_us(), .symptoms_before = symptoms_before(controller)};
        snprintf(deployment.version, sizeof deployment.version, "%s", version);
        snprintf(deployment.previous, sizeof deployment.previous, "%s", previous);
        log_info("observed: %s (%s)", version, how);
        add_deployment(controller, &deployment, false);
        set_baking(controller, version);
        if (controller->watcher)
                watcher_resume(controller->watcher); /* what was measured before says nothing about it */
        readiness_check(controller);
}

static void look_at_link(Controller *controller) {
        char version[VERSION_MAX] = "";
        Error error = {0};
        int r = release_store_current(controller->world->releases, version, &error);
        if (r < 0)
                version[0] = '\0';
        if (r == -ENOENT && controller->deployment_known)
                error_set(&error, r, "%s; the last that is known was %s", error_text(&error),
                          controller->deployment.version);
        controller->version_error = error;
        alert_set(controller, "current", r < 0 && controller->watcher ? error_text(&error) : NULL);
        if (controller->current_seen && strcmp(version, controller->version) == 0)
                return;
        memcpy(controller->version, version, sizeof controller->version);
        controller->current_seen = true;
        current_watch_units(controller);
        if (version[0] == '\0' || controller->role != ROLE_DAEMON)
                return;
        controller_remember_deployment(controller); /* break glass may have made one */
        char before[VERSION_MAX];
        memcpy(before, controller->deployment.version, sizeof before);
        if (strcmp(version, before) == 0)
                return;
        baseline_keep(controller, before);
        observe(controller, version, before,
                before[0] ? "current was changed by somebody else" : "found on this machine");
}

/* A healing is over, but the unit that it has restarted hasn't been looked at since. */
static bool is_what_was_healed(const Controller *controller, const UnitsState *units) {
        return controller->healed_mono != 0 && clock_mono_us() - controller->healed_mono < HEALED_US &&
               strcmp(units->invocation, controller->invocation_healed) == 0;
}

/* A restart by the supervisor itself isn't a deployment; a new invocation without one is. */
static void look_at_invocation(Controller *controller) {
        const UnitsState *units = controller->watcher ? watcher_units(controller->watcher) : NULL;
        if (!units || !units->active || units->invocation[0] == '\0')
                return;
        if (checkup_heals(controller->checkup) || is_what_was_healed(controller, units)) {
                controller->invocation[0] = '\0';
                return;
        }
        bool changed = controller->invocation[0] != '\0' && strcmp(controller->invocation, units->invocation) != 0;
        bool by_itself = units->restarts > controller->restarts;
        memcpy(controller->invocation, units->invocation, sizeof controller->invocation);
        controller->restarts = units->restarts;
        if (changed && !by_itself) {
                baseline_keep(controller, controller->version);
                observe(controller, controller->version, controller->deployment.previous,
                        "its units were restarted by somebody else");
        }
}

void current_look(Controller *controller) {
        look_at_link(controller);
        if (controller->version[0] != '\0' && controller->role == ROLE_DAEMON)
                look_at_invocation(controller);
}
