#include "core/policy.h"

#include "core-test.h"

#include <errno.h>
#include <string.h>

/* ---- the target ---- */

#define R(name, release_state)                                                                                         \
        { .version = name, .state = release_state, .present = true }
#define GONE(name, release_state)                                                                                      \
        { .version = name, .state = release_state, .present = false }

typedef struct TargetCase {
        const char *what;
        Release releases[4];
        const char *current, *previous, *wanted;
        RunMode mode;
        int code;
        const char *target;
        TargetDoubt doubt;
} TargetCase;

static const TargetCase target_cases[] = {
        {"the newest good below",
         {R("v2.3.0", RELEASE_GOOD), R("v2.4.0", RELEASE_GOOD), R("v3.0.0", RELEASE_BAKING)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_AUTOMATIC,
         0,
         "v2.4.0",
         TARGET_SURE},
        {"never above current",
         {R("v2.4.0", RELEASE_GOOD), R("v3.0.0", RELEASE_BAKING), R("v4.0.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_MANUAL,
         0,
         "v2.4.0",
         TARGET_SURE},
        {"by version, not by text",
         {R("v2.9.0", RELEASE_GOOD), R("v2.10.0", RELEASE_GOOD), R("v3.0.0", RELEASE_BAKING)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_AUTOMATIC,
         0,
         "v2.10.0",
         TARGET_SURE},
        {"not one that is gone",
         {R("v2.3.0", RELEASE_GOOD), GONE("v2.4.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_AUTOMATIC,
         0,
         "v2.3.0",
         TARGET_SURE},
        {"not one that failed",
         {R("v2.3.0", RELEASE_GOOD), R("v2.4.0", RELEASE_FAILED)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_EMERGENCY,
         0,
         "v2.3.0",
         TARGET_SURE},
        {"good before unproven",
         {R("v2.3.0", RELEASE_GOOD), R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_MANUAL,
         0,
         "v2.3.0",
         TARGET_SURE},
        {"the predecessor first, even above",
         {R("v2.3.8", RELEASE_GOOD), R("v2.4.0", RELEASE_GOOD)},
         "v2.3.9",
         "v2.4.0",
         NULL,
         MODE_AUTOMATIC,
         0,
         "v2.4.0",
         TARGET_SURE},
        {"but not when it failed",
         {R("v2.3.8", RELEASE_GOOD), R("v2.4.0", RELEASE_FAILED)},
         "v2.3.9",
         "v2.4.0",
         NULL,
         MODE_AUTOMATIC,
         0,
         "v2.3.8",
         TARGET_SURE},
        {"nor before a good one",
         {R("v2.3.0", RELEASE_GOOD), R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         "v2.4.0",
         NULL,
         MODE_MANUAL,
         0,
         "v2.3.0",
         TARGET_SURE},
        {"an unproven predecessor before a higher unproven one",
         {R("v2.3.0", RELEASE_UNPROVEN), R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         "v2.3.0",
         NULL,
         MODE_MANUAL,
         0,
         "v2.3.0",
         TARGET_UNPROVEN},
        {"the highest unproven, by hand",
         {R("v2.3.0", RELEASE_UNPROVEN), R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_MANUAL,
         0,
         "v2.4.0",
         TARGET_UNPROVEN},
        {"and in an emergency",
         {R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_EMERGENCY,
         0,
         "v2.4.0",
         TARGET_UNPROVEN},
        {"but never by itself",
         {R("v2.4.0", RELEASE_UNPROVEN)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_AUTOMATIC,
         -EPERM,
         "v2.4.0",
         TARGET_UNPROVEN},
        {"baking is unproven",
         {R("v2.4.0", RELEASE_BAKING)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_AUTOMATIC,
         -EPERM,
         "v2.4.0",
         TARGET_UNPROVEN},
        {"only failed ones",
         {R("v2.4.0", RELEASE_FAILED)},
         "v3.0.0",
         NULL,
         NULL,
         MODE_EMERGENCY,
         -ENOENT,
         NULL,
         TARGET_SURE},
        {"none at all", {R("v3.0.0", RELEASE_GOOD)}, "v3.0.0", NULL, NULL, MODE_MANUAL, -ENOENT, NULL, TARGET_SURE},
        {"current unknown: the highest good",
         {R("v2.4.0", RELEASE_GOOD), R("v3.0.0", RELEASE_GOOD)},
         "",
         NULL,
         NULL,
         MODE_EMERGENCY,
         0,
         "v3.0.0",
         TARGET_SURE},
        {"a directory that is no version",
         {R("backup", RELEASE_GOOD), R("v2.4.0", RELEASE_GOOD)},
         "v3.0.0",
         "backup",
         NULL,
         MODE_MANUAL,
         0,
         "v2.4.0",
         TARGET_SURE},
        {"wanted",
         {R("v2.3.0", RELEASE_GOOD), R("v2.4.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "v2.3.0",
         MODE_MANUAL,
         0,
         "v2.3.0",
         TARGET_SURE},
        {"wanted above current",
         {R("v4.0.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "v4.0.0",
         MODE_MANUAL,
         0,
         "v4.0.0",
         TARGET_SURE},
        {"wanted though it failed",
         {R("v2.3.0", RELEASE_FAILED)},
         "v3.0.0",
         NULL,
         "v2.3.0",
         MODE_MANUAL,
         0,
         "v2.3.0",
         TARGET_FAILED},
        {"wanted but gone",
         {GONE("v2.3.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "v2.3.0",
         MODE_MANUAL,
         -ENOENT,
         NULL,
         TARGET_SURE},
        {"wanted but unheard of",
         {R("v2.3.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "v2.2.0",
         MODE_MANUAL,
         -ENOENT,
         NULL,
         TARGET_SURE},
        {"wanted is current",
         {R("v3.0.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "v3.0.0",
         MODE_MANUAL,
         -EALREADY,
         NULL,
         TARGET_SURE},
        {"wanted is nonsense",
         {R("v2.3.0", RELEASE_GOOD)},
         "v3.0.0",
         NULL,
         "../../etc",
         MODE_EMERGENCY,
         -EINVAL,
         NULL,
         TARGET_SURE},
};

static void chooses_the_target(void **state UNUSED) {
        for (size_t i = 0; i < ARRAY_SIZE(target_cases); i++) {
                const TargetCase *c = &target_cases[i];
                unsigned count = 0;
                while (count < 4 && c->releases[count].version[0])
                        count++;
                TargetRequest request = {c->releases, count, c->current, c->previous, c->wanted, c->mode};
                char target[VERSION_MAX] = "untouched";
                TargetDoubt doubt = TARGET_FAILED;
                Error error = {0};
                int r = policy_target(&request, target, &doubt, &error);
                const char *expected = c->target ? c->target : "untouched";
                if (r != c->code || strcmp(target, expected) != 0 || (c->target && doubt != c->doubt))
                        fail_msg("%s: %d, %s, doubt %d (%s)", c->what, r, target, (int)doubt, error.message);
                assert_int_equal(r < 0, error.message[0] != '\0');
        }
}

/* ---- the decision ---- */

#define DEPLOYED_AT (1000 * HOUR)

static const Release two_releases[] = {R("v2.4.0", RELEASE_GOOD), R("v3.0.0", RELEASE_BAKING)};

typedef struct World {
        Rules rules;
        Engine engine;
        Verdict verdict;
        Deployment deployment;
        PolicyInput input;
        Decision decision;
} World;

static World world; /* large, and every test sets it up anew */

static void set_up_world(int64_t errors, int64_t latency_p99_us) {
        world.rules = default_rules();
        world.deployment = (Deployment){.id = 7, .version = "v3.0.0", .previous = "v2.4.0", .at_wall = DEPLOYED_AT};
        engine_init(&world.engine, &world.rules);
        for (int64_t i = 0; i < 5; i++) {
                Sample sample = make_sample(i * 30 * SEC, (i + 1) * 30 * SEC, 6000, i == 0 ? 0 : errors);
                sample.latency_p99_us = i == 0 ? 20 * MSEC : latency_p99_us;
                assert_true(engine_add(&world.engine, &sample));
        }
        engine_verdict(&world.engine, 150 * SEC, &world.verdict);
        world.input = (PolicyInput){
                .rules = &world.rules,
                .now_wall = DEPLOYED_AT + 600 * SEC,
                .deployment_age_us = 600 * SEC,
                .version = "v3.0.0",
                .deployment = &world.deployment,
                .releases = two_releases,
                .release_count = 2,
                .verdict = &world.verdict,
        };
}

static void expect_guard(Guard guard) {
        policy_decide(&world.input, &world.decision);
        assert_int_equal(world.decision.guard, guard);
        assert_int_equal(world.decision.kind, guard == GUARD_NONE ? DECISION_ROLLBACK : DECISION_REVIEW);
}

static void names_the_trigger_with_its_numbers(void **state UNUSED) {
        set_up_world(301, 20 * MSEC);
        expect_guard(GUARD_NONE);
        assert_string_equal(world.decision.target, "v2.4.0");
        assert_string_equal(world.decision.version, "v3.0.0");
        assert_int_equal(world.decision.triggers, TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE);
        assert_string_equal(
                world.decision.reason,
                "error rate 5.02 % > 1.0 % in 4 of 5 samples over 120 s (newest: 301 of 6000 requests failed); "
                "success rate 94.98 % < 99.0 % in 4 of 5 samples over 120 s (newest: 5699 of 6000 requests succeeded)");
}

static void names_the_latency(void **state UNUSED) {
        set_up_world(0, 250400);
        expect_guard(GUARD_NONE);
        assert_string_equal(world.decision.reason,
                            "p99 latency 250.4 ms > 100 ms in 4 of 5 samples over 120 s (newest: 6000 requests)");
}

static void keeps_the_evidence(void **state UNUSED) {
        set_up_world(301, 20 * MSEC);
        policy_decide(&world.input, &world.decision);
        const Decision *decision = &world.decision;
        assert_int_equal(decision->at_wall, world.input.now_wall);
        assert_int_equal(decision->expected, 5);
        assert_int_equal(decision->needed, 4);
        assert_int_equal(decision->degraded, 4);
        assert_int_equal(decision->unknown, 0);
        assert_int_equal(decision->sample_count, 5);
        assert_int_equal(decision->samples[4].errors, 301);
        assert_memory_equal(&decision->rules, &world.rules, sizeof world.rules);

        /* Replayed from nothing but the decision it is the same verdict. */
        static Engine engine;
        static Verdict verdict;
        engine_init(&engine, &decision->rules);
        for (unsigned i = 0; i < decision->sample_count; i++)
                assert_true(engine_add(&engine, &decision->samples[i]));
        engine_verdict(&engine, decision->samples[decision->sample_count - 1].end_mono, &verdict);
        assert_true(verdict.triggered);
        assert_int_equal(verdict.triggers, decision->triggers);
}

static void does_nothing_without_a_trigger(void **state UNUSED) {
        set_up_world(0, 20 * MSEC);
        policy_decide(&world.input, &world.decision);
        assert_int_equal(world.decision.kind, DECISION_NONE);
        assert_int_equal(world.decision.guard, GUARD_NONE);
        assert_string_equal(world.decision.reason, "");
        world.input.verdict = NULL;
        policy_decide(&world.input, &world.decision);
        assert_int_equal(world.decision.kind, DECISION_NONE);
}

static void acts_on_what_triggers_at_once(void **state UNUSED) {
        set_up_world(0, 20 * MSEC);
        world.input.unit_failure = "novacron-dwcp-v3.service: failed (exit code 3)";
        expect_guard(GUARD_NONE);
        assert_string_equal(world.decision.reason, "service failure: novacron-dwcp-v3.service: failed (exit code 3)");
        assert_int_equal(world.decision.triggers, TRIGGER_SERVICE_FAILED);
        world.input.outage = "no request has succeeded for 11 s";
        expect_guard(GUARD_NONE);
        assert_int_equal(world.decision.triggers, TRIGGER_SERVICE_FAILED | TRIGGER_OUTAGE);
        assert_non_null(strstr(world.decision.reason, "; total outage: no request has succeeded for 11 s"));
}

static void acts_on_a_cluster_that_was_sound_before(void **state UNUSED) {
        set_up_world(0, 20 * MSEC);
        world.input.quorum_lost = "1 of 3 members answer";
        expect_guard(GUARD_NONE);
        assert_string_equal(world.decision.reason, "quorum lost: 1 of 3 members answer");
        world.input.quorum_lost = "";
        world.input.byzantine = "the data of n3 differs";
        expect_guard(GUARD_NONE);
        assert_int_equal(world.decision.triggers, TRIGGER_BYZANTINE);
        assert_string_equal(world.decision.reason, "Byzantine member: the data of n3 differs");
        world.deployment.symptoms_before = TRIGGER_QUORUM;
        expect_guard(GUARD_NONE);
        world.deployment.symptoms_before = TRIGGERS_CONSENSUS;
        expect_guard(GUARD_SAME_BEFORE);
}

static void tells_beforehand_what_would_forbid_it(void **state UNUSED) {
        set_up_world(0, 20 * MSEC);
        assert_int_equal(policy_automatic(&world.input), GUARD_NONE);
        world.deployment.symptoms_before = TRIGGER_ERROR_RATE; /* the others are left */
        assert_int_equal(policy_automatic(&world.input), GUARD_NONE);
        world.input.drained_by_operator = true;
        assert_int_equal(policy_automatic(&world.input), GUARD_DRAINED_BY_OPERATOR);
        world.input.rollbacks_today = 3;
        assert_int_equal(policy_automatic(&world.input), GUARD_BUDGET_SPENT);
        world.input.run_unsound = true;
        assert_int_equal(policy_automatic(&world.input), GUARD_RUN_UNSOUND);
}

static void names_what_could_be_chosen(void **state UNUSED) {
        static const Release releases[] = {R("v2.3.1", RELEASE_FAILED), GONE("v2.4.0", RELEASE_GOOD),
                                           R("v3.0.0", RELEASE_BAKING), R("v3.1.0", RELEASE_GOOD)};
        TargetRequest request = {.releases = releases, .count = 4, .current = "v3.0.0", .mode = MODE_EMERGENCY};
        char target[VERSION_MAX];
        TargetDoubt doubt;
        Error error = {0};
        assert_int_equal(policy_target(&request, target, &doubt, &error), -ENOENT);
        assert_string_equal(
                error.message,
                "no release below v3.0.0 is left to go back to; there are: v3.1.0 (good), v2.3.1 (failed): to go to one, name it: auto-rollback manual --to VERSION");
        request.count = 0;
        assert_int_equal(policy_target(&request, target, &doubt, &error), -ENOENT);
        assert_string_equal(error.message,
                            "no release below v3.0.0 is left to go back to, and no other release is on this machine");
}

static void every_guard_stops_it(void **state UNUSED) {
        static const Release unproven[] = {R("v2.4.0", RELEASE_UNPROVEN)}, failed[] = {R("v2.4.0", RELEASE_FAILED)};
        set_up_world(301, 20 * MSEC);
        world.input.deployment_age_us = 24 * HOUR;
        expect_guard(GUARD_NONE);
        world.input.deployment_age_us++;
        expect_guard(GUARD_NOT_ARMED);
        world.rules.armed_for_us = 0; /* always */
        expect_guard(GUARD_NONE);
        world.rules.armed_for_us = 24 * HOUR;
        world.input.deployment = NULL; /* nothing was ever deployed */
        expect_guard(GUARD_NOT_ARMED);

        set_up_world(301, 20 * MSEC);
        world.deployment.rolled_back = true;
        expect_guard(GUARD_ALREADY_ROLLED_BACK);

        set_up_world(301, 20 * MSEC);
        world.input.deployment_is_rollback = true;
        expect_guard(GUARD_ALREADY_ROLLED_BACK);

        set_up_world(301, 20 * MSEC);
        world.input.rollbacks_today = 2;
        expect_guard(GUARD_NONE);
        world.input.rollbacks_today = 3;
        expect_guard(GUARD_BUDGET_SPENT);

        set_up_world(301, 20 * MSEC);
        world.deployment.symptoms_before = TRIGGER_ERROR_RATE;
        expect_guard(GUARD_NONE); /* the success rate is new */
        world.deployment.symptoms_before = TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE | TRIGGER_LATENCY_P99;
        expect_guard(GUARD_SAME_BEFORE);

        set_up_world(301, 20 * MSEC);
        world.input.drained_by_operator = true;
        expect_guard(GUARD_DRAINED_BY_OPERATOR);

        set_up_world(301, 20 * MSEC);
        world.input.releases = unproven;
        world.input.release_count = 1;
        expect_guard(GUARD_TARGET_UNPROVEN);
        assert_string_equal(world.decision.target, "v2.4.0"); /* named, so that a person can go there */
        world.input.releases = failed;
        expect_guard(GUARD_NO_TARGET);
        assert_string_equal(world.decision.target, "");
}

static void the_first_guard_is_the_one_that_is_told(void **state UNUSED) {
        set_up_world(301, 20 * MSEC);
        world.input.deployment_age_us = 25 * HOUR;
        world.input.rollbacks_today = 99;
        world.input.drained_by_operator = true;
        world.input.release_count = 0;
        world.input.run_unsound = true;
        expect_guard(GUARD_RUN_UNSOUND);
        world.input.run_unsound = false;
        expect_guard(GUARD_NOT_ARMED);
        world.rules.armed_for_us = 0;
        expect_guard(GUARD_BUDGET_SPENT);
}

static void the_wall_clock_neither_arms_nor_disarms(void **state UNUSED) {
        set_up_world(301, 20 * MSEC);
        world.input.now_wall = DEPLOYED_AT - 48 * HOUR;
        expect_guard(GUARD_NONE);
        world.input.now_wall = DEPLOYED_AT + 48 * HOUR;
        expect_guard(GUARD_NONE);
        world.input.deployment_age_us = 25 * HOUR;
        world.input.now_wall = DEPLOYED_AT;
        expect_guard(GUARD_NOT_ARMED);
}

static void a_close_call_shows_on_which_side_it_is(void **state UNUSED) {
        set_up_world(301, 20 * MSEC);
        world.rules.error_rate_ppm = 50165; /* 5.0165 %, the samples have 5.01667 % */
        world.engine.rules = world.rules;
        engine_verdict(&world.engine, 150 * SEC, &world.verdict);
        policy_decide(&world.input, &world.decision);
        assert_non_null(strstr(world.decision.reason, "error rate 5.0166 % > 5.0165 %"));
}

static void tells_how_long_it_is_armed(void **state UNUSED) {
        Rules rules = default_rules();
        Deployment deployment = {.at_wall = DEPLOYED_AT};
        int64_t left = -1;
        assert_true(policy_armed(&rules, &deployment, HOUR, &left));
        assert_int_equal(left, 23 * HOUR);
        assert_false(policy_armed(&rules, &deployment, 25 * HOUR, &left));
        assert_int_equal(left, 0);
        rules.armed_for_us = 0;
        assert_true(policy_armed(&rules, NULL, 0, &left));
        assert_int_equal(left, 0);
}

static void a_release_bakes_until_it_is_good(void **state UNUSED) {
        Rules rules = default_rules();
        Deployment deployment = {.at_wall = DEPLOYED_AT};
        assert_true(policy_bake(&rules, &deployment, HOUR, false, true, true));
        assert_false(policy_bake(&rules, &deployment, HOUR - 1, false, true, true));
        assert_false(policy_bake(&rules, &deployment, 9 * HOUR, true, true, true));
        assert_false(policy_bake(&rules, &deployment, 9 * HOUR, false, false, true));
        assert_false(policy_bake(&rules, &deployment, 9 * HOUR, false, true, false));
        assert_false(policy_bake(&rules, NULL, 9 * HOUR, false, true, true));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(chooses_the_target),
                cmocka_unit_test(names_the_trigger_with_its_numbers),
                cmocka_unit_test(names_the_latency),
                cmocka_unit_test(keeps_the_evidence),
                cmocka_unit_test(does_nothing_without_a_trigger),
                cmocka_unit_test(acts_on_what_triggers_at_once),
                cmocka_unit_test(acts_on_a_cluster_that_was_sound_before),
                cmocka_unit_test(tells_beforehand_what_would_forbid_it),
                cmocka_unit_test(names_what_could_be_chosen),
                cmocka_unit_test(every_guard_stops_it),
                cmocka_unit_test(the_first_guard_is_the_one_that_is_told),
                cmocka_unit_test(the_wall_clock_neither_arms_nor_disarms),
                cmocka_unit_test(a_close_call_shows_on_which_side_it_is),
                cmocka_unit_test(tells_how_long_it_is_armed),
                cmocka_unit_test(a_release_bakes_until_it_is_good),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
