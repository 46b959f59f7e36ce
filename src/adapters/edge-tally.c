#include "adapters/edge-tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_FACTOR 10 /* times the latency limit */

static int64_t waited_ms(const EdgeRecord *record) {
        if (record->response_ms >= 0)
                return record->response_ms;
        /* The gate waits before the request counts as received, so TR contains the parked time; were it not so, we still must not count it. */
        int64_t before = record->request_ms > record->parked_ms ? record->request_ms : record->parked_ms;
        return record->active_ms > before ? record->active_ms - before : 0;
}

EdgeOutcome edge_judge(const EdgeRecord *record, int64_t patience_ms, int64_t *ret_latency_ms) {
        bool answered = record->response_ms >= 0;
        *ret_latency_ms = waited_ms(record);
        switch (record->cause) {
        case 'C':
        case 'c':
                if (answered && record->status >= 500)
                        return EDGE_ERROR;
                return *ret_latency_ms > patience_ms ? EDGE_UNSERVED : EDGE_NOT_COUNTED;
        case 'L':
        case 'P':
                if (!answered && record->status < 500)
                        return EDGE_NOT_COUNTED;
                if (record->cause == 'L' && record->status < 500)
                        return EDGE_SUCCESS;
                return EDGE_ERROR;
        case '-':
                return record->status >= 500 || record->status < 0 ? EDGE_ERROR : EDGE_SUCCESS;
        default: /* S, s: the server's end; D, K, U: cut by an administrator or with its server; R, I: the balancer's own trouble */
                return EDGE_ERROR;
        }
}

void edge_tally_init(EdgeTally *tally, const char *backend, int64_t latency_p99_us) {
        memset(tally, 0, sizeof *tally);
        snprintf(tally->backend, sizeof tally->backend, "%s", backend);
        tally->patience_ms = latency_p99_us * PATIENCE_FACTOR / USEC_PER_MSEC;
}

static void count_success(MetricsPulse *pulse, int64_t now_mono) {
        pulse->last_success_mono = now_mono;
        pulse->first_failure_mono = 0;
        pulse->failures_since_success = 0;
}

static void count_failure(MetricsPulse *pulse, int64_t now_mono) {
        if (pulse->failures_since_success == 0)
                pulse->first_failure_mono = now_mono;
        pulse->failures_since_success++;
        pulse->failures++;
}

/* Returns false when that was all: the gate itself ended the request, the service never had it. */
static bool count_gate(EdgeTally *tally, const EdgeRecord *record, int64_t now_mono) {
        if (record->gate == EDGE_GATE_NONE || strcmp(record->gate_key, tally->backend) != 0)
                return true;
        MetricsPulse *pulse = &tally->pulse;
        pulse->parked++;
        if (record->parked_ms * USEC_PER_MSEC > pulse->parked_longest_us)
                pulse->parked_longest_us = record->parked_ms * USEC_PER_MSEC;
        if (record->gate == EDGE_GATE_REFUSED) {
                pulse->requests++;
                pulse->errors++; /* what the client got is a 503 */
                count_failure(pulse, now_mono);
        }
        return record->gate == EDGE_GATE_PASSED;
}

void edge_tally_request(EdgeTally *tally, const EdgeRecord *record, int64_t now_mono) {
        tally->understood++;
        if (!count_gate(tally, record, now_mono) || strcmp(record->backend, tally->backend) != 0)
                return;
        int64_t latency_ms;
        EdgeOutcome outcome = edge_judge(record, tally->patience_ms, &latency_ms);
        if (outcome == EDGE_NOT_COUNTED)
                return;
        histogram_add(&tally->latency_ms, latency_ms);
        tally->requests++;
        tally->pulse.requests++;
        if (outcome == EDGE_SUCCESS) {
                tally->successes++;
                count_success(&tally->pulse, now_mono);
                return;
        }
        if (outcome == EDGE_ERROR) {
                tally->errors++;
                tally->pulse.errors++;
        }
        count_failure(&tally->pulse, now_mono);
}

void edge_tally_nonsense(EdgeTally *tally) {
        tally->nonsense++;
}

static int64_t quantile_us(const EdgeTally *tally, int64_t ppm) {
        int64_t ms = histogram_quantile(&tally->latency_ms, ppm);
        return ms < 0 ? -1 : ms * USEC_PER_MSEC;
}

void edge_tally_take(EdgeTally *tally, Sample *ret_sample) {
        *ret_sample = (Sample){
                .measured = tally->nonsense <= tally->understood,
                .requests = tally->requests,
                .errors = tally->errors,
                .successes = tally->successes,
                .latency_p50_us = quantile_us(tally, 500000),
                .latency_p99_us = quantile_us(tally, 990000),
        };
        if (tally->nonsense > 0)
                snprintf(ret_sample->note, sizeof ret_sample->note,
                         "%" PRId64 " of %" PRId64
                         " log lines made no sense: HAProxy's log-format must be the one of haproxy.cfg.example",
                         tally->nonsense, tally->nonsense + tally->understood);
        histogram_reset(&tally->latency_ms);
        tally->requests = tally->errors = tally->successes = 0;
        tally->understood = tally->nonsense = 0;
}
