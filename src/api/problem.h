/* Problems: how an operation says no (RFC 9457, application/problem+json). */
#pragma once

#include "api/api.h"

/* Fills `problem`; returns -1, so that `return problem_set(...)` reads well. `exit_code`: see base/exit-codes.h. What `extra`
 * holds is kept. */
int problem_set(Problem *problem, int status, int exit_code, const char *title, const char *format, ...)
        PRINTF_LIKE(5, 6);

/* Adds a member to the problem document; takes over `value`. */
void problem_add(Problem *problem, const char *key, json_t *value);

void problem_clear(Problem *problem); /* releases `extra` */

/* The document, a new reference; NULL when memory is gone. `instance`: the request's path. */
json_t *problem_document(const Problem *problem, const char *instance);

/* The other way, for a client: 0, or -1 when `document` is no problem document. */
int problem_parse(const json_t *document, Problem *ret_problem);
