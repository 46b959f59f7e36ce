#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *read_text(const char *path) {
        static char text[65536];
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        return text;
}

static const char *format(const char *message, const LogField *fields) {
        static char line[4096];
        static const LogField none[] = {{0}};
        const LogEntry entry = {LEVEL_INFO, INT64_C(1795362036123000), fields ? fields : none, message};
        size_t length = log_format_line(&entry, line, sizeof line - 1);
        line[length] = '\0';
        return line;
}

static void test_a_line_has_time_level_fields_message(UNUSED void **state) {
        const LogField fields[] = {{"run", "12"}, {"step", "drain_traffic"}, {0}};
        assert_string_equal(format("3 in flight finished", fields),
                            "2026-11-22T15:40:36.123Z INFO run=12 step=drain_traffic 3 in flight finished\n");
}

static void test_nothing_can_forge_a_line(UNUSED void **state) {
        const LogField fields[] = {{"why", "a \"b\"\nERROR"}, {"empty", ""}, {"null", NULL}, {0}};
        assert_string_equal(format("x\n2026 ALERT forged\r\x1b[2J\x7f", fields),
                            "2026-11-22T15:40:36.123Z INFO why=\"a \\\"b\\\"\\nERROR\" empty=\"\" null=\"\" "
                            "x\\n2026 ALERT forged\\x0d\\x1b[2J\\x7f\n");
        assert_string_equal(format("ok \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", NULL),
                            "2026-11-22T15:40:36.123Z INFO ok \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n");
        /* a C1 control sequence, a broken sequence, an overlong slash, a surrogate, a line separator, a cut tail */
        assert_string_equal(
                format("\xc2\x9b \xff \xc0\xaf \xed\xa0\x80 \xe2\x80\xa8 \xe2\x82", NULL),
                "2026-11-22T15:40:36.123Z INFO \\xc2\\x9b \\xff \\xc0\\xaf \\xed\\xa0\\x80 \\xe2\\x80\\xa8 \\xe2\\x82\n");
}

static void test_a_long_message_is_cut_not_split(UNUSED void **state) {
        char line[64], message[500];
        static const LogField none[] = {{0}};
        memset(message, 'x', sizeof message - 1);
        message[sizeof message - 1] = '\0';
        const LogEntry entry = {LEVEL_INFO, 0, none, message};
        size_t length = log_format_line(&entry, line, sizeof line);
        assert_int_equal(length, sizeof line);
        assert_int_equal(line[length - 1], '\n');
}

static void test_the_file_sink_follows_a_rotation(void **state) {
        const char *directory = *state;
        char path[PATH_MAX], rotated[PATH_MAX];
        LogSink *sink;
        Error error = {0};
        snprintf(path, sizeof path, "%s/rollback.log", directory);
        snprintf(rotated, sizeof rotated, "%s/rollback.log.1", directory);
        assert_int_equal(log_sink_file(path, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        log_info("first");
        assert_int_equal(rename(path, rotated), 0);
        log_info("second");
        assert_int_equal(log_reopen(&error), 0);
        log_warn("third %d", 3);
        assert_non_null(strstr(read_text(rotated), "INFO first\n"));
        assert_non_null(strstr(read_text(rotated), "INFO second\n"));
        assert_null(strstr(read_text(rotated), "third"));
        assert_non_null(strstr(read_text(path), "WARN third 3\n"));
        log_remove_sinks();
}

static void test_a_removed_file_is_made_anew(void **state) {
        char path[PATH_MAX];
        LogSink *sink;
        Error error = {0};
        snprintf(path, sizeof path, "%s/removed.log", (const char *)*state);
        assert_int_equal(log_sink_file(path, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        assert_int_equal(unlink(path), 0);
        log_info("after the removal");
        assert_non_null(strstr(read_text(path), "INFO after the removal\n"));
        log_remove_sinks();
}

static void test_a_rotation_nobody_told_of_is_followed(void **state) {
        char path[PATH_MAX], rotated[PATH_MAX];
        LogSink *sink;
        Error error = {0};
        snprintf(path, sizeof path, "%s/quiet.log", (const char *)*state);
        snprintf(rotated, sizeof rotated, "%s/quiet.log.1", (const char *)*state);
        assert_int_equal(log_sink_file(path, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        log_info("before"); /* the path has just been looked at: the rotation is seen when a second has passed */
        assert_int_equal(rename(path, rotated), 0);
        for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++) {
                log_info("number %d", i);
                usleep(10000);
        }
        assert_non_null(strstr(read_text(rotated), "INFO before\n"));
        assert_non_null(strstr(read_text(path), "INFO number "));
        log_remove_sinks();
}

static void test_a_failed_reopen_keeps_the_old_file(void **state) {
        char directory[PATH_MAX - 16], path[PATH_MAX], moved[PATH_MAX];
        LogSink *sink;
        Error error = {0};
        snprintf(directory, sizeof directory, "%s/logs", (const char *)*state);
        snprintf(path, sizeof path, "%s/a.log", directory);
        snprintf(moved, sizeof moved, "%s.old/a.log", directory);
        assert_int_equal(mkdir(directory, 0700), 0);
        assert_int_equal(log_sink_file(path, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        char old[PATH_MAX];
        snprintf(old, sizeof old, "%s.old", directory);
        assert_int_equal(rename(directory, old), 0);
        assert_int_equal(log_reopen(&error), -ENOENT);
        assert_non_null(strstr(error.message, path));
        log_info("still here");
        assert_non_null(strstr(read_text(moved), "still here"));
        log_remove_sinks();
}

static void test_a_full_disk_is_counted_and_told(UNUSED void **state) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fds[2];
        LogSink *sink;
        Error error = {0};
        char text[4096];
        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        assert_true(full >= 0);
        int fd = dup(full);
        assert_int_equal(log_sink_text(fd, true, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        errno = 123;
        log_info("lost one");
        log_info("lost two");
        assert_int_equal(errno, 123);
        assert_int_equal(sink->lost, 2);
        assert_int_equal(dup2(fds[1], fd), fd); /* there is room again */
        log_info("arrives");
        ssize_t got = read(fds[0], text, sizeof text - 1);
        assert_true(got > 0);
        text[got] = '\0';
        const char *told = strstr(text, "WARN 2 log lines could not be written here: No space left on device\n");
        assert_non_null(told);
        assert_non_null(strstr(told, "INFO arrives\n"));
        assert_int_equal(sink->lost, 0);
        assert_true(sink->written_wall >= sink->lost_wall && sink->lost_wall > 0);
        log_remove_sinks();
        close(fd);
        close(full);
        close(fds[0]);
        close(fds[1]);
}

static void test_a_reader_that_sleeps_never_holds_us(UNUSED void **state) {
        int fds[2];
        LogSink *sink;
        Error error = {0};
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* blocking, as an inherited stderr */
        assert_int_equal(log_sink_text(fds[1], false, &sink, &error), 0);
        assert_int_equal(log_add_sink(sink, &error), 0);
        for (int i = 0; i < 5000; i++) /* more than a pipe holds: a blocking write would hang the test here */
                log_info("%d %0100d", i, 0);
        assert_true(sink->lost > 0);
        log_remove_sinks();
        close(fds[0]);
        close(fds[1]);
}

static void test_levels_below_the_threshold_are_left_out(void **state) {
        char path[PATH_MAX];
        LogSink *sink;
        Error error = {0};
        snprintf(path, sizeof path, "%s/threshold.log", (const char *)*state);
        assert_int_equal(log_sink_file(path, &sink, &error), 0);
        sink->threshold = LEVEL_WARN;
        assert_int_equal(log_add_sink(sink, &error), 0);
        log_info("quiet");
        log_alert("loud");
        assert_null(strstr(read_text(path), "quiet"));
        assert_non_null(strstr(read_text(path), " ALERT loud\n"));
        log_remove_sinks();
}

static int set_up(void **state) {
        static char directory[] = "/tmp/test-log-XXXXXX";
        *state = mkdtemp(directory);
        return *state ? 0 : -1;
}

static int tear_down(void **state) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
        return system(command);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_line_has_time_level_fields_message),
                cmocka_unit_test(test_nothing_can_forge_a_line),
                cmocka_unit_test(test_a_long_message_is_cut_not_split),
                cmocka_unit_test(test_the_file_sink_follows_a_rotation),
                cmocka_unit_test(test_a_removed_file_is_made_anew),
                cmocka_unit_test(test_a_rotation_nobody_told_of_is_followed),
                cmocka_unit_test(test_a_failed_reopen_keeps_the_old_file),
                cmocka_unit_test(test_a_full_disk_is_counted_and_told),
                cmocka_unit_test(test_a_reader_that_sleeps_never_holds_us),
                cmocka_unit_test(test_levels_below_the_threshold_are_left_out),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
