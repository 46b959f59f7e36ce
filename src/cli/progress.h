/* A run as it goes on. On a terminal a live view, drawn again in place; elsewhere one line for each change. */
#pragma once

#include "cli/terminal.h"
#include "core/types.h"

#include <jansson.h>
#include <stdint.h>

typedef struct ProgressSeen {
        char state[16];
        int64_t attempt;
        bool told_acting;
        char detail[DETAIL_MAX]; /* how far the act under way was, when it was last told */
} ProgressSeen;

typedef struct Progress {
        Terminal terminal;
        json_t *run; /* as it was last told */
        char note[256];
        int drawn;                        /* lines on the terminal that are ours to draw again */
        ProgressSeen seen[2][STEP_COUNT]; /* for plain lines: forward, recovery */
        bool begun;
} Progress;

void progress_init(Progress *progress, FILE *file);
void progress_update(Progress *progress, const json_t *run);
void progress_tick(Progress *progress); /* time has passed */
/* What is going on besides the steps; "" for nothing. */
void progress_note(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(Progress *progress); /* what was drawn stays; nothing is drawn after it */
