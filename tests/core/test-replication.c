#include "core/replication.h"

#include "core-test.h"

#include <string.h>

#define LIMIT (100 * MSEC)

static Replica replica(const char *name, int64_t lag_us, int64_t lag_bytes) {
        Replica made = {.lag_us = lag_us, .lag_bytes = lag_bytes, .idle_us = -1, .state = "streaming", .sync = "async"};
        snprintf(made.name, sizeof made.name, "%s", name);
        return made;
}

static ReplicationState two(Replica first, Replica second) {
        return (ReplicationState){.primary = true, .count = 2, .expected = 2, .replicas = {first, second}};
}

static ReplicationView judged(ReplicationState state) {
        ReplicationView view;
        replication_judge(&state, LIMIT, &view);
        return view;
}

static void near(void **unused UNUSED) {
        ReplicationView view = judged(two(replica("a", 0, 0), replica("b", 3 * MSEC, 512)));
        assert_int_equal(view.healthy, KNOWN_TRUE);
        assert_int_equal(view.sound, 2);
        assert_int_equal(view.lag_us, 3 * MSEC);
        assert_int_equal(view.lag_bytes, 512);
        assert_string_equal(view.words, "2 of 2 replicas sound, lag 3 ms (limit 100 ms)");
}

static void at_the_limit(void **unused UNUSED) {
        assert_int_equal(judged(two(replica("a", LIMIT, 1), replica("b", 0, 0))).healthy, KNOWN_TRUE);
        ReplicationView view = judged(two(replica("a", LIMIT + 1, 1), replica("b", 0, 0)));
        assert_int_equal(view.healthy, KNOWN_FALSE);
        assert_int_equal(view.late, 1);
        assert_string_equal(
                view.words,
                "1 of 2 replicas sound, lag 100.001 ms (limit 100 ms); a: streaming, lag 100.001 ms, 1 bytes not replayed");
}

static void without_replicas(void **unused UNUSED) {
        ReplicationView view = judged((ReplicationState){.primary = true});
        assert_int_equal(view.healthy, KNOWN_TRUE);
        assert_int_equal(view.lag_us, -1);
        assert_int_equal(view.lag_bytes, -1);
        assert_string_equal(view.words, "no replica is connected, and none is expected");
}

/* Named each; and of the worst nothing is known when one's isn't. */
static void missing_paused_and_stale(void **unused UNUSED) {
        Replica gone = {.name = "gone", .missing = true, .lag_us = -1, .lag_bytes = -1};
        ReplicationView view = judged(two(gone, replica("b", 0, 0)));
        assert_int_equal(view.healthy, KNOWN_FALSE);
        assert_int_equal(view.missing, 1);
        assert_int_equal(view.lag_us, -1);
        assert_string_equal(view.words, "1 of 2 replicas sound; gone: missing");

        Replica paused = replica("p", 0, 0), stale = replica("s", 2 * SEC, 4096);
        paused.paused = true;
        stale.stale = true;
        view = judged(two(paused, stale));
        assert_int_equal(view.sound, 0);
        assert_int_equal(view.paused, 1);
        assert_int_equal(view.stale, 1);
        assert_int_equal(view.late, 1);
        assert_int_equal(view.lag_us, 2 * SEC);
        assert_string_equal(view.words,
                            "0 of 2 replicas sound, lag 2 s (limit 100 ms); p: paused, lag 0 ms, 0 bytes not replayed;"
                            " s: stale, lag at least 2 s, 4096 bytes not replayed");
}

static void not_streaming_yet(void **unused UNUSED) {
        Replica early = replica("a", -1, 100000);
        snprintf(early.state, sizeof early.state, "catchup");
        assert_int_equal(judged(two(early, replica("b", 0, 0))).healthy, KNOWN_FALSE);
        /* it streams, and no lag was measured yet */
        ReplicationView view = judged(two(replica("a", -1, 100), replica("b", 0, 0)));
        assert_int_equal(view.healthy, KNOWN_TRUE);
        assert_int_equal(view.lag_us, -1);
}

static void nobody_may_look(void **unused UNUSED) {
        Replica hidden = {.name = "a", .lag_us = -1, .lag_bytes = -1};
        ReplicationState state = two(hidden, hidden);
        snprintf(state.detail, sizeof state.detail, "GRANT pg_monitor TO novacron");
        ReplicationView view = judged(state);
        assert_int_equal(view.healthy, KNOWN_NOT);
        assert_int_equal(view.unknown, 2);
        assert_string_equal(view.words,
                            "0 of 2 replicas sound; GRANT pg_monitor TO novacron; a: not known; a: not known");
}

static void a_standby_itself(void **unused UNUSED) {
        ReplicationView view = judged((ReplicationState){.detail = "it is a standby itself"});
        assert_int_equal(view.healthy, KNOWN_FALSE);
        assert_string_equal(view.words, "no replica is connected, and none is expected; it is a standby itself");
}

static void more_than_can_be_told(void **unused UNUSED) {
        ReplicationState state = {.primary = true, .count = REPLICAS_MAX, .left_out = 2};
        for (unsigned i = 0; i < REPLICAS_MAX; i++) {
                state.replicas[i] = replica("r", 500 * MSEC, 1 << 20);
                memset(state.replicas[i].name, 'n', sizeof state.replicas[i].name - 1);
        }
        ReplicationView view = judged(state);
        assert_int_equal(view.late, REPLICAS_MAX);
        assert_true(strlen(view.words) < sizeof view.words);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(near),
                cmocka_unit_test(at_the_limit),
                cmocka_unit_test(without_replicas),
                cmocka_unit_test(missing_paused_and_stale),
                cmocka_unit_test(not_streaming_yet),
                cmocka_unit_test(nobody_may_look),
                cmocka_unit_test(a_standby_itself),
                cmocka_unit_test(more_than_can_be_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
