/* Reading answers of the API by path: "health.state", "steps". What isn't there is unknown, never 0 and never a crash: the
 * controller may be of another version than this program. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const json_t *pick(const json_t *document, const char *path);    /* NULL: not there, or null */
const char *pick_text(const json_t *document, const char *path); /* "" when not there or no text */
bool pick_is(const json_t *document, const char *path, const char *text);
bool pick_true(const json_t *document, const char *path);
int64_t pick_int(const json_t *document, const char *path, int64_t fallback);
bool pick_number(const json_t *document, const char *path, double *ret_number);
