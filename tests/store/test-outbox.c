/* The outbox: in order for each receiver, each event once, bounded, and only what the reserve can spare. */
#include "store/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "store-fixture.h"

static Journal *open_journal(const char *name) {
        Journal *journal = NULL;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error_text(&error));
        return journal;
}

static OutboxEntry entry_of(const char *receiver, int number) {
        OutboxEntry entry = {.driver = "notify",
                             .kind = "alert",
                             .severity = "P1",
                             .path = "/notify",
                             .headers = "A: b\n",
                             .body = "{\"message\":\"it's \\\"bad\\\"\"}",
                             .made_wall = 1000 + number};
        snprintf(entry.receiver, sizeof entry.receiver, "%s", receiver);
        snprintf(entry.event, sizeof entry.event, "event/%d", number);
        return entry;
}

static void add(Journal *journal, const char *receiver, int number) {
        const OutboxEntry entry = entry_of(receiver, number);
        Error error = {0};
        if (journal_outbox_add(journal, &entry, 1, NULL, &error) < 0)
                fail_msg("%s", error_text(&error));
}

/* The number of the next event for the receiver, -1: none. */
static int next(Journal *journal, const char *receiver, int64_t *ret_id) {
        OutboxEntry entry = {0};
        Error error = {0};
        int number = -1, r = journal_outbox_next(journal, receiver, NULL, 0, &entry, &error);
        assert_true(r >= 0);
        if (r > 0) {
                assert_int_equal(sscanf(entry.event, "event/%d", &number), 1);
                *ret_id = entry.id;
        }
        journal_outbox_clear(&entry);
        return number;
}

static void end(Journal *journal, int64_t id, bool delivered) {
        Error error = {0};
        assert_int_equal(journal_outbox_end(journal, id, delivered, "200", 5, &error), 0);
}

static void check_waiting(Journal *journal, const char *receiver, int64_t wanted, int64_t oldest_wanted) {
        int64_t count = -1, oldest = -1;
        Error error = {0};
        assert_int_equal(journal_outbox_waiting(journal, receiver, &count, &oldest, &error), 0);
        assert_int_equal(count, wanted);
        assert_int_equal(oldest, oldest_wanted);
}

static void test_in_order_for_each(UNUSED void **state) {
        Journal *journal = open_journal("order");
        int64_t id = 0;
        for (int i = 1; i <= 3; i++) {
                add(journal, "a", i);
                add(journal, "b", i);
        }
        check_waiting(journal, "a", 3, 1001);
        assert_int_equal(next(journal, "a", &id), 1);
        assert_int_equal(next(journal, "a", &id), 1); /* until it is ended */
        journal_close(journal);
        journal = open_journal("order"); /* and after a restart */
        assert_int_equal(next(journal, "a", &id), 1);
        end(journal, id, true);
        assert_int_equal(next(journal, "a", &id), 2);
        end(journal, id, false);
        assert_int_equal(next(journal, "b", &id), 1);
        assert_int_equal(next(journal, "a", &id), 3);
        end(journal, id, true);
        assert_int_equal(next(journal, "a", &id), -1);
        check_waiting(journal, "a", 0, 0);
        check_waiting(journal, "b", 3, 1001);
        journal_close(journal);
}

static void test_an_entry_comes_back_whole(UNUSED void **state) {
        Journal *journal = open_journal("whole");
        const OutboxEntry entry = entry_of("a", 1);
        OutboxEntry back = {0};
        Error error = {0};
        add(journal, "a", 1);
        assert_int_equal(journal_outbox_next(journal, "a", NULL, 0, &back, &error), 1);
        assert_string_equal(back.receiver, "a");
        assert_string_equal(back.driver, entry.driver);
        assert_string_equal(back.event, entry.event);
        assert_string_equal(back.kind, entry.kind);
        assert_string_equal(back.severity, entry.severity);
        assert_string_equal(back.path, entry.path);
        assert_string_equal(back.headers, entry.headers);
        assert_string_equal(back.body, entry.body);
        assert_int_equal(back.made_wall, entry.made_wall);
        journal_outbox_clear(&back);
        /* only what pages, and only from now on */
        assert_int_equal(journal_outbox_next(journal, "a", "P0", 0, &back, &error), 0);
        assert_int_equal(journal_outbox_next(journal, "a", "P1", 1002, &back, &error), 0);
        assert_int_equal(journal_outbox_next(journal, "a", "P1", 1001, &back, &error), 1);
        journal_outbox_clear(&back);
        journal_close(journal);
}

/* Whoever died between two writes tells it again; nobody hears it twice. */
static void test_an_event_is_put_there_once(UNUSED void **state) {
        Journal *journal = open_journal("once");
        int64_t id = 0;
        add(journal, "a", 1);
        add(journal, "a", 1);
        check_waiting(journal, "a", 1, 1001);
        assert_int_equal(next(journal, "a", &id), 1);
        end(journal, id, true);
        add(journal, "a", 1);
        check_waiting(journal, "a", 0, 0);
        add(journal, "b", 1); /* another's is another */
        check_waiting(journal, "b", 1, 1001);
        journal_close(journal);
}

static void test_it_is_bounded(UNUSED void **state) {
        Journal *journal = open_journal("bounded");
        Error error = {0};
        int64_t id = 0;
        unsigned dropped = 0;
        journal_close(journal);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(in("bounded"), &db), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(db,
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
                             " INSERT INTO outbox SELECT i, 'a', 'notify', 'event/' || i, 'alert', 'P1', '', '', '{}',"
                             " iif(i <= 3000, 'delivered', 'waiting'), i, 0, '' FROM n",
                             NULL, NULL, NULL),
                SQLITE_OK);
        sqlite3_close(db);
        journal = open_journal("bounded");
        check_waiting(journal, "a", OUTBOX_WAITING_MAX, 3001);
        const OutboxEntry entry = entry_of("a", 5000);
        assert_int_equal(journal_outbox_add(journal, &entry, 1, &dropped, &error), 0);
        assert_int_equal(dropped, 1);
        assert_int_equal(next(journal, "a", &id), 3002);
        journal_close(journal);
        assert_int_equal(sqlite3_open(in("bounded"), &db), SQLITE_OK);
        sqlite3_stmt *statement;
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM outbox", -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(statement, 0), OUTBOX_KEPT);
        sqlite3_finalize(statement);
        sqlite3_close(db);
}

static void test_what_is_too_old_goes(UNUSED void **state) {
        Journal *journal = open_journal("old");
        int64_t count = 0, id = 0;
        Error error = {0};
        for (int i = 1; i <= 4; i++)
                add(journal, i % 2 ? "a" : "no longer configured", i);
        assert_int_equal(journal_outbox_expire(journal, 1003, 9, &count, &error), 0);
        assert_int_equal(count, 2);
        assert_int_equal(next(journal, "a", &id), 3);
        check_waiting(journal, "no longer configured", 1, 1004);
        journal_close(journal);
}

/* It takes free pages, and gives them back before a run could miss them. */
static void test_the_reserve_stays(UNUSED void **state) {
        Journal *journal = open_journal("reserve");
        for (int i = 0; i < 500; i++)
                add(journal, "a", i);
        assert_string_equal(journal_space_problem(journal), "");
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_order_for_each),          cmocka_unit_test(test_an_entry_comes_back_whole),
                cmocka_unit_test(test_an_event_is_put_there_once), cmocka_unit_test(test_it_is_bounded),
                cmocka_unit_test(test_what_is_too_old_goes),       cmocka_unit_test(test_the_reserve_stays),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
