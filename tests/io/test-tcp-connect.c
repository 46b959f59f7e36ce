#include "io/tcp-connect.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

typedef struct Seen {
        sd_event *event;
        OpResult result;
        int calls;
} Seen;

static void on_result(void *userdata, const OpResult *result) {
        Seen *seen = userdata;
        seen->result = *result;
        seen->calls++;
        sd_event_exit(seen->event, 0);
}

/* A socket that listens on a port of the kernel's choice, and its endpoint. */
static int listener(int backlog, char *endpoint, size_t size) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(fd, backlog), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        snprintf(endpoint, size, "127.0.0.1:%d", ntohs(address.sin_port));
        return fd;
}

static void ask(const char *endpoint, int64_t budget_us, Seen *ret_seen) {
        Op *op = NULL;
        Error error = {0};
        *ret_seen = (Seen){0};
        assert_true(sd_event_new(&ret_seen->event) >= 0);
        if (tcp_connect_begin(ret_seen->event, endpoint, budget_us, on_result, ret_seen, &op, &error) < 0)
                fail_msg("%s", error_text(&error));
        assert_int_equal(ret_seen->calls, 0); /* never from inside */
        assert_int_equal(sd_event_loop(ret_seen->event), 0);
        sd_event_unref(ret_seen->event);
        assert_int_equal(ret_seen->calls, 1);
}

static void test_accepted(UNUSED void **state) {
        char endpoint[32];
        AUTO_CLOSE int fd = listener(8, endpoint, sizeof endpoint);
        Seen seen;
        ask(endpoint, USEC_PER_SEC, &seen);
        assert_int_equal(seen.result.status, OP_DONE);
        assert_true(seen.result.number >= 0 && seen.result.number < USEC_PER_SEC);
        assert_true(fd >= 0);
}

static void test_refused(UNUSED void **state) {
        char endpoint[32];
        close(listener(1, endpoint, sizeof endpoint));
        Seen seen;
        ask(endpoint, USEC_PER_SEC, &seen);
        assert_int_equal(seen.result.status, OP_FAILED);
        assert_int_equal(seen.result.error.code, -ECONNREFUSED);
        assert_non_null(strstr(seen.result.error.message, endpoint));
}

/* Nobody takes connections from the queue, and it is full: the kernel drops what comes. */
static void test_no_answer(UNUSED void **state) {
        char endpoint[32];
        AUTO_CLOSE int fd = listener(0, endpoint, sizeof endpoint);
        int fillers[4];
        struct sockaddr_in address;
        socklen_t length = sizeof address;
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
                fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
        }
        Seen seen;
        ask(endpoint, 50 * USEC_PER_MSEC, &seen);
        assert_int_equal(seen.result.status, OP_TIMED_OUT);
        assert_non_null(strstr(seen.result.error.message, endpoint));
        for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
                close(fillers[i]);
}

static void test_cancelled(UNUSED void **state) {
        char endpoint[32];
        AUTO_CLOSE int fd = listener(1, endpoint, sizeof endpoint);
        Seen seen = {0};
        Op *op = NULL;
        assert_true(fd >= 0);
        assert_true(sd_event_new(&seen.event) >= 0);
        assert_int_equal(tcp_connect_begin(seen.event, endpoint, USEC_PER_SEC, on_result, &seen, &op, NULL), 0);
        op_cancel(op);
        assert_true(sd_event_run(seen.event, 0) >= 0);
        sd_event_unref(seen.event);
        assert_int_equal(seen.calls, 0);
}

static void test_not_an_endpoint(UNUSED void **state) {
        static const char *const bad[] = {"", "80", "localhost:80", "127.0.0.1", "127.0.0.1:http", "[::1:80"};
        sd_event *event = NULL;
        assert_true(sd_event_new(&event) >= 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Op *op = NULL;
                Error error = {0};
                assert_int_equal(tcp_connect_begin(event, bad[i], USEC_PER_SEC, on_result, NULL, &op, &error), -EINVAL);
                assert_null(op);
        }
        sd_event_unref(event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),        cmocka_unit_test(test_refused),
                cmocka_unit_test(test_no_answer),       cmocka_unit_test(test_cancelled),
                cmocka_unit_test(test_not_an_endpoint),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
