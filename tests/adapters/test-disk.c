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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

typedef struct Seen {
        sd_event *event;
        int calls;
        bool answered;
        DiskView view;
        Error error;
} Seen;

static bool hangs, unkillable, write_fails; /* the first and the last as they are when the child begins */
static pid_t spared;                        /* the child that wasn't killed */
static pid_t child;                         /* the newest */
static int children;

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

pid_t __wrap_fork(void);
pid_t __real_fork(void);
pid_t __wrap_fork(void) {
        pid_t pid = __real_fork();
        if (pid > 0) {
                child = pid;
                children++;
        }
        return pid;
}

static void on_view(void *userdata, const DiskView *view, const Error *error) {
        Seen *seen = userdata;
        seen->calls++;
        seen->answered = view;
        if (view)
                seen->view = *view;
        else
                seen->error = *error;
}

/* Its paths are "/nowhere" behind `first`. */
static DiskProbe *open_probe(const char *first, Seen *seen) {
        static const char *paths[2];
        DiskProbe *probe = NULL;
        paths[0] = first;
        paths[1] = "/nowhere";
        *seen = (Seen){0};
        children = 0;
        assert_true(sd_event_new(&seen->event) >= 0);
        assert_int_equal(disk_probe_new(seen->event, paths, 2, first, &probe, NULL), 0);
        assert_int_equal(children, 0);
        return probe;
}

static void close_probe(DiskProbe *probe, Seen *seen) {
        assert_null(disk_probe_free(probe));
        assert_null(sd_event_unref(seen->event));
}

static void look(DiskProbe *probe, bool write, int64_t budget_us, Seen *seen) {
        Error error = {0};
        int before = seen->calls;
        if (disk_probe_look(probe, write, budget_us, on_view, seen, &error) < 0)
                fail_msg("%s", error_text(&error));
        while (seen->calls == before)
                assert_true(sd_event_run(seen->event, UINT64_MAX) >= 0);
        assert_int_equal(seen->calls, before + 1);
}

/* Until it isn't even a zombie any more. */
static void await_reaped(const Seen *seen, pid_t pid) {
        while (__real_kill(pid, 0) == 0)
                assert_true(sd_event_run(seen->event, UINT64_MAX) >= 0);
        assert_int_equal(errno, ESRCH);
}

static void test_look(UNUSED void **state) {
        char directory[] = "/tmp/test-disk.XXXXXX";
        Seen seen;
        assert_non_null(mkdtemp(directory));
        DiskProbe *probe = open_probe(directory, &seen);
        look(probe, true, 10000000, &seen);
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
        close_probe(probe, &seen);
        assert_int_equal(rmdir(directory), 0); /* nothing was left behind */
}

static void test_one_child_for_all(UNUSED void **state) {
        Seen seen;
        DiskProbe *probe = open_probe("/tmp", &seen);
        for (unsigned i = 0; i < 3; i++) {
                look(probe, i == 1, 10000000, &seen);
                assert_true(seen.answered);
                assert_int_equal(seen.view.written, i == 1);
        }
        assert_int_equal(children, 1);
        assert_int_equal(disk_probe_look(probe, false, 10000000, on_view, &seen, NULL), 0);
        assert_int_equal(disk_probe_look(probe, false, 10000000, on_view, &seen, NULL), -EBUSY);
        pid_t last = child;
        close_probe(probe, &seen);
        assert_int_equal(seen.calls, 3);
        assert_int_equal(kill(last, 0), -1); /* ended, and reaped */
        assert_int_equal(errno, ESRCH);
}

/* Whether its end is known already when the next look comes, or not. */
static void test_child_is_ended_by_somebody(UNUSED void **state) {
        Seen seen;
        DiskProbe *probe = open_probe("/tmp", &seen);
        for (int i = 0; i < 3; i++) {
                siginfo_t info;
                look(probe, true, 10000000, &seen);
                assert_true(seen.answered);
                assert_int_equal(children, i + 1);
                assert_int_equal(kill(child, i == 0 ? SIGTERM : SIGKILL), 0); /* neither is blocked */
                assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
                if (i == 1)
                        await_reaped(&seen, child);
        }
        close_probe(probe, &seen);
}

static bool holds_descriptors(pid_t pid) {
        char path[64];
        int count = 0;
        snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
        DIR *directory = opendir(path);
        assert_non_null(directory);
        for (const struct dirent *entry; (entry = readdir(directory));)
                count += entry->d_name[0] != '.';
        closedir(directory);
        return count > 1;
}

/* Nobody is told: the child finds out. */
static void test_controller_goes_away(UNUSED void **state) {
        int told[2], status;
        pid_t orphan = 0;
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        assert_int_equal(pipe(told), 0);
        pid_t controller = __real_fork();
        if (controller == 0) {
                Seen seen;
                DiskProbe *probe = open_probe("/tmp", &seen);
                look(probe, false, 10000000, &seen);
                bool ok = !holds_descriptors(child) && write(told[1], &child, sizeof child) == sizeof child;
                while (ok && pause() < 0)
                        ;
                _exit(1);
        }
        close(told[1]);
        assert_int_equal(read(told[0], &orphan, sizeof orphan), sizeof orphan);
        assert_int_equal(kill(controller, SIGKILL), 0);
        assert_int_equal(waitpid(controller, &status, 0), controller);
        assert_int_equal(waitpid(orphan, &status, 0), orphan);
        close(told[0]);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_write_fails(UNUSED void **state) {
        Seen seen;
        DiskProbe *probe = open_probe("/tmp", &seen);
        write_fails = true;
        look(probe, true, 10000000, &seen);
        write_fails = false;
        assert_true(seen.answered && seen.view.written);
        assert_int_equal(seen.view.write_code, -EIO);
        close_probe(probe, &seen);
}

static void test_hangs(UNUSED void **state) {
        Seen seen;
        Error error = {0};
        DiskProbe *probe = open_probe("/tmp", &seen);
        hangs = unkillable = true;
        look(probe, true, 50000, &seen);
        assert_false(seen.answered);
        assert_int_equal(seen.error.code, -ETIMEDOUT);
        assert_non_null(strstr(seen.error.message, "the disk hangs: no answer for 0."));
        /* no second one is sent after the first */
        assert_int_equal(disk_probe_look(probe, false, 50000, on_view, &seen, &error), -EBUSY);
        assert_non_null(strstr(error.message, "the disk hangs"));
        assert_int_equal(children, 1);

        /* it lets go of the child: then it is asked again, by another one */
        hangs = unkillable = false;
        assert_int_equal(kill(spared, SIGKILL), 0);
        await_reaped(&seen, spared);
        assert_int_equal(seen.calls, 1);
        look(probe, true, 10000000, &seen);
        assert_true(seen.answered);
        assert_int_equal(children, 2);
        close_probe(probe, &seen);
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
                cmocka_unit_test(test_look),
                cmocka_unit_test(test_one_child_for_all),
                cmocka_unit_test(test_child_is_ended_by_somebody),
                cmocka_unit_test(test_controller_goes_away),
                cmocka_unit_test(test_write_fails),
                cmocka_unit_test(test_hangs),
                cmocka_unit_test(test_share),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
