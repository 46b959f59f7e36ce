/* What each type of setting allows. */
#pragma once

#include "base/error.h"
#include "base/settings.h"

/* Checks a scalar against its row: *ret_number is the value of durations, ratios, counts and bools, else 0. */
int settings_parse(const SettingSpec *spec, const char *text, int64_t *ret_number, Error *error);

/* -EINVAL: "'latency_p99' is '100': <wrong>; allowed is ..."; `wrong` may be "". */
int settings_refuse(const SettingSpec *spec, const char *text, const char *wrong, Error *error);

bool settings_printable(const char *text); /* no control characters */
