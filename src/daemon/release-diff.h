/* What differs between two releases: from their manifests which files were added, removed or changed; of text files that configure
 * something, and of their saved configurations, the lines, with secrets masked. Bounded in what it reads and in what it says. Reads
 * files: to be called in a process of its own (io/worker.h). */
#pragma once

#include "daemon/config.h"

#include <jansson.h>

/* The shape `difference` of api/shapes.h: what `after` brought against `before`. Never NULL but for want of memory: what can't be
 * told is said in its notes. */
json_t *release_diff(const Config *config, const char *before, const char *after);
