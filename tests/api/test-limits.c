/* Many connections: who gets through, what idle streams cost, and that a flood leaves the rest of the process alone. */
#include "fixture.h"
#include "http.h"

#include "api/tokens.h"
#include "base/clock.h"

#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define NOBODY 65534
#define STREAMS 1000
#define GREEDY_HEARD 1000000 /* bytes of answers: it is at it */

static char loopback[64];

static char *deploy(const char *word) {
        AUTO_FREE char *request = NULL;
        if (asprintf(&request,
                     "POST /api/v3/deploy HTTP/1.1\r\n" FIXTURE_CLOSE
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n{\"version\":\"%s\"}",
                     strlen(word) + 14, word) < 0)
                return NULL;
        return http_ask(fixture_socket, request);
}

static void become_nobody(void) {
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
                _exit(99);
}

static void raise_descriptors(void) {
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void limit_descriptors(rlim_t soft) {
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = soft;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A thousand streams of one user that may only look; they cost nothing while nothing happens, and all are told when something
 * does. */
static void open_streams(int *fds) {
        for (size_t i = 0; i < STREAMS; i++) {
                fds[i] = http_connect(i % 2 ? loopback : fixture_socket);
                if (fds[i] < 0 || !http_send_text(fds[i], "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                        _exit(90);
        }
        for (size_t i = 0; i < STREAMS; i++) {
                char *opened = http_read(fds[i], ": connected\n\n");
                if (http_status(opened) != 200)
                        _exit(91);
                free(opened);
        }
}

static int watch_streams(int ready_fd, int go_fd) {
        static int fds[STREAMS];
        char byte;
        become_nobody();
        open_streams(fds);
        if (write(ready_fd, "r", 1) != 1 || read(go_fd, &byte, 1) != 1)
                return 92;
        for (size_t i = 0; i < STREAMS; i++) {
                char *event = http_read(fds[i], "event: tick\ndata: {\"version\":\"publish\"}\n\n");
                bool told = strstr(event, "event: tick") != NULL;
                free(event);
                if (!told)
                        return 93;
        }
        return 0;
}

static void test_a_thousand_streams(UNUSED void **state) {
        if (geteuid() != 0)
                skip();
        int ready[2], go[2], status;
        char byte;
        limit_descriptors(512); /* the server raises it for itself */
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        assert_int_equal(fixture_start(&(ApiSettings){.connections = 1200, .listen = loopback}), 0);
        raise_descriptors();
        assert_true(pipe(ready) == 0 && pipe(go) == 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                _exit(watch_streams(ready[1], go[0]));
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);

        int64_t cpu = fixture_cpu_us(), begun = clock_mono_us();
        (void)poll(NULL, 0, 500); /* nothing happens: that is what is measured */
        double percent = 100.0 * (double)(fixture_cpu_us() - cpu) / (double)(clock_mono_us() - begun);
        printf("%d idle streams: %.2f %% of a core\n", STREAMS, percent);
        assert_true(percent < 1.0);

        AUTO_FREE char *published = deploy("publish");
        assert_int_equal(http_status(published), 200);
        begun = clock_mono_us();
        AUTO_FREE char *meanwhile = http_ask(fixture_socket, GET("/api/v3/plan"));
        printf("an answer while they are told: %.1f ms\n", (double)(clock_mono_us() - begun) / 1000);
        assert_int_equal(http_status(meanwhile), 200);
        assert_int_equal(write(go[1], "g", 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        AUTO_FREE char *still = http_ask(fixture_socket, GET("/api/v3/plan"));
        assert_int_equal(http_status(still), 200);
        close(ready[0]);
        close(go[0]);
        close(go[1]);
        assert_int_equal(fixture_stop(), 0);
}

static int take_all(int ready_fd) {
        become_nobody();
        for (int i = 0; i < 200; i++)
                (void)http_connect(i % 2 ? loopback : fixture_socket);
        AUTO_FREE char *refused = http_ask(fixture_socket, GET("/api/v3/health"));
        if (http_status(refused) != 503)
                return 90;
        return write(ready_fd, "r", 1) == 1 ? pause() : 91;
}

/* Whoever may only look keeps neither operators out, on the socket and by loopback, nor the health. */
static void test_operators_get_through(UNUSED void **state) {
        if (geteuid() != 0)
                skip();
        int ready[2];
        char byte, health[64];
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        fixture_pick("127.0.0.2", health, sizeof health);
        const char *const listen[] = {health, NULL};
        assert_int_equal(fixture_start(&(ApiSettings){.connections = 64, .listen = loopback, .health_listen = listen}),
                         0);
        assert_int_equal(pipe(ready), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
                _exit(take_all(ready[1]));
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        const char *const ways[] = {fixture_socket, loopback, health};
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                AUTO_FREE char *answer = http_ask(ways[i], GET("/api/v3/health"));
                assert_int_equal(http_status(answer), 200);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(ready[0]);
        assert_int_equal(fixture_stop(), 0);
}

/* ---- calm ---- */

static _Noreturn void flood(void) {
        for (;;) {
                AUTO_CLOSE int fd = http_connect(fixture_socket);
                for (int i = 0; fd >= 0 && i < 50; i++) {
                        (void)http_send_text(fd, "GET /api/v3/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
                        free(http_read(fd, "}\n"));
                }
        }
}

/* Calm, requests are still answered, but have a small part of a core alone, however many they are. */
static void test_calm(UNUSED void **state) {
        pid_t pids[8];
        assert_int_equal(fixture_start(&(ApiSettings){0}), 0);
        AUTO_FREE char *calm = deploy("calm");
        assert_int_equal(http_status(calm), 200);
        fflush(NULL);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                pids[i] = fork();
                if (pids[i] == 0)
                        flood();
        }
        int64_t cpu = fixture_cpu_us(), begun = clock_mono_us();
        for (int i = 0; i < 10; i++) {
                AUTO_FREE char *answer = http_ask(fixture_socket, GET("/api/v3/plan"));
                assert_int_equal(http_status(answer), 200);
        }
        double percent = 100.0 * (double)(fixture_cpu_us() - cpu) / (double)(clock_mono_us() - begun);
        printf("calm under a flood: %.1f %% of a core, %.1f ms for an answer\n", percent,
               (double)(clock_mono_us() - begun) / 10000);
        assert_true(percent < 35);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                kill(pids[i], SIGKILL);
                assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        }
        AUTO_FREE char *busy = deploy("busy");
        assert_int_equal(http_status(busy), 200);
        assert_int_equal(fixture_stop(), 0);
}

/* ---- the rest of the process ---- */

static int op_health(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                     json_t **ret_answer, UNUSED Problem *problem) {
        *ret_answer = json_pack("{}");
        return 0;
}

static int on_busy(UNUSED sd_event_source *source, void *userdata) {
        ++*(int *)userdata;
        return 0;
}

/* As long as anything of the controller's own is to be done, requests wait. */
static void test_everything_else_comes_first(UNUSED void **state) {
        static const ApiOps ops = {.health = op_health};
        char directory[64] = "/tmp/test-api.XXXXXX", path[96], byte;
        sd_event *event;
        sd_event_source *busy;
        ApiServer *server;
        Error error = {0};
        int turns = 0;
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/socket", directory);
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(api_server_new(event, &(ApiSettings){.socket_path = path, .listen = loopback}, &ops, NULL,
                                        &server, &error),
                         0);
        int fds[] = {http_connect(path), http_connect(loopback)};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                assert_true(http_send_text(fds[i], GET("/api/v3/health")));
        assert_true(sd_event_add_defer(event, &busy, on_busy, &turns) >= 0);
        assert_true(sd_event_source_set_enabled(busy, SD_EVENT_ON) >= 0);
        for (int i = 0; i < 100; i++)
                assert_true(sd_event_run(event, 0) > 0);
        assert_int_equal(turns, 100);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
        sd_event_source_disable_unref(busy);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                while (recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0)
                        assert_true(sd_event_run(event, UINT64_C(5000000)) > 0);
                close(fds[i]);
        }
        api_server_free(server);
        sd_event_unref(event);
        assert_int_equal(rmdir(directory), 0);
}

/* Streams that were opened and left don't take up room until the next heartbeat. */
static void test_streams_that_were_left(UNUSED void **state) {
        int fds[60];
        assert_int_equal(fixture_start(&(ApiSettings){.connections = 64, .listen = loopback}), 0);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = http_connect(i % 2 ? loopback : fixture_socket);
                assert_true(http_send_text(fds[i], "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
                AUTO_FREE char *opened = http_read(fds[i], ": connected\n\n");
                assert_int_equal(http_status(opened), 200);
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) /* at the first of them that finds no room it is noticed */
                fds[i] = http_connect(fixture_socket);
        int64_t deadline = clock_mono_us() + HTTP_WAIT_MS * 1000;
        for (int status = 0; status != 200;) {
                AUTO_FREE char *answer = http_ask(fixture_socket, GET("/api/v3/health"));
                status = http_status(answer);
                assert_true(clock_mono_us() < deadline);
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        assert_int_equal(fixture_stop(), 0);
}

/* When other tokens are in force, streams by TCP end: who watches by one that is gone must not go on watching. */
static void test_streams_end_with_their_token(UNUSED void **state) {
        char tokens[] = "/tmp/test-tokens.XXXXXX", token[TOKEN_TEXT_MAX], line[TOKEN_LINE_MAX];
        AUTO_CLOSE int file = mkstemp(tokens);
        assert_int_equal(token_make("viewer", false, token, line, NULL), 0);
        assert_int_equal(write(file, line, strlen(line)), strlen(line));
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback, .tokens = tokens, .readers_group = true}), 0);
        AUTO_FREE char *request = NULL;
        assert_true(asprintf(&request,
                             "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
                             token) > 0);
        AUTO_CLOSE int by_token = http_connect(loopback), by_socket = http_connect(fixture_socket);
        assert_true(http_send_text(by_token, request));
        assert_true(http_send_text(by_socket, "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        AUTO_FREE char *opened = http_read(by_token, ": connected\n\n"),
                       *other = http_read(by_socket, ": connected\n\n");
        assert_int_equal(http_status(opened), 200);
        assert_int_equal(http_status(other), 200);
        assert_int_equal(unlink(tokens), 0);
        free(deploy("look"));
        free(deploy("publish"));
        AUTO_FREE char *end = http_read(by_token, "\r\n0\r\n\r\n");
        assert_null(strstr(end, "publish"));
        assert_non_null(strstr(end, "0\r\n\r\n"));
        AUTO_FREE char *event = http_read(by_socket, "publish");
        assert_non_null(strstr(event, "publish"));
        assert_int_equal(fixture_stop(), 0);
}

/* Connections that always have another request ready, as long as it lives. */
static void keep_busy(int heard_fd) {
        static char requests[64 * 1024];
        int fds[40];
        size_t used = 0, one = strlen("GET /api/v3/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
        while (used + one < sizeof requests)
                used += (size_t)snprintf(requests + used, sizeof requests - used,
                                         "GET /api/v3/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
        used -= used % one;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = http_connect(fixture_socket);
        size_t heard = 0;
        for (size_t at[ARRAY_SIZE(fds)] = {0};;)
                for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                        static char answers[256 * 1024];
                        ssize_t sent = send(fds[i], requests + at[i], used - at[i], MSG_DONTWAIT | MSG_NOSIGNAL);
                        at[i] = sent > 0 ? (at[i] + (size_t)sent) % used : at[i];
                        ssize_t got = recv(fds[i], answers, sizeof answers, MSG_DONTWAIT);
                        heard += got > 0 ? (size_t)got : 0;
                        if (heard > GREEDY_HEARD && heard_fd >= 0 && write(heard_fd, "h", 1) == 1)
                                heard_fd = -1;
                }
}

/* Who never stops asking doesn't keep others from being let in. */
static void test_the_greedy_leave_room(UNUSED void **state) {
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback}), 0);
        int heard[2];
        char byte;
        assert_int_equal(pipe(heard), 0);
        pid_t greedy = fork();
        if (greedy == 0)
                keep_busy(heard[1]);
        assert_int_equal(read(heard[0], &byte, 1), 1);
        for (int i = 0; i < 10; i++) {
                AUTO_FREE char *answer = http_ask(i % 2 ? loopback : fixture_socket, GET("/api/v3/status"));
                assert_int_equal(http_status(answer), 200);
        }
        kill(greedy, SIGKILL);
        assert_int_equal(waitpid(greedy, NULL, 0), greedy);
        close(heard[0]);
        close(heard[1]);
        assert_int_equal(fixture_stop(), 0);
}

/* With too few descriptors it serves those it has them for, and still answers. The last test: what is lowered here stays low. */
static void test_few_descriptors(UNUSED void **state) {
        const struct rlimit few = {400, 400};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(fixture_start(&(ApiSettings){.connections = 1200}), 0);
        int fds[200];
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = http_connect(fixture_socket);
        AUTO_FREE char *refused = http_read(fds[ARRAY_SIZE(fds) - 1], NULL);
        assert_int_equal(http_status(refused), 503);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        /* that they are gone is noticed soon, not at once */
        int64_t deadline = clock_mono_us() + HTTP_WAIT_MS * 1000;
        for (int status = 0; status != 200;) {
                AUTO_FREE char *answer = http_ask(fixture_socket, GET("/api/v3/health"));
                status = http_status(answer);
                assert_true(clock_mono_us() < deadline);
        }
        assert_int_equal(fixture_stop(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_thousand_streams),
                cmocka_unit_test(test_operators_get_through),
                cmocka_unit_test(test_calm),
                cmocka_unit_test(test_everything_else_comes_first),
                cmocka_unit_test(test_streams_that_were_left),
                cmocka_unit_test(test_streams_end_with_their_token),
                cmocka_unit_test(test_the_greedy_leave_room),
                cmocka_unit_test(test_few_descriptors),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
