/* Holds: whatever a reason is made of, who holds what is recorded; a run's drain must not fail for it. */
#include "daemon/holds.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-holds-XXXXXX";
static char path[sizeof directory + 16];

static Journal *open_journal(void) {
        Journal *journal = NULL;
        Error error = {0};
        assert_int_equal(journal_open(path, &journal, &error), 0);
        return journal;
}

static void take_and_read(const char *by, const char *why, Hold *ret_hold) {
        Journal *journal = open_journal();
        Hold hold = {.held = true, .run_id = 7, .since_wall = 1700000000000000};
        Error error = {0};
        snprintf(hold.by, sizeof hold.by, "%s", by);
        snprintf(hold.why, sizeof hold.why, "%s", why);
        assert_int_equal(hold_take(journal, HOLD_TRAFFIC, &hold, &error), 0);
        assert_int_equal(hold_read(journal, HOLD_TRAFFIC, ret_hold, &error), 0);
        assert_true(ret_hold->held);
        assert_int_equal(ret_hold->run_id, 7);
        assert_int_equal(ret_hold->since_wall, 1700000000000000);
        assert_int_equal(hold_release(journal, HOLD_TRAFFIC, &error), 0);
        Hold none;
        assert_int_equal(hold_read(journal, HOLD_TRAFFIC, &none, &error), 0);
        assert_false(none.held);
        journal_close(journal);
}

static void test_reads_what_was_taken(void **state) {
        Hold hold;
        (void)state;
        take_and_read("run 7", "error rate 5.02 % > 1.00 %", &hold);
        assert_string_equal(hold.by, "run 7");
        assert_string_equal(hold.why, "error rate 5.02 % > 1.00 %");
}

static void test_reason_that_grows_when_escaped(void **state) {
        char why[REASON_MAX];
        Hold hold;
        (void)state;
        static const char fillers[] = {'"', '\\', '\n', '\x01'};
        for (unsigned i = 0; i < sizeof fillers; i++) {
                memset(why, fillers[i], sizeof why);
                why[sizeof why - 1] = '\0';
                take_and_read("run 7", why, &hold);
                assert_string_equal(hold.by, "run 7");
                assert_true(hold.why[0] != '\0');
        }
}

static void test_text_cut_inside_a_character(void **state) {
        Hold hold;
        (void)state;
        take_and_read("J\xc3", "zu gro\xc3", &hold);
        assert_string_equal(hold.by, "J?");
        assert_string_equal(hold.why, "zu gro?");
}

static void test_an_operators_drain_stays_but_not_one_at_the_balancer(void **state) {
        Journal *journal = open_journal();
        Error error = {0};
        Hold hold;
        (void)state;
        static const struct {
                int64_t run_id;
                bool at_balancer, stays;
        } cases[] = {{0, false, true}, {0, true, false}, {7, false, false}};
        for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
                const Hold taken = {.held = true,
                                    .run_id = cases[i].run_id,
                                    .at_balancer = cases[i].at_balancer,
                                    .since_wall = 1700000000000000,
                                    .by = "root (uid 0)"};
                assert_int_equal(hold_take(journal, HOLD_TRAFFIC, &taken, &error), 0);
                assert_int_equal(hold_read(journal, HOLD_TRAFFIC, &hold, &error), 0);
                assert_int_equal(hold.at_balancer, cases[i].at_balancer);
                assert_int_equal(hold_stays(&hold), cases[i].stays);
        }
        assert_int_equal(hold_release(journal, HOLD_TRAFFIC, &error), 0);
        assert_int_equal(hold_read(journal, HOLD_TRAFFIC, &hold, &error), 0);
        assert_false(hold_stays(&hold));
        journal_close(journal);
}

static void test_one_that_is_given_back_does_not_stay(void **state) {
        Journal *journal = open_journal();
        Error error = {0};
        const Hold taken = {.held = true, .restoring = true, .since_wall = 1700000000000000, .by = "root (uid 0)"};
        Hold hold;
        (void)state;
        assert_int_equal(hold_take(journal, HOLD_TRAFFIC, &taken, &error), 0);
        assert_int_equal(hold_read(journal, HOLD_TRAFFIC, &hold, &error), 0);
        assert_true(hold.held && hold.restoring);
        assert_false(hold_stays(&hold));
        assert_int_equal(hold_release(journal, HOLD_TRAFFIC, &error), 0);
        journal_close(journal);
}

static void test_without_journal_nothing_is_known(void **state) {
        Hold hold = {.held = true};
        Error error = {0};
        (void)state;
        assert_int_equal(hold_read(NULL, HOLD_DEPLOYMENTS, &hold, &error), 0);
        assert_false(hold.held);
        assert_true(hold_take(NULL, HOLD_DEPLOYMENTS, &hold, &error) < 0);
        assert_int_equal(hold_release(NULL, HOLD_DEPLOYMENTS, &error), 0);
}

static int make_directory(void **state) {
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof path, "%s/journal.db", directory);
        return 0;
}

static int remove_directory(void **state) {
        (void)state;
        static const char *const suffixes[] = {"", "-wal", "-shm", "-spare"};
        for (unsigned i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[sizeof path + 8];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                (void)unlink(name);
        }
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_what_was_taken),
                cmocka_unit_test(test_reason_that_grows_when_escaped),
                cmocka_unit_test(test_text_cut_inside_a_character),
                cmocka_unit_test(test_an_operators_drain_stays_but_not_one_at_the_balancer),
                cmocka_unit_test(test_one_that_is_given_back_does_not_stay),
                cmocka_unit_test(test_without_journal_nothing_is_known),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
