/* The audit trail in the journal, and how a journal of the schema before it is brought up to date. */
#include "store/journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "store-fixture.h"

static Journal *open_journal(const char *name) {
        Journal *journal = NULL;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error.message);
        return journal;
}

static JournalAudit entry_of(int number) {
        JournalAudit entry = {.at_wall = INT64_C(1795362036123456) + number, .uid = 1000, .status = 200};
        snprintf(entry.who, sizeof entry.who, "ann (uid 1000)");
        snprintf(entry.whence, sizeof entry.whence, "127.0.0.1:51234");
        snprintf(entry.method, sizeof entry.method, "POST");
        snprintf(entry.path, sizeof entry.path, "/api/v3/rollback");
        snprintf(entry.arguments, sizeof entry.arguments, "{\"number\":%d,\"reason\":\"it's \\\"bad\\\"\"}", number);
        snprintf(entry.outcome, sizeof entry.outcome, "200");
        return entry;
}

static void add(Journal *journal, JournalAudit *entry) {
        Error error = {0};
        if (journal_add_audit(journal, entry, &error) < 0)
                fail_msg("%s", error.message);
}

static int collect(void *userdata, const JournalAudit *audit) {
        JournalAudit **next = userdata;
        *(*next)++ = *audit;
        return 0;
}

static int count(void *userdata, UNUSED const JournalAudit *audit) {
        ++*(unsigned *)userdata;
        return 0;
}

static unsigned count_all(Journal *journal) {
        unsigned number = 0;
        Error error = {0};
        assert_int_equal(journal_audits(journal, 1000000, count, &number, &error), 0);
        return number;
}

static void test_entries_come_back_newest_first(UNUSED void **state) {
        Journal *journal = open_journal("trail");
        JournalAudit one = entry_of(1), two = entry_of(2), found[3], *next = found;
        Error error = {0};
        two.uid = -1; /* a token's bearer */
        two.status = 403;
        memset(two.arguments, 0, sizeof two.arguments); /* refused before they were read */
        add(journal, &one);
        add(journal, &two);
        assert_int_equal(two.id, 2);
        journal_close(journal);
        assert_int_equal(journal_open_reader(in("trail"), &journal, &error), 0);
        assert_int_equal(journal_audits(journal, 3, collect, &next, &error), 0);
        assert_ptr_equal(next, found + 2);
        assert_memory_equal(&found[0], &two, sizeof two);
        assert_memory_equal(&found[1], &one, sizeof one);
        next = found;
        assert_int_equal(journal_audits(journal, 1, collect, &next, &error), 0);
        assert_ptr_equal(next, found + 1);
        journal_close(journal);
}

static JournalAudit heal_of(const char *component, int number, int status) {
        JournalAudit entry = entry_of(number);
        entry.uid = -1;
        entry.status = status;
        snprintf(entry.method, sizeof entry.method, JOURNAL_HEAL);
        snprintf(entry.path, sizeof entry.path, "%s", component);
        return entry;
}

static void test_tries_to_heal(UNUSED void **state) {
        Journal *journal = open_journal("tries");
        int64_t walls[2] = {0}, first = entry_of(1).at_wall;
        Error error = {0};
        JournalAudit entries[] = {heal_of("thing", 1, JOURNAL_BEGUN), heal_of("thing", 2, 200),
                                  heal_of("thing", 3, JOURNAL_BEGUN), heal_of("other", 4, JOURNAL_BEGUN),
                                  heal_of("thing", 5, JOURNAL_BEGUN), entry_of(6)};
        for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
                add(journal, &entries[i]);
        assert_int_equal(journal_heal_tries(journal, "thing", first, walls, 2, &error), 2);
        assert_int_equal(walls[0] - first, 2);
        assert_int_equal(walls[1] - first, 4);
        assert_int_equal(journal_heal_tries(journal, "thing", first + 3, walls, 2, &error), 1);
        assert_int_equal(walls[0] - first, 4);
        assert_int_equal(journal_heal_tries(journal, "nothing", first, walls, 2, &error), 0);
        journal_close(journal);
}

static void execute(const char *name, const char *sql) {
        sqlite3 *db;
        assert_int_equal(sqlite3_open(in(name), &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Only the newest are kept; an id is never given twice. */
static void test_it_is_bounded(UNUSED void **state) {
        Journal *journal = open_journal("bounded");
        journal_close(journal);
        execute("bounded", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
                           " INSERT INTO audit SELECT i, i, NULL, 'x', 'x', 'POST', '/', NULL, 403, 'x' FROM n");
        journal = open_journal("bounded");
        JournalAudit entry = entry_of(1), found[1], *next = found;
        Error error = {0};
        add(journal, &entry);
        assert_int_equal(entry.id, 12001);
        assert_int_equal(count_all(journal), JOURNAL_AUDIT_KEPT);
        add(journal, &entry);
        assert_int_equal(count_all(journal), JOURNAL_AUDIT_KEPT);
        assert_int_equal(journal_audits(journal, 1, collect, &next, &error), 0);
        assert_int_equal(found[0].id, 12002);
        journal_close(journal);
}

/* The trail takes free pages, and gives them back before a run could miss them. */
static void test_the_reserve_stays(UNUSED void **state) {
        Journal *journal = open_journal("reserve");
        JournalAudit entry = entry_of(1);
        memset(entry.arguments, 'a', sizeof entry.arguments - 1);
        for (int i = 0; i < 300; i++)
                add(journal, &entry);
        assert_string_equal(journal_space_problem(journal), "");
        sqlite3 *db;
        sqlite3_stmt *statement;
        assert_int_equal(sqlite3_open(in("reserve"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA freelist_count", -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        int pages = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(db);
        if (pages < 190)
                fail_msg("only %d free pages are left", pages);
        journal_close(journal);
}

/* ---- the schema before ---- */

#define MAKE_OLD                                                                                                                             \
        "DROP TABLE audit; DROP TABLE incident_parts; DROP TABLE incident_notes; DROP TABLE incidents; DROP TABLE outbox; DROP TABLE chain;" \
        " ALTER TABLE decisions DROP COLUMN rule_version; ALTER TABLE decisions DROP COLUMN evidence;"                                       \
        " ALTER TABLE runs DROP COLUMN allow_row_loss;"                                                                                      \
        " ALTER TABLE runs DROP COLUMN symptoms_before; PRAGMA user_version=1"

static void test_an_older_journal_keeps_its_rows(UNUSED void **state) {
        Run run = full_run(), back = {0};
        Error error = {0};
        Journal *journal = open_journal("old");
        assert_int_equal(journal_append_run(journal, &run, "begun", &error), 0);
        assert_int_equal(journal_set_value(journal, "key", "value", &error), 0);
        journal_close(journal);
        execute("old", MAKE_OLD);
        run.symptoms_before = 0; /* that column went with it */

        /* a reader changes nothing, and finds no trail */
        assert_int_equal(journal_open_reader(in("old"), &journal, &error), 0);
        assert_int_equal(count_all(journal), 0);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        journal_close(journal);

        journal = open_journal("old");
        assert_false(journal_is_new(journal));
        memset(&back, 0, sizeof back);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        char value[16];
        assert_int_equal(journal_get_value(journal, "key", value, sizeof value, &error), 1);
        JournalAudit entry = entry_of(1);
        add(journal, &entry);
        journal_close(journal);
        journal = open_journal("old"); /* once is enough */
        assert_int_equal(count_all(journal), 1);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_entries_come_back_newest_first),
                cmocka_unit_test(test_tries_to_heal),
                cmocka_unit_test(test_it_is_bounded),
                cmocka_unit_test(test_the_reserve_stays),
                cmocka_unit_test(test_an_older_journal_keeps_its_rows),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
