/* Taking in what lies under versions/: a manifest of each release, one after the other in the background. Done at every start, so that a
 * release that came while nobody looked is taken in too. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/controller.h"

#include <errno.h>
#include <string.h>

#define TAKE_IN_BUDGET_US (INT64_C(3600) * USEC_PER_SEC) /* hashing a very large release on a slow disk */

struct Adoption {
        Controller *controller;
        Op *op;
        bool again;
        size_t count, next;
        char (*versions)[VERSION_MAX];
};

static void end(Controller *controller) {
        struct Adoption *adoption = TAKE_PTR(controller->adoption);
        if (!adoption)
                return;
        op_cancel(adoption->op);
        free(adoption->versions);
        free(adoption);
}

static void take_next(struct Adoption *adoption);
static void on_taken_in(void *userdata, const OpResult *result);

static int take_in(struct Adoption *adoption, const char *version, bool again, OpCallback callback, Error *error) {
        return release_store_take_in(adoption->controller->world->releases, version, again, TAKE_IN_BUDGET_US, callback,
                                     adoption, &adoption->op, error);
}

/* What was proven was another content. The live one, too: what runs isn't what would be started again. */
static void note_changed(Controller *controller, const char *version, const char *how) {
        char id[32];
        Error error = {0};
        log_warn("%s is unproven now, for what it was taken in as has changed: %s", version, how);
        if (!controller->journal)
                return;
        if (journal_set_release(controller->journal, version, RELEASE_UNPROVEN, clock_wall_us(), &error) < 0)
                log_error("%s could not be journalled as unproven: %s", version, error_text(&error));
        if (!controller->deployment_known || strcmp(controller->deployment.version, version) != 0)
                return;
        snprintf(id, sizeof id, "%lld", (long long)controller->deployment.id);
        if (journal_set_value(controller->journal, ADOPTION_CHANGED_KEY, id, &error) < 0)
                log_error("that %s has changed while it is live could not be journalled: %s", version,
                          error_text(&error));
}

/* Compared with its manifest first: what differs is taken in as it is now, and is another release. */
static void on_compared(void *userdata, const OpResult *result) {
        struct Adoption *adoption = userdata;
        const char *version = adoption->versions[adoption->next - 1];
        Error error = {0};
        adoption->op = NULL;
        if (result->status == OP_DONE) {
                take_next(adoption);
                return;
        }
        int r = take_in(adoption, version, true, on_taken_in, &error);
        if (result->status == OP_FAILED && result->error.code != -EAGAIN)
                note_changed(adoption->controller, version, error_text(&result->error));
        if (r >= 0)
                return;
        log_warn("%s was not taken in: %s", version, error_text(&error));
        take_next(adoption);
}

static void on_taken_in(void *userdata, const OpResult *result) {
        struct Adoption *adoption = userdata;
        const char *version = adoption->versions[adoption->next - 1];
        adoption->op = NULL;
        if (result->status != OP_DONE)
                log_warn("%s was not taken in: %s", version, error_text(&result->error));
        take_next(adoption);
}

static void note_state(Controller *controller, const char *version) {
        Release known;
        Error error = {0};
        if (journal_release(controller->journal, version, &known, &error) == 0)
                (void)journal_set_release(controller->journal, version, RELEASE_UNPROVEN, controller->begun_wall,
                                          &error);
}

static void take_next(struct Adoption *adoption) {
        Controller *controller = adoption->controller;
        while (adoption->next < adoption->count) {
                const char *version = adoption->versions[adoption->next++];
                Error error = {0};
                note_state(controller, version);
                if (!adoption->again && release_store_has_manifest(controller->world->releases, version))
                        continue;
                int r = take_in(adoption, version, false, adoption->again ? on_compared : on_taken_in, &error);
                if (r >= 0)
                        return;
                log_warn("%s was not taken in: %s", version, error_text(&error));
        }
        end(controller);
        readiness_check(controller);
}

int adoption_begin(Controller *controller, bool again, Error *error) {
        if (controller->adoption)
                return 0;
        struct Adoption *adoption = calloc(1, sizeof *adoption);
        if (!adoption)
                return error_set(error, -ENOMEM, "out of memory");
        adoption->controller = controller;
        adoption->again = again;
        int r = release_store_list(controller->world->releases, &adoption->versions, &adoption->count, error);
        if (r < 0) {
                free(adoption);
                return r;
        }
        controller->adoption = adoption;
        take_next(adoption);
        return 0;
}

void adoption_cancel(Controller *controller) {
        end(controller);
}
