/* Operations that answer later, and the audit trail of all that act. */
#include "fixture.h"
#include "http.h"

#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define DRAIN "{\"timeout_seconds\":7}"
#define DRAIN_REQUEST(headers)                                                                                         \
        "POST /api/v3/traffic/drain HTTP/1.1\r\n" headers                                                              \
        "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n" DRAIN

static int start(UNUSED void **state) {
        return fixture_start(&(ApiSettings){0});
}

static int stop(UNUSED void **state) {
        return fixture_stop();
}

static char *ask(const char *request) {
        return http_ask(fixture_socket, request);
}

/* Until what is seen of the server holds `wanted`, as what a request has begun may end after its answer. */
static void wait_for(const char *wanted) {
        int64_t deadline = clock_mono_us() + HTTP_WAIT_MS * 1000;
        for (;;) {
                AUTO_FREE char *seen = ask(GET("/api/v3/history"));
                if (strstr(seen, wanted))
                        return;
                if (clock_mono_us() >= deadline)
                        assert_holds(seen, wanted);
                poll(NULL, 0, 2);
        }
}

static void release(void) {
        AUTO_FREE char *answer = ask("POST /api/v3/deploy HTTP/1.1\r\n" FIXTURE_CLOSE
                                     "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                                     "{\"version\":\"release\"}");
        assert_int_equal(http_status(answer), 200);
}

static void test_a_reply_comes_later(UNUSED void **state) {
        AUTO_CLOSE int fd = http_connect(fixture_socket);
        assert_true(http_send_text(fd, DRAIN_REQUEST("Host: localhost\r\n")));
        wait_for("\"pending\":2"); /* this one and the drain: others are served meanwhile */
        release();
        AUTO_FREE char *answer = http_read(fd, "}\n");
        assert_int_equal(http_status(answer), 200);
        assert_holds(answer, "{\"done\":true}");
        assert_holds(answer, "Last-Event-ID: ");
        /* the connection is good for the next one */
        assert_true(http_send_text(fd, "GET /api/v3/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        AUTO_FREE char *next = http_read(fd, "}\n");
        assert_int_equal(http_status(next), 200);
        wait_for("\"pending\":1");
}

static void test_a_reply_comes_at_once(UNUSED void **state) {
        AUTO_FREE char *answer = ask(POST("/api/v3/traffic/restore"));
        assert_int_equal(http_status(answer), 200);
        assert_holds(answer, "{\"done\":true}");
}

static void test_refusals(UNUSED void **state) {
        AUTO_FREE char *at_once = ask(POST("/api/v3/cache/clear"));
        assert_int_equal(http_status(at_once), 409);
        assert_holds(at_once, "\"detail\":\"not now\"");
        AUTO_FREE char *later = ask(POST("/api/v3/consensus/force-election"));
        assert_int_equal(http_status(later), 503);
        assert_holds(later, "Content-Type: application/problem+json\r\n");
        assert_holds(later, "\"detail\":\"2 of 3 members are away\",\"instance\":\"/api/v3/consensus/force-election\"");
        assert_holds(later, "\"members\":3");
}

static void test_who_hangs_up_meanwhile(UNUSED void **state) {
        for (int i = 0; i < 3; i++) {
                int fds[20];
                char pending[32];
                snprintf(pending, sizeof pending, "\"pending\":%zu", ARRAY_SIZE(fds) + 1);
                for (size_t j = 0; j < ARRAY_SIZE(fds); j++) {
                        fds[j] = http_connect(fixture_socket);
                        assert_true(http_send_text(fds[j], DRAIN_REQUEST("Host: localhost\r\n")));
                }
                wait_for(pending);
                for (size_t j = 0; j < ARRAY_SIZE(fds); j++)
                        close(fds[j]);
                release();
                wait_for("\"pending\":1");
        }
        AUTO_FREE char *seen = ask(GET("/api/v3/history"));
        json_t *document = json_loads(http_body(seen), 0, NULL);
        assert_int_equal(json_array_size(json_object_get(document, "acted")), 3 * (20 + 1)); /* with the releases */
        json_decref(document);
}

static void test_all_that_act_are_told(UNUSED void **state) {
        static const struct {
                const char *request;
                const char *path, *arguments; /* NULL: it isn't told */
                int status;
                const char *outcome;
        } rows[] = {
                {POST("/api/v3/traffic/restore"), "/api/v3/traffic/restore", "{}", 200, "200"},
                {POST("/api/v3/cache/clear"), "/api/v3/cache/clear", "{}", 409, "Busy"},
                {POST("/api/v3/consensus/force-election"), "/api/v3/consensus/force-election", "{}", 503, "No quorum"},
                {POST("/api/v3/rollback"), "/api/v3/rollback", "null", 400, "Bad request"},
                {POST("/api/v3/adopt"), "/api/v3/adopt", "{}", 501, "Not implemented"},
                {POST("/api/v3/traffic/drain?x=1"), "/api/v3/traffic/drain", "null", 400, "Bad request"},
                {GET("/api/v3/status"), NULL, NULL, 200, NULL},
                {POST("/api/v3/nowhere"), NULL, NULL, 404, NULL},
        };
        size_t told = 0;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                AUTO_FREE char *answer = ask(rows[i].request);
                assert_int_equal(http_status(answer), rows[i].status);
        }
        AUTO_FREE char *seen = ask(GET("/api/v3/history"));
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                AUTO_FREE char *wanted = NULL;
                if (!rows[i].path)
                        continue;
                assert_true(asprintf(&wanted,
                                     "\"method\":\"POST\",\"path\":\"%s\",\"arguments\":%s,\"status\":%d,"
                                     "\"outcome\":\"%s\"}",
                                     rows[i].path, rows[i].arguments, rows[i].status, rows[i].outcome) > 0);
                assert_holds(seen, wanted);
                told++;
        }
        json_t *document = json_loads(http_body(seen), 0, NULL);
        assert_int_equal(json_array_size(json_object_get(document, "acted")), told);
        json_decref(document);
}

/* Who waits when the server ends is told so; the reply that comes after that is harmless. */
static void test_the_end(UNUSED void **state) {
        int waiting[3];
        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
                waiting[i] = http_connect(fixture_socket);
        assert_true(http_send_text(waiting[0], POST("/api/v3/receivers/one/test")));
        assert_true(http_send_text(waiting[1], "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_true(http_send_text(waiting[2], POST("/api/v3/admin")));
        AUTO_FREE char *stream = http_read(waiting[1], ": connected\n\n");
        assert_int_equal(http_status(stream), 200);
        wait_for("\"pending\":2");
        assert_int_equal(fixture_stop(), 0);
        AUTO_FREE char *answer = http_read(waiting[0], NULL);
        assert_int_equal(http_status(answer), 503);
        assert_holds(answer, "\"title\":\"Controller stopped\"");
        AUTO_FREE char *end = http_read(waiting[1], NULL);
        assert_holds(end, "0\r\n\r\n");
        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
                close(waiting[i]);
}

/* What has come in when the server ends is not begun any more: its event loop is over. */
/* In its loop, with nothing left to do: else it would look for more once it goes on, before it hears that it shall end. */
static void wait_until_it_waits(void) {
        char path[64], stat[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)fixture_pid);
        for (unsigned i = 0; i < 10000; i++) {
                AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof stat - 1);
                const char *name_end = n > 0 ? strrchr(stat, ')') : NULL;
                if (name_end && name_end[2] == 'S')
                        return;
                usleep(1000);
        }
        fail_msg("the server is still busy after 10 s: %s", stat);
}

static void test_nothing_is_begun_at_the_end(UNUSED void **state) {
        int fds[2], status;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = http_connect(fixture_socket);
                assert_true(http_send_text(fds[i], "GET /api/v3/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
                AUTO_FREE char *known = http_read(fds[i], "}\n");
                assert_int_equal(http_status(known), 200);
        }
        wait_until_it_waits();
        kill(fixture_pid, SIGSTOP);
        assert_int_equal(waitpid(fixture_pid, &status, WUNTRACED), fixture_pid);
        assert_true(http_send_text(fds[0], DRAIN_REQUEST("Host: localhost\r\n")));
        assert_true(http_send_text(fds[1], "GET /api/v3/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        kill(fixture_pid, SIGTERM);
        kill(fixture_pid, SIGCONT);
        assert_int_equal(fixture_stop(), 0);
        AUTO_FREE char *refused = http_read(fds[0], NULL), *read = http_read(fds[1], NULL);
        assert_int_equal(http_status(refused), 503);
        assert_holds(refused, "\"title\":\"Controller ending\"");
        assert_int_equal(http_status(read), 200);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
}

int main(void) {
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
        const struct CMUnitTest tests[] = {
                SERVED(test_a_reply_comes_later),
                SERVED(test_a_reply_comes_at_once),
                SERVED(test_refusals),
                SERVED(test_who_hangs_up_meanwhile),
                SERVED(test_all_that_act_are_told),
                cmocka_unit_test_setup(test_the_end, start),
                cmocka_unit_test_setup(test_nothing_is_begun_at_the_end, start),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
