/* health-checker's verbs, and what they share. */
#pragma once

#include "cli/print-health.h"
#include "cli/verbs.h"

int verb_health_status(Command *command);
int verb_health_once(Command *command);
int verb_health_watch(Command *command);

/* Health as the controller has it, or, when none answers, measured here (which is said once: *source is as of the last time). 0 with
 * a new reference, or an exit code, and what went wrong was said. */
int health_fetch(Command *command, HealthSource *source, json_t **ret_answer);
/* 0, 1, 2, 3: healthy, degraded, unhealthy, unknown. */
int health_exit_code(const json_t *health);
