#include "base/fsio.h"
#include "store/sidefile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store-fixture.h"

static Journal *open_journal(const char *name) {
        Journal *journal = NULL;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error.message);
        return journal;
}

static void append(const char *name, Run *run, const char *note) {
        Error error = {0};
        if (sidefile_append(in(name), run, note, &error) < 0)
                fail_msg("%s", error.message);
}

static unsigned import(Journal *journal, const char *name) {
        unsigned count = 99;
        Error error = {0};
        if (journal_import_sidefile(journal, in(name), &count, &error) < 0)
                fail_msg("%s", error.message);
        return count;
}

static int count_run(void *userdata, UNUSED const Run *run) {
        ++*(int *)userdata;
        return 0;
}

static int count_record(void *userdata, UNUSED const JournalRecord *record) {
        ++*(int *)userdata;
        return 0;
}

static int runs_of(Journal *journal) {
        int count = 0;
        Error error = {0};
        assert_int_equal(journal_runs(journal, 100, count_run, &count, &error), 0);
        return count;
}

static int records_of(Journal *journal, int64_t id) {
        int count = 0;
        Error error = {0};
        assert_int_equal(journal_records(journal, id, count_record, &count, &error), 0);
        return count;
}

static void test_a_run_comes_back_as_it_was(UNUSED void **state) {
        Run run = full_run(), back;
        Error error = {0};
        memset(&back, 0, sizeof back);
        assert_int_equal(sidefile_open_run(in("a"), &back, &error), 0);
        append("a", &run, "one");
        assert_true(run.id < 0);
        int64_t id = run.id;
        run.phase = RUN_RECOVERY;
        append("a", &run, "two");
        assert_int_equal(run.id, id);
        assert_int_equal(sidefile_open_run(in("a"), &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        run.phase = RUN_HOLDING;
        append("a", &run, "three");
        assert_int_equal(sidefile_open_run(in("a"), &back, &error), 0);
}

/* An emergency that an older program has begun: its lines know nothing of what was added since. */
static void test_an_older_programs_run_goes_on(UNUSED void **state) {
        Run run = full_run(), back;
        Error error = {0};
        AUTO_FREE char *text = NULL;
        run.allow_row_loss = true;
        append("new", &run, "one");
        assert_int_equal(sidefile_open_run(in("new"), &back, &error), 1);
        assert_true(back.allow_row_loss);
        assert_int_equal(fs_read_file(in("new"), 1 << 20, &text, NULL, &error), 0);
        char *member = strstr(text, "\"allow_row_loss\":1,");
        assert_non_null(member);
        memmove(member, member + strlen("\"allow_row_loss\":1,"), strlen(member + strlen("\"allow_row_loss\":1,")) + 1);
        assert_int_equal(fs_write_atomic(in("old"), text, strlen(text), 0600, &error), 0);
        memset(&back, 0xAA, sizeof back);
        assert_int_equal(sidefile_open_run(in("old"), &back, &error), 1);
        assert_false(back.allow_row_loss);
        run.allow_row_loss = false;
        assert_memory_equal(&back, &run, sizeof run);
        Journal *journal = open_journal("older-journal");
        assert_int_equal(import(journal, "old"), 1);
        journal_close(journal);
}

static void test_a_torn_line_is_left_out_and_the_next_stays_readable(UNUSED void **state) {
        Run run = full_run(), back;
        Error error = {0};
        struct stat st;
        assert_int_equal(sidefile_prepare(in("torn"), &error), 0);
        append("torn", &run, "whole");
        run.token = 5;
        append("torn", &run, "to be torn");
        /* what a power cut leaves: the tail of the last line never arrived */
        AUTO_CLOSE int fd = open(in("torn"), O_RDWR | O_CLOEXEC);
        char text[65536], zeros[512] = {0};
        ssize_t got = pread(fd, text, sizeof text, 0);
        assert_true(got > 0);
        size_t used = strnlen(text, (size_t)got);
        assert_int_equal(pwrite(fd, zeros, 300, (off_t)used - 300), 300);
        assert_int_equal(sidefile_open_run(in("torn"), &back, &error), 1);
        assert_int_not_equal(back.token, 5);
        run.token = 6;
        append("torn", &run, "after the crash");
        assert_int_equal(sidefile_open_run(in("torn"), &back, &error), 1);
        assert_int_equal(back.token, 6);
        assert_int_equal(stat(in("torn"), &st), 0);
        assert_int_equal(st.st_size, SIDEFILE_RESERVE_BYTES); /* all inside the reserve */
        Journal *journal = open_journal("torn-journal");
        assert_int_equal(import(journal, "torn"), 2);
        journal_close(journal);
}

static void test_import_takes_each_run_once(UNUSED void **state) {
        Journal *journal = open_journal("journal");
        Run known = full_run(), first = full_run(), second = full_run(), back;
        Error error = {0};
        assert_int_equal(journal_append_run(journal, &known, "known", &error), 0);
        append("side", &first, "one");
        first.phase = RUN_SUCCEEDED;
        append("side", &first, "two");
        append("side", &second, "one");
        assert_int_equal(import(journal, "side"), 3);
        assert_int_equal(runs_of(journal), 3);
        assert_int_equal(journal_run(journal, 2, &back, &error), 1);
        assert_int_equal(back.phase, RUN_SUCCEEDED);
        assert_int_equal(records_of(journal, 2), 2);
        assert_int_equal(access(in("side"), F_OK), -1);
        assert_int_equal(access(in("side.imported"), F_OK), 0);
        assert_int_equal(import(journal, "side"), 0); /* nothing there */

        /* as after a crash between the journal's commit and the rename */
        assert_int_equal(rename(in("side.imported"), in("side")), 0);
        assert_int_equal(import(journal, "side"), 0);
        assert_int_equal(runs_of(journal), 3);
        assert_int_equal(records_of(journal, 2), 2);

        /* the same emergency goes on in a new side file: still the same run */
        second.phase = RUN_SUCCEEDED;
        append("side", &second, "two");
        assert_int_equal(import(journal, "side"), 1);
        assert_int_equal(access(in("side.imported.2"), F_OK), 0);
        assert_int_equal(runs_of(journal), 3);
        assert_int_equal(journal_run(journal, 3, &back, &error), 1);
        assert_int_equal(back.phase, RUN_SUCCEEDED);
        journal_close(journal);
}

static void test_a_run_begun_in_the_journal_goes_on_in_it(UNUSED void **state) {
        Journal *journal = open_journal("both");
        Run run = full_run(), back;
        Error error = {0};
        assert_int_equal(journal_append_run(journal, &run, "journalled", &error), 0);
        run.phase = RUN_FAILED;
        append("both-side", &run, "the journal would not take this");
        assert_int_equal(run.id, 1);
        assert_int_equal(import(journal, "both-side"), 1);
        assert_int_equal(runs_of(journal), 1);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_int_equal(back.phase, RUN_FAILED);
        journal_close(journal);
}

static void test_what_the_journal_knows_better_stays(UNUSED void **state) {
        Journal *journal = open_journal("better");
        Run run = full_run(), back;
        Error error = {0};
        assert_int_equal(journal_append_run(journal, &run, "one", &error), 0);
        Run stale = run;
        append("better-side", &stale, "two");
        run.phase = RUN_SUCCEEDED;
        assert_int_equal(journal_append_run(journal, &run, "three", &error), 0);
        assert_int_equal(import(journal, "better-side"), 1);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_int_equal(back.phase, RUN_SUCCEEDED);
        assert_int_equal(records_of(journal, 1), 3);
        journal_close(journal);
}

static void test_an_id_of_a_lost_journal_means_nothing_in_a_new_one(UNUSED void **state) {
        Journal *journal = open_journal("fresh");
        Run other = full_run(), run = full_run(), back;
        Error error = {0};
        other.created_wall = 1;
        assert_int_equal(journal_append_run(journal, &other, "somebody else's", &error), 0);
        run.id = other.id; /* given by the journal that was damaged */
        append("fresh-side", &run, "one");
        run.phase = RUN_SUCCEEDED;
        append("fresh-side", &run, "two");
        assert_int_equal(import(journal, "fresh-side"), 2);
        assert_int_equal(runs_of(journal), 2);
        assert_int_equal(journal_run(journal, other.id, &back, &error), 1);
        assert_int_equal(back.created_wall, 1);
        assert_int_equal(journal_run(journal, 2, &back, &error), 1);
        assert_int_equal(back.phase, RUN_SUCCEEDED);
        journal_close(journal);
}

static void test_an_unused_reserve_stays(UNUSED void **state) {
        Journal *journal = open_journal("unused");
        Error error = {0};
        assert_int_equal(sidefile_prepare(in("reserve"), &error), 0);
        assert_int_equal(import(journal, "reserve"), 0);
        assert_int_equal(access(in("reserve"), F_OK), 0);
        journal_close(journal);
}

static void test_nonsense_is_left_out(UNUSED void **state) {
        Journal *journal = open_journal("nonsense");
        Run run = full_run();
        AUTO_FCLOSE FILE *file = fopen(in("nonsense-side"), "we");
        fputs("{}\n[1]\nnot json\n{\"run\":{\"phase\":\"melting\"}}\n{\"run\":{\"cursor\":99}}\n{\"run\":{\"plan\":[0,0]}}\n",
              file);
        fflush(file);
        append("nonsense-side", &run, "whole");
        assert_int_equal(import(journal, "nonsense-side"), 1);
        assert_int_equal(runs_of(journal), 1);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_comes_back_as_it_was),
                cmocka_unit_test(test_an_older_programs_run_goes_on),
                cmocka_unit_test(test_a_torn_line_is_left_out_and_the_next_stays_readable),
                cmocka_unit_test(test_import_takes_each_run_once),
                cmocka_unit_test(test_a_run_begun_in_the_journal_goes_on_in_it),
                cmocka_unit_test(test_what_the_journal_knows_better_stays),
                cmocka_unit_test(test_an_id_of_a_lost_journal_means_nothing_in_a_new_one),
                cmocka_unit_test(test_an_unused_reserve_stays),
                cmocka_unit_test(test_nonsense_is_left_out),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
