/* Taking in what lies under versions/: a manifest of each release, one after the other in the background. Done at every start, so that a
 * release that came while nobody looked is taken in too. */
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
                int r = release_store_take_in(controller->world->releases, version, adoption->again, TAKE_IN_BUDGET_US,
                                              on_taken_in, adoption, &adoption->op, &error);
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
