#include "store/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SEC USEC_PER_SEC
#define BEGIN (INT64_C(1700000000) * SEC)

static const HistoryLimits roomy = {.keep_us = INT64_C(90) * 86400 * SEC, .max_bytes = 64 * 1024 * 1024};

typedef struct Place {
        char directory[64], path[96];
} Place;

static int make_place(void **state) {
        Place *place = calloc(1, sizeof *place);
        snprintf(place->directory, sizeof place->directory, "/tmp/test-history.XXXXXX");
        assert_non_null(mkdtemp(place->directory));
        snprintf(place->path, sizeof place->path, "%s/history.db", place->directory);
        *state = place;
        return 0;
}

static int remove_place(void **state) {
        Place *place = *state;
        static const char *const names[] = {"", "-wal", "-shm", ".damaged"};
        char path[128];
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof path, "%s%s", place->path, names[i]);
                (void)unlink(path);
        }
        assert_int_equal(rmdir(place->directory), 0);
        free(place);
        return 0;
}

static History *open_it(const Place *place, const HistoryLimits *limits, bool expect_damaged) {
        History *history = NULL;
        bool damaged;
        Error error = {0};
        if (history_open(place->path, limits, &history, &damaged, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_int_equal(damaged, expect_damaged);
        return history;
}

static HistorySample sample_at(int number) {
        HistorySample sample = {
                .sample = {.start_mono = number * 30 * SEC,
                           .end_mono = (number + 1) * 30 * SEC,
                           .end_wall = BEGIN + number * 30 * SEC,
                           .measured = true,
                           .requests = 1000 + number,
                           .errors = 7,
                           .successes = 990,
                           .latency_p50_us = 4000,
                           .latency_p99_us = -1,
                           .dropped = 3},
                .deployment_id = 5,
                .during_run = number == 1,
        };
        snprintf(sample.version, sizeof sample.version, "v2.4.0");
        snprintf(sample.sample.note, sizeof sample.sample.note, "it's \"odd\"");
        return sample;
}

static void add(History *history, int number) {
        HistorySample sample = sample_at(number);
        Error error = {0};
        if (history_add(history, &sample, &error) < 0)
                fail_msg("%s", error_text(&error));
}

static void mark(History *history, HistoryMarkKind kind, int64_t at_wall, int64_t ref) {
        HistoryMark made = {.kind = kind, .at_wall = at_wall, .ref = ref, .version = "v3.0.0"};
        assert_int_equal(history_mark(history, &made, NULL), 0);
}

/* What was visited, as letters: 's' and the requests' last digit, 'm' and the reference. */
typedef struct Seen {
        char text[4096];
        HistorySample last;
} Seen;

static int see_sample(void *userdata, const HistorySample *sample) {
        Seen *seen = userdata;
        seen->last = *sample;
        size_t used = strlen(seen->text);
        snprintf(seen->text + used, sizeof seen->text - used, "s%lld ", (long long)sample->sample.requests - 1000);
        return 0;
}

static int see_mark(void *userdata, const HistoryMark *made) {
        Seen *seen = userdata;
        size_t used = strlen(seen->text);
        snprintf(seen->text + used, sizeof seen->text - used, "m%lld ", (long long)made->ref);
        return 0;
}

static const char *look(History *history, int from, int to, Seen *seen) {
        const HistoryVisitor visitor = {see_sample, see_mark, seen};
        Error error = {0};
        seen->text[0] = '\0';
        if (history_read(history, BEGIN + from * 30 * SEC, BEGIN + to * 30 * SEC, &visitor, &error) < 0)
                fail_msg("%s", error_text(&error));
        return seen->text;
}

static void keeps_all_of_it_in_order(void **state) {
        static Seen seen;
        History *history = open_it(*state, &roomy, false);
        mark(history, HISTORY_DEPLOYMENT, BEGIN - SEC, 1);
        add(history, 0);
        mark(history, HISTORY_RUN, BEGIN + SEC, 2);
        mark(history, HISTORY_DECISION, BEGIN + 2 * SEC, 3);
        add(history, 1);
        history_close(history);

        assert_int_equal(history_open_reader(((Place *)*state)->path, &history, NULL), 0);
        assert_string_equal(look(history, 0, 9, &seen), "m1 s0 m2 m3 s1 ");
        HistorySample expected = sample_at(1);
        expected.id = 5;
        assert_memory_equal(&seen.last.sample, &expected.sample, offsetof(Sample, note));
        assert_string_equal(seen.last.sample.note, expected.sample.note);
        assert_string_equal(seen.last.version, "v2.4.0");
        assert_int_equal(seen.last.deployment_id, 5);
        assert_true(seen.last.during_run);
        history_close(history);
}

static void goes_on_after_a_restart(void **state) {
        static Seen seen;
        int64_t ref;
        History *history = open_it(*state, &roomy, false);
        assert_int_equal(history_newest_ref(history, HISTORY_RUN, &ref, NULL), 0);
        assert_int_equal(ref, 0);
        add(history, 0);
        mark(history, HISTORY_RUN, BEGIN, 7);
        history_close(history);
        history = open_it(*state, &roomy, false);
        assert_int_equal(history_newest_ref(history, HISTORY_RUN, &ref, NULL), 0);
        assert_int_equal(ref, 7);
        add(history, 1);
        assert_string_equal(look(history, 0, 9, &seen), "s0 m7 s1 ");
        history_close(history);
}

static void reads_a_part(void **state) {
        static Seen seen;
        History *history = open_it(*state, &roomy, false);
        mark(history, HISTORY_DEPLOYMENT, BEGIN - 100 * SEC, 1);
        for (int i = 0; i < 6; i++) {
                if (i == 3)
                        mark(history, HISTORY_DECISION, BEGIN + i * 30 * SEC - SEC, 2);
                add(history, i);
        }
        assert_string_equal(look(history, 2, 4, &seen), "m1 s2 m2 s3 s4 ");
        assert_string_equal(look(history, 4, 4, &seen), "m1 s4 ");
        assert_string_equal(look(history, 7, 9, &seen), "");
        history_close(history);
}

/* A reader beside the writer sees what was written, and hinders nobody. */
static void is_read_while_it_is_written(void **state) {
        static Seen seen;
        History *writer = open_it(*state, &roomy, false), *reader;
        add(writer, 0);
        assert_int_equal(history_open_reader(((Place *)*state)->path, &reader, NULL), 0);
        add(writer, 1);
        assert_string_equal(look(reader, 0, 9, &seen), "s0 s1 ");
        add(writer, 2);
        history_close(reader);
        history_close(writer);
}

static void thins(void **state) {
        static Seen seen;
        const HistoryVisitor visitor = {see_sample, see_mark, &seen};
        bool thinned;
        History *history = open_it(*state, &roomy, false);
        for (int i = 0; i < 100; i++)
                add(history, i);
        seen.text[0] = '\0';
        assert_int_equal(history_thin(history, BEGIN, BEGIN + 3000 * SEC, 5, &visitor, &thinned, NULL), 0);
        assert_true(thinned);
        assert_string_equal(seen.text, "s0 s20 s40 s60 s99 ");
        seen.text[0] = '\0';
        assert_int_equal(history_thin(history, BEGIN, BEGIN + 90 * SEC, 5, &visitor, &thinned, NULL), 0);
        assert_false(thinned);
        assert_string_equal(seen.text, "s0 s1 s2 s3 ");
        for (unsigned points = 1; points < 120; points++) {
                seen.text[0] = '\0';
                assert_int_equal(history_thin(history, BEGIN, BEGIN + 3000 * SEC, points, &visitor, &thinned, NULL), 0);
                unsigned count = 0;
                for (const char *at = seen.text; (at = strchr(at, 's')); at++)
                        count++;
                assert_in_range(count, 1, points);
                assert_int_equal(seen.last.sample.requests, 1099);
                assert_int_equal(thinned, points < 100);
        }
        history_close(history);
}

static unsigned count_kept(History *history) {
        static Seen seen;
        unsigned count = 0;
        look(history, -1000000, 1000000, &seen);
        for (const char *at = seen.text; (at = strchr(at, 's')); at++)
                count++;
        return count;
}

static void the_old_goes(void **state) {
        const HistoryLimits short_time = {.keep_us = 300 * SEC, .max_bytes = roomy.max_bytes};
        History *history = open_it(*state, &short_time, false);
        for (int i = 0; i < 500; i++)
                add(history, i);
        assert_in_range(count_kept(history), 10, 10 + 64);
        history_close(history);
}

static void the_file_has_a_bound(void **state) {
        const HistoryLimits small = {.keep_us = roomy.keep_us, .max_bytes = 64 * 1024};
        struct stat file;
        History *history = open_it(*state, &small, false);
        for (int i = 0; i < 20000; i++)
                add(history, i);
        static Seen seen;
        look(history, 19990, 20000, &seen);
        assert_non_null(strstr(seen.text, "s19999 "));
        history_close(history);
        assert_int_equal(stat(((Place *)*state)->path, &file), 0);
        assert_in_range(file.st_size, 16 * 1024, 128 * 1024);
}

static void damage(const char *path, off_t at, size_t size) {
        char junk[4096];
        memset(junk, 0x5A, sizeof junk);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, junk, size, at), size);
        close(fd);
}

static void a_damaged_one_is_moved_aside(void **state) {
        const Place *place = *state;
        static Seen seen;
        char aside[128];
        History *history = open_it(place, &roomy, false);
        add(history, 0);
        history_close(history);
        damage(place->path, 0, 4096);
        history = open_it(place, &roomy, true);
        add(history, 1);
        assert_string_equal(look(history, 0, 9, &seen), "s1 ");
        history_close(history);
        snprintf(aside, sizeof aside, "%s.damaged", place->path);
        assert_int_equal(access(aside, F_OK), 0);
}

static void a_journal_is_not_taken_for_one(void **state) {
        const Place *place = *state;
        damage(place->path, 0, 100);
        History *history;
        Error error = {0};
        assert_int_equal(history_open_reader(place->path, &history, &error), -EBADMSG);
        assert_int_equal(unlink(place->path), 0);
        assert_int_equal(history_open_reader(place->path, &history, &error), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(keeps_all_of_it_in_order, make_place, remove_place),
                cmocka_unit_test_setup_teardown(goes_on_after_a_restart, make_place, remove_place),
                cmocka_unit_test_setup_teardown(reads_a_part, make_place, remove_place),
                cmocka_unit_test_setup_teardown(is_read_while_it_is_written, make_place, remove_place),
                cmocka_unit_test_setup_teardown(thins, make_place, remove_place),
                cmocka_unit_test_setup_teardown(the_old_goes, make_place, remove_place),
                cmocka_unit_test_setup_teardown(the_file_has_a_bound, make_place, remove_place),
                cmocka_unit_test_setup_teardown(a_damaged_one_is_moved_aside, make_place, remove_place),
                cmocka_unit_test_setup_teardown(a_journal_is_not_taken_for_one, make_place, remove_place),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
