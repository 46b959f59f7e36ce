/* Answers of the controller, for people. Each prints what one verb says on stdout; --json prints the answer itself instead. */
#pragma once

#include "cli/terminal.h"

#include <jansson.h>

void print_json(FILE *file, const json_t *answer);

/* How a run ended, in three short lines: what happened, what runs now, whether anything was lost. And what to do next.
 * `why_unknown`: why failed requests weren't counted, if they weren't; may be "". */
void print_run_end(const Terminal *out, const json_t *run, const char *why_unknown);
/* What the run's end means as an exit code; `validation` as in the run: NULL or "pending" counts as not verified. */
int run_exit_code(const json_t *run);
const char *run_outcome_words(const json_t *run);    /* "put back" */
const char *run_validation_words(const json_t *run); /* "; validated"; "" when there is nothing to say */
bool run_ended_json(const json_t *run);              /* its phase is one of the three ends */

void print_plan(const Terminal *out, const json_t *plan);
void print_database(const Terminal *out, const json_t *plan); /* its line; nothing when the database isn't asked */
/* The specification's text ("Step 5: Validate Rollback"), then its two lists with what was measured. Returns the exit code. */
int print_validation(const Terminal *out, const json_t *validation);
/* The same measurements when there is no rollback to be judged by them. */
void print_present_metrics(const Terminal *out, const json_t *validation);
void print_status(const Terminal *out, const json_t *status);
void print_backtest(const Terminal *out, const json_t *report);
void print_history(const Terminal *out, const json_t *history);
void print_incidents(const Terminal *out, const json_t *answer);
void print_incident(const Terminal *out, const json_t *incident);                          /* all of one */
void print_incident_change(const Terminal *out, const json_t *incident, const char *done); /* "acknowledged" */
void print_audit(const Terminal *out, const json_t *audit);
void print_explanation(const Terminal *out, const json_t *explanation);
void print_replay(const Terminal *out, const json_t *replay); /* one line */
void print_chain(const Terminal *out, const json_t *chain);
void print_shadow(const Terminal *out, const json_t *report);
void print_releases(const Terminal *out, const json_t *answer);
