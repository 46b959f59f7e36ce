#include "base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-fsio-XXXXXX";

/* A path inside the test's directory; several may be in use at once. */
static const char *in(const char *name) {
        static char paths[8][PATH_MAX];
        static unsigned next;
        char *path = paths[next++ % ARRAY_SIZE(paths)];
        snprintf(path, PATH_MAX, "%s/%.255s", directory, name);
        return path;
}

static void put(const char *name, const char *text) {
        Error error = {0};
        assert_int_equal(fs_write_atomic(in(name), text, strlen(text), 0644, &error), 0);
}

static void assert_holds(const char *name, const char *expected) {
        char *text = NULL;
        Error error = {0};
        if (fs_read_file(in(name), 4096, &text, NULL, &error) < 0)
                fail_msg("%s", error.message);
        assert_string_equal(text, expected);
        free(text);
}

static void test_writes_and_reads_whole_files(UNUSED void **state) {
        struct stat st;
        put("a", "one");
        put("a", "two");
        assert_holds("a", "two");
        assert_int_equal(stat(in("a"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        put("empty", "");
        assert_holds("empty", "");
}

static void test_reading_is_bounded_and_never_waits(UNUSED void **state) {
        char *text = NULL;
        size_t size = 7;
        Error error = {0};
        put("four", "1234");
        assert_int_equal(fs_read_file(in("four"), 3, &text, &size, &error), -EFBIG);
        assert_non_null(strstr(error.message, "four"));
        assert_int_equal(fs_read_file(in("four"), 4, &text, &size, &error), 0);
        assert_int_equal(size, 4);
        free(text);
        assert_int_equal(mkfifo(in("fifo"), 0600), 0);
        assert_int_equal(fs_read_file(in("fifo"), 4, &text, &size, &error), -EINVAL);
        assert_int_equal(fs_read_file(directory, 4, &text, &size, &error), -EINVAL);
        assert_int_equal(fs_read_file(in("missing"), 4, &text, &size, &error), -ENOENT);
        assert_int_equal(fs_read_file("/proc/self/stat", 4096, &text, &size, &error), 0); /* says it is empty, isn't */
        assert_true(size > 10);
        free(text);
        assert_int_equal(fs_read_file("/proc/self/stat", 10, &text, &size, &error), -EFBIG);
}

static void test_symlinks_are_prepared_once(UNUSED void **state) {
        struct stat before, after;
        char target[64];
        Error error = {0};
        assert_int_equal(fs_symlink_prepare("somewhere", in("link"), &error), 0);
        assert_int_equal(lstat(in("link"), &before), 0);
        assert_int_equal(fs_symlink_prepare("somewhere", in("link"), &error), 0);
        assert_int_equal(lstat(in("link"), &after), 0);
        assert_int_equal(before.st_ino, after.st_ino); /* left alone: needs no space */
        assert_int_equal(fs_symlink_prepare("elsewhere", in("link"), &error), 0);
        ssize_t length = readlink(in("link"), target, sizeof target);
        assert_int_equal(length, 9);
        assert_memory_equal(target, "elsewhere", 9);
        put("file", "x");
        assert_int_equal(fs_symlink_prepare("x", in("file"), &error), -EEXIST);
        assert_holds("file", "x");
}

static void test_replacing_keeps_what_was_there(UNUSED void **state) {
        Error error = {0};
        put("live", "old");
        put("next", "new");
        put("kept", "ancient");
        assert_int_equal(fs_replace_keeping(in("next"), in("live"), in("kept"), &error), 0);
        assert_holds("live", "new");
        assert_holds("kept", "old");
        assert_int_equal(access(in("next"), F_OK), -1);
}

static void test_replacing_after_a_crash_between_link_and_rename(UNUSED void **state) {
        Error error = {0};
        put("live2", "old");
        put("next2", "new");
        assert_int_equal(link(in("live2"), in("kept2")), 0);
        assert_int_equal(fs_replace_keeping(in("next2"), in("live2"), in("kept2"), &error), 0);
        assert_holds("live2", "new");
        assert_holds("kept2", "old");
        assert_int_equal(access(in("kept2.tmp"), F_OK), -1);
}

static void test_replacing_nothing_fills_the_place(UNUSED void **state) {
        Error error = {0};
        put("next3", "new");
        assert_int_equal(fs_replace_keeping(in("next3"), in("live3"), in("kept3"), &error), 0);
        assert_holds("live3", "new");
        assert_int_equal(access(in("kept3"), F_OK), -1);
}

static void test_exchange_swaps(UNUSED void **state) {
        Error error = {0};
        put("left", "l");
        put("right", "r");
        assert_int_equal(fs_exchange(in("left"), in("right"), &error), 0);
        assert_holds("left", "r");
        assert_holds("right", "l");
        assert_int_equal(fs_exchange(in("left"), in("missing"), &error), -ENOENT);
}

static void test_makes_directories(UNUSED void **state) {
        struct stat st;
        Error error = {0};
        assert_int_equal(fs_make_directories(in("x/y/z"), 0750, &error), 0);
        assert_int_equal(fs_make_directories(in("x/y/z"), 0750, &error), 0);
        assert_int_equal(stat(in("x/y/z"), &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        put("plain", "");
        assert_int_equal(fs_make_directories(in("plain/below"), 0750, &error), -ENOTDIR);
}

static void test_directory_of(UNUSED void **state) {
        char buffer[16];
        Error error = {0};
        assert_int_equal(fs_directory_of("/a/b", buffer, sizeof buffer, &error), 0);
        assert_string_equal(buffer, "/a");
        assert_int_equal(fs_directory_of("/a", buffer, sizeof buffer, &error), 0);
        assert_string_equal(buffer, "/");
        assert_int_equal(fs_directory_of("a", buffer, sizeof buffer, &error), 0);
        assert_string_equal(buffer, ".");
        assert_int_equal(fs_directory_of("/a/very/long/path/indeed", buffer, sizeof buffer, &error), -ENAMETOOLONG);
}

static void test_trust_says_how_to_mend(UNUSED void **state) {
        Error error = {0};
        put("conf", "x");
        assert_int_equal(fs_check_trusted(in("conf"), &error), 0);
        assert_int_equal(chmod(in("conf"), 0664), 0);
        assert_int_equal(fs_check_trusted(in("conf"), &error), -EPERM);
        assert_non_null(strstr(error.message, "chmod go-w"));
        assert_int_equal(chmod(in("conf"), 0644), 0);
        assert_int_equal(chmod(directory, 0777), 0);
        assert_int_equal(fs_check_trusted(in("conf"), &error), -EPERM);
        assert_non_null(strstr(error.message, "the directory"));
        assert_int_equal(chmod(directory, 0700), 0);
        assert_int_equal(fs_check_trusted(in("nothing"), &error), -ENOENT);
        if (geteuid() != 0)
                return;
        assert_int_equal(chown(in("conf"), 12345, (gid_t)-1), 0);
        assert_int_equal(fs_check_trusted(in("conf"), &error), -EPERM);
        assert_non_null(strstr(error.message, "chown root"));
}

static void test_trust_looks_at_both_ends_of_a_symlink(UNUSED void **state) {
        Error error = {0};
        put("real", "x");
        assert_int_equal(mkdir(in("open"), 0700), 0);
        assert_int_equal(chmod(in("open"), 0777), 0);
        assert_int_equal(symlink(in("real"), in("open/link")), 0);
        assert_int_equal(fs_check_trusted(in("open/link"), &error), -EPERM);
        assert_int_equal(chmod(in("open"), 0755), 0);
        assert_int_equal(fs_check_trusted(in("open/link"), &error), 0);
}

static void test_reserve_extends_and_keeps(UNUSED void **state) {
        struct stat st;
        Error error = {0};
        put("reserved", "text");
        assert_int_equal(fs_reserve(in("reserved"), 100000, 0600, &error), 0);
        assert_int_equal(stat(in("reserved"), &st), 0);
        assert_int_equal(st.st_size, 100000);
        assert_true(st.st_blocks * 512 >= 100000); /* not sparse */
        assert_holds("empty", "");
        char *text = NULL;
        assert_int_equal(fs_read_file(in("reserved"), 200000, &text, NULL, &error), 0);
        assert_string_equal(text, "text");
        free(text);
        assert_int_equal(fs_reserve(in("reserved"), 10, 0600, &error), 0);
        assert_int_equal(stat(in("reserved"), &st), 0);
        assert_int_equal(st.st_size, 100000);
}

static void test_a_failed_write_leaves_the_old_file(UNUSED void **state) {
        Error error = {0};
        assert_int_equal(fs_write_atomic(in("nowhere/a"), "x", 1, 0644, &error), -ENOENT);
        assert_non_null(strstr(error.message, "nowhere"));
        put("dir-target", "x");
        assert_int_equal(fs_rename_durable(in("no-such"), in("dir-target"), &error), -ENOENT);
        assert_holds("dir-target", "x");
}

static int set_up(UNUSED void **state) {
        return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(UNUSED void **state) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "rm -rf '%s'", directory);
        return system(command);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_writes_and_reads_whole_files),
                cmocka_unit_test(test_reading_is_bounded_and_never_waits),
                cmocka_unit_test(test_symlinks_are_prepared_once),
                cmocka_unit_test(test_replacing_keeps_what_was_there),
                cmocka_unit_test(test_replacing_after_a_crash_between_link_and_rename),
                cmocka_unit_test(test_replacing_nothing_fills_the_place),
                cmocka_unit_test(test_exchange_swaps),
                cmocka_unit_test(test_makes_directories),
                cmocka_unit_test(test_directory_of),
                cmocka_unit_test(test_trust_says_how_to_mend),
                cmocka_unit_test(test_trust_looks_at_both_ends_of_a_symlink),
                cmocka_unit_test(test_reserve_extends_and_keeps),
                cmocka_unit_test(test_a_failed_write_leaves_the_old_file),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
