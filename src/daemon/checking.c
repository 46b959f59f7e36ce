/* The checkup as the controller sees it: what it finds is told, alerted and thought about. */
#include "api/wire-health.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/consistency.h"
#include "daemon/incidents.h"

#include <errno.h>
#include <string.h>

static void on_changed(void *userdata, const Health *health) {
        Controller *controller = userdata;
        if (controller->checkup) /* not while it is being made */
                controller_tell(controller, "health", wire_health(health));
}

/* A manual review: an alert, and never a rollback (specification, Rollback Decision Matrix). */
static void on_condition(void *userdata, const char *source, const char *problem) {
        incidents_condition(userdata, source, problem);
        alert_set(userdata, source, problem);
}

static void on_healing(void *userdata, const char *name, const char *what, HealingNews news) {
        Controller *controller = userdata;
        bool failed = news == HEALING_FAILED;
        controller->healed_mono = clock_mono_us();
        if (controller->invocation[0]) { /* from now on a change is ours */
                memcpy(controller->invocation_healed, controller->invocation, sizeof controller->invocation_healed);
                controller->invocation[0] = '\0';
        }
        const LogField fields[] = {{"component", name}, {NULL, NULL}};
        log_event(failed ? LEVEL_WARN : LEVEL_INFO, fields, "healing %s: %s", name, what);
        audit_healing(controller, name, what, news);
        controller_tell(controller, "healing",
                        json_pack("{s:s, s:o, s:b}", "component", name, "what", wire_text(what), "failed", failed));
        if (!checkup_heals(controller->checkup) && controller->on_alerts_told)
                controller->on_alerts_told(controller->userdata);
}

/* Quorum lost or a Byzantine member: that isn't left to wait for the next second. */
static void on_consensus(void *userdata, const ConsensusView *view) {
        Controller *controller = userdata;
        if (controller->watcher && (view->quorum == KNOWN_FALSE || view->byzantine > 0))
                deciding_look(controller);
}

/* Their limit holds beyond our own life: a controller that dies again and again must not heal without end. */
static void recall_tries(Controller *controller) {
        const Health *health = checkup_health(controller->checkup);
        int64_t now_wall = clock_wall_us(), now_mono = clock_mono_us(), tries[HEALING_TRIES_MAX];
        Error error = {0};
        for (unsigned i = 0; i < health->count; i++) {
                int count = journal_heal_tries(controller->journal, health->components[i].name,
                                               now_wall - HEALING_DAY_US, tries, HEALING_TRIES_MAX, &error);
                if (count < 0) {
                        log_warn("how often components were healed before isn't known: %s", error_text(&error));
                        return;
                }
                for (int k = 0; k < count; k++)
                        tries[k] = now_mono - (now_wall > tries[k] ? now_wall - tries[k] : 0);
                checkup_recall_tries(controller->checkup, i, tries, (unsigned)count);
        }
}

int checking_begin(Controller *controller, Error *error) {
        static const CheckupHooks hooks = {
                .changed = on_changed, .condition = on_condition, .consensus = on_consensus, .healing = on_healing};
        bool daemon = controller->role == ROLE_DAEMON,
             broken = controller->journal_error.code < 0 && controller->journal_error.code != -ENOENT; /* none yet */
        const CheckupTools tools = {.world = controller->world,
                                    .journal = daemon ? controller->journal : NULL,
                                    .journal_problem = broken ? error_text(&controller->journal_error) : NULL,
                                    .prober = controller->prober,
                                    .watcher = controller->watcher,
                                    .heal = daemon,
                                    .one_check = !daemon};
        int r = checkup_new(&tools, &hooks, controller, &controller->checkup, error);
        if (r >= 0 && tools.journal)
                recall_tries(controller);
        if (r >= 0 && tools.journal)
                consistency_recall(controller);
        if (r >= 0 && (runner_run(controller->runner) || runner_elsewhere(controller->runner, NULL)))
                checkup_suspend(controller->checkup);
        if (r >= 0)
                checkup_hold_healing(controller->checkup, controller->recovery_failed < 0);
        return r;
}
