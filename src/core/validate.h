/* Did the rollback help? The specification's six success criteria and its fourteen-item checklist ("Success Criteria",
 * "Validation Checklist"), each answered by what was measured, asked once where both have it. What could not be measured is not
 * verified, and never passed. */
#pragma once

#include "core/types.h"

#define VALIDATE_ERROR_RATE_PPM INT64_C(1000)     /* must be below 0.1 % */
#define VALIDATE_SUCCESS_RATE_PPM INT64_C(990000) /* must be above 99 % */

typedef enum CheckVerdict {
        CHECK_NOT_VERIFIED, /* it couldn't be measured; `measured` says why */
        CHECK_PASSED,
        CHECK_FAILED,
        /* Nothing of that kind is configured, and `measured` says which setting would; or there is nothing to compare with (no
         * latency of this release was recorded before the deployment): the absolute limit stands alone then. */
        CHECK_NOT_APPLICABLE,
} CheckVerdict;

/* In the order of the checklist; what only the criteria have comes where it belongs. */
typedef enum ValidationKey {
        VALIDATE_VERSION,
        VALIDATE_HEALTH_SCORE,
        VALIDATE_ERROR_RATE,
        VALIDATE_LATENCY,
        VALIDATE_BASELINE,
        VALIDATE_SUCCESS_RATE,
        VALIDATE_SERVICES,
        VALIDATE_DATA_LOSS,
        VALIDATE_CONSENSUS,
        VALIDATE_BYZANTINE,
        VALIDATE_DATABASE,
        VALIDATE_TRAFFIC,
        VALIDATE_INCIDENTS,
        VALIDATE_MONITORING,
        VALIDATE_LOGS,
        VALIDATE_ALERTS,
        VALIDATE_COUNT,
} ValidationKey;

/* The lists a check is in: a set. */
typedef enum ValidationList {
        LIST_CRITERIA = 1 << 0,
        LIST_CHECKLIST = 1 << 1,
} ValidationList;

/* Something that is so, isn't so, or isn't known; or of which nothing is configured. */
typedef struct ValidationFact {
        const char *absent; /* nothing of that kind is configured: which setting would; NULL: there is */
        Tristate state;
        const char *words; /* what was measured, or why it isn't known; may be NULL */
} ValidationFact;

typedef struct ValidationInput {
        const Rules *rules;           /* latency threshold, min_requests, interval */
        const char *expected_version; /* that the newest run should have left serving; "" or NULL: no run to go by */
        const char *current_version;  /* "" or NULL: not known */
        const Sample *sample;         /* taken after traffic was restored; NULL: none yet */

        int64_t health_score; /* 0..100, measured after the run; -1: not known */
        int64_t health_score_limit;
        const char *health_words; /* of what the score is made, or why it isn't known; may be NULL */

        int64_t baseline_p99_us; /* the release's own before the deployment; -1: not known */
        int64_t baseline_tolerance_ppm, baseline_floor_us;
        const char *baseline_words; /* of when it is, or why it isn't known; may be NULL */

        int64_t requests_failed; /* that the run made fail; -1: not counted */
        int64_t in_flight_cut;   /* that it cut while the release that left had them */
        const char *run_words;   /* why they weren't counted; may be NULL */
        const char *rows_lost;   /* that the way back of the schema did not keep, in words; NULL: none */

        ValidationFact units, probe; /* "All services operational" */
        ValidationFact traffic;      /* it flows; whether requests arrive is the sample's */
        ValidationFact consensus, byzantine, database, incidents, logs, alerts;
        ValidationFact
                data; /* a consistency check that was made since the run: known to be sound, or not; not known: none was */

        ValidationFact source; /* the metrics source is heard */
        int64_t sample_age_us; /* of the newest; -1: none */
        int64_t probe_age_us;  /* since the service was last asked for its health; -1: never, or nobody does */
        int64_t probe_interval_us;
} ValidationInput;

typedef struct ValidationCheck {
        const char *key;   /* "error_rate" */
        const char *title; /* "Error rate" */
        unsigned lists;    /* set of ValidationList */
        CheckVerdict verdict;
        char measured[DETAIL_MAX]; /* "0.05 %", "no sample since the rollback" */
        char limit[64];            /* "< 0.1 %" */
} ValidationCheck;

typedef struct Validation {
        CheckVerdict verdict; /* failed: one has; not verified: one that applies isn't; else passed */
        ValidationCheck checks[VALIDATE_COUNT];
        unsigned passed, failed, not_verified, not_applicable;    /* of them */
        int64_t error_rate_ppm, latency_p99_us, success_rate_ppm; /* -1: not known */
} Validation;

void validate(const ValidationInput *input, Validation *ret);
/* The p99 latency up to which a release is within its baseline. */
int64_t validate_baseline_limit(const ValidationInput *input);
const char *check_verdict_name(CheckVerdict verdict); /* "not_verified" "passed" "failed" "not_applicable" */
