/* The disks that a child process asks. That a disk hangs is played by fsync(), which the linker gives to us, and that the child can't
 * be killed meanwhile (as in the kernel's uninterruptible sleep) by kill(). */
#include "adapters/disk.h"

#include "base/macros.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

typedef struct Seen {
        sd_event *event;
        int calls;
        bool answered;
        DiskView view;
        Error error;
} Seen;

static bool hangs, unkillable, write_fails;
static pid_t spared; /* the child that wasn't killed */

int __wrap_fsync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd) {
        if (hangs)
                for (;;)
                        pause();
        if (write_fails) {
                errno = EIO;
                return -1;
        }
        return __real_fsync(fd);
}

int __wrap_kill(pid_t pid, int number);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number) {
        if (!unkillable)
                return __real_kill(pid, number);
        spared = pid;
        return 0;
}

static void on_view(void *userdata, const DiskView *view, const Error *error) {
        Seen *seen = userdata;
        seen->calls++;
        seen->answered = view;
        if (view)
                seen->view = *view;
        else
                seen->error = *error;
        sd_event_exit(seen->event, 0);
}

static DiskProbe *open_probe(Seen *seen) {
        DiskProbe *probe = NULL;
        *seen = (Seen){0};
        assert_true(sd_event_new(&seen->event) >= 0);
        assert_int_equal(disk_probe_new(seen->event, &probe, NULL), 0);
        return probe;
}

static void look(DiskProbe *probe, const char *first, const char *second, const char *write_directory,
                 int64_t budget_us, Seen *seen) {
        const char *const paths[] = {first, second};
        Error error = {0};
        if (disk_probe_look(probe, paths, 2, write_directory, budget_us, on_view, seen, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_int_equal(sd_event_loop(seen->event), 0);
        assert_int_equal(seen->calls, 1);
}

static void test_look(UNUSED void **state) {
        char directory[] = "/tmp/test-disk.XXXXXX";
        Seen seen;
        assert_non_null(mkdtemp(directory));
        DiskProbe *probe = open_probe(&seen);
        look(probe, directory, "/nowhere", directory, 10000000, &seen);
        assert_true(seen.answered);
        assert_int_equal(seen.view.count, 2);
        const DiskState *disk = &seen.view.disks[0];
        struct stat place;
        assert_int_equal(stat(directory, &place), 0);
        assert_int_equal(disk->code, 0);
        assert_int_equal(disk->device, place.st_dev);
        assert_false(disk->read_only);
        assert_true(disk->size > 0 && disk->used >= 0 && disk->used <= disk->size); /* an empty one is possible, too */
        assert_in_range(disk_used_ppm(disk), 0, 1000000);
        assert_int_equal(seen.view.disks[1].code, -ENOENT);
        assert_int_equal(disk_used_ppm(&seen.view.disks[1]), -1);
        assert_true(seen.view.written);
        assert_int_equal(seen.view.write_code, 0);
        disk_probe_free(probe);
        sd_event_unref(seen.event);
        assert_int_equal(rmdir(directory), 0); /* nothing was left behind */
}

static void test_without_writing(UNUSED void **state) {
        Seen seen;
        DiskProbe *probe = open_probe(&seen);
        look(probe, "/tmp", "/", NULL, 10000000, &seen);
        assert_true(seen.answered && !seen.view.written);
        disk_probe_free(probe);
        sd_event_unref(seen.event);
}

static void test_write_fails(UNUSED void **state) {
        Seen seen;
        DiskProbe *probe = open_probe(&seen);
        write_fails = true;
        look(probe, "/tmp", "/", "/tmp", 10000000, &seen);
        write_fails = false;
        assert_true(seen.answered && seen.view.written);
        assert_int_equal(seen.view.write_code, -EIO);
        disk_probe_free(probe);
        sd_event_unref(seen.event);
}

static void test_hangs(UNUSED void **state) {
        Seen seen;
        Error error = {0};
        const char *const paths[] = {"/tmp"};
        DiskProbe *probe = open_probe(&seen);
        hangs = unkillable = true;
        look(probe, "/tmp", "/", "/tmp", 50000, &seen);
        assert_false(seen.answered);
        assert_int_equal(seen.error.code, -ETIMEDOUT);
        assert_non_null(strstr(seen.error.message, "the disk hangs: no answer for 0."));
        /* no second one is sent after the first */
        assert_int_equal(disk_probe_look(probe, paths, 1, "/tmp", 50000, on_view, &seen, &error), -EBUSY);
        assert_non_null(strstr(error.message, "the disk hangs"));

        /* it lets go of the child: then it is asked again */
        hangs = unkillable = false;
        assert_int_equal(kill(spared, SIGKILL), 0);
        sd_event *event = sd_event_unref(seen.event); /* a loop that was exited can't be run again */
        assert_null(event);
        disk_probe_free(probe);
        probe = open_probe(&seen);
        look(probe, "/tmp", "/", "/tmp", 10000000, &seen);
        assert_true(seen.answered);
        disk_probe_free(probe);
        sd_event_unref(seen.event);
}

static void test_share(UNUSED void **state) {
        assert_int_equal(disk_used_ppm(&(DiskState){.size = 1000 << 10, .used = 250 << 10, .available = 250 << 10}),
                         500000);
        assert_int_equal(disk_used_ppm(&(DiskState){.code = -EIO}), -1);
        assert_int_equal(disk_used_ppm(&(DiskState){0}), -1);
        const int64_t exbibyte = INT64_C(1) << 60;
        assert_int_equal(disk_used_ppm(&(DiskState){.size = 4 * exbibyte, .used = exbibyte, .available = 3 * exbibyte}),
                         250000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_look),        cmocka_unit_test(test_without_writing),
                cmocka_unit_test(test_write_fails), cmocka_unit_test(test_hangs),
                cmocka_unit_test(test_share),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
