/* The HTTP client against small servers that behave well and badly. */
#include "io/http-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

/* ---- a server in a thread ---- */

typedef enum Manner {
        ANSWERS,     /* 200 with a short body; keeps the connection */
        HANGS,       /* reads the request and says nothing */
        DRIPS,       /* a header byte every 20 ms */
        TELLS_LONG,  /* Content-Length: 10 MB, then sends it */
        FLOODS,      /* 10 MB without a length */
        FLOODS_HEAD, /* headers without end */
        REDIRECTS,
        NOT_FOUND,
        CUTS,    /* closes in the middle of the body */
        BABBLES, /* not HTTP */
} Manner;

typedef struct Server {
        Manner manner;
        int listener, stop_read, stop_write;
        int port;
        char path[108]; /* Unix socket; "" for TCP */
        pthread_t thread;
        int connections, requests; /* read after the thread has ended */
        char request[2048];
} Server;

static void say(int fd, const char *text) {
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Sleeps, or returns false when the test is over. */
static bool wait_ms(Server *server, int ms) {
        struct pollfd stop = {server->stop_read, POLLIN, 0};
        return poll(&stop, 1, ms) == 0;
}

static void flood(int fd, const char *head) {
        static char block[65536];
        memset(block, 'x', sizeof block);
        say(fd, head);
        for (int i = 0; i < 160; i++)
                if (send(fd, block, sizeof block, MSG_NOSIGNAL) < 0)
                        return;
}

static bool answer(Server *server, int fd) {
        switch (server->manner) {
        case ANSWERS:
                say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
                return true;
        case HANGS:
                while (wait_ms(server, 1000))
                        ;
                return false;
        case DRIPS:
                say(fd, "HTTP/1.1 200 OK\r\nX: ");
                while (wait_ms(server, 20))
                        say(fd, "x");
                return false;
        case TELLS_LONG:
                flood(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n");
                return false;
        case FLOODS:
                flood(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                return false;
        case FLOODS_HEAD:
                say(fd, "HTTP/1.1 200 OK\r\n");
                for (int i = 0; i < 10000; i++)
                        say(fd, "X-Header: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
                return false;
        case REDIRECTS: {
                char text[128];
                snprintf(text, sizeof text,
                         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/elsewhere\r\nContent-Length: 0\r\n\r\n",
                         server->port);
                say(fd, text);
                return true;
        }
        case NOT_FOUND:
                say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
                return true;
        case CUTS:
                say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
                return false;
        case BABBLES:
                say(fd, "\x01\x02\x03 what?\r\n\r\n");
                return false;
        }
        return false;
}

static void serve_connection(Server *server, int fd) {
        size_t used = 0;
        for (;;) {
                struct pollfd both[] = {{fd, POLLIN, 0}, {server->stop_read, POLLIN, 0}};
                poll(both, 2, -1);
                if (both[1].revents)
                        return;
                ssize_t n = recv(fd, server->request + used, sizeof server->request - 1 - used, 0);
                if (n <= 0)
                        return;
                used += (size_t)n;
                server->request[used] = '\0';
                if (!strstr(server->request, "\r\n\r\n") ||
                    (strstr(server->request, "POST") && !strstr(server->request, "the body")))
                        continue;
                server->requests++;
                used = 0;
                if (!answer(server, fd))
                        return;
        }
}

static void *serve(void *argument) {
        Server *server = argument;
        for (;;) {
                struct pollfd both[] = {{server->listener, POLLIN, 0}, {server->stop_read, POLLIN, 0}};
                poll(both, 2, -1);
                if (both[1].revents)
                        return NULL;
                int fd = accept(server->listener, NULL, NULL);
                server->connections++;
                serve_connection(server, fd);
                close(fd);
        }
}

static void server_start(Server *server, Manner manner, const char *path) {
        *server = (Server){.manner = manner};
        int stop[2];
        assert_int_equal(pipe(stop), 0);
        server->stop_read = stop[0];
        server->stop_write = stop[1];
        if (path) {
                struct sockaddr_un address = {.sun_family = AF_UNIX};
                snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
                server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
                assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
        } else {
                struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
                socklen_t size = sizeof address;
                server->listener = socket(AF_INET, SOCK_STREAM, 0);
                assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
                assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
                server->port = ntohs(address.sin_port);
        }
        assert_int_equal(listen(server->listener, 16), 0);
        assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(Server *server) {
        close(server->stop_write);
        pthread_join(server->thread, NULL);
        close(server->stop_read);
        close(server->listener);
}

/* ---- a client that waits for one answer ---- */

typedef struct Fixture {
        sd_event *event;
        HttpClient *client;
        HttpCall *call;
        bool answered;
        int code, error_code;
        int64_t elapsed_us;
        char body[256], type[64], message[ERROR_MESSAGE_MAX];
} Fixture;

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);
        Error error;
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(http_client_new(f->event, &f->client, &error), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;
        http_client_free(f->client);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        Fixture *f = userdata;
        f->answered = true;
        f->call = NULL;
        f->code = answer->code;
        f->error_code = answer->error.code;
        f->elapsed_us = answer->elapsed_us;
        snprintf(f->body, sizeof f->body, "%s", answer->body);
        snprintf(f->type, sizeof f->type, "%s", answer->content_type);
        snprintf(f->message, sizeof f->message, "%s", answer->code ? "" : error_text(&answer->error));
}

static void ask(Fixture *f, const HttpRequest *request, int64_t budget_us) {
        Error error = {0};
        f->answered = false;
        assert_int_equal(http_begin(f->client, request, budget_us, on_answer, f, &f->call, &error), 0);
        while (!f->answered)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
}

static const char *url_of(const Server *server) {
        static char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%d/health", server->port);
        return url;
}

static void ask_server(Fixture *f, Manner manner, int64_t budget_us) {
        Server server;
        server_start(&server, manner, NULL);
        ask(f, &(HttpRequest){.url = url_of(&server), .answer_max = 100000}, budget_us);
        server_stop(&server);
        if (manner == REDIRECTS)
                assert_int_equal(server.requests, 1);
}

/* ---- tests ---- */

static void test_answer(void **state) {
        Fixture *f = *state;
        ask_server(f, ANSWERS, USEC_PER_SEC);
        assert_int_equal(f->code, 200);
        assert_string_equal(f->body, "hello");
        assert_string_equal(f->type, "text/plain");
        assert_true(f->elapsed_us > 0 && f->elapsed_us < USEC_PER_SEC);
}

static void test_refused(void **state) {
        Fixture *f = *state;
        Server server;
        char expected[128];
        server_start(&server, ANSWERS, NULL);
        server_stop(&server);
        ask(f, &(HttpRequest){.url = url_of(&server)}, USEC_PER_SEC);
        snprintf(expected, sizeof expected, "%s: connection refused", url_of(&server));
        assert_int_equal(f->code, 0);
        assert_int_equal(f->error_code, -ECONNREFUSED);
        assert_string_equal(f->message, expected);
}

static void assert_timed_out(const Fixture *f, int64_t budget_us) {
        assert_int_equal(f->code, 0);
        assert_int_equal(f->error_code, -ETIMEDOUT);
        assert_true(f->elapsed_us >= budget_us);
        assert_true(f->elapsed_us <
                    budget_us + USEC_PER_SEC); /* a busy machine may be late; a client that waits may not end at all */
}

static void test_hangs(void **state) {
        Fixture *f = *state;
        ask_server(f, HANGS, 60 * USEC_PER_MSEC);
        assert_timed_out(f, 60 * USEC_PER_MSEC);
        assert_non_null(strstr(f->message, "no answer within 60 ms"));
}

static void test_drips(void **state) {
        Fixture *f = *state;
        ask_server(f, DRIPS, 120 * USEC_PER_MSEC);
        assert_timed_out(f, 120 * USEC_PER_MSEC);
}

static void test_too_long(void **state) {
        Fixture *f = *state;
        const Manner manners[] = {TELLS_LONG, FLOODS, FLOODS_HEAD};
        for (unsigned i = 0; i < ARRAY_SIZE(manners); i++) {
                ask_server(f, manners[i], 10 * USEC_PER_SEC);
                assert_int_equal(f->code, 0);
                assert_int_equal(f->error_code, -EMSGSIZE);
                assert_non_null(strstr(f->message, "longer than 100000 bytes"));
        }
}

static void test_redirect_is_not_followed(void **state) {
        Fixture *f = *state;
        ask_server(f, REDIRECTS, USEC_PER_SEC);
        assert_int_equal(f->code, 302);
}

static void test_not_found(void **state) {
        Fixture *f = *state;
        ask_server(f, NOT_FOUND, USEC_PER_SEC);
        assert_int_equal(f->code, 404);
        assert_string_equal(f->body, "none");
}

static void test_cut_and_babble(void **state) {
        Fixture *f = *state;
        ask_server(f, CUTS, USEC_PER_SEC);
        assert_int_equal(f->code, 0);
        assert_int_equal(f->error_code, -ECONNRESET);
        assert_string_equal(f->body, "");
        ask_server(f, BABBLES, USEC_PER_SEC);
        assert_int_equal(f->code, 0);
        assert_true(f->error_code < 0);
}

static void test_post(void **state) {
        Fixture *f = *state;
        Server server;
        static const char *const headers[] = {"X-Test: yes", "Content-Type: application/json", NULL};
        server_start(&server, ANSWERS, NULL);
        char body[] = "the body";
        ask(f,
            &(HttpRequest){.method = "POST",
                           .url = url_of(&server),
                           .headers = headers,
                           .body = body,
                           .body_size = strlen(body)},
            USEC_PER_SEC);
        server_stop(&server);
        assert_int_equal(f->code, 200);
        assert_int_equal(strncmp(server.request, "POST /health HTTP/1.1\r\n", 23), 0);
        assert_non_null(strstr(server.request, "X-Test: yes\r\n"));
        assert_non_null(strstr(server.request, "Content-Type: application/json\r\n"));
        assert_null(strstr(server.request, "Expect:"));
        assert_non_null(strstr(server.request, "\r\n\r\nthe body"));
}

static void test_unix_socket(void **state) {
        Fixture *f = *state;
        Server server;
        char directory[] = "/tmp/http-client-XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/socket", directory);
        server_start(&server, ANSWERS, path);
        ask(f, &(HttpRequest){.url = "http://localhost/v3", .unix_socket = path}, USEC_PER_SEC);
        server_stop(&server);
        assert_int_equal(f->code, 200);
        unlink(path);
        rmdir(directory);
}

static void test_proxy_of_the_environment_is_ignored(void **state) {
        Fixture *f = *state;
        setenv("http_proxy", "http://127.0.0.1:1", 1);
        setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
        ask_server(f, ANSWERS, USEC_PER_SEC);
        unsetenv("http_proxy");
        unsetenv("ALL_PROXY");
        assert_int_equal(f->code, 200);
}

static void test_only_http(void **state) {
        Fixture *f = *state;
        ask(f, &(HttpRequest){.url = "file:///etc/hostname"}, USEC_PER_SEC);
        assert_int_equal(f->code, 0);
        assert_true(f->error_code < 0);
        assert_string_equal(f->body, "");
}

static void test_reuse(void **state) {
        Fixture *f = *state;
        for (int reuse = 0; reuse < 2; reuse++) {
                Server server;
                server_start(&server, ANSWERS, NULL);
                for (int i = 0; i < 3; i++) {
                        ask(f, &(HttpRequest){.url = url_of(&server), .reuse = reuse}, USEC_PER_SEC);
                        assert_int_equal(f->code, 200);
                }
                server_stop(&server);
                assert_int_equal(server.requests, 3);
                assert_int_equal(server.connections, reuse ? 1 : 3);
        }
}

static void test_kept_connection_that_was_closed(void **state) {
        Fixture *f = *state;
        Server server;
        server_start(&server, ANSWERS, NULL);
        ask(f, &(HttpRequest){.url = url_of(&server), .reuse = true}, USEC_PER_SEC);
        server_stop(&server);
        ask(f, &(HttpRequest){.url = url_of(&server), .reuse = true}, USEC_PER_SEC);
        assert_int_equal(f->error_code, -ECONNREFUSED);
}

static void test_no_secret_in_messages(void **state) {
        Fixture *f = *state;
        ask(f, &(HttpRequest){.url = "http://user:geheim@127.0.0.1:1/x?key=geheim"}, USEC_PER_SEC);
        assert_null(strstr(f->message, "geheim"));
        assert_non_null(strstr(f->message, "http://127.0.0.1:1/x: connection refused"));
}

static void test_cancel(void **state) {
        Fixture *f = *state;
        Server server;
        Error error;
        server_start(&server, ANSWERS, NULL);
        assert_int_equal(http_begin(f->client, &(HttpRequest){.url = url_of(&server)}, 50 * USEC_PER_MSEC, on_answer, f,
                                    &f->call, &error),
                         0);
        f->call = http_cancel(f->call);
        for (int i = 0; i < 5; i++)
                sd_event_run(f->event, 20 * USEC_PER_MSEC);
        assert_false(f->answered);
        assert_int_equal(http_begin(f->client, &(HttpRequest){.url = url_of(&server)}, USEC_PER_SEC, on_answer, f,
                                    &f->call, &error),
                         0);
        f->client = http_client_free(f->client); /* with a call under way */
        server_stop(&server);
        assert_false(f->answered);
}

static void on_answer_free(void *userdata, const HttpAnswer *answer) {
        Fixture *f = userdata;
        on_answer(f, answer);
        f->client = http_client_free(f->client);
}

static void test_client_freed_in_callback(void **state) {
        Fixture *f = *state;
        Server server;
        Error error;
        HttpCall *other;
        server_start(&server, ANSWERS, NULL);
        assert_int_equal(http_begin(f->client, &(HttpRequest){.url = url_of(&server)}, USEC_PER_SEC, on_answer_free, f,
                                    &f->call, &error),
                         0);
        assert_int_equal(http_begin(f->client, &(HttpRequest){.url = "http://127.0.0.1:1/"}, USEC_PER_SEC,
                                    on_answer_free, f, &other, &error),
                         0);
        while (!f->answered)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
        server_stop(&server);
}

/* ---- a resolver that hangs ---- */

/* Instead of the C library's: libcurl finds this one first. */
int getaddrinfo(UNUSED const char *host, UNUSED const char *service, UNUSED const struct addrinfo *hints,
                UNUSED struct addrinfo **ret) {
        nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
        return EAI_AGAIN;
}

static int64_t mono_us(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void test_name_lookup_does_not_block(void **state) {
        Fixture *f = *state;
        Error error;
        int64_t start_us = mono_us();
        ask(f, &(HttpRequest){.url = "http://slow.invalid/"}, 50 * USEC_PER_MSEC);
        assert_timed_out(f, 50 * USEC_PER_MSEC);
        assert_int_equal(http_begin(f->client, &(HttpRequest){.url = "http://slow.invalid/"}, USEC_PER_SEC, on_answer,
                                    f, &f->call, &error),
                         0);
        for (int i = 0; i < 5; i++)
                sd_event_run(f->event, 10 * USEC_PER_MSEC);
        f->call = http_cancel(f->call);
        f->client = http_client_free(f->client);
        assert_true(mono_us() - start_us < USEC_PER_SEC);
        nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 200000000},
                  NULL); /* the lookups' threads end before the leak check looks */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_answer),
                TEST(test_refused),
                TEST(test_hangs),
                TEST(test_drips),
                TEST(test_too_long),
                TEST(test_redirect_is_not_followed),
                TEST(test_not_found),
                TEST(test_cut_and_babble),
                TEST(test_post),
                TEST(test_unix_socket),
                TEST(test_proxy_of_the_environment_is_ignored),
                TEST(test_only_http),
                TEST(test_reuse),
                TEST(test_kept_connection_that_was_closed),
                TEST(test_no_secret_in_messages),
                TEST(test_cancel),
                TEST(test_client_freed_in_callback),
                TEST(test_name_lookup_does_not_block),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
