/* The words for every enumeration of types.h: what the journal keeps, the API says and people read. One table each, so that
 * writing and reading cannot disagree. `*_name` never returns NULL ("invalid" for a value out of range); `*_parse` returns 0,
 * or -EINVAL and leaves the output untouched. */
#pragma once

#include "core/types.h"

const char *run_phase_name(
        RunPhase phase); /* "new" "preflight" "forward" "undo" "recovery" "settle" "succeeded" "failed" "holding" */
int run_phase_parse(const char *text, RunPhase *ret);

const char *
run_outcome_name(RunOutcome outcome); /* "open" "succeeded" "refused" "cancelled" "undone" "put_back" "held" */
int run_outcome_parse(const char *text, RunOutcome *ret);

const char *run_kind_name(RunKind kind); /* "deployment" "rollback" */
int run_kind_parse(const char *text, RunKind *ret);

const char *run_mode_name(RunMode mode); /* "automatic" "manual" "emergency" */
int run_mode_parse(const char *text, RunMode *ret);

const char *step_state_name(StepState state); /* "pending" "acting" "done" "failed" "timed_out" "skipped" */
int step_state_parse(const char *text, StepState *ret);

const char *release_state_name(ReleaseState state); /* "unproven" "baking" "good" "failed" */
int release_state_parse(const char *text, ReleaseState *ret);

const char *decision_kind_name(DecisionKind kind); /* "none" "rollback" "review" */
int decision_kind_parse(const char *text, DecisionKind *ret);

const char *guard_key(Guard guard);  /* "none" "not_armed" "no_target" ...: for the journal and the API */
const char *guard_text(Guard guard); /* a sentence for people; "" for GUARD_NONE */
int guard_parse(const char *key, Guard *ret);

const char *severity_name(Severity severity); /* "P0" .. "P3" */
int severity_parse(const char *text, Severity *ret);
const char *incident_cause_name(IncidentCause cause); /* "automatic" "emergency" "hold" "review" */
int incident_cause_parse(const char *text, IncidentCause *ret);
const char *incident_state_name(IncidentState state); /* "open" "acknowledged" "resolved" */
int incident_state_parse(const char *text, IncidentState *ret);
const char *schema_verdict_name(SchemaVerdict verdict); /* "unknown" "compatible" "reversible" "refused" */

const char *sample_state_name(SampleState state); /* "unknown" "healthy" "degraded" */

/* One bit of a set of triggers. */
const char *trigger_name(Trigger trigger); /* "error rate" "p99 latency" "success rate" "service failure" "total outage"
                                            * "quorum lost" "Byzantine member" */
const char *
trigger_key(Trigger trigger); /* "error_rate" "latency_p99" "success_rate" "service_failed" "outage" "quorum"
                                            * "byzantine" */
int trigger_parse(const char *key, Trigger *ret);
