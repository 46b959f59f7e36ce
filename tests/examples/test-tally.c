#include "tally.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sums_by_phase(void **state) {
        (void)state;
        Tally tally;
        tally_init(&tally, 0);
        for (int i = 1; i <= 100; i++) {
                size_t row = tally_add(&tally, i * 1000, i % 2 ? (uint32_t)(i / 2 + 1) : 0);
                tally_end(&tally, row, i * 1000 + i, OUTCOME_ANSWERED, 200, "v2.4.0", 0);
        }
        tally_next_phase(&tally, 200000);
        size_t bad = tally_add(&tally, 200000, 51), gone = tally_add(&tally, 201000, 0);
        tally_end(&tally, bad, 200500, OUTCOME_STATUS, 500, "v3.0.0", 0);
        tally_end(&tally, gone, 1201000, OUTCOME_RESET, 0, "", 0);
        tally_add(&tally, 202000, 52); /* outstanding: counted nowhere yet */

        TallySum first = tally_sum(&tally, 0, tally.count, 0), second = tally_sum(&tally, 0, tally.count, 1);
        assert_int_equal(first.requests, 100);
        assert_int_equal(first.failed, 0);
        assert_int_equal(first.acknowledged_writes, 50);
        assert_int_equal(first.p50_us, 50);
        assert_int_equal(first.p99_us, 99);
        assert_int_equal(first.longest_us, 100);
        assert_int_equal(first.longest_due_us, 100000);
        assert_int_equal(second.requests, 2);
        assert_int_equal(second.failed, 2);
        assert_int_equal(second.failed_by_release, 1);
        assert_int_equal(second.unacknowledged_writes, 1);
        assert_int_equal(second.longest_us, 1000000);
        assert_int_equal(tally_sum(&tally, 0, tally.count, -1).requests, 102);
        assert_int_equal(tally_sum(&tally, 0, 0, -1).p99_us, -1);
        tally_done(&tally);
}

/* The first healthy answer of a release is what ends a rollback; errors of it don't count, and coming back does. */
static void test_version_changes(void **state) {
        (void)state;
        static const struct {
                const char *version;
                Outcome outcome;
                bool changes;
        } rows[] = {
                {"", OUTCOME_ANSWERED, false},       {"v2.4.0", OUTCOME_ANSWERED, true},
                {"v2.4.0", OUTCOME_ANSWERED, false}, {"v3.0.0", OUTCOME_STATUS, false},
                {"v3.0.0", OUTCOME_ANSWERED, true},  {"", OUTCOME_RESET, false},
                {"v3.0.0", OUTCOME_ANSWERED, false}, {"v2.4.0", OUTCOME_ANSWERED, true},
        };
        Tally tally;
        tally_init(&tally, 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                size_t row = tally_add(&tally, 0, 0);
                bool changed = tally_end(&tally, row, (int64_t)i, rows[i].outcome, 200, rows[i].version, 0);
                assert_int_equal(changed, rows[i].changes);
        }
        assert_int_equal(tally.change_count, 3);
        assert_string_equal(tally.versions[tally.changes[2].version], "v2.4.0");
        assert_int_equal(tally.changes[2].first_us, 7);
        assert_int_equal(tally.changes[1].last_us, 6);
        tally_done(&tally);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sums_by_phase),
                cmocka_unit_test(test_version_changes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
