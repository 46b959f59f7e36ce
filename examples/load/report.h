/* What the load client tells: a summary (JSON), a line a second for people, an event file (JSON lines) for programs. */
#pragma once

#include "client.h"
#include "tally.h"
#include "verify.h"

#include <stdio.h>

#define FAILURES_SHOWN 200

/* { client, url, rate, began_us, ended_us, requests, failed, failed_by_release, acknowledged_writes, unacknowledged_writes,
 *   p50_ms, p90_ms, p99_ms, p999_ms, longest_ms, longest_at_us,
 *   lost, duplicated, misnumbered, stored, unacknowledged_stored  (null when not verified),
 *   by_status { "200": n }, by_outcome { "answered": n },
 *   versions [ { version, requests, failed } ],
 *   changes [ { version, first_us, last_us, answers } ]      first healthy answer of each release, in the order they served
 *   phases [ { phase, began_us, requests, failed, failed_by_release, acknowledged_writes, p50_ms, p99_ms, longest_ms,
 *              longest_at_us } ],
 *   failures [ { due_us, ms, outcome, status, version, phase } ] }   the first FAILURES_SHOWN
 * One member a line, so that a shell script can read it. Times _us: CLOCK_REALTIME. `verification` may be NULL. */
void report_summary(FILE *file, const ClientOptions *options, const Tally *tally, const Verification *verification);

/* The whole ledger, a line for each request in the order they were due:
 *   due_us,latency_us,outcome,status,version,write      write: 1 for a write; a version of nobody is empty */
void report_requests(FILE *file, const Tally *tally);

/* {"event":"failed", as in `failures`} */
void report_failure(FILE *file, const Tally *tally, size_t row);
/* {"event":"version","version":"v2.4.0","t_us":...} */
void report_change(FILE *file, const Tally *tally);
/* {"event":"tick","t_us":...,"requests":n,"failed":n,"longest_ms":x}: what ended since the last */
typedef struct TickCount {
        int64_t requests, failed, longest_us;
} TickCount;
void report_tick(FILE *file, int64_t now_us, const TickCount *count);

/* "  12 s    200 req/s     0 failed   longest    3.1 ms   v2.4.0" */
void report_progress(FILE *file, const Tally *tally, int64_t now_us, const TickCount *second);
