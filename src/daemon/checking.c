/* The checkup as the controller sees it: what it finds is told, alerted and thought about. */
#include "api/wire-health.h"
#include "api/wire.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/controller.h"

#include <errno.h>

static void on_changed(void *userdata, const Health *health) {
        Controller *controller = userdata;
        if (controller->checkup) /* not while it is being made */
                controller_tell(controller, "health", wire_health(health));
}

/* A manual review: an alert, and never a rollback (specification, Rollback Decision Matrix). */
static void on_condition(void *userdata, const char *source, const char *problem) {
        alert_set(userdata, source, problem);
}

static void on_healing(void *userdata, const char *name, const char *what, bool failed) {
        Controller *controller = userdata;
        const LogField fields[] = {{"component", name}, {NULL, NULL}};
        log_event(failed ? LEVEL_WARN : LEVEL_INFO, fields, "healing %s: %s", name, what);
        audit_healing(controller, name, what, failed);
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
        if (r >= 0 && (runner_run(controller->runner) || runner_elsewhere(controller->runner, NULL)))
                checkup_suspend(controller->checkup);
        if (r >= 0)
                checkup_hold_healing(controller->checkup, controller->recovery_failed < 0);
        return r;
}
