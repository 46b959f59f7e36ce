/* A run as one JSON document, for the side file. Members that are zero or empty are left out. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <jansson.h>

json_t *run_to_json(const Run *run);                                   /* a new reference; NULL: out of memory */
int run_from_json(const json_t *document, Run *ret_run, Error *error); /* -EBADMSG: not a run */
