/* Evidence in, the same decision out; and every kind of difference is named. */
#include "core/policy.h"
#include "core/replay.h"

#include "core-test.h"

#include <stdlib.h>
#include <string.h>

#define WALL INT64_C(1795362036123456)

/* Everything a decision is made from; the parts that are large are on the heap. */
typedef struct World {
        Rules rules;
        Release releases[3];
        Deployment deployment;
        Engine engine;
        Verdict verdict;
        Evidence evidence;
        PolicyInput input;
        ReplayRoom room;
        Decision kept, again;
} World;

static World *world;

static int make_world(UNUSED void **state) {
        world = calloc(1, sizeof *world);
        if (!world)
                return -1;
        world->rules = default_rules();
        world->releases[0] = (Release){.version = "v2.3.0", .state = RELEASE_GOOD, .present = true};
        world->releases[1] = (Release){.version = "v2.4.0", .state = RELEASE_GOOD, .present = true};
        world->releases[2] = (Release){.version = "v3.0.0", .state = RELEASE_BAKING, .present = true};
        world->deployment = (Deployment){.id = 3, .version = "v3.0.0", .previous = "v2.4.0", .at_wall = WALL};
        engine_init(&world->engine, &world->rules);
        return 0;
}

static int free_world(UNUSED void **state) {
        free(world);
        return 0;
}

static void measure(unsigned count, int64_t errors) {
        for (unsigned i = 0; i < count; i++) {
                const Sample *newest = engine_newest(&world->engine);
                int64_t start = newest ? newest->end_mono : 1000 * SEC;
                const Sample sample = make_sample(start, start + 30 * SEC, 6000, errors);
                assert_true(engine_add(&world->engine, &sample));
        }
}

/* As the daemon does: the words of what triggers at once come from the looks that are kept. */
static void decide(void) {
        static char unit_failure[REASON_MAX], outage[REASON_MAX];
        Evidence *evidence = &world->evidence;
        OutageWatch watch = evidence->outage.before;
        RestartWatch restarts = evidence->units.before;
        ConsensusHistory history = evidence->consensus.before;
        static ConsensusView view;
        const Sample *newest = engine_newest(&world->engine);
        unit_failure[0] = outage[0] = '\0';
        view = (ConsensusView){0};
        engine_verdict(&world->engine, newest ? newest->end_mono + 7 : 0, &world->verdict);
        if (evidence->units.asked)
                engine_units(&world->rules, &restarts, &evidence->units.units, evidence->units.now_mono, unit_failure,
                             sizeof unit_failure);
        if (evidence->outage.asked)
                engine_outage(&world->rules, &watch, &evidence->outage.pulse, &evidence->outage.probe,
                              evidence->outage.now_mono, outage, sizeof outage);
        if (evidence->consensus.asked)
                consensus_judge(&history, &evidence->consensus.state, evidence->consensus.patience_us, &view);
        world->input = (PolicyInput){
                .rules = &world->rules,
                .now_wall = WALL + SEC,
                .version = "v3.0.0",
                .deployment = &world->deployment,
                .deployment_age_us = 90 * SEC,
                .releases = world->releases,
                .release_count = ARRAY_SIZE(world->releases),
                .rollbacks_today = world->input.rollbacks_today,
                .shadow = world->input.shadow,
                .verdict = &world->verdict,
                .unit_failure = unit_failure,
                .outage = outage,
                .quorum_lost = view.quorum == KNOWN_FALSE ? view.words : "",
                .byzantine = view.byzantine > 0 ? view.words : "",
        };
        policy_decide(&world->input, &world->kept);
        evidence_of_input(&world->input, evidence);
}

static void expect(const char *difference) {
        char words[DETAIL_MAX];
        replay_decide(&world->kept, &world->evidence, &world->room, &world->again);
        bool same = replay_same(&world->again, &world->kept, words, sizeof words);
        assert_string_equal(words, difference);
        assert_int_equal(same, difference[0] == '\0');
}

static void test_a_window_is_identical(UNUSED void **state) {
        measure(1, 0);
        measure(4, 300);
        decide();
        assert_int_equal(world->kept.kind, DECISION_ROLLBACK);
        assert_int_equal(world->kept.rule_version, RULE_VERSION);
        expect("");
        assert_memory_equal(&world->again.reason, &world->kept.reason, sizeof world->kept.reason);
}

static void test_every_guard_is_identical(UNUSED void **state) {
        measure(5, 300);
        world->input.shadow = true;
        decide();
        assert_int_equal(world->kept.guard, GUARD_SHADOW);
        assert_string_equal(world->kept.target, "v2.4.0");
        expect("");
        world->input.rollbacks_today = 3;
        decide();
        assert_int_equal(world->kept.guard, GUARD_BUDGET_SPENT); /* it would not have been done in any mode */
        expect("");
        world->deployment.symptoms_before = TRIGGERS_SUSTAINED;
        world->input.rollbacks_today = 0;
        decide();
        assert_int_equal(world->kept.guard, GUARD_SAME_BEFORE);
        expect("");
}

static void test_what_triggers_at_once_is_asked_again(UNUSED void **state) {
        world->evidence.units = (UnitsLook){.asked = true,
                                            .now_mono = 1000 * SEC,
                                            .before = {.looked = true, .restarts = 2, .count = 2},
                                            .units = {.restarts = 3, .detail = "dwcp.service: exit code 3"}};
        world->evidence.units.before.rises[0] = 993 * SEC;
        world->evidence.units.before.rises[1] = 996 * SEC;
        world->evidence.outage = (OutageLook){
                .asked = true,
                .now_mono = 1000 * SEC,
                .before = {.since_mono = 900 * SEC, .looked = true},
                .pulse = {.connected = true,
                          .failures = 40,
                          .failures_since_success = 40,
                          .last_success_mono = 980 * SEC},
                .probe = {.known = true, .consecutive_failures = 3},
        };
        ConsensusLook *consensus = &world->evidence.consensus;
        *consensus = (ConsensusLook){.asked = true,
                                     .patience_us = 5 * SEC,
                                     .before = {.missing_mono = 990 * SEC},
                                     .state = {.at_mono = 1000 * SEC, .count = 3}};
        decide();
        assert_int_equal(world->kept.triggers, TRIGGER_SERVICE_FAILED | TRIGGER_OUTAGE | TRIGGER_QUORUM);
        assert_non_null(strstr(world->kept.reason, "restarted 3 times within 10 s: dwcp.service: exit code 3"));
        expect("");
        world->evidence.outage.pulse.failures_since_success = 41;
        char words[DETAIL_MAX];
        replay_decide(&world->kept, &world->evidence, &world->room, &world->again);
        assert_false(replay_same(&world->again, &world->kept, words, sizeof words));
        assert_memory_equal(words, "reason '", 8);
}

static void test_what_was_tampered_with_differs(UNUSED void **state) {
        measure(5, 300);
        decide();
        const Decision good = world->kept;
        const Evidence sound = world->evidence;
        world->kept.degraded = 3;
        expect("degraded 5, kept 3");
        world->kept = good;
        world->kept.rules.error_rate_ppm = 990000;
        world->kept.rules.success_rate_ppm = 0;
        expect("degraded 0, kept 5");
        world->kept = good;
        world->kept.samples[2].errors = 0;
        world->kept.samples[2].successes = 6000;
        expect("degraded 4, kept 5");
        world->kept = good;
        world->evidence.now_mono += 60 * SEC;
        expect("degraded 3, kept 5");
        world->evidence = sound;
        world->evidence.run_unsound = true;
        expect("kind 'review', kept 'rollback'");
        world->evidence = sound;
        world->evidence.releases[1].state = RELEASE_FAILED;
        expect("target 'v2.3.0', kept 'v2.4.0'");
        world->evidence = sound;
        snprintf(world->kept.reason, sizeof world->kept.reason, "because");
        char words[DETAIL_MAX];
        replay_decide(&world->kept, &world->evidence, &world->room, &world->again);
        assert_false(replay_same(&world->again, &world->kept, words, sizeof words));
        assert_non_null(strstr(words, "kept 'because'"));
}

static void test_more_releases_than_fit_are_left_out(UNUSED void **state) {
        AUTO_FREE Release *many = calloc(300, sizeof *many);
        PolicyInput input = {.rules = &world->rules, .releases = many, .release_count = 300};
        assert_non_null(many);
        evidence_of_input(&input, &world->evidence);
        assert_int_equal(world->evidence.release_count, EVIDENCE_RELEASES_MAX);
        assert_false(world->evidence.window_known);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)
        const struct CMUnitTest tests[] = {
                TEST(test_a_window_is_identical),
                TEST(test_every_guard_is_identical),
                TEST(test_what_triggers_at_once_is_asked_again),
                TEST(test_what_was_tampered_with_differs),
                TEST(test_more_releases_than_fit_are_left_out),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
