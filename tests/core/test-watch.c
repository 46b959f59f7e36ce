#include "core/watch.h"

#include "core-test.h"

#include <string.h>

/* A world in which nothing has succeeded since second 100; watching began at second 50. */
typedef struct OutageWorld {
        Rules rules;
        OutageWatch watch;
        MetricsPulse pulse;
        ProbeView probe;
        char reason[REASON_MAX];
} OutageWorld;

static OutageWorld outage_world(void) {
        OutageWorld world = {
                .rules = default_rules(),
                .pulse = {.connected = true, .requests = 1000, .last_success_mono = 100 * SEC},
                .probe = {.known = true, .consecutive_failures = 5, .last_success_mono = 99 * SEC},
        };
        outage_watch_restart(&world.watch, 50 * SEC);
        return world;
}

static bool look(OutageWorld *world, int64_t second) {
        return engine_outage(&world->rules, &world->watch, &world->pulse, &world->probe, second * SEC, world->reason,
                             sizeof world->reason);
}

static void fail_requests(OutageWorld *world, int64_t second, int64_t count) {
        world->pulse.failures += count;
        world->pulse.requests += count;
        world->pulse.failures_since_success += count;
        if (world->pulse.first_failure_mono == 0)
                world->pulse.first_failure_mono = second * SEC;
}

static void is_seen_when_its_window_is_over(void **state UNUSED) {
        OutageWorld world = outage_world();
        for (int64_t second = 101; second < 110; second++) {
                fail_requests(&world, second, 20);
                assert_false(look(&world, second));
                assert_string_equal(world.reason, "");
        }
        fail_requests(&world, 110, 20);
        assert_true(look(&world, 110));
        assert_string_equal(
                world.reason,
                "no request has succeeded for 10 s (200 failed) and the health probe failed 5 times in a row");
}

static void needs_the_probe_to_agree(void **state UNUSED) {
        OutageWorld world = outage_world();
        fail_requests(&world, 115, 20);
        world.probe.consecutive_failures = 1;
        assert_false(look(&world, 115));
        world.probe = (ProbeView){.consecutive_failures = 2, .known = false};
        assert_false(look(&world, 115));
        world.probe.known = true;
        assert_true(look(&world, 115));
}

static void is_never_the_absence_of_traffic(void **state UNUSED) {
        OutageWorld world = outage_world();
        for (int64_t second = 101; second < 1000; second++)
                assert_false(look(&world, second));
}

/* One request failed long ago, nothing came since, and now the probe fails: an alert, not an outage. */
static void is_not_an_old_failure(void **state UNUSED) {
        OutageWorld world = outage_world();
        world.probe.consecutive_failures = 0;
        fail_requests(&world, 105, 1);
        for (int64_t second = 105; second < 200; second++)
                assert_false(look(&world, second));
        world.probe.consecutive_failures = 30;
        assert_false(look(&world, 200));
        fail_requests(&world, 201, 1);
        assert_true(look(&world, 201));
}

static void is_not_counted_while_the_source_is_not_heard(void **state UNUSED) {
        OutageWorld world = outage_world();
        world.pulse.connected = false;
        for (int64_t second = 101; second < 300; second++)
                assert_false(look(&world, second));
        world.pulse.connected = true;
        fail_requests(&world, 300, 50);
        assert_false(look(&world, 300));
        fail_requests(&world, 308, 50);
        assert_false(look(&world, 308));
        fail_requests(&world, 310, 50);
        assert_true(look(&world, 310)); /* eleven seconds of its own */
}

static void is_not_counted_from_before_watching_began(void **state UNUSED) {
        OutageWorld world = outage_world();
        world.pulse.last_success_mono = 0; /* never one */
        outage_watch_restart(&world.watch, 200 * SEC);
        fail_requests(&world, 201, 5);
        assert_false(look(&world, 201));
        fail_requests(&world, 209, 5);
        assert_false(look(&world, 209));
        fail_requests(&world, 210, 5);
        assert_true(look(&world, 210));
}

static void one_success_ends_it(void **state UNUSED) {
        OutageWorld world = outage_world();
        fail_requests(&world, 112, 20);
        assert_true(look(&world, 112));
        world.pulse.last_success_mono = 113 * SEC;
        world.pulse.first_failure_mono = 0;
        world.pulse.failures_since_success = 0;
        assert_false(look(&world, 113));
        assert_false(look(&world, 130));
}

static void totals_that_start_again_do_no_harm(void **state UNUSED) {
        OutageWorld world = outage_world();
        fail_requests(&world, 101, 1000);
        assert_false(look(&world, 101));
        world.pulse = (MetricsPulse){.connected = true, .last_success_mono = 150 * SEC};
        assert_false(look(&world, 151));
        assert_false(look(&world, 170));
}

/* ---- units ---- */

typedef struct UnitsWorld {
        Rules rules;
        RestartWatch watch;
        UnitsState units;
        char reason[REASON_MAX];
} UnitsWorld;

static bool look_units(UnitsWorld *world, int64_t second, int64_t restarts) {
        world->units.restarts = restarts;
        return engine_units(&world->rules, &world->watch, &world->units, second * SEC, world->reason,
                            sizeof world->reason);
}

static UnitsWorld units_world(void) {
        return (UnitsWorld){.rules = default_rules(), .units = {.loadable = true, .active = true}};
}

static void a_failed_unit_triggers_at_once(void **state UNUSED) {
        UnitsWorld world = units_world();
        assert_false(look_units(&world, 1, 0));
        world.units.failed = true;
        assert_true(look_units(&world, 2, 0));
        assert_true(strlen(world.reason) > 0);
        strcpy(world.units.detail, "novacron-dwcp-v3.service: failed (exit code 3)");
        assert_true(look_units(&world, 3, 0));
        assert_string_equal(world.reason, "novacron-dwcp-v3.service: failed (exit code 3)");
}

static void three_restarts_within_the_window_are_a_failure(void **state UNUSED) {
        UnitsWorld world = units_world();
        assert_false(look_units(&world, 1, 7)); /* what was before is not counted */
        assert_false(look_units(&world, 2, 8));
        assert_false(look_units(&world, 5, 9));
        assert_false(look_units(&world, 11, 9));
        assert_true(look_units(&world, 12, 10));
        assert_string_equal(world.reason, "restarted 3 times within 10 s");
        assert_false(look_units(&world, 13, 10)); /* the first has left the window */
}

static void slow_restarts_are_not(void **state UNUSED) {
        UnitsWorld world = units_world();
        for (int64_t i = 0; i < 100; i++)
                assert_false(look_units(&world, i * 6, i)); /* at most two in any ten seconds */
}

static void many_between_two_looks_count(void **state UNUSED) {
        UnitsWorld world = units_world();
        assert_false(look_units(&world, 1, 0));
        assert_true(look_units(&world, 2, 1000));
        assert_false(look_units(&world, 13, 1000));
}

static void a_start_by_hand_begins_a_new_count(void **state UNUSED) {
        UnitsWorld world = units_world();
        assert_false(look_units(&world, 1, 5));
        assert_false(look_units(&world, 2, 7));
        assert_false(look_units(&world, 3, 0));
        assert_false(look_units(&world, 4, 2));
        assert_true(look_units(&world, 5, 3));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_seen_when_its_window_is_over),
                cmocka_unit_test(needs_the_probe_to_agree),
                cmocka_unit_test(is_never_the_absence_of_traffic),
                cmocka_unit_test(is_not_an_old_failure),
                cmocka_unit_test(is_not_counted_while_the_source_is_not_heard),
                cmocka_unit_test(is_not_counted_from_before_watching_began),
                cmocka_unit_test(one_success_ends_it),
                cmocka_unit_test(totals_that_start_again_do_no_harm),
                cmocka_unit_test(a_failed_unit_triggers_at_once),
                cmocka_unit_test(three_restarts_within_the_window_are_a_failure),
                cmocka_unit_test(slow_restarts_are_not),
                cmocka_unit_test(many_between_two_looks_count),
                cmocka_unit_test(a_start_by_hand_begins_a_new_count),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
