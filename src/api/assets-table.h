/* What tools/embed-assets makes. */
#pragma once

#include "api/assets.h"

extern const Asset assets[]; /* ends with a row whose path is NULL */
