/* What the files of the release store share. */
#pragma once

#include "adapters/manifest.h"
#include "adapters/release.h"

#include <limits.h>

struct ReleaseStore {
        sd_event *event; /* owned reference; may be NULL */
        char *versions, *current, *live_config, *saved_config, *manifests;
};

/* Every path below: -EINVAL for what isn't a version, -ENAMETOOLONG. */
int release_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error);
int release_manifest_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error);
/* "" when releases have no configuration of their own. */
int release_saved_config_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error);
/* ".NAME.WORD.SUFFIX" in the directory of `path`, whose last part is NAME; "/etc/n/c.yaml" -> "/etc/n/.c.yaml.next.v2.4.0" */
int release_beside(const char *path, const char *word, const char *suffix, char buffer[PATH_MAX], Error *error);

/* The configuration's part, for stores whose releases have one. */
bool release_has_config(const ReleaseStore *store);
int release_config_prepare(ReleaseStore *store, const char *version, Error *error);
int release_config_switch(ReleaseStore *store, const char *version, Error *error);
int release_config_in_effect(ReleaseStore *store, const char *version, Error *error); /* 1, or 0 */
