/* The phases of a run as data: which may follow which, and what an operator should know about each. The run asserts every
 * move against it, and the diagram in the documentation is printed from it. */
#pragma once

#include "core/types.h"

#include <stdio.h>

#define PHASE_COUNT (RUN_HOLDING + 1)

typedef struct PhaseRow {
        RunPhase phase;
        unsigned next; /* set of (1 << RunPhase) */
        const char *comment;
} PhaseRow;

const PhaseRow *phase_row(RunPhase phase);
bool phase_may_follow(RunPhase from, RunPhase to);
bool phase_ended(RunPhase phase);

/* Markdown: a Mermaid state diagram of the phases, then the table of the steps. */
void run_table_print_diagram(FILE *file);
