#include "base/clock.h"
#include "base/lock.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

static char path[] = "/tmp/test-lock-XXXXXX";

/* A child that takes the lock, says so on a pipe and waits to be killed. */
static pid_t start_holder(const char *why) {
        int fds[2];
        char byte;
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
                int fd;
                if (lock_take(path, why, 0, NULL, &fd, NULL) < 0)
                        _exit(1);
                lock_update_progress(fd, "step 2 drain_traffic");
                if (write(fds[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &byte, 1), 1);
        close(fds[0]);
        return pid;
}

static void kill_holder(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_the_other_is_told_who_since_when_and_why(UNUSED void **state) {
        int64_t before = clock_wall_us();
        pid_t pid = start_holder("rolling back\nfrom v3.0.0 to v2.4.0");
        LockHolder holder;
        Error error = {0};
        int fd = -1;
        uint64_t ticks = 0;
        assert_int_equal(lock_take(path, "mine", 0, &holder, &fd, &error), -EBUSY);
        assert_int_equal(fd, -1);
        assert_true(holder.known);
        assert_int_equal(holder.pid, pid);
        assert_int_equal(process_start_ticks(pid, &ticks), 0);
        assert_int_equal(holder.start_ticks, ticks);
        assert_true(holder.since_wall >= before && holder.since_wall <= clock_wall_us());
        assert_true(holder.progress_mono > 0 && holder.progress_mono <= clock_mono_us());
        assert_string_equal(holder.why, "rolling back from v3.0.0 to v2.4.0");
        assert_string_equal(holder.progress, "step 2 drain_traffic");
        assert_non_null(strstr(error.message, "rolling back"));
        assert_int_equal(lock_holder_read(path, &holder, &error), 1);
        assert_int_equal(holder.pid, pid);
        kill_holder(pid);
}

static void test_the_lock_dies_with_its_holder(UNUSED void **state) {
        LockHolder holder;
        Error error = {0};
        int fd = -1;
        kill_holder(start_holder("doomed"));
        assert_int_equal(lock_holder_read(path, &holder, &error), 0);
        assert_int_equal(lock_take(path, "heir", 0, &holder, &fd, &error), 0);
        assert_int_equal(lock_holder_read(path, &holder, &error), 1);
        assert_int_equal(holder.pid, getpid());
        assert_string_equal(holder.why, "heir");
        fd = lock_release(fd);
        assert_int_equal(fd, -1);
        assert_int_equal(lock_holder_read(path, &holder, &error), 0);
}

static void test_two_takers_in_one_process_exclude_each_other(UNUSED void **state) {
        Error error = {0};
        int first = -1, second = -1;
        assert_int_equal(lock_take(path, "first", 0, NULL, &first, &error), 0);
        assert_int_equal(lock_take(path, "second", 0, NULL, &second, &error), -EBUSY);
        lock_release(first);
        assert_int_equal(lock_take(path, "second", 0, NULL, &second, &error), 0);
        lock_release(second);
}

static void test_waiting_gets_it_when_the_holder_dies(UNUSED void **state) {
        pid_t pid = start_holder("soon gone");
        Error error = {0};
        int fd = -1;
        int64_t begun = clock_mono_us();
        assert_int_equal(lock_take(path, "waiting", 30000, NULL, &fd, &error), -EBUSY);
        assert_true(clock_mono_us() - begun >= 30000);
        kill_holder(pid);
        assert_int_equal(lock_take(path, "waiting", 5000000, NULL, &fd, &error), 0);
        lock_release(fd);
}

static void test_release_frees_it_though_a_child_has_a_copy(UNUSED void **state) {
        Error error = {0};
        int fd = -1, again = -1;
        assert_int_equal(lock_take(path, "parent", 0, NULL, &fd, &error), 0);
        pid_t pid = fork();
        if (pid == 0)
                for (;;)
                        pause();
        lock_release(fd);
        assert_int_equal(lock_take(path, "again", 0, NULL, &again, &error), 0);
        lock_release(again);
        kill_holder(pid);
}

static void test_a_removed_file_is_not_locked(UNUSED void **state) {
        LockHolder holder;
        Error error = {0};
        int first = -1, second = -1;
        assert_int_equal(lock_take(path, "on the old file", 0, NULL, &first, &error), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(lock_holder_read(path, &holder, &error), 0);
        assert_int_equal(lock_take(path, "on the new one", 0, NULL, &second, &error), 0);
        assert_int_equal(access(path, F_OK), 0);
        lock_release(first);
        assert_int_equal(lock_holder_read(path, &holder, &error), 1);
        lock_release(second);
}

static int take_once(int *ret_fd) {
        Error error = {0};
        return lock_take(path, "again", 0, NULL, ret_fd, &error);
}

/* In a mount namespace of its own: what it exits with says which of its expectations didn't hold. */
static int on_a_read_only_file_system(void) {
        int before, first, second;
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        if (take_once(&before) < 0 || mount(path, path, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
                return 78;
        if (take_once(&first) != -EBUSY) /* who had it before it became read-only still has it */
                return 1;
        lock_release(before);
        if (take_once(&first) != 0)
                return 2;
        if (take_once(&second) != -EBUSY)
                return 3;
        lock_release(first);
        return take_once(&second) == 0 ? 0 : 4;
}

static void test_a_read_only_file_system_does_not_prevent_it(UNUSED void **state) {
        int status;
        if (geteuid() != 0)
                skip(); /* mounting is root's */
        pid_t pid = fork();
        if (pid == 0)
                _exit(on_a_read_only_file_system());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_nonsense_in_the_file_is_harmless(UNUSED void **state) {
        LockHolder holder;
        Error error = {0};
        int fd = -1, other = -1;
        assert_int_equal(lock_take(path, "x", 0, NULL, &fd, &error), 0);
        assert_true(pwrite(fd, "garbage\n\0\xff", 10, 0) == 10);
        lock_update_progress(fd, "ignored");
        assert_int_equal(lock_holder_read(path, &holder, &error), 1);
        assert_false(holder.known);
        assert_int_equal(lock_take(path, "y", 0, &holder, &other, &error), -EBUSY);
        assert_non_null(strstr(error.message, "another process"));
        lock_release(fd);
}

static void test_a_process_is_its_pid_and_its_start(UNUSED void **state) {
        uint64_t ticks = 0;
        assert_int_equal(process_start_ticks(getpid(), &ticks), 0);
        assert_true(process_alive(getpid(), ticks));
        assert_false(process_alive(getpid(), ticks + 1));
        pid_t pid = fork();
        if (pid == 0)
                _exit(0);
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0); /* a zombie now */
        assert_int_equal(process_start_ticks(pid, &ticks), 0);
        assert_false(process_alive(pid, ticks));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(process_start_ticks(pid, &ticks), -ESRCH);
}

static int set_up(UNUSED void **state) {
        int fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int tear_down(UNUSED void **state) {
        return unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_other_is_told_who_since_when_and_why),
                cmocka_unit_test(test_the_lock_dies_with_its_holder),
                cmocka_unit_test(test_two_takers_in_one_process_exclude_each_other),
                cmocka_unit_test(test_waiting_gets_it_when_the_holder_dies),
                cmocka_unit_test(test_release_frees_it_though_a_child_has_a_copy),
                cmocka_unit_test(test_a_removed_file_is_not_locked),
                cmocka_unit_test(test_a_read_only_file_system_does_not_prevent_it),
                cmocka_unit_test(test_nonsense_in_the_file_is_harmless),
                cmocka_unit_test(test_a_process_is_its_pid_and_its_start),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
