#include "adapters/postgres-schema.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((int64_t)1024 * 1024)

/* `says`: a part of why not; NULL: it fits. */
static void judged(PgRoom room, int64_t tables, bool compressed, SchemaVerdict verdict, const char *says) {
        char why[DETAIL_MAX];
        assert_int_equal(pg_room_judge(&room, tables, compressed, "/var/lib/novacron/dumps", why, sizeof why), verdict);
        if (!says)
                assert_string_equal(why, "");
        else if (!strstr(why, says))
                fail_msg("says '%s', not '%s'", why, says);
}

static void test_without_an_earlier_dump_the_tables_say(void **state) {
        (void)state;
        judged((PgRoom){1001 * MIB, -1}, 1000 * MIB, true, SCHEMA_REVERSIBLE, NULL);
        judged((PgRoom){1000 * MIB, -1}, 1000 * MIB, true, SCHEMA_UNKNOWN,
               "the safety dump may not fit into /var/lib/novacron/dumps: 1000.0 MiB left there, the tables take "
               "1000.0 MiB (1.0 GiB would do)");
        judged((PgRoom){1001 * MIB, -1}, 1000 * MIB, false, SCHEMA_UNKNOWN, "(2.0 GiB would do)");
        judged((PgRoom){16 * MIB, -1}, 1000 * MIB, true, SCHEMA_UNKNOWN, "may not fit");
        judged((PgRoom){15 * MIB, -1}, 1000 * MIB, true, SCHEMA_REFUSED, "the safety dump doesn't fit into");
}

static void test_the_last_dump_tells_how_far_rows_compress(void **state) {
        (void)state;
        judged((PgRoom){200 * MIB, 100 * MIB}, 1000 * MIB, true, SCHEMA_REVERSIBLE, NULL);
        judged((PgRoom){199 * MIB, 100 * MIB}, 1000 * MIB, true, SCHEMA_UNKNOWN, "the last dump took 100.0 MiB");
        judged((PgRoom){50 * MIB, 100 * MIB}, 1000 * MIB, true, SCHEMA_UNKNOWN, "may not");
        judged((PgRoom){49 * MIB, 100 * MIB}, 1000 * MIB, true, SCHEMA_REFUSED, "doesn't fit");
}

static void test_a_database_that_has_become_smaller_is_no_refusal(void **state) {
        (void)state;
        judged((PgRoom){49 * MIB, 100 * MIB}, 80 * MIB, true, SCHEMA_UNKNOWN, "may not");
        judged((PgRoom){49 * MIB, 100 * MIB}, 40 * MIB, true, SCHEMA_REVERSIBLE, NULL);
}

static void test_nothing_fits_into_nothing(void **state) {
        (void)state;
        judged((PgRoom){0, -1}, 0, true, SCHEMA_REFUSED, "0 B left there");
        judged((PgRoom){4095, 3000}, 8192, true, SCHEMA_REFUSED, "doesn't fit");
        judged((PgRoom){4096, 3000}, 8192, true, SCHEMA_UNKNOWN, "may not fit");
}

static void make_file(const char *directory, const char *name, off_t size) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
        close(fd);
}

static void test_the_newest_dump_of_this_database_counts(void **state) {
        char directory[] = "/tmp/test-room-XXXXXX", dumps[64], command[64];
        (void)state;
        assert_non_null(mkdtemp(directory));
        Postgres postgres = {.context = {.state_directory = directory}, .server = {.database = "nova/cron"}};
        PgRoom room;
        assert_int_equal(pg_dump_room(&postgres, &room), 0);
        assert_int_equal(room.last,
                         -1); /* and before there is a place for dumps, the state directory's room is known */
        assert_true(room.available > 0);

        pg_dump_directory(&postgres, dumps, sizeof dumps);
        assert_int_equal(mkdir(dumps, 0700), 0);
        make_file(dumps, "run-9-nova_cron.dump", 900);
        make_file(dumps, "run-10-nova_cron.dump", 1000);
        make_file(dumps, "run-11-cron.dump", 1100);
        make_file(dumps, "run-12-other-nova_cron.dump", 1200);
        make_file(dumps, "run-13-nova_cron.dump.part", 1300);
        make_file(dumps, "mine.dump", 1400);
        assert_int_equal(pg_dump_room(&postgres, &room), 0);
        assert_int_equal(room.last, 1000);

        snprintf(command, sizeof command, "rm -r %s", directory);
        assert_int_equal(system(command), 0);
        assert_true(pg_dump_room(&postgres, &room) < 0);
}

static void test_what_the_look_says_is_read(void **state) {
        PgRoom room;
        (void)state;
        assert_true(pg_room_read("9007199254740993 -1", &room));
        assert_int_equal(room.available, INT64_C(9007199254740993));
        assert_int_equal(room.last, -1);
        assert_false(pg_room_read("", &room));
        assert_false(pg_room_read("12", &room));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_an_earlier_dump_the_tables_say),
                cmocka_unit_test(test_the_last_dump_tells_how_far_rows_compress),
                cmocka_unit_test(test_a_database_that_has_become_smaller_is_no_refusal),
                cmocka_unit_test(test_nothing_fits_into_nothing),
                cmocka_unit_test(test_the_newest_dump_of_this_database_counts),
                cmocka_unit_test(test_what_the_look_says_is_read),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
