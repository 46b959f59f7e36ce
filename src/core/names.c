#include "core/names.h"

#include "base/macros.h"

#include <errno.h>
#include <string.h>

static const char *const run_phases[] = {
        [RUN_NEW] = "new",
        [RUN_PREFLIGHT] = "preflight",
        [RUN_FORWARD] = "forward",
        [RUN_UNDO] = "undo",
        [RUN_RECOVERY] = "recovery",
        [RUN_SETTLE] = "settle",
        [RUN_SUCCEEDED] = "succeeded",
        [RUN_FAILED] = "failed",
        [RUN_HOLDING] = "holding",
};
static const char *const run_outcomes[] = {
        [OUTCOME_OPEN] = "open",           [OUTCOME_SUCCEEDED] = "succeeded", [OUTCOME_REFUSED] = "refused",
        [OUTCOME_CANCELLED] = "cancelled", [OUTCOME_UNDONE] = "undone",       [OUTCOME_PUT_BACK] = "put_back",
        [OUTCOME_HELD] = "held",
};
static const char *const run_kinds[] = {
        [RUN_DEPLOYMENT] = "deployment",
        [RUN_ROLLBACK] = "rollback",
};
static const char *const run_modes[] = {
        [MODE_AUTOMATIC] = "automatic",
        [MODE_MANUAL] = "manual",
        [MODE_EMERGENCY] = "emergency",
};
static const char *const step_states[] = {
        [STEP_PENDING] = "pending", [STEP_ACTING] = "acting",       [STEP_DONE] = "done",
        [STEP_FAILED] = "failed",   [STEP_TIMED_OUT] = "timed_out", [STEP_SKIPPED] = "skipped",
};
static const char *const release_states[] = {
        [RELEASE_UNPROVEN] = "unproven",
        [RELEASE_BAKING] = "baking",
        [RELEASE_GOOD] = "good",
        [RELEASE_FAILED] = "failed",
};
static const char *const decision_kinds[] = {
        [DECISION_NONE] = "none",
        [DECISION_ROLLBACK] = "rollback",
        [DECISION_REVIEW] = "review",
};
static const char *const guards[] = {
        [GUARD_NONE] = "none",
        [GUARD_NOT_ARMED] = "not_armed",
        [GUARD_NO_TARGET] = "no_target",
        [GUARD_TARGET_UNPROVEN] = "target_unproven",
        [GUARD_BUDGET_SPENT] = "budget_spent",
        [GUARD_ALREADY_ROLLED_BACK] = "already_rolled_back",
        [GUARD_SAME_BEFORE] = "same_before",
        [GUARD_DRAINED_BY_OPERATOR] = "drained_by_operator",
        [GUARD_RUN_UNSOUND] = "run_unsound",
        [GUARD_SHADOW] = "shadow",
};
static const char *const guard_texts[] = {
        [GUARD_NONE] = "",
        [GUARD_NOT_ARMED] = "automatic rollback is armed only for a time after a deployment, and that time is over",
        [GUARD_NO_TARGET] = "there is no earlier release to roll back to",
        [GUARD_TARGET_UNPROVEN] =
                "no earlier release has proven itself here; a manual rollback may go to an unproven one",
        [GUARD_BUDGET_SPENT] = "the day's automatic rollbacks are spent",
        [GUARD_ALREADY_ROLLED_BACK] = "a rollback was already made for this deployment; one never triggers another",
        [GUARD_SAME_BEFORE] =
                "the same symptoms were there before the deployment, or not ruled out: a rollback may not help",
        [GUARD_DRAINED_BY_OPERATOR] = "an operator has drained the traffic; nothing is done behind their back",
        [GUARD_RUN_UNSOUND] =
                "a run was left open that can't be gone on with; a person has to look, then: auto-rollback resume",
        [GUARD_SHADOW] = "shadow mode: what would be done is only recorded (decision.mode)",
};
static const char *const severities[] = {
        [SEVERITY_P0] = "P0",
        [SEVERITY_P1] = "P1",
        [SEVERITY_P2] = "P2",
        [SEVERITY_P3] = "P3",
};
static const char *const incident_causes[] = {
        [INCIDENT_AUTOMATIC] = "automatic",
        [INCIDENT_EMERGENCY] = "emergency",
        [INCIDENT_HOLD] = "hold",
        [INCIDENT_REVIEW] = "review",
};
static const char *const incident_states[] = {
        [INCIDENT_OPEN] = "open",
        [INCIDENT_ACKNOWLEDGED] = "acknowledged",
        [INCIDENT_RESOLVED] = "resolved",
};
static const char *const schema_verdicts[] = {
        [SCHEMA_UNKNOWN] = "unknown",
        [SCHEMA_COMPATIBLE] = "compatible",
        [SCHEMA_REVERSIBLE] = "reversible",
        [SCHEMA_REFUSED] = "refused",
};
static const char *const sample_states[] = {
        [SAMPLE_UNKNOWN] = "unknown",
        [SAMPLE_HEALTHY] = "healthy",
        [SAMPLE_DEGRADED] = "degraded",
};

static const struct {
        Trigger trigger;
        const char *key, *name;
} triggers[] = {
        {TRIGGER_ERROR_RATE, "error_rate", "error rate"},
        {TRIGGER_LATENCY_P99, "latency_p99", "p99 latency"},
        {TRIGGER_SUCCESS_RATE, "success_rate", "success rate"},
        {TRIGGER_SERVICE_FAILED, "service_failed", "service failure"},
        {TRIGGER_OUTAGE, "outage", "total outage"},
        {TRIGGER_QUORUM, "quorum", "quorum lost"},
        {TRIGGER_BYZANTINE, "byzantine", "Byzantine member"},
};

static const char *table_name(const char *const *table, size_t size, unsigned value) {
        return value < size ? table[value] : "invalid";
}

static int table_parse(const char *const *table, size_t size, const char *text, unsigned *ret) {
        if (!text)
                return -EINVAL;
        for (unsigned i = 0; i < size; i++)
                if (strcmp(table[i], text) == 0) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

#define DEFINE_NAME(function, Type, table)                                                                             \
        const char *function(Type value) {                                                                             \
                return table_name(table, ARRAY_SIZE(table), (unsigned)value);                                          \
        }
#define DEFINE_PARSE(function, Type, table)                                                                            \
        int function(const char *text, Type *ret) {                                                                    \
                unsigned value;                                                                                        \
                int r = table_parse(table, ARRAY_SIZE(table), text, &value);                                           \
                if (r == 0)                                                                                            \
                        *ret = (Type)value;                                                                            \
                return r;                                                                                              \
        }

DEFINE_NAME(run_phase_name, RunPhase, run_phases)
DEFINE_PARSE(run_phase_parse, RunPhase, run_phases)
DEFINE_NAME(run_outcome_name, RunOutcome, run_outcomes)
DEFINE_PARSE(run_outcome_parse, RunOutcome, run_outcomes)
DEFINE_NAME(run_kind_name, RunKind, run_kinds)
DEFINE_PARSE(run_kind_parse, RunKind, run_kinds)
DEFINE_NAME(run_mode_name, RunMode, run_modes)
DEFINE_PARSE(run_mode_parse, RunMode, run_modes)
DEFINE_NAME(step_state_name, StepState, step_states)
DEFINE_PARSE(step_state_parse, StepState, step_states)
DEFINE_NAME(release_state_name, ReleaseState, release_states)
DEFINE_PARSE(release_state_parse, ReleaseState, release_states)
DEFINE_NAME(decision_kind_name, DecisionKind, decision_kinds)
DEFINE_PARSE(decision_kind_parse, DecisionKind, decision_kinds)
DEFINE_NAME(guard_key, Guard, guards)
DEFINE_PARSE(guard_parse, Guard, guards)
DEFINE_NAME(guard_text, Guard, guard_texts)
DEFINE_NAME(severity_name, Severity, severities)
DEFINE_PARSE(severity_parse, Severity, severities)
DEFINE_NAME(incident_cause_name, IncidentCause, incident_causes)
DEFINE_PARSE(incident_cause_parse, IncidentCause, incident_causes)
DEFINE_NAME(incident_state_name, IncidentState, incident_states)
DEFINE_PARSE(incident_state_parse, IncidentState, incident_states)
DEFINE_NAME(schema_verdict_name, SchemaVerdict, schema_verdicts)
DEFINE_NAME(sample_state_name, SampleState, sample_states)

const char *trigger_name(Trigger trigger) {
        for (size_t i = 0; i < ARRAY_SIZE(triggers); i++)
                if (triggers[i].trigger == trigger)
                        return triggers[i].name;
        return "invalid";
}

const char *trigger_key(Trigger trigger) {
        for (size_t i = 0; i < ARRAY_SIZE(triggers); i++)
                if (triggers[i].trigger == trigger)
                        return triggers[i].key;
        return "invalid";
}

int trigger_parse(const char *key, Trigger *ret) {
        for (size_t i = 0; key && i < ARRAY_SIZE(triggers); i++)
                if (strcmp(triggers[i].key, key) == 0) {
                        *ret = triggers[i].trigger;
                        return 0;
                }
        return -EINVAL;
}
