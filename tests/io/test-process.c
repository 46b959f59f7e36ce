/* io/process: real children. Waiting is always for an event, with a guard that fails the test instead of hanging it. */
#include "base/macros.h"
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
/* cmocka wants those before it */
#include <cmocka.h>

#define GUARD_US (10 * USEC_PER_SEC)
#define RUN(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SHELL(script) RUN("/bin/sh", "-c", script)

typedef struct Fixture {
        sd_event *event;
        bool told;
        unsigned count;
        OpResult result;
        ProcessExit exit;
} Fixture;

static int set_up(void **state) {
        Fixture *fixture = calloc(1, sizeof *fixture);
        if (!fixture || sd_event_new(&fixture->event) < 0)
                return -1;
        *state = fixture;
        return 0;
}

/* Every test ends with no child of ours left, alive or zombie. */
static int tear_down(void **state) {
        Fixture *fixture = *state;
        sd_event_unref(fixture->event);
        int left = waitpid(-1, NULL, WNOHANG);
        free(fixture);
        return left == -1 && errno == ECHILD ? 0 : -1;
}

static void on_result(void *userdata, const OpResult *result) {
        Fixture *fixture = userdata;
        fixture->result = *result;
        fixture->told = true;
        fixture->count++;
}

static void on_exited(void *userdata, UNUSED Process *process, const ProcessExit *exit) {
        Fixture *fixture = userdata;
        fixture->exit = *exit;
        fixture->told = true;
        fixture->count++;
}

static int64_t now_us(sd_event *event) {
        uint64_t now;
        sd_event_now(event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

static void wait_told(Fixture *fixture) {
        int64_t end = now_us(fixture->event) + GUARD_US;
        while (!fixture->told) {
                assert_true(sd_event_run(fixture->event, GUARD_US) >= 0);
                assert_true(now_us(fixture->event) < end);
        }
}

/* Turns the loop until no child of ours is left. */
static void wait_reaped(Fixture *fixture) {
        int64_t end = now_us(fixture->event) + GUARD_US;
        siginfo_t info;
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
                assert_true(sd_event_run(fixture->event, 100 * USEC_PER_MSEC) >= 0);
                assert_true(now_us(fixture->event) < end);
        }
        assert_int_equal(errno, ECHILD);
}

static void run_command(Fixture *fixture, const char *const *argv, const char *const *env, int64_t budget_us) {
        Op *op;
        Error error = {0};
        fixture->told = false;
        assert_int_equal(process_run(fixture->event, argv, env, budget_us, on_result, fixture, &op, &error), 0);
        assert_false(fixture->told); /* never from inside the call */
        wait_told(fixture);
}

static void test_run_success_tells_last_line(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("echo first; printf 'drained\\t3\\n\\n  \\n'"), NULL, GUARD_US);
        assert_int_equal(fixture->result.status, OP_DONE);
        assert_string_equal(fixture->result.detail, "drained 3");
        assert_int_equal(fixture->count, 1);
}

static void test_run_failure_names_status_and_line(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("echo no such backend >&2; exit 3"), NULL, GUARD_US);
        assert_int_equal(fixture->result.status, OP_FAILED);
        assert_string_equal(fixture->result.error.message, "/bin/sh exited with status 3: no such backend");
        run_command(fixture, SHELL("kill -9 $$"), NULL, GUARD_US);
        assert_string_equal(fixture->result.error.message, "/bin/sh was killed by SIGKILL (Killed)");
}

static void test_run_missing_command(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, RUN("/nonexistent/hook"), NULL, GUARD_US);
        assert_int_equal(fixture->result.status, OP_FAILED);
        assert_non_null(
                strstr(fixture->result.error.message, "cannot run /nonexistent/hook: No such file or directory"));

        Op *op;
        Error error = {0};
        assert_int_equal(
                process_run(fixture->event, (const char *const[]){NULL}, NULL, 1, on_result, fixture, &op, &error),
                -EINVAL);
        assert_true(error.message[0] != '\0');
}

static void test_run_much_output_keeps_the_end(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done"), NULL, GUARD_US);
        assert_int_equal(fixture->result.status, OP_DONE);
        assert_string_equal(fixture->result.detail, "line 29999");
}

static void test_run_environment(void **state) {
        Fixture *fixture = *state;
        setenv("NOTIFY_SOCKET", "/run/ours", 1);
        setenv("KEPT", "kept", 1);
        setenv("REPLACED", "old", 1);
        run_command(fixture, SHELL("echo \"$NOTIFY_SOCKET|$KEPT|$REPLACED|$ADDED\""),
                    (const char *const[]){"REPLACED=new", "ADDED=a b", NULL}, GUARD_US);
        unsetenv("NOTIFY_SOCKET");
        assert_string_equal(fixture->result.detail, "|kept|new|a b");
}

static void test_run_leaks_no_descriptor(void **state) {
        Fixture *fixture = *state;
        AUTO_CLOSE int careless = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library might */
        assert_true(careless >= 0);
        run_command(fixture, SHELL("set -- /proc/self/fd/*; echo $#"), NULL, GUARD_US);
        assert_string_equal(fixture->result.detail, "4"); /* 0 1 2, and the directory the shell reads */
}

static void test_run_stdin_is_empty(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("cat; echo end"), NULL, GUARD_US);
        assert_string_equal(fixture->result.detail, "end");
}

static void test_run_budget_terminates_gently(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("trap 'echo cleaned up; exit 0' TERM; while :; do sleep 0.01; done"), NULL,
                    300 * USEC_PER_MSEC);
        assert_int_equal(fixture->result.status, OP_TIMED_OUT);
        assert_non_null(strstr(fixture->result.error.message, "budget of 300 ms"));
        assert_non_null(strstr(fixture->result.error.message, "cleaned up"));
        wait_reaped(fixture);
}

/* The whole group dies, also what ignores SIGTERM; the pipe it all held tells us when. */
static void test_run_budget_kills_the_group(void **state) {
        Fixture *fixture = *state;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        char script[256], fd[64];
        snprintf(fd, sizeof fd, "/proc/%d/fd/%d", getpid(), ends[1]);
        snprintf(script, sizeof script, "exec 9>%s; trap '' TERM; sleep 1000 & sleep 1000", fd);
        int64_t begun = now_us(fixture->event);
        run_command(fixture, SHELL(script), NULL, 200 * USEC_PER_MSEC);
        assert_int_equal(fixture->result.status, OP_TIMED_OUT);
        assert_true(now_us(fixture->event) - begun < USEC_PER_SEC);
        wait_reaped(fixture);
        close(ends[1]);
        char byte;
        alarm(10); /* hangs when a grandchild lived on */
        assert_int_equal(read(ends[0], &byte, 1), 0);
        alarm(0);
        close(ends[0]);
}

static void test_run_cancel(void **state) {
        Fixture *fixture = *state;
        Op *op;
        Error error = {0};
        assert_int_equal(
                process_run(fixture->event, RUN("/bin/sleep", "1000"), NULL, GUARD_US, on_result, fixture, &op, &error),
                0);
        op_cancel(op);
        wait_reaped(fixture);
        assert_int_equal(fixture->count, 0);
}

/* A background child that keeps the pipe open doesn't keep the result back. */
static void test_run_does_not_wait_for_grandchildren(void **state) {
        Fixture *fixture = *state;
        run_command(fixture, SHELL("sleep 1000 & echo $!"), NULL, GUARD_US);
        assert_int_equal(fixture->result.status, OP_DONE);
        assert_int_equal(kill(atoi(fixture->result.detail), SIGKILL), 0);
}

/* Its standard input and output are files of ours, it says the rest by the captured output, and has no environment but its own. */
static void test_own_descriptors_and_environment(void **state) {
        Fixture *fixture = *state;
        char given[64] = "";
        Process *process = NULL;
        Error error = {0};
        int from = memfd_create("in", MFD_CLOEXEC), to = memfd_create("out", MFD_CLOEXEC);
        assert_int_equal(write(from, "asked", 5), 5);
        assert_int_equal(lseek(from, 0, SEEK_SET), 0);
        setenv("OURS", "seen", 1);
        const char *const env[] = {"PATH=/usr/bin:/bin", "THEIRS=1", NULL};
        const ProcessSpec spec = {.argv = SHELL("cat; echo \" $THEIRS$OURS\"; echo beside >&2"),
                                  .env = env,
                                  .only_env = true,
                                  .output_fd = -1,
                                  .input_fd = from,
                                  .data_fd = to};
        assert_int_equal(process_start(fixture->event, &spec, on_exited, fixture, &process, &error), 0);
        wait_told(fixture);
        assert_int_equal(fixture->exit.code, 0);
        assert_string_equal(process_output(process), "beside\n");
        assert_true(pread(to, given, sizeof given - 1, 0) > 0);
        assert_string_equal(given, "asked 1\n");
        process_free(process);
        unsetenv("OURS");
        close(from);
        close(to);
}

static void test_held_child_waits(void **state) {
        Fixture *fixture = *state;
        const ProcessSpec spec = {.argv = SHELL("echo ran"), .output_fd = -1, .held = true};
        Process *process;
        Error error = {0};
        assert_int_equal(process_start(fixture->event, &spec, on_exited, fixture, &process, &error), 0);
        assert_true(sd_event_run(fixture->event, 50 * USEC_PER_MSEC) >= 0);
        assert_false(fixture->told);
        assert_string_equal(process_output(process), "");
        assert_int_equal(process_release(process, &error), 0);
        wait_told(fixture);
        assert_int_equal(fixture->exit.code, 0);
        assert_string_equal(process_output(process), "ran\n");
        assert_true(process_ended(process));
        assert_int_equal(process_kill(process, SIGKILL), 0); /* of one that is gone: nothing */
        process_free(process);
}

static void test_held_child_ends_when_given_up(void **state) {
        Fixture *fixture = *state;
        const ProcessSpec spec = {
                .argv = SHELL("echo ran >&2; sleep 1000"), .output_fd = -1, .held = true, .service = true};
        Process *process;
        Error error = {0};
        assert_int_equal(process_start(fixture->event, &spec, on_exited, fixture, &process, &error), 0);
        process_free(process); /* closes the gate; a service isn't killed, so only that can end it */
        wait_reaped(fixture);
        assert_int_equal(fixture->count, 0);
}

static void test_service_has_its_own_session_and_survives(void **state) {
        Fixture *fixture = *state;
        const ProcessSpec spec = {
                .argv = RUN("/bin/sleep", "1000"), .output_fd = STDERR_FILENO, .service = true, .held = true};
        Process *process;
        Error error = {0};
        assert_int_equal(process_start(fixture->event, &spec, on_exited, fixture, &process, &error), 0);
        assert_int_equal(process_release(process, &error), 0);
        pid_t pid = process_pid(process);
        process_free(process);
        siginfo_t info = {0};
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        assert_int_equal(info.si_pid, 0); /* still running */
        while (getsid(pid) != pid)
                assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        kill(pid, SIGKILL);
        wait_reaped(fixture);
}

/* A hook dies with the process that started it: a child of ours plays the controller that is killed. */
static void test_hook_dies_with_us(UNUSED void **state) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t controller = fork();
        if (controller == 0) {
                sd_event *event;
                Process *process;
                const ProcessSpec spec = {.argv = SHELL("echo on; exec sleep 1000"), .output_fd = ends[1]};
                if (sd_event_new(&event) < 0 || process_start(event, &spec, on_exited, NULL, &process, NULL) < 0)
                        _exit(1);
                pause();
        }
        close(ends[1]);
        char text[8];
        alarm(10);
        assert_int_equal(read(ends[0], text, sizeof text), 3);
        kill(controller, SIGKILL);
        waitpid(controller, NULL, 0);
        assert_int_equal(read(ends[0], text, sizeof text), 0); /* the hook held the other end */
        alarm(0);
        close(ends[0]);
}

static void test_ignored_sigchld_is_said(void **state) {
        Fixture *fixture = *state;
        signal(SIGCHLD, SIG_IGN);
        run_command(fixture, SHELL("exit 0"), NULL, GUARD_US);
        signal(SIGCHLD, SIG_DFL);
        assert_int_equal(fixture->result.status, OP_FAILED);
        assert_non_null(strstr(fixture->result.error.message, "SIGCHLD"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_run_success_tells_last_line),
                TEST(test_run_failure_names_status_and_line),
                TEST(test_run_missing_command),
                TEST(test_run_much_output_keeps_the_end),
                TEST(test_run_environment),
                TEST(test_own_descriptors_and_environment),
                TEST(test_run_leaks_no_descriptor),
                TEST(test_run_stdin_is_empty),
                TEST(test_run_budget_terminates_gently),
                TEST(test_run_budget_kills_the_group),
                TEST(test_run_cancel),
                TEST(test_run_does_not_wait_for_grandchildren),
                TEST(test_held_child_waits),
                TEST(test_held_child_ends_when_given_up),
                TEST(test_service_has_its_own_session_and_survives),
                TEST(test_hook_dies_with_us),
                TEST(test_ignored_sigchld_is_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
