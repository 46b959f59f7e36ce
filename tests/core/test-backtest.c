#include "core/backtest-score.h"

#include "core-test.h"

#include <stdio.h>
#include <string.h>

#define FOUND_MAX 64

typedef struct Findings {
        unsigned count;
        BacktestFound found[FOUND_MAX];
} Findings;

static void keep(void *userdata, const BacktestFound *found) {
        Findings *findings = userdata;
        assert_true(findings->count < FOUND_MAX);
        findings->found[findings->count++] = *found;
}

/* `errors_percent` for each sample in turn, 30 s long; '.': healthy, 'X': 5 % errors, 'L': slow, '?': not measured. */
static int64_t feed(Backtest *backtest, int64_t start, const char *samples) {
        for (; *samples; samples++, start += 30 * SEC) {
                Sample sample = make_sample(start, start + 30 * SEC, 1000, *samples == 'X' ? 50 : 0);
                sample.latency_p99_us = *samples == 'L' ? 250 * MSEC : sample.latency_p99_us;
                sample.measured = *samples != '?';
                backtest_sample(backtest, &sample);
        }
        return start;
}

static void find_with(const Rules *rules, const char *samples, Findings *findings) {
        Backtest *backtest = backtest_new(rules, keep, findings);
        assert_non_null(backtest);
        *findings = (Findings){0};
        feed(backtest, 0, samples);
        backtest_end(backtest);
        backtest_free(backtest);
}

static void finds_what_the_specification_says(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings;
        find_with(&rules, "....XXXX....", &findings);
        assert_int_equal(findings.count, 1);
        const BacktestFound *found = &findings.found[0];
        assert_int_equal(found->kind, DECISION_ROLLBACK);
        assert_int_equal(found->at_wall, 8 * 30 * SEC);
        assert_int_equal(found->onset_wall, 4 * 30 * SEC);
        assert_int_equal(found->triggers, TRIGGER_ERROR_RATE | TRIGGER_SUCCESS_RATE);
        assert_int_equal(found->degraded, 4);
        assert_string_equal(found->reason,
                            "error rate 5.00 % > 1.0 % in 4 of 5 samples over 120 s (newest: 50 of 1000 requests "
                            "failed); success rate 95.00 % < 99.0 % in 4 of 5 samples over 120 s (newest: 950 of 1000 "
                            "requests succeeded)");
        assert_string_equal(found->version, "");
}

static void counts_what_it_saw(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings = {0};
        Backtest *backtest = backtest_new(&rules, keep, &findings);
        feed(backtest, 0, "..X?LL");
        Sample overlapping = make_sample(60 * SEC, 90 * SEC, 1000, 0),
               too_short = make_sample(181 * SEC, 182 * SEC, 1000, 0);
        backtest_sample(backtest, &overlapping);
        backtest_sample(backtest, &too_short);
        const BacktestCounts *counts = backtest_counts(backtest);
        assert_int_equal(counts->samples, 6);
        assert_int_equal(counts->healthy, 2);
        assert_int_equal(counts->degraded, 3);
        assert_int_equal(counts->unknown, 1);
        assert_int_equal(counts->left_out, 2);
        assert_int_equal(counts->first_wall, 0);
        assert_int_equal(counts->last_wall, 180 * SEC);
        backtest_free(backtest);
}

typedef struct ShapeCase {
        const char *what, *samples;
        unsigned found;
} ShapeCase;

static void what_is_one_trouble(void **state UNUSED) {
        static const ShapeCase cases[] = {
                {"a spike of 60 s", "....XX....", 0},
                {"unknown counts as not degraded", "X?X?X?X?X?X?", 0},
                {"missing one", "XX.XX...", 1},
                {"it goes on", "XXXXXXXXXXXXXXXXXXXX", 1},
                {"it stops for less than a window", "XXXX.XXXX", 1},
                {"it stops for a whole window", "XXXX.....XXXX", 2},
                {"never the newest", "XXX.", 0},
        };
        Rules rules = default_rules();
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Findings findings;
                find_with(&rules, cases[i].samples, &findings);
                if (findings.count != cases[i].found)
                        fail_msg("%s: found %u, not %u", cases[i].what, findings.count, cases[i].found);
        }
}

static void other_thresholds_find_something_else(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings;
        find_with(&rules, "....LLLL....", &findings);
        assert_int_equal(findings.count, 1);
        assert_int_equal(findings.found[0].triggers, TRIGGER_LATENCY_P99);
        rules.latency_p99_us = 300 * MSEC;
        find_with(&rules, "....LLLL....", &findings);
        assert_int_equal(findings.count, 0);
}

static void a_day_has_a_budget(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings;
        rules.rollbacks_per_day = 1;
        find_with(&rules, "XXXX.....XXXX.....", &findings);
        assert_int_equal(findings.count, 2);
        assert_int_equal(findings.found[0].kind, DECISION_ROLLBACK);
        assert_int_equal(findings.found[1].kind, DECISION_REVIEW);
        assert_int_equal(findings.found[1].guard, GUARD_BUDGET_SPENT);
}

static BacktestDeployment deployment_at(int64_t at, int64_t id) {
        return (BacktestDeployment){
                .deployment = {.id = id, .version = "v3.0.0", .previous = "v2.4.0", .at_wall = at},
                .target = "v2.4.0",
                .target_sure = true,
        };
}

static const BacktestFound *find_deployed(const Rules *rules, const BacktestDeployment *deployment, const char *samples,
                                          Findings *findings) {
        Backtest *backtest = backtest_new(rules, keep, findings);
        *findings = (Findings){0};
        backtest_deployment(backtest, deployment);
        feed(backtest, 0, samples);
        backtest_end(backtest);
        backtest_free(backtest);
        assert_true(findings->count > 0);
        return &findings->found[0];
}

static void guards_hold_as_far_as_is_known(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings;
        BacktestDeployment deployment = deployment_at(0, 7);
        const BacktestFound *found = find_deployed(&rules, &deployment, "XXXX", &findings);
        assert_int_equal(found->kind, DECISION_ROLLBACK);
        assert_int_equal(found->deployment_id, 7);
        assert_string_equal(found->version, "v3.0.0");
        assert_string_equal(found->target, "v2.4.0");

        found = find_deployed(&rules, &deployment, "XXXX.....XXXX", &findings);
        assert_int_equal(findings.count, 2);
        assert_int_equal(findings.found[1].guard, GUARD_ALREADY_ROLLED_BACK);

        deployment = deployment_at(-48 * HOUR, 7);
        assert_int_equal(find_deployed(&rules, &deployment, "XXXX", &findings)->guard, GUARD_NOT_ARMED);
        deployment = deployment_at(0, 7);
        deployment.is_rollback = true;
        assert_int_equal(find_deployed(&rules, &deployment, "XXXX", &findings)->guard, GUARD_ALREADY_ROLLED_BACK);
        deployment = deployment_at(0, 7);
        deployment.deployment.symptoms_before = TRIGGERS_SUSTAINED;
        assert_int_equal(find_deployed(&rules, &deployment, "XXXX", &findings)->guard, GUARD_SAME_BEFORE);
        deployment = deployment_at(0, 7);
        deployment.target_sure = false;
        assert_int_equal(find_deployed(&rules, &deployment, "XXXX", &findings)->guard, GUARD_TARGET_UNPROVEN);
        deployment.target[0] = '\0';
        assert_int_equal(find_deployed(&rules, &deployment, "XXXX", &findings)->guard, GUARD_NO_TARGET);
}

/* Outside of the armed time it is a review; the deployment that comes in the middle makes it a rollback. */
static void a_deployment_arms(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings = {0};
        Backtest *backtest = backtest_new(&rules, keep, &findings);
        BacktestDeployment old = deployment_at(-48 * HOUR, 1), new = deployment_at(150 * SEC, 2);
        backtest_deployment(backtest, &old);
        int64_t at = feed(backtest, 0, "XXXXX");
        backtest_deployment(backtest, &new);
        feed(backtest, at, "X");
        backtest_end(backtest);
        assert_int_equal(findings.count, 2);
        assert_int_equal(findings.found[0].guard, GUARD_NOT_ARMED);
        assert_int_equal(findings.found[1].kind, DECISION_ROLLBACK);
        assert_int_equal(findings.found[1].deployment_id, 2);
        backtest_free(backtest);
}

static void a_restart_empties_the_window(void **state UNUSED) {
        Rules rules = default_rules();
        Findings findings = {0};
        Backtest *backtest = backtest_new(&rules, keep, &findings);
        feed(backtest, 1000 * SEC, "XXX");
        backtest_restart(backtest);
        feed(backtest, 0, "XXX"); /* after a boot: the clock has begun anew */
        backtest_end(backtest);
        assert_int_equal(findings.count, 0);
        assert_int_equal(backtest_counts(backtest)->samples, 6);
        backtest_free(backtest);
}

/* ---- the fast way and the engine's own ---- */

static uint32_t lot(uint32_t *seed, uint32_t below) {
        *seed = *seed * 1664525U + 1013904223U;
        return (*seed >> 8) % below;
}

static Rules some_rules(uint32_t *seed) {
        Rules rules = default_rules();
        rules.interval_us = (1 + lot(seed, 40)) * SEC;
        rules.window_us = rules.interval_us * lot(seed, WINDOW_SAMPLES_MAX) + lot(seed, 2) * SEC;
        if (rules.window_us / rules.interval_us + 1 > WINDOW_SAMPLES_MAX)
                rules.window_us = rules.interval_us * (WINDOW_SAMPLES_MAX - 1);
        rules.degraded_share_ppm = 10000 + lot(seed, 990001);
        rules.min_requests = lot(seed, 300);
        return rules;
}

/* With gaps, late timers, half samples, overlaps, nonsense. */
static Sample some_sample(uint32_t *seed, const Rules *rules, int64_t *at) {
        int64_t length = rules->interval_us;
        if (lot(seed, 8) == 0)
                length = rules->interval_us * lot(seed, 30) / 10;
        if (lot(seed, 12) == 0)
                *at += rules->interval_us * lot(seed, 20);
        if (lot(seed, 30) == 0)
                *at -= SEC;
        bool bad = lot(seed, 3) != 0;
        Sample sample = make_sample(*at, *at + length + lot(seed, 5000), lot(seed, 2000), 0);
        sample.errors = bad ? sample.requests * lot(seed, 4) / 100 : 0;
        sample.successes = sample.requests - sample.errors - (lot(seed, 9) == 0 ? sample.requests / 50 : 0);
        sample.latency_p99_us = lot(seed, 4) == 0 ? 150 * MSEC : lot(seed, 9) == 0 ? -1 : 20 * MSEC;
        sample.dropped = lot(seed, 5) == 0 ? lot(seed, 20) : 0;
        sample.measured = lot(seed, 15) != 0;
        *at = sample.end_mono;
        return sample;
}

static void ignore(void *userdata UNUSED, const BacktestFound *found UNUSED) {
}

static unsigned compare_history(uint32_t seed) {
        static Engine engine;
        Rules rules = some_rules(&seed);
        Backtest *backtest = backtest_new(&rules, ignore, NULL);
        int64_t at = 0;
        unsigned triggered = 0;
        engine_init(&engine, &rules);
        for (unsigned i = 0; i < 400; i++) {
                Sample sample = some_sample(&seed, &rules, &at);
                if (lot(&seed, 100) == 0) {
                        engine_restart(&engine, INT64_MIN);
                        backtest_restart(backtest);
                }
                bool added = engine_add(&engine, &sample);
                int64_t left_out = backtest_counts(backtest)->left_out;
                backtest_sample(backtest, &sample);
                assert_int_equal(backtest_counts(backtest)->left_out - left_out, !added);
                if (!added)
                        continue;
                Verdict verdict;
                unsigned triggers, degraded, unknown;
                engine_verdict(&engine, sample.end_mono, &verdict);
                bool fast = backtest_triggered(backtest, &triggers, &degraded, &unknown);
                if (fast != verdict.triggered || triggers != verdict.triggers || degraded != verdict.degraded ||
                    unknown != verdict.unknown)
                        fail_msg("sample %u: %d %u %u %u, the engine says %d %u %u %u", i, fast, triggers, degraded,
                                 unknown, verdict.triggered, verdict.triggers, verdict.degraded, verdict.unknown);
                triggered += fast;
        }
        backtest_free(backtest);
        return triggered;
}

static void agrees_with_the_engine(void **state UNUSED) {
        unsigned triggered = 0;
        for (uint32_t seed = 1; seed <= 500; seed++)
                triggered += compare_history(seed * 2654435761U);
        assert_in_range(triggered, 1000, 199000); /* both answers were there to be compared */
}

/* ---- against labels and what was really decided ---- */

static void labels(void **state UNUSED) {
        Rules rules = default_rules();
        const BacktestLabel incidents[] = {
                {.from_wall = 100 * SEC, .to_wall = 200 * SEC},
                {.from_wall = 1000 * SEC, .to_wall = 1100 * SEC},
        };
        BacktestFound found = {.kind = DECISION_ROLLBACK, .onset_wall = 120 * SEC, .at_wall = 240 * SEC};
        BacktestScore score = backtest_score(&rules, &found, incidents, 2, NULL, 0);
        assert_int_equal(score.label, 0);
        assert_int_equal(score.after_us, 140 * SEC);
        assert_int_equal(score.real, BACKTEST_NONE);

        found.onset_wall = 201 * SEC; /* began when it was over */
        score = backtest_score(&rules, &found, incidents, 2, NULL, 0);
        assert_int_equal(score.label, BACKTEST_NONE);
        assert_int_equal(score.after_us, 39 * SEC);

        found.onset_wall = 900 * SEC; /* decided before it began */
        found.at_wall = 999 * SEC;
        assert_int_equal(backtest_label_of(&found, incidents, 2), BACKTEST_NONE);
}

static void reality(void **state UNUSED) {
        Rules rules = default_rules();
        const BacktestReal reals[] = {
                {.id = 1, .at_wall = 10 * SEC, .kind = DECISION_ROLLBACK, .triggers = TRIGGER_OUTAGE},
                {.id = 2, .at_wall = 210 * SEC, .kind = DECISION_REVIEW, .triggers = TRIGGER_ERROR_RATE},
                {.id = 3, .at_wall = 220 * SEC, .kind = DECISION_ROLLBACK, .triggers = TRIGGER_ERROR_RATE},
        };
        BacktestFound found = {.onset_wall = 120 * SEC, .at_wall = 210 * SEC, .until_wall = 210 * SEC};
        assert_int_equal(backtest_real_of(&rules, &found, reals, 3), 2);
        assert_int_equal(backtest_real_of(&rules, &found, reals, 2), 1);
        assert_int_equal(backtest_real_of(&rules, &found, reals, 1), BACKTEST_NONE);
        assert_false(backtest_real_by_samples(&reals[0]));
        assert_true(backtest_real_by_samples(&reals[2]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(finds_what_the_specification_says),
                cmocka_unit_test(counts_what_it_saw),
                cmocka_unit_test(what_is_one_trouble),
                cmocka_unit_test(other_thresholds_find_something_else),
                cmocka_unit_test(a_day_has_a_budget),
                cmocka_unit_test(guards_hold_as_far_as_is_known),
                cmocka_unit_test(a_deployment_arms),
                cmocka_unit_test(a_restart_empties_the_window),
                cmocka_unit_test(agrees_with_the_engine),
                cmocka_unit_test(labels),
                cmocka_unit_test(reality),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
