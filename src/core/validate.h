/* Did the rollback help? Specification, "Success Criteria" and "Post-Rollback Validation". What could not be measured is not
 * verified, and never passed. */
#pragma once

#include "core/types.h"

#define VALIDATE_ERROR_RATE_PPM INT64_C(1000)     /* must be below 0.1 % */
#define VALIDATE_SUCCESS_RATE_PPM INT64_C(990000) /* must be above 99 % */

typedef enum CheckVerdict { CHECK_NOT_VERIFIED, CHECK_PASSED, CHECK_FAILED } CheckVerdict;

typedef enum ValidationKey {
        VALIDATE_VERSION,
        VALIDATE_SERVICES,
        VALIDATE_HEALTH,
        VALIDATE_ERROR_RATE,
        VALIDATE_LATENCY,
        VALIDATE_SUCCESS_RATE,
        VALIDATE_COUNT,
} ValidationKey;

typedef struct ValidationInput {
        const Rules *rules;           /* latency threshold, min_requests */
        const char *expected_version; /* that the newest run should have left serving; "" or NULL: no run to go by */
        const char *current_version;  /* "" or NULL: not known */
        Tristate units_active;
        const char *units_detail; /* may be NULL */
        Tristate probe_healthy;
        const char *probe_detail; /* may be NULL */
        const Sample *sample;     /* taken after traffic was restored; NULL: none yet */
} ValidationInput;

typedef struct ValidationCheck {
        const char *key;   /* "error_rate" */
        const char *title; /* "Error rate" */
        CheckVerdict verdict;
        char measured[DETAIL_MAX]; /* "0.05 %", "no sample since the rollback" */
        char limit[64];            /* "< 0.1 %" */
} ValidationCheck;

typedef struct Validation {
        CheckVerdict verdict; /* passed: all are; failed: one has; else not verified */
        ValidationCheck checks[VALIDATE_COUNT];
        int64_t error_rate_ppm, latency_p99_us, success_rate_ppm; /* -1: not known */
} Validation;

void validate(const ValidationInput *input, Validation *ret);
const char *check_verdict_name(CheckVerdict verdict); /* "not_verified" "passed" "failed" */
