/* What the supervised service has written: the end of its log file. */
#pragma once

#include "adapters/adapter.h"

int supervisor_last_lines(const Settings *settings, const UnitSet *units, int64_t since_wall, int64_t until_wall,
                          unsigned max, UnitsLine visit, void *userdata, Error *error);
