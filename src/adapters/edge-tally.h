/* Counting what the balancer's log tells of one backend: the sample that is being filled, and running totals. Pure: the time is an
 * argument. What is an error, and what latency is, are judged here and nowhere else:
 *   - a 5xx, or an end that the server's side caused, is an error; a 4xx is a success;
 *   - a client that left isn't counted at all, unless it had waited more than ten times the latency limit: then it is a request
 *     without success (nobody erred, but nobody was served);
 *   - what the balancer answered by itself without asking the service (a redirect, a denied request) isn't counted;
 *   - latency is the server's response time; without a response it is the time until the request ended, less what it took to
 *     arrive and what it was parked. */
#pragma once

#include "adapters/edge-log.h"
#include "base/histogram.h"
#include "core/types.h"

typedef enum EdgeOutcome { EDGE_SUCCESS, EDGE_ERROR, EDGE_UNSERVED, EDGE_NOT_COUNTED } EdgeOutcome;

/* `patience_ms`: how long a client may wait before its leaving counts. */
EdgeOutcome edge_judge(const EdgeRecord *record, int64_t patience_ms, int64_t *ret_latency_ms);

typedef struct EdgeTally {
        char backend[EDGE_NAME_MAX];
        int64_t patience_ms;
        Histogram latency_ms;                /* of this sample */
        int64_t requests, errors, successes; /* of this sample */
        int64_t understood, nonsense;        /* lines of this sample, other backends' included */
        MetricsPulse pulse;                  /* totals; `connected` and `detail` are left to the caller */
} EdgeTally;

void edge_tally_init(EdgeTally *tally, const char *backend, int64_t latency_p99_us);

void edge_tally_request(EdgeTally *tally, const EdgeRecord *record, int64_t now_mono);
void edge_tally_nonsense(EdgeTally *tally);

/* Moves the counts into the sample and begins the next one. Sets all but the sample's times and `dropped`. */
void edge_tally_take(EdgeTally *tally, Sample *ret_sample);
