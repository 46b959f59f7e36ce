/* A moment as people type it. */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* RFC 3339, a day (its beginning, UTC), or how long ago: "24h", "90m", "7d"; "now". -EINVAL: what is allowed. */
int moment_parse(const char *text, int64_t now_wall, int64_t *ret_wall, Error *error);
