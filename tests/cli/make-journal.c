/* Makes a journal for test_proof_verbs.py, by the engine and the policy themselves: make-journal FILE. Every moment in it is fixed. */
#include "base/macros.h"
#include "core/replay.h"
#include "store/journal.h"

#include <string.h>

#define SEC USEC_PER_SEC
#define WALL INT64_C(1795362036000000) /* 2026-11-22 15:40:36 */

static Journal *journal;
static Error error;

static void must(int r) {
        if (r >= 0)
                return;
        fprintf(stderr, "%s\n", error_text(&error));
        exit(1);
}

static const Rules rules = {10000, 100 * USEC_PER_MSEC, 990000,    120 * SEC, 30 * SEC, 750000, 100, 10 * SEC,
                            3,     24 * 3600 * SEC,     600 * SEC, 3};
static const Release releases[] = {
        {.version = "v2.3.1", .state = RELEASE_FAILED, .present = true},
        {.version = "v2.4.0", .state = RELEASE_GOOD, .present = true},
        {.version = "v3.0.0", .state = RELEASE_BAKING, .present = true},
};

static void deploy(const char *version, const char *previous, int64_t at, int64_t run_id) {
        Deployment deployment = {.at_wall = at, .run_id = run_id};
        snprintf(deployment.version, sizeof deployment.version, "%s", version);
        snprintf(deployment.previous, sizeof deployment.previous, "%s", previous);
        must(journal_add_deployment(journal, &deployment, &error));
}

/* The first is healthy, the others are bad. */
static void measure(Engine *engine, int64_t end_wall) {
        for (int i = 0; i < 5; i++) {
                Sample sample = {.start_mono = (100 + i * 30) * SEC,
                                 .end_mono = (130 + i * 30) * SEC,
                                 .end_wall = end_wall - (4 - i) * 30 * SEC,
                                 .measured = true,
                                 .requests = 6000,
                                 .errors = i == 0 ? 3 : 295 + i,
                                 .latency_p50_us = 5 * USEC_PER_MSEC,
                                 .latency_p99_us = i == 0 ? 45 * USEC_PER_MSEC : 80 * USEC_PER_MSEC + i * 400};
                sample.successes = sample.requests - sample.errors;
                engine_add(engine, &sample);
        }
}

static int64_t decide(const PolicyInput *input, const Evidence *looks) {
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        AUTO_FREE Evidence *evidence = calloc(1, sizeof *evidence);
        if (!decision || !evidence)
                exit(1);
        if (looks)
                *evidence = *looks;
        evidence_of_input(input, evidence);
        policy_decide(input, decision);
        must(journal_add_decision(journal, decision, evidence, &error));
        return decision->id;
}

static int64_t roll_back(RunMode mode, int64_t decision_id, const char *from, int64_t at) {
        Run run = {.decision_id = decision_id,
                   .plan = {.kind = RUN_ROLLBACK, .mode = mode, .to = "v2.4.0"},
                   .phase = RUN_SUCCEEDED,
                   .outcome = OUTCOME_SUCCEEDED,
                   .created_wall = at,
                   .ended_wall = at + 41 * USEC_PER_MSEC,
                   .serving = "v2.4.0"};
        snprintf(run.plan.from, sizeof run.plan.from, "%s", from);
        must(journal_append_run(journal, &run, "ended", &error));
        must(journal_set_validation(journal, run.id, "passed", NULL, &error));
        return run.id;
}

static Deployment newest(void) {
        Deployment deployment;
        must(journal_last_deployment(journal, &deployment, &error));
        return deployment;
}

int main(int argc, char **argv) {
        static Engine engine;
        static Verdict verdict;
        static Evidence looks;
        static char outage[REASON_MAX];
        if (argc != 2)
                return 64;
        must(journal_open(argv[1], &journal, &error));

        /* 1: rolled back automatically */
        deploy("v3.0.0", "v2.4.0", WALL, 0);
        Deployment deployment = newest();
        engine_init(&engine, &rules);
        measure(&engine, WALL + 150 * SEC);
        engine_verdict(&engine, 250 * SEC, &verdict);
        PolicyInput input = {.rules = &rules,
                             .now_wall = WALL + 150 * SEC,
                             .version = "v3.0.0",
                             .deployment = &deployment,
                             .deployment_age_us = 150 * SEC,
                             .releases = releases,
                             .release_count = ARRAY_SIZE(releases),
                             .rollbacks_today = 1,
                             .verdict = &verdict};
        int64_t id = decide(&input, NULL);
        deploy("v2.4.0", "v3.0.0", WALL + 151 * SEC, roll_back(MODE_AUTOMATIC, id, "v3.0.0", WALL + 150 * SEC));

        /* 2: shadow mode; an operator rolled back later */
        deploy("v3.0.0", "v2.4.0", WALL + 3600 * SEC, 0);
        deployment = newest();
        input.shadow = true;
        input.now_wall = WALL + 3750 * SEC;
        decide(&input, NULL);
        deploy("v2.4.0", "v3.0.0", WALL + 4000 * SEC, roll_back(MODE_MANUAL, 0, "v3.0.0", WALL + 3990 * SEC));

        /* 3: an outage, when the day's budget was spent */
        deploy("v3.0.0", "v2.4.0", WALL + 7200 * SEC, 0);
        deployment = newest();
        engine_restart(&engine, 1000 * SEC);
        engine_verdict(&engine, 1000 * SEC, &verdict);
        looks.outage = (OutageLook){.asked = true,
                                    .now_mono = 1000 * SEC,
                                    .before = {.since_mono = 900 * SEC, .looked = true},
                                    .pulse = {.connected = true,
                                              .failures = 40,
                                              .failures_since_success = 40,
                                              .last_success_mono = 987 * SEC},
                                    .probe = {.known = true, .consecutive_failures = 3}};
        OutageWatch watch = looks.outage.before;
        engine_outage(&rules, &watch, &looks.outage.pulse, &looks.outage.probe, looks.outage.now_mono, outage,
                      sizeof outage);
        input.outage = outage;
        input.shadow = false;
        input.now_wall = WALL + 7260 * SEC;
        input.deployment_age_us = 60 * SEC;
        input.rollbacks_today = 3;
        decide(&input, &looks);
        journal_close(journal);
        return 0;
}
