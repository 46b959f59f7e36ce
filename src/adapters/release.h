/* The release store: `versions/`, the symlink `current`, and the configuration that belongs to each release. A release is taken in
 * (its manifest written) when it arrives, verified before it is used, prepared ahead of time, and switched to by renames, so that
 * the switch is atomic, needs no disk space, and may be run again from wherever it was interrupted. Nothing is ever deleted.
 * (Specification, "Restore Previous Version".) */
#pragma once

#include "base/error.h"
#include "core/types.h"
#include "io/op.h"

#include <systemd/sd-event.h>

typedef struct ReleasePaths {
        const char *versions;        /* /opt/novacron/versions */
        const char *current;         /* /opt/novacron/current */
        const char *live_config;     /* /etc/novacron/config.yaml */
        const char *saved_config;    /* /etc/novacron/config.{version}.yaml; "" when releases have none */
        const char *state_directory; /* /var/lib/novacron: manifests/ is made in it */
} ReleasePaths;

typedef struct ReleaseStore ReleaseStore;

/* Copies the paths. `event` may be NULL when no Op is ever begun. */
int release_store_open(sd_event *event, const ReleasePaths *paths, ReleaseStore **ret_store, Error *error);
ReleaseStore *release_store_close(ReleaseStore *store); /* NULL allowed; returns NULL */

/* The releases there are: directories with a valid version as their name, sorted by version; free(*ret_versions). */
int release_store_list(ReleaseStore *store, char (**ret_versions)[VERSION_MAX], size_t *ret_count, Error *error);

/* What `current` names. Each error says how to mend it: -ENOENT missing, -ENOLINK dangling, -EISDIR a real directory, -EINVAL not a
 * symlink, or one that points outside versions/ or to something whose name isn't a version. */
int release_store_current(ReleaseStore *store, char ret_version[VERSION_MAX], Error *error);

/* Writes the manifest of a release: type, digest, size, times, inode and mode of everything in it, and the digest of its saved
 * configuration. Taken in already and unchanged: done. Changed since: fails with -ESTALE unless `again`. OpResult.number: files.
 * What is wrong with the release arrives by the callback (OP_FAILED), not as the return value. */
int release_store_take_in(ReleaseStore *store, const char *version, bool again, int64_t budget_us, OpCallback callback,
                          void *userdata, Op **ret_op, Error *error);

/* Is the release what was taken in? What has the size, times, inode and mode of the manifest is trusted; what differs is hashed
 * (`thorough`: everything is). OP_FAILED with -ENOENT missing, -EBADMSG incomplete or altered, naming the first file and what is wrong with it; -ENODATA: never taken in.
 * OpResult.number: files hashed. */
int release_store_verify(ReleaseStore *store, const char *version, bool thorough, int64_t budget_us,
                         OpCallback callback, void *userdata, Op **ret_op, Error *error);

/* Fills the digests of the scripts that a release declares (in the file `declares`) with what its manifest says. What isn't in the
 * manifest, and all of them when `declares` is altered, is SCRIPT_NOT_KNOWN; a release that was never taken in: left as they are. */
void release_store_expect_scripts(ReleaseStore *store, const char *version, const char *declares, SchemaNeeds *needs);

bool release_store_has_manifest(ReleaseStore *store, const char *version);

/* Lays the next symlink and the next configuration beside the live ones, so that the switch needs no disk space. Idempotent; a
 * stale copy is renewed. */
int release_store_prepare(ReleaseStore *store, const char *version, Error *error);

/* Makes `version` the live one: configuration first (the replaced one is kept as .NAME.replaced.FROM.DIGEST, so that nothing is ever
 * overwritten), then `current`. A release without a saved configuration gets what was live when it was left. */
int release_store_switch(ReleaseStore *store, const char *version, Error *error);

/* 1: `version` is wholly in effect (configuration and symlink), 0: not, or not wholly. */
int release_store_switched(ReleaseStore *store, const char *version, Error *error);

/* When `current` was last changed (wall time, us); negative errno. */
int64_t release_store_switched_at(ReleaseStore *store, Error *error);
