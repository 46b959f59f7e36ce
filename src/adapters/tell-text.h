/* What the forms of a message share: words, moments, and what HTTP's answers mean unless a form knows better. */
#pragma once

#include "adapters/adapter.h"

#include <jansson.h>

#define TELL_TIME_MAX 40

const char *tell_severity_word(Severity severity); /* "critical" "high" "warning" "info" */

/* Takes over `body`. -ENOMEM, also when `body` or `headers` is NULL because memory is gone; `headers` (malloc()ed) may be "". */
int tell_message(NewsMessage *ret_message, const char *path, char *headers, json_t *body);

/* 2xx: delivered, also when the rest of the answer was too long or never came. 410: gone. 408, 425, 429, 5xx, a redirect (it isn't
 * followed) and no answer: again. Any other: refused. */
TellVerdict tell_judge(const HttpAnswer *answer, char *ret_detail, size_t size);

/* The same, but an answer that the other side would never give isn't its own: again. `empty`: that one it would give. */
TellVerdict tell_judge_json(const HttpAnswer *answer, bool empty, char *ret_detail, size_t size);
