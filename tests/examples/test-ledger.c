#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

typedef struct World {
        char directory[64], path[80];
} World;

static int set_up(void **state) {
        World *world = calloc(1, sizeof *world);
        assert_non_null(world);
        strcpy(world->directory, "/tmp/test-ledger.XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->path, sizeof world->path, "%s/ledger", world->directory);
        *state = world;
        return 0;
}

static int tear_down(void **state) {
        World *world = *state;
        unlink(world->path);
        rmdir(world->directory);
        free(world);
        return 0;
}

static void put(const World *world, const char *text, size_t size) {
        AUTO_FCLOSE FILE *file = fopen(world->path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
}

static size_t get(const World *world, char *text, size_t size) {
        AUTO_FCLOSE FILE *file = fopen(world->path, "r");
        assert_non_null(file);
        return fread(text, 1, size, file);
}

static Ledger *open_ledger(const World *world) {
        Ledger *ledger = NULL;
        Error error = {0};
        if (ledger_open(world->directory, &ledger, &error) < 0)
                fail_msg("%s", error_text(&error));
        return ledger;
}

static void commit_one(Ledger *ledger, const char *id, int64_t expected) {
        int64_t number = 0;
        assert_int_equal(ledger_append(ledger, id, strlen(id), &number, NULL), 0);
        assert_int_equal(number, expected);
        assert_int_equal(ledger_commit(ledger, NULL), 0);
}

static void test_numbers_go_on(void **state) {
        Ledger *ledger = open_ledger(*state);
        commit_one(ledger, "a 1", 1);
        commit_one(ledger, "b 7", 2);
        ledger_close(ledger);
        ledger = open_ledger(*state);
        commit_one(ledger, "a 2", 3);
        ledger_close(ledger);
        char text[64];
        size_t size = get(*state, text, sizeof text);
        assert_int_equal(size, 18);
        assert_memory_equal(text, "1 a 1\n2 b 7\n3 a 2\n", 18);
}

/* Killed at any byte of the file: what was whole stays, what was not goes, and the numbers go on without a gap. */
static void test_torn_at_every_byte(void **state) {
        static const char whole[] = "1 load-1 1\n2 load-1 2\n3 load-22 300\n";
        for (size_t cut = 0; cut < sizeof whole; cut++) {
                put(*state, whole, cut);
                size_t kept = cut;
                int64_t lines = 0;
                while (kept > 0 && whole[kept - 1] != '\n')
                        kept--;
                for (size_t i = 0; i < kept; i++)
                        lines += whole[i] == '\n';
                Ledger *ledger = open_ledger(*state);
                assert_int_equal(ledger->last_committed, lines);
                assert_int_equal(ledger->committed, kept);
                commit_one(ledger, "x 9", lines + 1);
                ledger_close(ledger);
                char text[128], expected[128];
                int size = snprintf(expected, sizeof expected, "%.*s%d x 9\n", (int)kept, whole, (int)lines + 1);
                assert_int_equal(get(*state, text, sizeof text), size);
                assert_memory_equal(text, expected, (size_t)size);
        }
}

static void test_damage_is_refused_and_kept(void **state) {
        static const char *const damaged[] = {"nonsense\n", "1 a 1\n-3 a 2\n", "1 a 1\nx\n", "0 a 1\n"};
        for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
                put(*state, damaged[i], strlen(damaged[i]));
                Ledger *ledger = NULL;
                Error error = {0};
                assert_int_equal(ledger_open(((World *)*state)->directory, &ledger, &error), -EBADMSG);
                assert_non_null(strstr(error.message, "/ledger"));
                char text[64];
                assert_int_equal(get(*state, text, sizeof text), strlen(damaged[i]));
        }
        char zeros[400] = {0};
        put(*state, zeros, sizeof zeros);
        Ledger *ledger = NULL;
        assert_int_equal(ledger_open(((World *)*state)->directory, &ledger, NULL), -EBADMSG);
}

static void test_one_at_a_time(void **state) {
        Ledger *ledger = open_ledger(*state), *second = NULL;
        Error error = {0};
        assert_int_equal(ledger_open(((World *)*state)->directory, &second, &error), -EBUSY);
        ledger_close(ledger);
        ledger_close(open_ledger(*state));
}

static void test_ids(void **state) {
        static const char *const bad[] = {"", "a", "a ", " 1", "a b", "a 1\n", "a 1 2", "a\0b 1", "ä 1"};
        Ledger *ledger = open_ledger(*state);
        int64_t number;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(ledger_append(ledger, bad[i], i == 7 ? 5 : strlen(bad[i]), &number, NULL), -EINVAL);
        char longest[LEDGER_ID_MAX + 2];
        memset(longest, 'a', sizeof longest);
        longest[LEDGER_ID_MAX - 2] = ' ';
        longest[LEDGER_ID_MAX - 1] = longest[LEDGER_ID_MAX] = '7';
        assert_int_equal(ledger_append(ledger, longest, LEDGER_ID_MAX + 1, &number, NULL), -EINVAL);
        assert_int_equal(ledger_append(ledger, longest, LEDGER_ID_MAX, &number, NULL), 0);
        assert_int_equal(ledger_commit(ledger, NULL), 0);
        ledger_close(ledger);
}

/* No space in the middle of a batch: none of it is stored, and later writes are. */
static void test_no_space(void **state) {
        Ledger *ledger = open_ledger(*state);
        commit_one(ledger, "a 1", 1);
        struct rlimit old, small = {.rlim_cur = 10};
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        small.rlim_max = old.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int64_t number;
        assert_int_equal(ledger_append(ledger, "a 2", 3, &number, NULL), 0);
        assert_int_equal(ledger_append(ledger, "a 3", 3, &number, NULL), 0);
        Error error = {0};
        int r = ledger_commit(ledger, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(r, -EFBIG);
        struct stat st;
        assert_int_equal(stat(((World *)*state)->path, &st), 0);
        assert_int_equal(st.st_size, 6);
        commit_one(ledger, "a 4", 2);
        ledger_close(ledger);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_numbers_go_on, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_torn_at_every_byte, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_damage_is_refused_and_kept, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_ids, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_no_space, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
