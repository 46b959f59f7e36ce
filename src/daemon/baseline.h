/* Baseline: how a release did for itself before it was replaced, so that a rollback to it can be compared with that. Kept in the
 * journal when a deployment begins, ours or an observed one, from the window that lies before it. A window that triggers is no
 * baseline: something was wrong then, with the release or with what it depends on; the one from before stays. */
#pragma once

#include "core/engine.h"

#include <stddef.h>

typedef struct Controller Controller;

#define BASELINE_TEXT_MAX 192

typedef struct Baseline {
        int64_t p99_us;            /* the median of the samples' */
        int64_t samples, requests; /* behind it */
        int64_t at_wall;
} Baseline;

/* False: no sample of the window is usable, or its verdict is triggered. `at_wall` is left to the caller. */
bool baseline_measure(const Rules *rules, const Verdict *verdict, Baseline *ret);

/* As the journal keeps it. */
void baseline_format(const Baseline *baseline, char ret_text[BASELINE_TEXT_MAX]);
bool baseline_parse(const char *text, Baseline *ret);

/* `version` is about to be replaced, or just was, and the window is still its own. */
void baseline_keep(Controller *controller, const char *version);
/* 1, or 0: none was kept, or the journal can't tell. */
int baseline_read(Controller *controller, const char *version, Baseline *ret);
