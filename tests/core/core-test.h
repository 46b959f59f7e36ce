/* What the tests of the core share: the framework, the specification's rules, and samples in one line. */
#pragma once

#include "base/macros.h"
#include "core/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define MSEC USEC_PER_MSEC
#define HOUR (3600 * SEC)

static inline Rules default_rules(void) {
        return (Rules){
                .error_rate_ppm = 10000,
                .latency_p99_us = 100 * MSEC,
                .success_rate_ppm = 990000,
                .window_us = 120 * SEC,
                .interval_us = 30 * SEC,
                .degraded_share_ppm = 750000,
                .min_requests = 100,
                .outage_window_us = 10 * SEC,
                .restart_limit = 3,
                .armed_for_us = 24 * HOUR,
                .bake_for_us = HOUR,
                .rollbacks_per_day = 3,
        };
}

/* All that doesn't fail succeeds; p99 is 20 ms. */
static inline Sample make_sample(int64_t start, int64_t end, int64_t requests, int64_t errors) {
        return (Sample){
                .start_mono = start,
                .end_mono = end,
                .end_wall = end,
                .measured = true,
                .requests = requests,
                .errors = errors,
                .successes = requests - errors,
                .latency_p50_us = 5 * MSEC,
                .latency_p99_us = 20 * MSEC,
        };
}
