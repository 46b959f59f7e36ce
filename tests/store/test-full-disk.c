/* The journal and the side file on a disk that is full to the last byte: a tmpfs of our own, which needs root. */
#include "store/journal.h"
#include "store/sidefile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "store-fixture.h"

static bool mounted;

/* Writes until nothing more fits, then byte by byte. */
static void fill_disk(const char *name) {
        static const char block[65536];
        AUTO_CLOSE int fd = open(in(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOSPC)
                return;
        assert_true(fd >= 0);
        for (size_t size = sizeof block; size > 0; size /= 2)
                while (write(fd, block, size) > 0)
                        ;
        struct statvfs space;
        assert_int_equal(statvfs(directory, &space), 0);
        assert_int_equal(space.f_bavail, 0);
}

static void append_all(Journal *journal, Run *run, unsigned count) {
        Error error = {0};
        for (unsigned i = 0; i < count; i++) {
                unsigned step = i % STEP_COUNT;
                run->cursor = (StepId)step;
                run->token++;
                run->steps[step].state = i % 2 ? STEP_DONE : STEP_ACTING;
                memset(run->steps[step].detail, 'a' + (char)(i % 26), sizeof run->steps[step].detail - 1);
                memset(run->failure, 'A' + (char)(i % 26), sizeof run->failure - 1);
                char note[DETAIL_MAX];
                memset(note, 'n', sizeof note - 1);
                note[sizeof note - 1] = '\0';
                if (journal_append_run(journal, run, note, &error) < 0)
                        fail_msg("append %u: %s", i, error.message);
        }
}

/* Appends in a child that dies without closing anything. */
static void append_and_crash(const char *name, unsigned count) {
        pid_t pid = fork();
        if (pid == 0) {
                Journal *journal = NULL;
                Run run = full_run();
                if (journal_open(in(name), &journal, NULL) < 0)
                        _exit(1);
                if (journal_open_run(journal, &run, NULL) < 0)
                        _exit(2);
                for (unsigned i = 0; i < count; i++) {
                        run.token++;
                        if (journal_append_run(journal, &run, "before the crash", NULL) < 0)
                                _exit(3);
                }
                raise(SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
}

static void test_a_run_goes_on_when_the_disk_is_full(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run run = full_run(), back;
        Error error = {0};
        assert_int_equal(journal_open(in("journal"), &journal, &error), 0);
        assert_string_equal(journal_space_problem(journal), "");
        fill_disk("filler");
        append_all(journal, &run, JOURNAL_RESERVED_APPENDS);
        assert_int_equal(journal_run(journal, run.id, &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        journal_close(journal);
}

/* The audit trail gives way before a run would lack space. */
static void test_the_audit_trail_leaves_a_run_its_reserve(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run run = full_run();
        Error error = {0};
        JournalAudit entry = {.status = 403, .who = "anonymous"};
        memset(entry.arguments, 'a', sizeof entry.arguments - 1);
        unlink(in("filler"));
        assert_int_equal(journal_open(in("journal"), &journal, &error), 0);
        assert_string_equal(journal_space_problem(journal), "");
        fill_disk("filler");
        int kept = 0;
        while (journal_add_audit(journal, &entry, &error) >= 0)
                assert_true(++kept < 2000);
        assert_int_equal(error.code, -ENOSPC);
        assert_true(kept > 0);
        append_all(journal, &run, JOURNAL_RESERVED_APPENDS);
        journal_close(journal);
}

static void test_a_crash_on_a_full_disk_is_recovered_from(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run back;
        Error error = {0};
        append_and_crash("journal", 50);
        fill_disk("filler"); /* whatever came free meanwhile */
        if (journal_open(in("journal"), &journal, &error) < 0)
                fail_msg("%s", error.message);
        assert_int_equal(journal_open_run(journal, &back, &error), 1);
        append_all(journal, &back, JOURNAL_RESERVED_APPENDS);
        journal_close(journal);
}

static void test_the_spare_gives_room_for_a_lost_index(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run back;
        Error error = {0};
        assert_int_equal(unlink(in("journal-shm")), 0); /* what a first open does to it, and others were quicker */
        fill_disk("more-filler");
        if (journal_open(in("journal"), &journal, &error) < 0)
                fail_msg("%s", error.message);
        assert_int_equal(journal_open_run(journal, &back, &error), 1);
        append_all(journal, &back, JOURNAL_RESERVED_APPENDS);
        assert_non_null(strstr(journal_space_problem(journal), "journal-spare")); /* readiness says so */
        journal_close(journal);
        unlink(in("more-filler"));
}

static void test_a_long_run_moves_its_log_into_the_database(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run run = full_run();
        Error error = {0};
        struct statvfs space;
        unlink(in("filler")); /* a new run after somebody made room, and lost it again */
        assert_int_equal(journal_open(in("journal"), &journal, &error), 0);
        assert_string_equal(journal_space_problem(journal), "");
        fill_disk("filler");
        append_all(journal, &run, 5 * JOURNAL_RESERVED_APPENDS);
        assert_int_equal(statvfs(directory, &space), 0);
        assert_int_equal(space.f_bavail, 0);
        journal_close(journal);
}

static void test_a_missing_reserve_is_said_and_refilled(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Error error = {0};
        unlink(in("filler"));
        assert_int_equal(truncate(in("journal-spare"), 0), 0);
        fill_disk("filler");
        assert_int_equal(journal_open(in("journal"), &journal, &error), 0);
        assert_non_null(strstr(journal_space_problem(journal), "reserve"));
        assert_int_equal(journal_prepare_space(journal, &error), -ENOSPC);
        unlink(in("filler"));
        assert_int_equal(journal_prepare_space(journal, &error), 0);
        assert_string_equal(journal_space_problem(journal), "");
        journal_close(journal);
}

static void execute(const char *name, const char *sql) {
        sqlite3 *db;
        int keep = 1; /* the log's space */
        assert_int_equal(sqlite3_open(in(name), &db), SQLITE_OK);
        sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

/* An update of the program when nothing fits any more: the journal takes a run, or isn't opened, and the side file is. */
static void test_an_older_journal_is_brought_up_to_date_within_its_reserve(UNUSED void **state) {
        if (!mounted)
                skip();
        Journal *journal = NULL;
        Run run = full_run();
        Error error = {0};
        static const char *const others[] = {"filler",      "journal",       "journal-wal",
                                             "journal-shm", "journal-spare", "side"};
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                unlink(in(others[i]));
        assert_int_equal(journal_open(in("older"), &journal, &error), 0);
        assert_string_equal(journal_space_problem(journal), "");
        journal_close(journal);
        execute("older",
                "DROP TABLE incident_parts; DROP TABLE incident_notes; DROP TABLE incidents; DROP TABLE outbox; DROP TABLE chain;"
                "ALTER TABLE decisions DROP COLUMN rule_version; ALTER TABLE decisions DROP COLUMN evidence;"
                "ALTER TABLE runs DROP COLUMN allow_row_loss; PRAGMA user_version=3");
        fill_disk("filler");
        int r = journal_open(in("older"), &journal, &error);
        if (r < 0)
                fail_msg("%s", error.message);
        append_all(journal, &run, JOURNAL_RESERVED_APPENDS / 2);
        journal_close(journal);
        unlink(in("filler"));

        /* without any reserve it says so at once, and not at the first step of a run */
        execute("older",
                "DROP TABLE incident_parts; DROP TABLE incident_notes; DROP TABLE incidents; DROP TABLE outbox; DROP TABLE chain;"
                "ALTER TABLE decisions DROP COLUMN rule_version; ALTER TABLE decisions DROP COLUMN evidence;"
                "ALTER TABLE runs DROP COLUMN allow_row_loss; PRAGMA user_version=3; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
        assert_int_equal(truncate(in("older-spare"), 0), 0);
        unlink(in("older-wal"));
        unlink(in("older-shm"));
        fill_disk("filler");
        assert_int_equal(journal_open(in("older"), &journal, &error), -ENOSPC);
}

static void test_the_side_file_takes_an_emergency_on_a_full_disk(UNUSED void **state) {
        if (!mounted)
                skip();
        Run run = full_run(), back;
        Error error = {0};
        assert_int_equal(sidefile_prepare(in("side"), &error), 0);
        fill_disk("filler");
        for (int i = 0; i < 60; i++) {
                run.token++;
                if (sidefile_append(in("side"), &run, "emergency", &error) < 0)
                        fail_msg("append %d: %s", i, error.message);
        }
        assert_int_equal(sidefile_open_run(in("side"), &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
}

static int set_up(void **state) {
        if (make_directory(state) < 0)
                return -1;
        mounted = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount("tmpfs", directory, "tmpfs", 0, "size=16m,mode=0700") == 0;
        if (!mounted)
                print_message("skipped: a file system of our own needs root\n");
        return 0;
}

static int tear_down(void **state) {
        if (mounted)
                umount2(directory, MNT_DETACH);
        return remove_directory(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_goes_on_when_the_disk_is_full),
                cmocka_unit_test(test_the_audit_trail_leaves_a_run_its_reserve),
                cmocka_unit_test(test_a_crash_on_a_full_disk_is_recovered_from),
                cmocka_unit_test(test_the_spare_gives_room_for_a_lost_index),
                cmocka_unit_test(test_a_long_run_moves_its_log_into_the_database),
                cmocka_unit_test(test_a_missing_reserve_is_said_and_refilled),
                cmocka_unit_test(test_the_side_file_takes_an_emergency_on_a_full_disk),
                cmocka_unit_test(test_an_older_journal_is_brought_up_to_date_within_its_reserve),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
