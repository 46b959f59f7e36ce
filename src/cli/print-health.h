/* Health for people, and the source it is from. */
#pragma once

#include "cli/terminal.h"

#include <jansson.h>

typedef enum HealthSource { SOURCE_NONE, SOURCE_CONTROLLER, SOURCE_HERE } HealthSource;

void print_health(const Terminal *out, const json_t *health, HealthSource source);
/* One line for each component whose state or score isn't as in `before`, and for the whole; the whole alone when `before` is NULL. */
void print_health_changes(const Terminal *out, const json_t *before, const json_t *health);
