/* The parts of `status` for people that stand in files of their own. */
#pragma once

#include "cli/terminal.h"

#include <jansson.h>
#include <stdbool.h>

/* What is true, worst first, in one sentence. */
void print_headline(const Terminal *out, const json_t *status);
/* What to do about it: the next line to type for each thing that is off. */
void print_hints(const Terminal *out, const json_t *status);

bool status_held_back(const json_t *status);      /* traffic is, or is being, drained */
bool status_traffic_hidden(const json_t *status); /* there is a balancer, and what it does isn't known */
bool status_unwatched(const json_t *status);      /* no controller runs */
bool status_blind(const json_t *status);          /* there is a metrics source, and it isn't heard */
bool status_in_review(const json_t *status);      /* of the release that is live */
