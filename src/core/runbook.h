/* The specification's runbooks ("Runbooks" 1 to 3) and common issues ("Common Issues and Solutions" 1 to 5), as data: what to look
 * at, what to type with the real values in it, and by which fact each step shows that it is done. Facts in, ticks out: what a
 * person says is no fact. */
#pragma once

#include "core/types.h"

#include <stddef.h>

/* What can be derived from the journal and the controller's answers; each a Tristate. */
typedef enum RunbookFact {
        FACT_NONE,         /* nothing shows it: a person's own work */
        FACT_ROLLED_BACK,  /* the rollback has ended, and its target serves */
        FACT_ACKNOWLEDGED, /* the incident is */
        FACT_RESOLVED,
        FACT_PAGED,      /* somebody is told: an incident of P0, or an alert that stands */
        FACT_HEALTHY,    /* all components: the score is above the limit */
        FACT_SERVING,    /* the live release's units are active and its health check answers */
        FACT_VALIDATED,  /* the newest rollback's validation passed */
        FACT_TRAFFIC,    /* requests reach the service */
        FACT_ALLOWED,    /* deployments are */
        FACT_MENDED,     /* the newest run is no failed rollback, or an operator has released it */
        FACT_READY,      /* the rollback target could be started */
        FACT_REDEPLOYED, /* a deployment after the rollback succeeded */
        FACT_SCHEMA,     /* the database has a schema that the live release works with */
        FACT_DIRECT,     /* the service's own health check answers */
        FACT_BALANCER,   /* the balancer answers */
        FACT_LEADER,     /* the consensus cluster has one */
        FACT_QUORUM,
        FACT_NODES, /* every member answers */
} RunbookFact;
#define RUNBOOK_FACTS (FACT_NODES + 1)

typedef struct RunbookValue {
        const char *name;  /* "run": stands for {run} */
        const char *value; /* NULL or "": not known; in a line to type the name in capitals stands for it */
} RunbookValue;

typedef struct RunbookFacts {
        Tristate known[RUNBOOK_FACTS];
        bool absent[RUNBOOK_FACTS]; /* there is nothing here that it could be of: no database */
        const RunbookValue *values; /* ends with a row whose name is NULL */
        Tristate concerned;         /* the situation that the runbook is for is there */
} RunbookFacts;

typedef struct RunbookStep {
        const char *title;
        const char *look;    /* the state, with {values}; shown when all are known. NULL: there is nothing to see */
        const char *command; /* what to type, a line each, with {values}; NULL: no command can help */
        RunbookFact done;
        const char *how;   /* that it is done, in words; NULL for FACT_NONE */
        const char *yours; /* where no command helps: a person's own work, in the specification's words; may be NULL */
} RunbookStep;

typedef struct Runbook {
        const char *key;     /* "1", "issue-1" */
        const char *title;   /* "Automatic Rollback Occurred" */
        const char *section; /* of the specification */
        const char *scenario;
        const RunbookStep *steps; /* end with a row whose title is NULL */
} Runbook;

extern const Runbook runbooks[]; /* ends with a row whose key is NULL */

/* "3", "runbook-3", "issue-3"; NULL: there is none. */
const Runbook *runbook_find(const char *key);

typedef enum RunbookState {
        RUNBOOK_DONE,
        RUNBOOK_NEXT, /* the first that isn't done and that a command helps with */
        RUNBOOK_OPEN,
        RUNBOOK_UNKNOWN, /* whether it is done can't be told now */
        RUNBOOK_YOURS,   /* a person's own work: nothing shows whether it is done */
        RUNBOOK_NOT_APPLICABLE,
} RunbookState;

const char *runbook_state_name(RunbookState state);

#define RUNBOOK_STEPS_MAX 8
#define RUNBOOK_TEXT_MAX 1024

typedef struct RunbookTick {
        RunbookState state;
        char look[RUNBOOK_TEXT_MAX], command[RUNBOOK_TEXT_MAX], how[RUNBOOK_TEXT_MAX], yours[RUNBOOK_TEXT_MAX];
} RunbookTick;

/* One tick for each step; returns how many. */
unsigned runbook_tick(const Runbook *runbook, const RunbookFacts *facts, RunbookTick ret_ticks[RUNBOOK_STEPS_MAX]);
