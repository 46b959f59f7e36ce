/* The line client against peers that answer, hang, drip, flood, refuse and aren't there. */
#include "core/types.h"
#include "io/line-client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

/* The peer lives in the same event loop: what it does is decided by the test's callback. */
typedef struct Fixture {
        sd_event *event;
        char directory[32], path[64];
        int listener, peer;
        sd_event_source *accept_source, *read_source, *drip_source;
        const char *answer; /* NULL: none */
        bool drips, floods;
        char heard[64];
        LineCall *call;
        bool answered;
        int code;
        int64_t elapsed_us;
        char text[64], message[ERROR_MESSAGE_MAX];
} Fixture;

static int on_drip(sd_event_source *source, uint64_t usec, void *userdata) {
        Fixture *f = userdata;
        (void)usec;
        (void)!send(f->peer, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        sd_event_source_set_time_relative(source, 5000);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static int on_command(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Fixture *f = userdata;
        (void)events;
        ssize_t n = recv(fd, f->heard, sizeof f->heard - 1, 0);
        if (n <= 0) {
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return 0;
        }
        f->heard[n] = '\0';
        if (f->floods) {
                static char block[65536];
                memset(block, 'x', sizeof block);
                (void)!send(fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else if (f->drips)
                sd_event_add_time_relative(f->event, &f->drip_source, CLOCK_BOOTTIME, 0, 1, on_drip, f);
        else if (f->answer) {
                (void)!send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
                shutdown(fd, SHUT_RDWR);
        }
        return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Fixture *f = userdata;
        (void)source, (void)events;
        f->peer = accept(fd, NULL, NULL);
        sd_event_add_io(f->event, &f->read_source, f->peer, EPOLLIN, on_command, f);
        return 0;
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strcpy(f->directory, "/tmp/line-client-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        snprintf(f->path, sizeof f->path, "%s/socket", f->directory);
        strcpy(address.sun_path, f->path);
        f->peer = -1;
        assert_true(sd_event_new(&f->event) >= 0);
        f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(f->listener, 1), 0);
        assert_true(sd_event_add_io(f->event, &f->accept_source, f->listener, EPOLLIN, on_connect, f) >= 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;
        line_cancel(f->call);
        sd_event_source_disable_unref(f->accept_source);
        sd_event_source_disable_unref(f->read_source);
        sd_event_source_disable_unref(f->drip_source);
        close(f->listener);
        if (f->peer >= 0)
                close(f->peer);
        sd_event_unref(f->event);
        unlink(f->path);
        rmdir(f->directory);
        free(f);
        return 0;
}

static void on_answer(void *userdata, const LineAnswer *answer) {
        Fixture *f = userdata;
        f->call = NULL;
        f->answered = true;
        f->code = answer->error.code;
        f->elapsed_us = answer->elapsed_us;
        snprintf(f->text, sizeof f->text, "%s", answer->text);
        snprintf(f->message, sizeof f->message, "%s", answer->error.code ? answer->error.message : "");
}

static void ask(Fixture *f, int64_t budget_us) {
        Error error = {0};
        assert_int_equal(line_begin(f->event, f->path, "show info", 4096, budget_us, on_answer, f, &f->call, &error),
                         0);
        assert_false(f->answered);
        while (!f->answered)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
}

static void test_answer(void **state) {
        Fixture *f = *state;
        f->answer = "line one\nline two\n\n";
        ask(f, USEC_PER_SEC);
        assert_int_equal(f->code, 0);
        assert_string_equal(f->text, f->answer);
        assert_string_equal(f->heard, "show info\n");
}

static void test_closed_without_answer(void **state) {
        Fixture *f = *state;
        f->answer = "";
        ask(f, USEC_PER_SEC);
        assert_int_equal(f->code, -ECONNRESET);
        assert_non_null(strstr(f->message, f->path));
}

static void test_hangs(void **state) {
        Fixture *f = *state;
        ask(f, 50 * USEC_PER_MSEC);
        assert_int_equal(f->code, -ETIMEDOUT);
        assert_true(f->elapsed_us >= 50 * USEC_PER_MSEC);
        assert_non_null(strstr(f->message, "no answer within 50 ms"));
}

static void test_drips(void **state) {
        Fixture *f = *state;
        f->drips = true;
        ask(f, 50 * USEC_PER_MSEC);
        assert_int_equal(f->code, -ETIMEDOUT);
        assert_string_equal(f->text, "");
        assert_non_null(strstr(f->message, "no end of the answer"));
}

static void test_floods(void **state) {
        Fixture *f = *state;
        f->floods = true;
        ask(f, USEC_PER_SEC);
        assert_int_equal(f->code, -EMSGSIZE);
}

static void test_missing_socket(void **state) {
        Fixture *f = *state;
        unlink(f->path);
        ask(f, USEC_PER_SEC);
        assert_int_equal(f->code, -ENOENT);
        assert_non_null(strstr(f->message, f->path));
}

static void test_nobody_listens(void **state) {
        Fixture *f = *state;
        f->accept_source = sd_event_source_disable_unref(f->accept_source);
        close(f->listener);
        f->listener = -1;
        ask(f, USEC_PER_SEC);
        assert_int_equal(f->code, -ECONNREFUSED);
}

/* A peer that accepts no more: its backlog is full, connect() says EAGAIN and no event will tell. */
static void test_full_backlog(void **state) {
        Fixture *f = *state;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int waiting[8];
        unsigned count = 0;
        strcpy(address.sun_path, f->path);
        sd_event_source_set_enabled(f->accept_source, SD_EVENT_OFF);
        do
                waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        while (connect(waiting[count++], (struct sockaddr *)&address, sizeof address) == 0 &&
               count < ARRAY_SIZE(waiting));
        assert_int_equal(errno, EAGAIN);
        ask(f, 60 * USEC_PER_MSEC);
        assert_int_equal(f->code, -ETIMEDOUT);
        while (count > 0)
                close(waiting[--count]);
}

static void test_path_too_long(void **state) {
        Fixture *f = *state;
        char path[200];
        Error error = {0};
        memset(path, 'x', sizeof path);
        path[sizeof path - 1] = '\0';
        assert_int_equal(line_begin(f->event, path, "x", 0, 1000, on_answer, f, &f->call, &error), -ENAMETOOLONG);
        assert_null(f->call);
}

static void test_cancel(void **state) {
        Fixture *f = *state;
        Error error;
        f->answer = "late";
        assert_int_equal(line_begin(f->event, f->path, "x", 0, 20 * USEC_PER_MSEC, on_answer, f, &f->call, &error), 0);
        f->call = line_cancel(f->call);
        for (int i = 0; i < 5; i++)
                sd_event_run(f->event, 10 * USEC_PER_MSEC);
        assert_false(f->answered);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_answer),         TEST(test_closed_without_answer),
                TEST(test_hangs),          TEST(test_drips),
                TEST(test_floods),         TEST(test_missing_socket),
                TEST(test_nobody_listens), TEST(test_full_backlog),
                TEST(test_path_too_long),  TEST(test_cancel),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
