/* The two clocks, and how a moment is written. Only daemon, api, cli and the store read a clock; the core is given the time. */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define CLOCK_TEXT_MAX 32 /* "2026-11-22T15:40:36.123Z", terminator included, with room for years beyond 9999 */

int64_t clock_mono_us(void); /* CLOCK_BOOTTIME: counts while the machine sleeps, never jumps; for comparing */
int64_t clock_wall_us(void); /* CLOCK_REALTIME since the epoch; for showing and keeping */

/* RFC 3339, UTC, milliseconds (cut, not rounded). Returns `buffer`, so that it can be an argument of printf. */
char *clock_format_rfc3339(int64_t wall_us, char *buffer, size_t size);

/* Reads RFC 3339 with "Z" or a numeric offset and 0 to 6 digits of fraction. -EINVAL: `error` says what is allowed. */
int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us, Error *error);
