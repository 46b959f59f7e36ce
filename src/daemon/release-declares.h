/* What a release says of the database, in the file release.yaml in its directory:
 *
 *     schema:
 *       version: v3.0.0                  # the schema it is made for
 *       works_with: [v2.4.0, v3.0.0]     # the schemas it can work with; its own when left out
 *       down:                            # how to go back from its own schema: to which, by which script
 *         v2.4.0: migrations/down-v2.4.0.sql
 *
 * The file is part of the release, so its manifest covers it. It is read as strictly as the configuration: what isn't known, is set
 * twice, is no version, or is a script that isn't in the release's directory is -EINVAL, `file:line:column: what is wrong and what
 * is allowed`. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#define RELEASE_DECLARES_FILE "release.yaml"

/* `directory`: the release's. Without the file it declares nothing. The scripts' paths are made absolute. */
int release_declares_read(const char *directory, SchemaNeeds *ret_needs, Error *error);

bool schema_needs_work(const SchemaNeeds *needs, const char *schema); /* it can work with that schema */
