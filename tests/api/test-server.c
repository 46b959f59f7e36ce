/* A real server on a Unix socket in a process of its own, asked by raw sockets. */
#include "api/api.h"
#include "api/problem.h"
#include "http.h"

#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

/* One that every Debian has. */
#define TEST_GROUP 60
#define TEST_GROUP_NAME "games"
#define NOBODY 65534
#define CONNECTIONS 64
#define CLOSE "Host: x\r\nConnection: close\r\n"

/* ---- the server's process ---- */

static ApiServer *server;

static int op_echo(UNUSED void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer,
                   UNUSED Problem *problem) {
        *ret_answer = json_pack("{s:O, s:s, s:b, s:f}", "arguments", arguments, "caller", caller->name, "may_act",
                                (int)caller->may_act, "rate", 0.05);
        return 0;
}

static int op_problem(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                      UNUSED json_t **ret_answer, Problem *problem) {
        problem_add(problem, "holder", json_pack("{s:i}", "pid", 42));
        return problem_set(problem, 409, 75, "Busy", "held by %s", "caf\xc3"); /* cut inside a character */
}

/* why: "COUNT SIZE": publishes so many events of such a size. */
static int op_publish(UNUSED void *self, const json_t *arguments, UNUSED const Caller *caller, json_t **ret_answer,
                      UNUSED Problem *problem) {
        int count = 0, size = 0;
        const char *why = json_string_value(json_object_get(arguments, "why"));
        if (!why || sscanf(why, "%d %d", &count, &size) != 2)
                count = 1;
        AUTO_FREE char *padding = malloc((size_t)size + 1);
        memset(padding, 'x', (size_t)size);
        padding[size] = '\0';
        static int number;
        for (int i = 0; i < count; i++) {
                json_t *event = json_pack("{s:i, s:s}", "number", ++number, "padding", padding);
                api_server_publish(server, "tick", event);
                json_decref(event);
        }
        *ret_answer = json_pack("{s:i}", "published", count);
        return 0;
}

static void note_problem(void *userdata, const char *source, const char *message) {
        json_object_set_new(userdata, source, message ? json_string(message) : json_null());
}

static int op_listen_again(UNUSED void *self, UNUSED const json_t *arguments, UNUSED const Caller *caller,
                           json_t **ret_answer, UNUSED Problem *problem) {
        json_t *answer = json_object();
        api_server_look(server, note_problem, answer);
        *ret_answer = answer;
        return 0;
}

static const ApiOps ops = {
        .status = op_echo,
        .plan = op_echo,
        .rollback = op_echo,
        .run_show = op_echo,
        .validate = op_problem,
        .pause = op_publish,
        .resume = op_listen_again,
};

static _Noreturn void serve(const char *path, int ready_fd) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        sd_event *event;
        Error error = {0};
        if (sd_event_new(&event) < 0 || sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) < 0 ||
            api_server_new(event,
                           &(ApiSettings){.socket_path = path, .group = TEST_GROUP_NAME, .connections = CONNECTIONS},
                           &ops, NULL, &server, &error) < 0) {
                fprintf(stderr, "server: %s\n", error_text(&error));
                exit(1);
        }
        if (write(ready_fd, "r", 1) != 1)
                exit(1);
        close(ready_fd);
        int r = sd_event_loop(event);
        server = api_server_free(server);
        sd_event_unref(event);
        exit(r < 0 ? 2 : 0);
}

/* ---- the test's side ---- */

static char directory[64], path[96];
static pid_t server_pid;

static int start_server(UNUSED void **state) {
        snprintf(directory, sizeof directory, "/tmp/test-api.XXXXXX");
        if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
                return -1;
        snprintf(path, sizeof path, "%s/socket", directory);
        int ready[2];
        char byte;
        if (pipe(ready) < 0)
                return -1;
        fflush(NULL);
        server_pid = fork();
        if (server_pid == 0)
                serve(path, ready[1]);
        close(ready[1]);
        ssize_t got = read(ready[0], &byte, 1);
        close(ready[0]);
        return got == 1 ? 0 : -1;
}

/* The server ends well: no leak, no complaint of a sanitizer, and its socket is gone. */
static int stop_server(UNUSED void **state) {
        int status;
        struct stat found;
        kill(server_pid, SIGTERM);
        if (waitpid(server_pid, &status, 0) != server_pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "the server ended with status %d\n", status);
                return -1;
        }
        if (lstat(path, &found) == 0) {
                fprintf(stderr, "the server left its socket behind\n");
                return -1;
        }
        return rmdir(directory);
}

static char *ask(const char *request) {
        return http_ask(path, request);
}

static char *post(const char *target, const char *body) {
        AUTO_FREE char *request = NULL;
        if (asprintf(&request,
                     "POST %s HTTP/1.1\r\n" CLOSE "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     target, strlen(body), body) < 0)
                return NULL;
        return ask(request);
}

static void assert_contains(const char *text, const char *wanted) {
        if (!strstr(text, wanted))
                fail_msg("wanted: %s\nin: %s", wanted, text);
}

static void assert_serves(void) {
        AUTO_FREE char *answer = ask("GET /api/v3/status HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(http_status(answer), 200);
}

static void test_an_answer(UNUSED void **state) {
        AUTO_FREE char *answer = ask("GET /api/v3/plan?mode=emergency&to=v2.4.0 HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(http_status(answer), 200);
        assert_contains(answer, "Content-Type: application/json\r\n");
        assert_contains(answer, "Cache-Control: no-store\r\n");
        assert_contains(answer, "Last-Event-ID: ");
        assert_contains(answer, "{\"mode\":\"emergency\",\"to\":\"v2.4.0\"}");
        assert_contains(answer, "\"rate\":0.05}\n");
        AUTO_FREE char *head = ask("HEAD /api/v3/status HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(http_status(head), 200);
        assert_string_equal(http_body(head), "");
        AUTO_FREE char *empty = ask("POST /api/v3/deployment/pause HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(http_status(empty), 200);
        AUTO_FREE char *run = ask("GET /api/v3/rollback/17 HTTP/1.1\r\n" CLOSE "\r\n");
        assert_contains(run, "{\"id\":17}");
        AUTO_FREE char *rollback = post("/api/v3/rollback", "{\"mode\":\"manual\",\"reason\":\"caf\xc3\xa9\"}");
        assert_contains(rollback, "caf\xc3\xa9");
}

/* Nobody is sent back over a word in an outage. */
static void test_an_emergencys_reason_is_mended(UNUSED void **state) {
        AUTO_FREE char *lines = post("/api/v3/rollback", "{\"mode\":\"emergency\",\"reason\":\"two\\nlines\\u001b\"}");
        assert_contains(lines, "{\"mode\":\"emergency\",\"reason\":\"two lines \"}");
        AUTO_FREE char *empty = post("/api/v3/rollback", "{\"mode\":\"emergency\",\"reason\":\"\"}");
        assert_contains(empty, "\"reason\":\"" REASON_NONE "\"");
        AUTO_FREE char *body = NULL;
        assert_true(asprintf(&body, "{\"mode\":\"emergency\",\"reason\":\"%0*d\xc3\xa9tail\"}", REASON_TYPED_MAX - 1,
                             0) > 0);
        AUTO_FREE char *cut = post("/api/v3/rollback", body);
        assert_int_equal(http_status(cut), 200);
        assert_contains(cut, "00\"}"); /* the character that doesn't fit whole is left out */
}

static void test_two_requests_on_one_connection(UNUSED void **state) {
        AUTO_CLOSE int fd = http_connect(path);
        for (int i = 0; i < 2; i++) {
                assert_true(http_send_text(fd, "GET /api/v3/status HTTP/1.1\r\nHost: x\r\n\r\n"));
                AUTO_FREE char *answer = http_read(fd, "0.05}\n");
                assert_int_equal(http_status(answer), 200);
        }
}

/* A request ends with its headers; one with a body gets its Content-Length and the empty line. */
typedef struct Refusal {
        const char *request, *body;
        int status;
        const char *says;
} Refusal;

#define POST(target, type, body) "POST " target " HTTP/1.1\r\n" CLOSE type, body
#define JSON "Content-Type: application/json\r\n"
#define GET_REQUEST(target) "GET " target " HTTP/1.1\r\n" CLOSE "\r\n"
#define GET(target) GET_REQUEST(target), NULL

static const Refusal refusals[] = {
        {GET("/nowhere"), 404, "begin at /api/v3/status"},
        {GET("/api/v3/statusx"), 404, "nothing at"},
        {GET("/api/v3/status/"), 404, "nothing at"},
        {GET("/api/v3/rollback/0"), 404, "nothing at"},
        {GET("/api/v3/rollback/-1"), 404, "nothing at"},
        {GET("/api/v3/rollback/99999999999999999999"), 404, "nothing at"},
        {GET("/api/v3/../../etc/passwd"), 404, "nothing at"},
        {"DELETE /api/v3/status HTTP/1.1\r\n" CLOSE "\r\n", NULL, 405, "Allow: GET, HEAD\r\n"},
        {"PUT /api/v3/rollback HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n", NULL, 405,
         "Allow: GET, HEAD, POST\r\n"},
        {GET("/api/v3/deploy"), 405, "Allow: POST\r\n"},
        {GET("/api/v3/plan?mood=manual"), 400, "knows no 'mood'; did you mean 'mode'?"},
        {GET("/api/v3/plan?mode=rude"), 400, "'mode' must be one of: manual emergency automatic"},
        {GET("/api/v3/plan?mode=manual%20emergency"), 400, "'mode' must be one of"},
        {GET("/api/v3/plan?mode="), 400, "'mode' must be one of"},
        {GET("/api/v3/plan?to=a&to=b"), 400, "'to' is given twice"},
        {GET("/api/v3/plan?to=%ff"), 400, "not UTF-8"},
        {GET("/api/v3/history?limit=x"), 400, "'limit' must be a whole number"},
        {GET("/api/v3/history?limit=0"), 400, "'limit' must lie from 1 to 1000"},
        {GET("/api/v3/history?limit=99999999999999999999"), 400, "whole number"},
        {POST("/api/v3/rollback", JSON, "{}"), 400, "'mode' is missing"},
        {POST("/api/v3/rollback", JSON, "{\""), 400, "the body is no JSON: line 1"},
        {POST("/api/v3/rollback", JSON, "[{}]"), 400, "must be a JSON object"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"mode\":\"manual\"}"), 400, "no JSON"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"automatic\",\"reason\":\"x\"}"), 400,
         "'mode' must be one of: manual emergency"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"x\",\"allow_row_loss\":1} "), 400,
         "'allow_row_loss' must be true or false"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"x\",\"allow_row_loss\":\"yes\"} "), 400,
         "'allow_row_loss' must be true or false"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":7} "), 400, "'reason' must be a text"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"\"} "), 400, "'reason' must not be empty"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"a\\nb\"}"), 400,
         "must not hold line breaks"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"a\\nb\"}"), 400, "\"exit_code\":65"},
        {POST("/api/v3/rollback", JSON, "{\"mode\":\"manual\",\"reason\":\"\"}"), 400, "\"exit_code\":65"},
        {POST("/api/v3/rollback", JSON, "{\"a\":\"\\u0000\"}"), 400, "no JSON"},
        {POST("/api/v3/rollback", "", "{}"), 415, "Content-Type: application/json"},
        {POST("/api/v3/rollback", "Content-Type: application/x-www-form-urlencoded\r\n", "{}"), 415,
         "Content-Type: application/json"},
        {POST("/api/v3/rollback", "Content-Type: application/jsonx\r\n", "{}"), 415, "Content-Type: application/json"},
        {POST("/api/v3/rollback?mode=manual", JSON, "{}"), 400, "not into the query"},
        {GET("/api/v3/version"), 501, "cannot GET /api/v3/version"},
        {GET("/api/v3/validate"), 409, "\"holder\":{\"pid\":42}"},
        {GET("/api/v3/validate"), 409, "\"detail\":\"held by caf?\""},
        {GET("/api/v3/validate"), 409, "\"exit_code\":75"},
};

static void test_refusals(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                const char *body = refusals[i].body;
                AUTO_FREE char *request = NULL;
                assert_true(asprintf(&request, body ? "%sContent-Length: %zu\r\n\r\n%s" : "%s", refusals[i].request,
                                     body ? strlen(body) : 0, body) > 0);
                AUTO_FREE char *answer = ask(request);
                if (http_status(answer) != refusals[i].status || !strstr(answer, refusals[i].says))
                        fail_msg("row %zu: %s\nwanted %d ... %s\ngot %s", i, request, refusals[i].status,
                                 refusals[i].says, answer);
                assert_contains(answer, "Content-Type: application/problem+json\r\n");
        }
}

static void test_bodies_are_bounded(UNUSED void **state) {
        AUTO_FREE char *large = malloc(80001);
        memset(large, ' ', 80000);
        large[80000] = '\0';
        AUTO_FREE char *answer = post("/api/v3/rollback", large);
        assert_int_equal(http_status(answer), 413);
        assert_contains(answer, "a body may have 64 KiB");

        /* without an end it is cut off */
        AUTO_CLOSE int fd = http_connect(path);
        assert_true(
                http_send_text(fd, "POST /api/v3/rollback HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"));
        bool open = true;
        for (int i = 0; open && i < 100; i++)
                open = http_send_text(fd, "13880\r\n") && http_send(fd, large, 80000) && http_send_text(fd, "\r\n");
        assert_false(open);
        assert_serves();
}

static void test_headers_are_bounded(UNUSED void **state) {
        AUTO_CLOSE int fd = http_connect(path);
        (void)http_send_text(fd, "GET /api/v3/status HTTP/1.1\r\n" CLOSE);
        bool open = true;
        for (int i = 0; open && i < 4000; i++)
                open = http_send_text(fd, "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        AUTO_FREE char *answer = http_read(fd, NULL);
        assert_true(http_status(answer) == 431 || http_status(answer) == 413 || http_status(answer) == 0);
        assert_serves();
}

static void test_garbage(UNUSED void **state) {
        static const char *const starts[] = {"", "GET ", "GET /api/v3/status HTTP/1.1\r\n",
                                             "POST /api/v3/rollback HTTP/1.1\r\nHost: x\r\n",
                                             "POST /api/v3/rollback HTTP/1.1\r\n" JSON "Content-Length: 200\r\n\r\n{"};
        uint64_t seed = 1;
        for (int i = 0; i < 1000; i++) {
                char bytes[200];
                for (size_t j = 0; j < sizeof bytes; j++) {
                        seed = seed * 6364136223846793005U + 1442695040888963407U;
                        bytes[j] = (char)(seed >> 56);
                }
                AUTO_CLOSE int fd = http_connect(path);
                assert_true(fd >= 0);
                (void)http_send_text(fd, starts[i % ARRAY_SIZE(starts)]);
                (void)http_send(fd, bytes, 1 + (seed >> 32) % sizeof bytes);
                if (i % ARRAY_SIZE(starts) != 1)
                        continue; /* hangs up in the middle */
                (void)http_send_text(fd, " HTTP/1.1\r\n" CLOSE "\r\n");
                AUTO_FREE char *answer = http_read(fd, NULL);
                assert_int_not_equal(http_status(answer), 200);
        }
        assert_serves();
}

static void test_a_slow_client_holds_nobody_up(UNUSED void **state) {
        int slow[10];
        for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
                slow[i] = http_connect(path);
                assert_true(http_send_text(slow[i], "GET /api/v3/sta"));
        }
        assert_serves();
        assert_true(http_send_text(slow[3], "tus HTTP/1.1\r\n" CLOSE "\r\n"));
        AUTO_FREE char *answer = http_read(slow[3], NULL);
        assert_int_equal(http_status(answer), 200);
        for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
                close(slow[i]);
}

/* ---- events ---- */

static int open_events(const char *last_id) {
        int fd = http_connect(path);
        char request[160];
        snprintf(request, sizeof request, "GET /api/v3/events HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
                 last_id ? "Last-Event-ID: " : "", last_id ? last_id : "", last_id ? "\r\n" : "");
        assert_true(http_send_text(fd, request));
        return fd;
}

static uint64_t newest_id(const char *answer) {
        const char *header = strstr(answer, "Last-Event-ID: ");
        assert_non_null(header);
        return strtoull(header + strlen("Last-Event-ID: "), NULL, 10);
}

static void publish(const char *why) {
        char body[64];
        snprintf(body, sizeof body, "{\"why\":\"%s\"}", why);
        AUTO_FREE char *answer = post("/api/v3/deployment/pause", body);
        assert_int_equal(http_status(answer), 200);
}

static void test_events(UNUSED void **state) {
        AUTO_CLOSE int fd = open_events(NULL);
        AUTO_FREE char *opened = http_read(fd, ": connected\n\n");
        assert_int_equal(http_status(opened), 200);
        assert_contains(opened, "Content-Type: text/event-stream\r\n");
        publish("2 3");
        AUTO_FREE char *events = http_read(fd, "\"number\":2");
        assert_contains(events, "event: tick\ndata: {\"number\":1,\"padding\":\"xxx\"}\n\n");
        AUTO_FREE char *head = ask("HEAD /api/v3/events HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(http_status(head), 200);
        assert_string_equal(http_body(head), "");
}

static void test_events_are_caught_up(UNUSED void **state) {
        AUTO_FREE char *before = ask(GET_REQUEST("/api/v3/status"));
        uint64_t id = newest_id(before);
        publish("3 1");
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)id + 1); /* the first of the three was seen */
        AUTO_CLOSE int fd = open_events(text);
        char first[64], last[64];
        snprintf(first, sizeof first, "id: %llu\n", (unsigned long long)id + 1);
        snprintf(last, sizeof last, "id: %llu\n", (unsigned long long)id + 3);
        AUTO_FREE char *events = http_read(fd, last);
        assert_contains(events, last);
        assert_null(strstr(events, first));
        assert_null(strstr(events, "reset"));

        static const char *const strange[] = {"1", "abc", "-1", "99999999999999999999999", "18446744073709551615"};
        for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
                AUTO_CLOSE int other = open_events(strange[i]);
                AUTO_FREE char *reset = http_read(other, "event: reset\n");
                assert_contains(reset, "event: reset\n");
        }
        /* more than the ring holds: told so, too */
        publish("300 1");
        AUTO_CLOSE int late = open_events(text);
        AUTO_FREE char *reset = http_read(late, "event: reset\n");
        assert_contains(reset, "event: reset\n");
}

static void test_a_slow_reader_is_dropped(UNUSED void **state) {
        AUTO_CLOSE int slow = open_events(NULL), quick = open_events(NULL);
        AUTO_FREE char *slow_opened = http_read(slow, ": connected"), *quick_opened = http_read(quick, ": connected");
        assert_contains(slow_opened, ": connected");
        assert_contains(quick_opened, ": connected");
        for (int i = 0; i < 60; i++) {
                publish("10 4000"); /* 2.4 MB in all: more than a socket and the ring hold */
                AUTO_FREE char *some = http_read(quick, "\n\n");
                assert_contains(some, "event: tick");
        }
        AUTO_FREE char *rest = http_read(slow, NULL); /* the stream ends */
        assert_true(strlen(rest) < 60 * 10 * 4000);
        publish("1 7");
        AUTO_FREE char *alive = http_read(quick, "\"padding\":\"xxxxxxx\"}");
        assert_contains(alive, "\"padding\":\"xxxxxxx\"}");
        assert_serves();
}

/* ---- rights ---- */

/* Runs `check` as another user; its result is the child's exit status. */
static int as_nobody(const gid_t *groups, size_t group_count, int (*check)(void)) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                if (setgroups(group_count, groups) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                    setresuid(NOBODY, NOBODY, NOBODY) < 0)
                        _exit(99);
                _exit(check());
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int try_to_act(void) {
        AUTO_FREE char *reading = ask(GET_REQUEST("/api/v3/plan"));
        AUTO_FREE char *acting = post("/api/v3/rollback", "{\"mode\":\"manual\",\"reason\":\"x\"}");
        if (http_status(reading) != 200 || !strstr(reading, "nobody (uid 65534)"))
                return 90;
        if (http_status(acting) == 403)
                return strstr(acting, "\"exit_code\":77") && strstr(acting, "nobody (uid 65534) and may only look")
                               ? 3
                               : 91;
        return http_status(acting) == 200 ? 0 : 92;
}

static int take_all_connections(void) {
        int fds[CONNECTIONS];
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = http_connect(path);
        AUTO_FREE char *last = http_read(fds[ARRAY_SIZE(fds) - 1], NULL);
        size_t length = 0;
        const char *header = strstr(last, "Content-Length: ");
        if (http_status(last) != 503 || !header || sscanf(header, "Content-Length: %zu", &length) != 1)
                return 90;
        return strlen(http_body(last)) == length ? 0 : 91;
}

static void test_rights(UNUSED void **state) {
        if (geteuid() != 0)
                skip();
        const gid_t member[] = {NOBODY, TEST_GROUP};
        assert_int_equal(as_nobody(NULL, 0, try_to_act), 3);
        assert_int_equal(as_nobody(member, 1, try_to_act), 3);
        assert_int_equal(as_nobody(member, 2, try_to_act), 0);
        AUTO_FREE char *root = post("/api/v3/rollback", "{\"mode\":\"manual\",\"reason\":\"x\"}");
        assert_contains(root, "\"caller\":\"root (uid 0)\",\"may_act\":true");
        assert_int_equal(as_nobody(NULL, 0, take_all_connections), 0);

        /* whoever may only look can't keep an operator out */
        int ready[2], fds[100];
        char byte;
        assert_int_equal(pipe(ready), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                    setresuid(NOBODY, NOBODY, NOBODY) < 0)
                        _exit(99);
                for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                        fds[i] = http_connect(path);
                _exit(write(ready[1], "r", 1) == 1 ? pause() : 98);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        assert_serves();
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- the socket ---- */

static int try_listen(const char *at, Error *error) {
        sd_event *event;
        ApiServer *second = NULL;
        assert_true(sd_event_new(&event) >= 0);
        int r = api_server_new(event, &(ApiSettings){.socket_path = at}, &ops, NULL, &second, error);
        api_server_free(second);
        sd_event_unref(event);
        return r;
}

static void test_the_socket(UNUSED void **state) {
        struct stat found;
        Error error = {0};
        char other[128], pid[32];
        assert_int_equal(lstat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0666);

        assert_true(try_listen(path, &error) < 0);
        snprintf(pid, sizeof pid, "process %d (", server_pid);
        assert_contains(error.message, "is served already");
        assert_contains(error.message, pid);
        assert_serves();

        snprintf(other, sizeof other, "%s/other", directory);
        FILE *file = fopen(other, "w");
        fclose(file);
        assert_true(try_listen(other, &error) < 0);
        assert_contains(error.message, "exists and is no socket");
        assert_int_equal(unlink(other), 0);

        struct sockaddr_un address = {.sun_family = AF_UNIX}; /* a stale one */
        snprintf(address.sun_path, sizeof address.sun_path, "%s/other", directory);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
        assert_int_equal(try_listen(other, &error), 0);
        assert_int_equal(lstat(other, &found), -1);

        snprintf(other, sizeof other, "%s/none/socket", directory);
        assert_true(try_listen(other, &error) < 0);
        assert_contains(error.message, "make its directory");
}

static void listen_again(int fd, const char *wanted) {
        assert_true(http_send_text(fd, "POST /api/v3/deployment/resume HTTP/1.1\r\nHost: x\r\n\r\n"));
        AUTO_FREE char *answer = http_read(fd, "}\n");
        assert_contains(answer, wanted);
}

/* All on one connection: it outlives the socket's file, and the making of another. */
static void test_the_sockets_file_is_made_anew(UNUSED void **state) {
        AUTO_CLOSE int fd = http_connect(path);
        struct stat found;
        listen_again(fd, "\"socket\":null");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(http_connect(path), -1);
        listen_again(fd, "\"socket\":null");
        assert_int_equal(lstat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0666);
        assert_serves();

        /* what stands there now is somebody's: it is left alone, and the next look may succeed */
        assert_int_equal(unlink(path), 0);
        FILE *file = fopen(path, "w");
        fclose(file);
        listen_again(fd, "is no socket; move it away");
        assert_int_equal(unlink(path), 0);
        listen_again(fd, "\"socket\":null");
        assert_serves();
        listen_again(fd, "\"socket\":null");
}

int main(void) {
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start_server, stop_server)
        const struct CMUnitTest tests[] = {
                SERVED(test_an_answer),
                SERVED(test_an_emergencys_reason_is_mended),
                SERVED(test_two_requests_on_one_connection),
                SERVED(test_refusals),
                SERVED(test_bodies_are_bounded),
                SERVED(test_headers_are_bounded),
                SERVED(test_garbage),
                SERVED(test_a_slow_client_holds_nobody_up),
                SERVED(test_events),
                SERVED(test_events_are_caught_up),
                SERVED(test_a_slow_reader_is_dropped),
                SERVED(test_rights),
                SERVED(test_the_socket),
                SERVED(test_the_sockets_file_is_made_anew),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
