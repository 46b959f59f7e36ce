/* Structs as JSON objects, by their Field tables. Members that are zero or empty are left out. */
#pragma once

#include "base/error.h"
#include "store/shape.h"

#include <jansson.h>

/* 0 or -ENOMEM. */
int fields_to_json(json_t *object, const Field *fields, const void *from);
int fields_to_json_array(json_t *object, const char *name, const Field *fields, const void *from, size_t size,
                         unsigned count);

/* What isn't there stays as it is. 0, or -EBADMSG: it holds what this program doesn't know. */
int fields_from_json(const json_t *object, const Field *fields, void *to, Error *error);
/* At most `max` of them; ret_count may be NULL. */
int fields_from_json_array(const json_t *object, const char *name, const Field *fields, void *to, size_t size,
                           unsigned max, unsigned *ret_count, Error *error);
