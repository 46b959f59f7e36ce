/* What happened, in words, and under names that stay the same. */
#include "daemon/telling-news.h"

#include "core/severity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const TellIdentity identity = {.key = "one installation"};
static const TellIdentity another = {.key = "another of these"};

#define AT INT64_C(1795362036123456)

static Run some_run(void) {
        Run run = {.id = 7,
                   .plan = {.kind = RUN_ROLLBACK, .mode = MODE_AUTOMATIC, .from = "v3.0.0", .to = "v2.4.0", .count = 2},
                   .reason = "error rate 5.0 %\nfor \xff long",
                   .initiator = "controller",
                   .created_wall = AT};
        run.plan.steps[0].id = STEP_PREFLIGHT;
        run.plan.steps[1] = (PlanStep){.id = STEP_START_VERSION, .critical = true};
        return run;
}

static NewsDraft *draft_of_run(const Run *run, int64_t deployment_id) {
        NewsDraft *draft = calloc(1, sizeof *draft);
        assert_non_null(draft);
        news_of_run(&identity, run, deployment_id, draft);
        return draft;
}

static void test_a_run_begins(UNUSED void **state) {
        Run run = some_run();
        AUTO_FREE NewsDraft *draft = draft_of_run(&run, 4);
        const News *news = &draft->news;
        assert_int_equal(news->kind, NEWS_RUN_BEGUN);
        assert_string_equal(news->text, "Automatic rollback of v3.0.0 to v2.4.0 begun: error rate 5.0 % for ? long");
        assert_string_equal(news->event, "run/7/begun");
        assert_int_equal(news->ended_wall, 0);
        assert_false(news->failed);
        run.plan.mode = MODE_EMERGENCY;
        run.plan.from[0] = '\0';
        snprintf(run.initiator, sizeof run.initiator, "root (uid 0)");
        AUTO_FREE NewsDraft *other = draft_of_run(&run, 4);
        assert_string_equal(other->news.text,
                            "Emergency rollback to v2.4.0 begun by root (uid 0): error rate 5.0 % for ? long");
        assert_int_equal(other->news.severity, SEVERITY_P0);
        run.id = 0; /* without a journal */
        AUTO_FREE NewsDraft *unkept = draft_of_run(&run, 0);
        assert_string_equal(unkept->news.event, "run/at-1795362036123456/begun");
        assert_string_equal(unkept->news.chain, "");
}

static void test_a_run_ends(UNUSED void **state) {
        Run run = some_run();
        run.phase = RUN_SUCCEEDED;
        run.outcome = OUTCOME_SUCCEEDED;
        run.ended_wall = AT + 1234567;
        snprintf(run.serving, sizeof run.serving, "v2.4.0");
        AUTO_FREE NewsDraft *good = draft_of_run(&run, 4);
        assert_string_equal(good->news.text,
                            "Automatic rollback of v3.0.0 to v2.4.0 succeeded in 1.234 s; v2.4.0 serves");
        assert_string_equal(good->news.event, "run/7/ended");
        run.phase = RUN_FAILED;
        run.outcome = OUTCOME_PUT_BACK;
        snprintf(run.serving, sizeof run.serving, "v3.0.0");
        snprintf(run.failure, sizeof run.failure, "it would not start");
        AUTO_FREE NewsDraft *bad = draft_of_run(&run, 4);
        assert_string_equal(bad->news.text, "Automatic rollback of v3.0.0 to v2.4.0 ended failed (put_back); serving: "
                                            "v3.0.0. it would not start");
        assert_true(bad->news.failed);
        assert_int_equal(bad->news.severity, SEVERITY_P0);
}

/* A receiver that wants P0 only has heard of its beginning. */
static void test_an_emergency_ends(UNUSED void **state) {
        static const RunOutcome ends[] = {OUTCOME_SUCCEEDED, OUTCOME_REFUSED,  OUTCOME_CANCELLED,
                                          OUTCOME_UNDONE,    OUTCOME_PUT_BACK, OUTCOME_HELD};
        Run run = some_run();
        run.plan.mode = MODE_EMERGENCY;
        AUTO_FREE NewsDraft *begun = draft_of_run(&run, 4);
        assert_int_equal(begun->news.severity, SEVERITY_P0);
        assert_false(begun->news.ends_p0);
        run.ended_wall = AT + 5;
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                run.outcome = ends[i];
                AUTO_FREE NewsDraft *ended = draft_of_run(&run, 4);
                assert_int_equal(ended->news.kind, NEWS_RUN_ENDED);
                assert_true(ended->news.ends_p0);
                assert_int_equal(ended->news.severity, severity_of_run(&run)); /* that it is over pages nobody */
        }
        run.plan.mode = MODE_MANUAL; /* its beginning was none */
        run.outcome = OUTCOME_SUCCEEDED;
        AUTO_FREE NewsDraft *manual = draft_of_run(&run, 4);
        assert_false(manual->news.ends_p0);
}

/* The same event has the same id whenever it is told; no other has it. What belongs together shares its chain. */
static void test_names(UNUSED void **state) {
        Run run = some_run();
        const Deployment deployment = {.id = 4, .version = "v3.0.0", .previous = "v2.4.0", .at_wall = AT};
        Incident incident = {
                .id = 2, .severity = SEVERITY_P1, .deployment_id = 4, .title = "it went wrong", .version = "v3.0.0"};
        AUTO_FREE NewsDraft *first = draft_of_run(&run, 4), *again = draft_of_run(&run, 4),
                            *deployed = calloc(1, sizeof *deployed), *opened = calloc(1, sizeof *opened),
                            *resolved = calloc(1, sizeof *resolved), *elsewhere = calloc(1, sizeof *elsewhere);
        assert_true(deployed && opened && resolved && elsewhere);
        news_of_deployment(&identity, &deployment, deployed);
        news_of_incident(&identity, &incident, NEWS_INCIDENT_OPENED, opened);
        snprintf(incident.resolved_by, sizeof incident.resolved_by, "ann");
        news_of_incident(&identity, &incident, NEWS_INCIDENT_RESOLVED, resolved);
        news_of_run(&another, &run, 4, elsewhere);
        assert_string_equal(first->news.id, again->news.id);
        assert_string_not_equal(first->news.id, deployed->news.id);
        assert_string_not_equal(first->news.id, elsewhere->news.id);
        assert_string_not_equal(first->news.chain, elsewhere->news.chain);
        assert_string_not_equal(opened->news.id, resolved->news.id);
        assert_int_equal(resolved->news.severity, SEVERITY_P1); /* who heard of its beginning hears of its end */
        assert_int_equal(strlen(first->news.id), 36);
        assert_int_equal(first->news.id[14], '8'); /* UUID version 8 */
        const News *chained[] = {&deployed->news, &opened->news, &resolved->news};
        for (size_t i = 0; i < ARRAY_SIZE(chained); i++)
                assert_string_equal(chained[i]->chain, first->news.chain);
        assert_string_equal(resolved->news.text, "Incident 2 resolved by ann: it went wrong");
        incident.deployment_id = 0; /* its end still belongs to its beginning */
        memset(opened, 0, sizeof *opened);
        memset(resolved, 0, sizeof *resolved);
        news_of_incident(&identity, &incident, NEWS_INCIDENT_OPENED, opened);
        news_of_incident(&identity, &incident, NEWS_INCIDENT_RESOLVED, resolved);
        assert_string_equal(opened->news.chain, resolved->news.chain);
        assert_string_not_equal(opened->news.chain, first->news.chain);
}

static void test_alerts(UNUSED void **state) {
        Alert alert = {
                .source = "metrics", .message = "the source\nis dead", .since_wall = AT, .severity = SEVERITY_P1};
        AUTO_FREE NewsDraft *raised = calloc(1, sizeof *raised), *over = calloc(1, sizeof *over),
                            *held = calloc(1, sizeof *held), *run = calloc(1, sizeof *run);
        assert_true(raised && over && held && run);
        news_of_alert(&identity, &alert, 7, 0, raised);
        assert_string_equal(raised->news.text, "metrics: the source is dead");
        assert_string_equal(raised->news.event, "alert/metrics/1795362036123456");
        assert_int_equal(raised->news.severity, SEVERITY_P1);
        news_of_alert(&identity, &alert, 7, AT + 5, over);
        assert_string_equal(over->news.text, "Over: metrics: the source is dead");
        assert_string_equal(over->news.event, "alert/metrics/1795362036123456/over");
        assert_int_equal(over->news.ended_wall, AT + 5);
        assert_int_equal(over->news.severity, SEVERITY_P1); /* Alertmanager knows it by its labels, which hold that */
        /* a restart reminds of a run that holds, and pages nobody again */
        snprintf(alert.source, sizeof alert.source, "holding");
        news_of_alert(&identity, &alert, 7, 0, held);
        assert_string_equal(held->news.event, "alert/holding/run-7");
        snprintf(alert.source, sizeof alert.source, "rollback");
        news_of_alert(&identity, &alert, 7, 0, run);
        assert_true(run->news.told_elsewhere);
}

static void test_a_trace(UNUSED void **state) {
        Run run = some_run();
        run.phase = RUN_FAILED;
        run.outcome = OUTCOME_PUT_BACK;
        run.ended_wall = AT + 100;
        run.steps[STEP_PREFLIGHT] =
                (StepRecord){.state = STEP_DONE, .attempt = 1, .started_wall = AT + 1, .ended_wall = AT + 2};
        run.steps[STEP_START_VERSION] =
                (StepRecord){.state = STEP_TIMED_OUT, .attempt = 2, .started_wall = AT + 3, .ended_wall = AT + 9};
        run.recovery[STEP_START_VERSION] =
                (StepRecord){.state = STEP_DONE, .attempt = 1, .started_wall = AT + 10, .ended_wall = AT + 20};
        AUTO_FREE NewsDraft *draft = draft_of_run(&run, 4);
        news_add_trace(&identity, NULL, &run, draft);
        const News *news = &draft->news;
        assert_int_equal(strlen(news->trace), 32);
        assert_int_equal(news->span_count, 3);
        assert_string_equal(news->spans[0].name, "preflight");
        assert_false(news->spans[0].failed);
        assert_string_equal(news->spans[1].name, "start_version");
        assert_true(news->spans[1].failed && news->spans[1].critical && !news->spans[1].recovery);
        assert_int_equal(news->spans[1].attempt, 2);
        assert_true(news->spans[2].recovery && !news->spans[2].failed);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_begins),
                cmocka_unit_test(test_a_run_ends),
                cmocka_unit_test(test_an_emergency_ends),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_alerts),
                cmocka_unit_test(test_a_trace),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
