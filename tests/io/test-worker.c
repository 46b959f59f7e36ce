/* io/worker: real processes. What they answer, how they fail, and what they must not take with them. */
#include "base/macros.h"
#include "core/types.h"
#include "io/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants those before it */
#include <cmocka.h>

#define GUARD_US (10 * USEC_PER_SEC)
#define OUTPUT_MAX 100000

typedef struct Fixture {
        sd_event *event;
        unsigned told;
        char *output;
        size_t size;
        Error error;
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
        free(fixture->output);
        free(fixture);
        return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void on_done(void *userdata, const char *output, size_t size, const Error *error) {
        Fixture *fixture = userdata;
        fixture->told++;
        fixture->output = output ? strdup(output) : NULL;
        fixture->size = size;
        fixture->error = *error;
}

static void wait_told(Fixture *fixture) {
        while (fixture->told == 0)
                assert_true(sd_event_run(fixture->event, GUARD_US) > 0);
}

static void begin(Fixture *fixture, WorkerJob job, void *argument, int64_t budget_us) {
        Worker *worker;
        Error error = {0};
        if (worker_begin(fixture->event, "trying", job, argument, OUTPUT_MAX, budget_us, on_done, fixture, &worker,
                         &error) < 0)
                fail_msg("%s", error.message);
        assert_int_equal(fixture->told, 0);
}

static int say(int output, const char *text) {
        return write(output, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : 1;
}

static int job_echo(void *argument, int output) {
        return say(output, argument);
}

static void test_its_answer_comes(void **state) {
        Fixture *fixture = *state;
        begin(fixture, job_echo, (void *)"what was said", GUARD_US);
        wait_told(fixture);
        assert_int_equal(fixture->error.code, 0);
        assert_string_equal(fixture->output, "what was said");
        assert_int_equal(fixture->size, strlen("what was said"));
}

static int job_much(void *argument, int output) {
        char block[1000];
        memset(block, 'x', sizeof block);
        for (size_t i = 0; i < *(size_t *)argument; i++)
                if (write(output, block, sizeof block) != (ssize_t)sizeof block)
                        return 1;
        return 0;
}

static void test_much_but_not_too_much(void **state) {
        Fixture *fixture = *state;
        size_t blocks = OUTPUT_MAX / 1000;
        begin(fixture, job_much, &blocks, GUARD_US);
        wait_told(fixture);
        assert_int_equal(fixture->size, OUTPUT_MAX);
        free(TAKE_PTR(fixture->output));
        fixture->told = 0;
        blocks++;
        begin(fixture, job_much, &blocks, GUARD_US);
        wait_told(fixture);
        assert_int_equal(fixture->error.code, -EMSGSIZE);
        assert_null(fixture->output);
}

static int job_fail(UNUSED void *argument, UNUSED int output) {
        return 3;
}

static int job_crash(UNUSED void *argument, UNUSED int output) {
        raise(SIGKILL);
        return 0;
}

static void test_its_failure_is_told(void **state) {
        Fixture *fixture = *state;
        begin(fixture, job_fail, NULL, GUARD_US);
        wait_told(fixture);
        assert_string_equal(fixture->error.message, "trying: its process ended with status 3");
        fixture->told = 0;
        begin(fixture, job_crash, NULL, GUARD_US);
        wait_told(fixture);
        assert_string_equal(fixture->error.message, "trying: its process was killed by signal 9");
}

static int job_hang(UNUSED void *argument, UNUSED int output) {
        while (pause() < 0)
                continue;
        return 0;
}

static void test_a_hanging_one_is_killed_at_its_budget(void **state) {
        Fixture *fixture = *state;
        begin(fixture, job_hang, NULL, 50 * USEC_PER_MSEC);
        wait_told(fixture);
        assert_int_equal(fixture->error.code, -ETIMEDOUT);
        assert_int_equal(sd_event_run(fixture->event, GUARD_US) > 0, 1); /* it is reaped, and told no second time */
        assert_int_equal(fixture->told, 1);
}

static void test_cancelled_nothing_is_told(void **state) {
        Fixture *fixture = *state;
        Worker *worker;
        Error error = {0};
        assert_int_equal(
                worker_begin(fixture->event, "trying", job_hang, NULL, 10, GUARD_US, on_done, fixture, &worker, &error),
                0);
        assert_null(worker_cancel(worker));
        assert_null(worker_cancel(NULL));
        assert_int_equal(sd_event_run(fixture->event, 0), 0);
        assert_int_equal(fixture->told, 0);
}

static int job_look(void *argument, int output) {
        bool closed = fcntl(*(int *)argument, F_GETFD) < 0 && fcntl(STDOUT_FILENO, F_GETFD) < 0;
        return say(output, closed && signal(SIGTERM, SIG_DFL) == SIG_DFL ? "nothing" : "something");
}

/* A lock of ours must not live on in it. */
static void test_it_has_nothing_of_ours(void **state) {
        Fixture *fixture = *state;
        int fd = open("/dev/null", O_RDONLY);
        signal(SIGTERM, SIG_IGN);
        begin(fixture, job_look, &fd, GUARD_US);
        wait_told(fixture);
        signal(SIGTERM, SIG_DFL);
        close(fd);
        assert_string_equal(fixture->output, "nothing");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_its_answer_comes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_much_but_not_too_much, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_its_failure_is_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_hanging_one_is_killed_at_its_budget, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cancelled_nothing_is_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_it_has_nothing_of_ours, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
