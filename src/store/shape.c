#include "store/shape.h"
#include "store/shape-rows.h"

#include "base/macros.h"
#include "core/names.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* The word functions are typed; the tables need one type for all. */
#define WORDS(type, short_name, name_function)                                                                         \
        static const char *short_name##_word(unsigned value) {                                                         \
                return name_function((type)value);                                                                     \
        }                                                                                                              \
        static int short_name##_value(const char *text, unsigned *ret_value) {                                         \
                type value;                                                                                            \
                int r = short_name##_parse(text, &value);                                                              \
                if (r >= 0)                                                                                            \
                        *ret_value = (unsigned)value;                                                                  \
                return r;                                                                                              \
        }

WORDS(RunKind, run_kind, run_kind_name)
WORDS(RunMode, run_mode, run_mode_name)
WORDS(RunPhase, run_phase, run_phase_name)
WORDS(RunOutcome, run_outcome, run_outcome_name)
WORDS(StepState, step_state, step_state_name)
WORDS(DecisionKind, decision_kind, decision_kind_name)
WORDS(Guard, guard, guard_key)
WORDS(ReleaseState, release_state, release_state_name)
WORDS(IncidentCause, incident_cause, incident_cause_name)
WORDS(Severity, severity, severity_name)
WORDS(IncidentState, incident_state, incident_state_name)

#define WORDS_OF(short_name)                                                                                           \
        { short_name##_word, short_name##_value }

static const Words run_kind_words = WORDS_OF(run_kind), run_mode_words = WORDS_OF(run_mode),
                   run_outcome_words = WORDS_OF(run_outcome), step_state_words = WORDS_OF(step_state),
                   decision_kind_words = WORDS_OF(decision_kind), guard_words = WORDS_OF(guard),
                   incident_cause_words = WORDS_OF(incident_cause), severity_words = WORDS_OF(severity),
                   incident_state_words = WORDS_OF(incident_state);
const Words run_phase_words = WORDS_OF(run_phase), release_state_words = WORDS_OF(release_state);

const Field run_fields[] = {
        WORD(Run, plan.kind, "kind", run_kind_words),
        WORD(Run, plan.mode, "mode", run_mode_words),
        TEXT(Run, plan.from, "from_version"),
        TEXT(Run, plan.to, "to_version"),
        NUMBER(Run, plan.count, "step_count", STEP_COUNT),
        TEXT(Run, reason, "reason"),
        TEXT(Run, initiator, "initiator"),
        INT64(Run, decision_id, "decision_id"),
        WORD(Run, phase, "phase", run_phase_words),
        WORD(Run, outcome, "outcome", run_outcome_words),
        NUMBER(Run, cursor, "cursor", STEP_COUNT - 1),
        NUMBER(Run, token, "token", 0),
        NUMBER(Run, outstanding, "outstanding", 0),
        NUMBER(Run, settle_tries, "settle_tries", 0),
        BOOL(Run, cancel_requested, "cancel_requested"),
        INT64(Run, created_wall, "created_wall"),
        INT64(Run, ended_wall, "ended_wall"),
        TEXT(Run, failure, "failure"),
        TEXT(Run, serving, "serving"),
        INT64(Run, in_flight_cut, "in_flight_cut"),
        INT64(Run, requests_failed, "requests_failed"),
        NUMBER(Run, symptoms_before, "symptoms_before", 0),
        BOOL(Run, allow_row_loss, "allow_row_loss"),
        END,
};

const Field plan_step_fields[] = {
        NUMBER(PlanStep, id, "step", STEP_COUNT - 1),
        INT64(PlanStep, budget_us, "budget_us"),
        BOOL(PlanStep, critical, "critical"),
        END,
};

const Field step_record_fields[] = {
        WORD(StepRecord, state, "state", step_state_words),
        NUMBER(StepRecord, attempt, "attempt", 0),
        INT64(StepRecord, started_wall, "started_wall"),
        INT64(StepRecord, ended_wall, "ended_wall"),
        TEXT(StepRecord, detail, "detail"),
        END,
};

const Field decision_fields[] = {
        INT64(Decision, at_wall, "at_wall"),
        WORD(Decision, kind, "kind", decision_kind_words),
        NUMBER(Decision, triggers, "triggers", 0),
        WORD(Decision, guard, "guard", guard_words),
        TEXT(Decision, version, "version"),
        TEXT(Decision, target, "target"),
        NUMBER(Decision, expected, "expected", 0),
        NUMBER(Decision, needed, "needed", 0),
        NUMBER(Decision, degraded, "degraded", 0),
        NUMBER(Decision, unknown, "unknown", 0),
        TEXT(Decision, reason, "reason"),
        NUMBER(Decision, rule_version, "rule_version", 0),
        END,
};

const Field sample_fields[] = {
        INT64(Sample, start_mono, "start_mono"),
        INT64(Sample, end_mono, "end_mono"),
        INT64(Sample, end_wall, "end_wall"),
        BOOL(Sample, measured, "measured"),
        INT64(Sample, requests, "requests"),
        INT64(Sample, errors, "errors"),
        INT64(Sample, successes, "successes"),
        INT64(Sample, latency_p50_us, "latency_p50_us"),
        INT64(Sample, latency_p99_us, "latency_p99_us"),
        INT64(Sample, dropped, "dropped"),
        TEXT(Sample, note, "note"),
        END,
};

const Field rules_fields[] = {
        INT64(Rules, error_rate_ppm, "error_rate_ppm"),
        INT64(Rules, latency_p99_us, "latency_p99_us"),
        INT64(Rules, success_rate_ppm, "success_rate_ppm"),
        INT64(Rules, window_us, "window_us"),
        INT64(Rules, interval_us, "interval_us"),
        INT64(Rules, degraded_share_ppm, "degraded_share_ppm"),
        INT64(Rules, min_requests, "min_requests"),
        INT64(Rules, outage_window_us, "outage_window_us"),
        INT64(Rules, restart_limit, "restart_limit"),
        INT64(Rules, armed_for_us, "armed_for_us"),
        INT64(Rules, bake_for_us, "bake_for_us"),
        INT64(Rules, rollbacks_per_day, "rollbacks_per_day"),
        END,
};

const Field deployment_fields[] = {
        INT64(Deployment, run_id, "run_id"),
        TEXT(Deployment, version, "version"),
        TEXT(Deployment, previous, "previous"),
        INT64(Deployment, at_wall, "at_wall"),
        NUMBER(Deployment, symptoms_before, "symptoms_before", 0),
        BOOL(Deployment, rolled_back, "rolled_back"),
        END,
};

const Field release_fields[] = {
        TEXT(Release, version, "version"),
        WORD(Release, state, "state", release_state_words),
        INT64(Release, since_wall, "since_wall"),
        END,
};

const Field incident_fields[] = {
        WORD(Incident, cause, "cause", incident_cause_words),
        WORD(Incident, severity, "severity", severity_words),
        WORD(Incident, state, "state", incident_state_words),
        INT64(Incident, opened_wall, "opened_wall"),
        INT64(Incident, acknowledged_wall, "acknowledged_wall"),
        INT64(Incident, resolved_wall, "resolved_wall"),
        TEXT(Incident, acknowledged_by, "acknowledged_by"),
        TEXT(Incident, resolved_by, "resolved_by"),
        TEXT(Incident, title, "title"),
        TEXT(Incident, version, "version"),
        TEXT(Incident, target, "target"),
        INT64(Incident, deployment_id, "deployment_id"),
        INT64(Incident, decision_id, "decision_id"),
        INT64(Incident, run_id, "run_id"),
        TEXT(Incident, source, "source"),
        TEXT(Incident, outcome, "outcome"),
        TEXT(Incident, told, "told"),
        END,
};

size_t field_count(const Field *fields) {
        size_t count = 0;
        while (fields[count].name)
                count++;
        return count;
}

/* By memcpy: the tables know offsets, not types. */
static unsigned load_unsigned(const char *at) {
        unsigned value;
        memcpy(&value, at, sizeof value);
        return value;
}

int64_t field_get_number(const Field *field, const void *object) {
        const char *at = (const char *)object + field->offset;
        int64_t value;
        switch (field->type) {
        case FIELD_INT64:
                assert(field->size == sizeof value);
                memcpy(&value, at, sizeof value);
                return value;
        case FIELD_BOOL:
                assert(field->size == sizeof(bool));
                return *(const bool *)at;
        default:
                assert(field->size == sizeof(unsigned));
                return load_unsigned(at);
        }
}

const char *field_get_text(const Field *field, const void *object) {
        const char *at = (const char *)object + field->offset;
        return field->type == FIELD_WORD ? field->words->name(load_unsigned(at)) : at;
}

int field_set_number(const Field *field, void *object, int64_t value) {
        char *at = (char *)object + field->offset;
        if (field->type == FIELD_INT64) {
                memcpy(at, &value, sizeof value);
                return 0;
        }
        if (field->type == FIELD_BOOL) {
                *(bool *)at = value != 0;
                return value == 0 || value == 1 ? 0 : -EBADMSG;
        }
        if (value < 0 || value > UINT_MAX || (field->max > 0 && value > field->max))
                return -EBADMSG;
        unsigned number = (unsigned)value;
        memcpy(at, &number, sizeof number);
        return 0;
}

int field_set_text(const Field *field, void *object, const char *text) {
        char *at = (char *)object + field->offset;
        if (field->type == FIELD_TEXT) {
                snprintf(at, field->size, "%s", text);
                return 0;
        }
        unsigned value;
        if (field->words->parse(text, &value) < 0)
                return -EBADMSG;
        memcpy(at, &value, sizeof value);
        return 0;
}
