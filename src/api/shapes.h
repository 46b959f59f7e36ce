/* The shapes of the answers, as data: the reference that api.h points to, and what openapi.json is made from. An answer has all
 * members of its shape, and no other; null, never 0, for what isn't known. Times are RFC 3339, UTC, with milliseconds; members that
 * end in _ms, _s and _percent are numbers of that unit and may have decimals. */
#pragma once

#include <jansson.h>

typedef struct ShapeMember {
        const char *name;
        /* "text", "integer", "number", "boolean", "time" (RFC 3339, UTC, milliseconds), "any"; "=a|b|c" one of these words;
         * "#run" another shape; "[]" in front: a list of; "{}" in front: an object of, by name; "?" behind: or null;
         * "+" behind: or missing */
        const char *type;
        const char *help;
} ShapeMember; /* tables end with a row whose name is NULL */

typedef struct Shape {
        const char *name;
        const char *summary;
        const ShapeMember *members; /* NULL: it is the one thing that `type` says */
        const char *type;
} Shape;

/* All of them, counted from 0, in the order in which openapi.json has them; NULL behind the last. The tables are in shapes-*.c. */
const Shape *shape_at(unsigned index);

/* OpenAPI 3.1, from the routes and the shapes. A new reference; NULL when memory is gone. */
json_t *openapi_document(void);
