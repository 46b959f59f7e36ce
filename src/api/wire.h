/* The shapes of api/shapes.h, made from the core's. All return a new reference, or NULL when memory is gone; NULL travels through
 * (a member that couldn't be made makes the whole NULL), so that only the end needs a check. */
#pragma once

#include "core/types.h"
#include "core/validate.h"

#include <jansson.h>

/* `validation`: "pending", "passed", "failed", "not_verified", or NULL: the run wasn't one to validate. */
json_t *wire_run(const Run *run, const char *validation);
/* `recovery`: the step as it was done to put the original back. */
json_t *wire_step(const Run *run, unsigned index, bool recovery);
/* `now_mono` 0: the sample is from long ago and its age isn't told. */
json_t *wire_sample(const Sample *sample, const Rules *rules, int64_t now_mono);
json_t *wire_decision(const Decision *decision);
/* What isn't in a Plan (target_state, target_warning, gate, none_left, refused) is null, to be set by who knows. */
json_t *wire_plan(const Plan *plan);
json_t *wire_validation(const Validation *validation, const char *note);
json_t *wire_deployment(const Deployment *deployment);
json_t *wire_thresholds(const Rules *rules);
json_t *wire_rules(const Rules *rules);

/* Text from anywhere: bytes that aren't UTF-8 are shown as '?'. NULL becomes null. */
json_t *wire_text(const char *text);
json_t *wire_text_or_null(const char *text); /* "" becomes null, too */
json_t *wire_time(int64_t wall_us);          /* RFC 3339; null for 0 */
json_t *wire_ms(int64_t us);                 /* milliseconds to three decimals; null when negative */
json_t *wire_percent(int64_t ppm);           /* to four decimals: exactly what it is; null when negative */

/* The document as text, one line, newline included: free() it. NULL when memory is gone. */
char *wire_print(const json_t *document);
