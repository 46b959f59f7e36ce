/* Versions, before they become a path or a unit name: ^v?[0-9]+(\.[0-9]+){2}(-[0-9A-Za-z.]+)?$ and shorter than VERSION_MAX.
 * Nothing that passes can leave its directory or inject anything: it has no slash, no space, and begins with a digit or "v". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool version_valid(const char *version); /* NULL is not valid */

/* Semantic ordering: <0, 0, >0. The leading "v" doesn't count; a pre-release is lower than its release. Both must be valid. */
int version_compare(const char *a, const char *b);

/* 0: major, 1: minor, 2: patch, -1: not valid or larger than an int64_t. */
int64_t version_part(const char *version, unsigned index);
