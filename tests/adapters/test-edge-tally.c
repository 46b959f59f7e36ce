/* What counts as an error, what as latency, and what isn't counted. */
#include "adapters/edge-tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT_US (100 * USEC_PER_MSEC) /* so a client is patient for 1000 ms */

static EdgeTally tally;

static EdgeRecord request(const char *state, int status, int64_t response_ms, int64_t active_ms) {
        EdgeRecord r = {.end_ms = 1,
                        .backend = "app",
                        .status = status,
                        .cause = state[0],
                        .phase = state[1],
                        .response_ms = response_ms,
                        .active_ms = active_ms};
        return r;
}

static int set_up(void **state) {
        (void)state;
        edge_tally_init(&tally, "app", LIMIT_US);
        return 0;
}

static void test_judgement(void **state) {
        (void)state;
        static const struct {
                const char *state;
                int status;
                int64_t response_ms, active_ms;
                EdgeOutcome outcome;
                int64_t latency_ms;
                const char *why;
        } rows[] = {
                {"--", 200, 12, 13, EDGE_SUCCESS, 12, "answered"},
                {"--", 304, 0, 0, EDGE_SUCCESS, 0, "answered at once"},
                {"--", 404, 3, 3, EDGE_SUCCESS, 3, "the client's mistake"},
                {"--", 500, 3, 3, EDGE_ERROR, 3, "the service's mistake"},
                {"--", 503, 3, 3, EDGE_ERROR, 3, "the service's mistake"},
                {"SH", 502, -1, 40, EDGE_ERROR, 40, "the service cut the connection before it answered"},
                {"sH", 504, -1, 30000, EDGE_ERROR, 30000, "the service never answered"},
                {"SC", 503, -1, 3001, EDGE_ERROR, 3001, "connection refused"},
                {"SD", 200, 5, 90, EDGE_ERROR, 5, "cut in the middle of the answer"},
                {"sQ", 503, -1, 10000, EDGE_ERROR, 10000, "queued too long"},
                {"PH", 502, -1, 8, EDGE_ERROR, 8, "the answer wasn't HTTP"},
                {"KH", 502, -1, 503, EDGE_ERROR, 503, "cut by us after the drain"},
                {"RC", 500, -1, 0, EDGE_ERROR, 0, "out of ports"},
                {"CD", 200, 5, 60000, EDGE_NOT_COUNTED, 5, "left during a long download"},
                {"CH", 400, -1, 999, EDGE_NOT_COUNTED, 999, "left early"},
                {"CH", 400, -1, 1000, EDGE_NOT_COUNTED, 1000, "left at the limit of patience"},
                {"CH", 400, -1, 1001, EDGE_UNSERVED, 1001, "waited more than ten times the limit"},
                {"CC", 503, -1, 400, EDGE_NOT_COUNTED, 400, "left while we connected"},
                {"CD", 500, 5, 10, EDGE_ERROR, 5, "left, but it was an error page"},
                {"cD", 200, 5, 30000, EDGE_NOT_COUNTED, 5, "the client stopped reading"},
                {"LR", 301, -1, 0, EDGE_NOT_COUNTED, 0, "redirected by the balancer"},
                {"PR", 403, -1, 0, EDGE_NOT_COUNTED, 0, "denied by the balancer"},
                {"LR", 503, -1, 0, EDGE_ERROR, 0, "the balancer's own error page"},
                {"--", -1, -1, 5, EDGE_ERROR, 5, "ended well without an answer: it can't be"},
        };
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                EdgeRecord r = request(rows[i].state, rows[i].status, rows[i].response_ms, rows[i].active_ms);
                int64_t latency_ms;
                EdgeOutcome outcome = edge_judge(&r, 1000, &latency_ms);
                if (outcome != rows[i].outcome || latency_ms != rows[i].latency_ms)
                        fail_msg("%s %d (%s): outcome %d, latency %ld", rows[i].state, rows[i].status, rows[i].why,
                                 outcome, (long)latency_ms);
        }
}

static void test_parked_time_is_no_latency(void **state) {
        (void)state;
        int64_t latency_ms;
        EdgeRecord answered = request("--", 200, 5, 12005);
        answered.gate = EDGE_GATE_PASSED;
        answered.request_ms = answered.parked_ms = 12000;
        assert_int_equal(edge_judge(&answered, 1000, &latency_ms), EDGE_SUCCESS);
        assert_int_equal(latency_ms, 5);

        EdgeRecord unanswered = request("CH", 400, -1, 12300);
        unanswered.gate = EDGE_GATE_PASSED;
        unanswered.request_ms = unanswered.parked_ms = 12000;
        assert_int_equal(edge_judge(&unanswered, 1000, &latency_ms), EDGE_NOT_COUNTED);
        assert_int_equal(latency_ms, 300);

        unanswered.request_ms = -1; /* wherever the gate's rule stands */
        edge_judge(&unanswered, 1000, &latency_ms);
        assert_int_equal(latency_ms, 300);
        unanswered.active_ms = 0;
        edge_judge(&unanswered, 1000, &latency_ms);
        assert_int_equal(latency_ms, 0);
}

static void add(const char *state, int status, int64_t response_ms, int64_t active_ms, int64_t now) {
        EdgeRecord r = request(state, status, response_ms, active_ms);
        edge_tally_request(&tally, &r, now);
}

static void test_sample(void **state) {
        (void)state;
        Sample sample;
        for (int i = 1; i <= 100; i++)
                add("--", 200, i, i, i);
        add("SH", 502, -1, 1, 101);
        add("CH", 400, -1, 5000, 102);
        add("CH", 400, -1, 10, 103);
        EdgeRecord other = request("--", 500, 1, 1);
        strcpy(other.backend, "other");
        edge_tally_request(&tally, &other, 104);

        edge_tally_take(&tally, &sample);
        assert_true(sample.measured);
        assert_int_equal(sample.requests, 102);
        assert_int_equal(sample.successes, 100);
        assert_int_equal(sample.errors, 1);
        assert_int_equal(sample.latency_p50_us, 50 * USEC_PER_MSEC);
        assert_int_equal(sample.latency_p99_us, 100 * USEC_PER_MSEC);
        assert_string_equal(sample.note, "");

        edge_tally_take(&tally, &sample);
        assert_true(sample.measured);
        assert_int_equal(sample.requests, 0);
        assert_int_equal(sample.latency_p50_us, -1);
        assert_int_equal(sample.latency_p99_us, -1);
        assert_int_equal(tally.pulse.requests, 102);
        assert_int_equal(tally.pulse.failures, 2);
}

static void test_more_nonsense_than_sense(void **state) {
        (void)state;
        Sample sample;
        add("--", 200, 1, 1, 1);
        edge_tally_nonsense(&tally);
        edge_tally_take(&tally, &sample);
        assert_true(sample.measured);
        assert_non_null(strstr(sample.note, "1 of 2 log lines"));
        add("--", 200, 1, 1, 1);
        edge_tally_nonsense(&tally);
        edge_tally_nonsense(&tally);
        edge_tally_take(&tally, &sample);
        assert_false(sample.measured);
        assert_non_null(strstr(sample.note, "2 of 3 log lines made no sense"));
        edge_tally_take(&tally, &sample);
        assert_true(sample.measured);
}

static void test_pulse(void **state) {
        (void)state;
        MetricsPulse *pulse = &tally.pulse;
        add("--", 500, 1, 1, 10);
        add("SC", 503, -1, 1, 20);
        assert_int_equal(pulse->last_success_mono, 0);
        assert_int_equal(pulse->first_failure_mono, 10);
        assert_int_equal(pulse->failures_since_success, 2);
        add("--", 200, 1, 1, 30);
        assert_int_equal(pulse->last_success_mono, 30);
        assert_int_equal(pulse->first_failure_mono, 0);
        assert_int_equal(pulse->failures_since_success, 0);
        add("CH", 400, -1, 10, 40);
        assert_int_equal(pulse->first_failure_mono, 0);
        add("--", 500, 1, 1, 50);
        assert_int_equal(pulse->first_failure_mono, 50);
        assert_int_equal(pulse->requests, 4);
        assert_int_equal(pulse->failures, 3);
        assert_int_equal(pulse->errors, 3);
        add("CH", -1, -1, 1000000, 60); /* it gave up after very long: a failure, but no error was sent */
        assert_int_equal(pulse->failures, 4);
        assert_int_equal(pulse->errors, 3);
}

static void add_gated(EdgeGate gate, const char *key, const char *backend, int64_t parked_ms) {
        EdgeRecord r = request(gate == EDGE_GATE_PASSED ? "--" : "LR", gate == EDGE_GATE_PASSED ? 200 : 503,
                               gate == EDGE_GATE_PASSED ? 4 : -1, parked_ms + 4);
        r.gate = gate;
        r.request_ms = r.parked_ms = parked_ms;
        strcpy(r.gate_key, key);
        strcpy(r.backend, backend);
        edge_tally_request(&tally, &r, 100);
}

static void test_gate(void **state) {
        (void)state;
        Sample sample;
        add_gated(EDGE_GATE_PASSED, "app", "app", 700);
        add_gated(EDGE_GATE_REFUSED, "app", "web", 15000); /* answered in the frontend: no backend was chosen yet */
        add_gated(EDGE_GATE_PARKED, "app", "web", 300);    /* its client left */
        add_gated(EDGE_GATE_REFUSED, "other", "web", 99000);
        edge_tally_take(&tally, &sample);
        assert_int_equal(sample.requests, 1); /* what the gate refused says nothing of the release */
        assert_int_equal(sample.errors, 0);
        assert_int_equal(sample.latency_p99_us, 4 * USEC_PER_MSEC);
        assert_int_equal(tally.pulse.parked, 3);
        assert_true(tally.pulse.parked_longest_us == 15000 * USEC_PER_MSEC);
        assert_int_equal(tally.pulse.requests, 2);
        assert_int_equal(tally.pulse.failures, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        const struct CMUnitTest tests[] = {
                TEST(test_judgement), TEST(test_parked_time_is_no_latency),
                TEST(test_sample),    TEST(test_more_nonsense_than_sense),
                TEST(test_pulse),     TEST(test_gate),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
