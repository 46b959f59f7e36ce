#include "core/runbook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const RunbookValue values[] = {
        {"run", "7"},      {"run_words", "Run 7: automatic rollback from v3.0.0 to v2.4.0, succeeded"},
        {"incident", "3"}, {"log", "/var/log/novacron/rollback.log"},
        {"reason", ""},    {0}};

static RunbookFacts facts_with(Tristate concerned) {
        return (RunbookFacts){.values = values, .concerned = concerned};
}

static unsigned tick(const char *key, const RunbookFacts *facts, RunbookTick ticks[RUNBOOK_STEPS_MAX]) {
        const Runbook *runbook = runbook_find(key);
        assert_non_null(runbook);
        return runbook_tick(runbook, facts, ticks);
}

static void each_is_found_by_its_names(void **state) {
        (void)state;
        assert_string_equal(runbook_find("3")->title, "Rollback Failed");
        assert_ptr_equal(runbook_find("runbook-3"), runbook_find("3"));
        assert_string_equal(runbook_find("issue-5")->title, "Consensus Not Forming");
        assert_null(runbook_find("4"));
        assert_null(runbook_find(""));
}

/* The tables keep what the rest relies on. */
static void the_tables_are_whole(void **state) {
        unsigned count = 0;
        (void)state;
        for (const Runbook *runbook = runbooks; runbook->key; runbook++, count++) {
                unsigned steps = 0;
                for (const RunbookStep *step = runbook->steps; step->title; step++, steps++) {
                        assert_int_equal(step->how != NULL, step->done != FACT_NONE);
                        assert_true(step->how || step->yours);
                }
                assert_true(steps > 0 && steps <= RUNBOOK_STEPS_MAX);
        }
        assert_int_equal(count, 8);
}

static void the_first_that_is_open_is_next(void **state) {
        RunbookTick ticks[RUNBOOK_STEPS_MAX];
        RunbookFacts facts = facts_with(KNOWN_TRUE);
        (void)state;
        facts.known[FACT_ACKNOWLEDGED] = KNOWN_FALSE;
        facts.known[FACT_VALIDATED] = KNOWN_TRUE;
        facts.known[FACT_RESOLVED] = KNOWN_FALSE;
        facts.known[FACT_REDEPLOYED] = KNOWN_FALSE;
        assert_int_equal(tick("1", &facts, ticks), 6);
        assert_int_equal(ticks[0].state, RUNBOOK_NEXT);
        assert_int_equal(ticks[1].state, RUNBOOK_DONE);
        assert_int_equal(ticks[2].state, RUNBOOK_YOURS);
        assert_int_equal(ticks[4].state, RUNBOOK_OPEN);
        facts.known[FACT_ACKNOWLEDGED] = KNOWN_TRUE;
        tick("1", &facts, ticks);
        assert_int_equal(ticks[0].state, RUNBOOK_DONE);
        assert_int_equal(ticks[4].state, RUNBOOK_NEXT);
        facts.known[FACT_RESOLVED] = facts.known[FACT_REDEPLOYED] = KNOWN_TRUE;
        tick("1", &facts, ticks);
        for (unsigned i = 0; i < 6; i++)
                assert_true(ticks[i].state == RUNBOOK_DONE || ticks[i].state == RUNBOOK_YOURS);
}

static void what_is_not_known_is_not_ticked(void **state) {
        RunbookTick ticks[RUNBOOK_STEPS_MAX];
        RunbookFacts facts = facts_with(KNOWN_NOT);
        (void)state;
        tick("issue-5", &facts, ticks);
        assert_int_equal(ticks[0].state, RUNBOOK_NEXT);
        assert_int_equal(ticks[1].state, RUNBOOK_UNKNOWN);
}

static void nothing_is_next_when_it_is_not_the_situation(void **state) {
        RunbookTick ticks[RUNBOOK_STEPS_MAX];
        RunbookFacts facts = facts_with(KNOWN_FALSE);
        (void)state;
        unsigned count = tick("3", &facts, ticks);
        for (unsigned i = 0; i < count; i++)
                assert_int_not_equal(ticks[i].state, RUNBOOK_NEXT);
}

static void real_values_stand_in_the_lines(void **state) {
        RunbookTick ticks[RUNBOOK_STEPS_MAX];
        RunbookFacts facts = facts_with(KNOWN_TRUE);
        (void)state;
        tick("1", &facts, ticks);
        assert_string_equal(ticks[0].command, "auto-rollback status\nauto-rollback incidents ack 3");
        assert_string_equal(ticks[0].look, ""); /* the reason isn't known */
        assert_string_equal(ticks[0].how, "incident 3 is acknowledged");
        assert_string_equal(ticks[2].command, "tail -200 /var/log/novacron/rollback.log");
        assert_string_equal(ticks[3].command, "auto-rollback explain DECISION\njournalctl -u FAILED-UNITS -n 100");
        tick("3", &facts, ticks);
        assert_non_null(strstr(ticks[0].command, "-d '{\"severity\":\"P0\"}'"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_is_found_by_its_names),
                cmocka_unit_test(the_tables_are_whole),
                cmocka_unit_test(the_first_that_is_open_is_next),
                cmocka_unit_test(what_is_not_known_is_not_ticked),
                cmocka_unit_test(nothing_is_next_when_it_is_not_the_situation),
                cmocka_unit_test(real_values_stand_in_the_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
