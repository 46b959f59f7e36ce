/* Could the rollback target be started right now? It is verified and its switch prepared ahead of time, so that the bad day
 * needs neither luck nor disk space. */
#include "base/clock.h"
#include "daemon/controller.h"
#include "store/sidefile.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define READINESS_EVERY_US (60 * USEC_PER_SEC)
#define READINESS_BUDGET_US (300 * USEC_PER_SEC)

static void conclude(Controller *controller, Tristate ready, const char *detail) {
        struct Readiness *readiness = &controller->readiness;
        readiness->ready = ready;
        snprintf(readiness->detail, sizeof readiness->detail, "%.*s", DETAIL_MAX - 1, detail);
        alert_set(controller, "readiness", ready == KNOWN_FALSE ? readiness->detail : NULL);
}

static void on_verified(void *userdata, const OpResult *result) {
        Controller *controller = userdata;
        Error error = {0};
        controller->readiness.op = NULL;
        if (result->status != OP_DONE) {
                conclude(controller, KNOWN_FALSE, error_text(&result->error));
                return;
        }
        if (release_store_prepare(controller->world->releases, controller->readiness.version, &error) < 0) {
                conclude(controller, KNOWN_FALSE, error_text(&error));
                return;
        }
        conclude(controller, KNOWN_TRUE, "complete, and its switch is prepared");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        const Controller *controller = userdata;
        (void)usec;
        if (!controller->readiness
                     .op) /* hashing much on a slow disk takes longer than this, and must come to its end */
                readiness_check(userdata);
        int r = sd_event_source_set_time_relative(source, (uint64_t)READINESS_EVERY_US);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Space is part of it: the side file and the journal's reserve. */
static void prepare_space(Controller *controller) {
        char path[PATH_MAX];
        Error error = {0};
        snprintf(path, sizeof path, "%s/emergency.jsonl", controller->config->state);
        int r = sidefile_prepare(path, &error);
        if (r >= 0 && controller->journal)
                r = journal_prepare_space(controller->journal, &error);
        alert_set(controller, "space", r < 0 ? error_text(&error) : NULL);
}

void readiness_check(Controller *controller) {
        struct Readiness *readiness = &controller->readiness;
        Release target = {0};
        TargetDoubt doubt;
        Error error = {0};
        if (controller->role != ROLE_DAEMON || runner_run(controller->runner) || controller->adoption)
                return;
        if (!readiness->timer)
                (void)sd_event_add_time_relative(controller->event, &readiness->timer, CLOCK_BOOTTIME,
                                                 (uint64_t)READINESS_EVERY_US, (uint64_t)USEC_PER_SEC, on_timer,
                                                 controller);
        prepare_space(controller);
        readiness->op = op_cancel(readiness->op);
        readiness->version[0] = '\0';
        readiness->ready = KNOWN_NOT;
        int r = catalog_target(controller, MODE_EMERGENCY, NULL, &target, &doubt, &error);
        if (r < 0) {
                snprintf(readiness->detail, sizeof readiness->detail, "%.*s", DETAIL_MAX - 1, error_text(&error));
                alert_set(controller, "readiness", NULL); /* nothing to go back to is shown, it isn't a fault */
                return;
        }
        memcpy(readiness->version, target.version, sizeof readiness->version);
        if (release_store_verify(controller->world->releases, target.version, false, READINESS_BUDGET_US, on_verified,
                                 controller, &readiness->op, &error) < 0)
                conclude(controller, KNOWN_FALSE, error_text(&error));
}

void readiness_cancel(Controller *controller) {
        controller->readiness.op = op_cancel(controller->readiness.op);
        controller->readiness.timer = sd_event_source_disable_unref(controller->readiness.timer);
}
