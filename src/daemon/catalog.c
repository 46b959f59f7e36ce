/* The releases: those on the disk, with the states the journal knows of them. */
#include "core/version.h"
#include "daemon/controller.h"

#include <errno.h>
#include <string.h>

static Release *find(Release *releases, unsigned count, const char *version) {
        for (unsigned i = 0; i < count; i++)
                if (strcmp(releases[i].version, version) == 0)
                        return &releases[i];
        return NULL;
}

static void set_states(Release *releases, unsigned count, const Release *known, size_t known_count) {
        for (size_t i = 0; i < known_count; i++) {
                Release *release = find(releases, count, known[i].version);
                if (!release)
                        continue;
                release->state = known[i].state;
                release->since_wall = known[i].since_wall;
        }
}

int catalog_read(Controller *controller, Release *ret_releases, unsigned *ret_count, Error *error) {
        AUTO_FREE char(*versions)[VERSION_MAX] = NULL;
        size_t count = 0;
        int r = release_store_list(controller->world->releases, &versions, &count, error);
        if (r < 0)
                return r;
        if (count > RELEASES_MAX) { /* sorted: the oldest are left out */
                memmove(versions, versions + (count - RELEASES_MAX), RELEASES_MAX * sizeof *versions);
                count = RELEASES_MAX;
        }
        for (size_t i = 0; i < count; i++) {
                ret_releases[i] = (Release){.state = RELEASE_UNPROVEN, .present = true};
                memcpy(ret_releases[i].version, versions[i], VERSION_MAX);
        }
        *ret_count = (unsigned)count;
        if (!controller->journal)
                return 0;
        const size_t known_max = 4 * RELEASES_MAX;
        AUTO_FREE Release *known = calloc(known_max, sizeof *known);
        size_t known_count = 0;
        if (!known)
                return error_set(error, -ENOMEM, "out of memory");
        r = journal_releases(controller->journal, known, known_max, &known_count, error);
        if (r < 0)
                return r;
        set_states(ret_releases, (unsigned)count, known, known_count < known_max ? known_count : known_max);
        return 0;
}

int catalog_target(Controller *controller, RunMode mode, const char *wanted, Release *ret_target,
                   TargetDoubt *ret_doubt, Error *error) {
        AUTO_FREE Release *releases = calloc(RELEASES_MAX, sizeof *releases);
        unsigned count = 0;
        if (!releases)
                return error_set(error, -ENOMEM, "out of memory");
        Error cause = {0};
        int r = catalog_read(controller, releases, &count, &cause);
        if (r < 0 && count == 0)
                return error_set(error, r, "%s", error_text(&cause));
        if (r < 0 && mode != MODE_EMERGENCY) /* an emergency does without the states that only the journal knows */
                return error_set(
                        error, r,
                        "%s. Only an emergency rollback can be done without it: auto-rollback emergency REASON",
                        error_text(&cause));
        const TargetRequest request = {
                .releases = releases,
                .count = count,
                .current = controller->version,
                .previous = controller->deployment_known && !controller->deployment_is_rollback
                                    ? controller->deployment.previous
                                    : NULL,
                .wanted = wanted,
                .mode = mode,
        };
        char version[VERSION_MAX] = "";
        r = policy_target(&request, version, ret_doubt, error);
        const char *previous = request.previous ? request.previous : "";
        if (r == -ENOENT && previous[0] != '\0' && !find(releases, count, previous))
                error_prefix(error, "%s, which served before, is gone: %s/%s is missing", previous,
                             controller->config->versions, previous);
        const Release *target = version[0] ? find(releases, count, version) : NULL;
        *ret_target = target ? *target : (Release){0};
        return r;
}
