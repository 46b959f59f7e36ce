/* What the runbooks go by: facts and real values, from what the controller (or the journal, without one) tells. */
#pragma once

#include "cli/command.h"
#include "core/runbook.h"

#define RUNBOOK_VALUES 48

typedef struct RunbookSources {
        json_t *status, *history, *ready, *consensus, *incidents; /* each NULL: it could not be told */
} RunbookSources;

/* Asks for all of it, as far as somebody answers. */
void runbook_ask(Command *command, RunbookSources *ret_sources);
void runbook_release(RunbookSources *sources);

typedef struct RunbookMatter {
        RunbookFacts facts;
        RunbookValue values[RUNBOOK_VALUES + 1];
        char texts[RUNBOOK_VALUES][REASON_MAX];
        unsigned count;
        const json_t *run, *incident; /* that it is about; NULL: none. The sources' */
} RunbookMatter;

/* `config` may be NULL: then paths and units aren't known. */
void runbook_read(const Runbook *runbook, const RunbookSources *sources, const Config *config, RunbookMatter *ret);
