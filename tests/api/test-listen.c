/* Where the server listens, and what it says when it can't. */
#include "fixture.h"
#include "http.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"

static char loopback[64], health[64], extra[64];

static char *post(const char *where, const char *path, const char *body) {
        AUTO_FREE char *request = NULL;
        if (asprintf(&request,
                     "POST %s HTTP/1.1\r\n" FIXTURE_CLOSE
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     path, strlen(body), body) < 0)
                return NULL;
        return http_ask(where, request);
}

/* What api_server_look() says of a source; free() it. */
static char *look(const char *source) {
        AUTO_FREE char *done = post(fixture_socket, "/api/v3/deploy", "{\"version\":\"look\"}");
        AUTO_FREE char *seen = http_ask(fixture_socket, GET("/api/v3/history"));
        assert_int_equal(http_status(done), 200);
        json_t *document = json_loads(http_body(seen), 0, NULL);
        json_t *message = json_object_get(json_object_get(document, "looked"), source);
        assert_non_null(message);
        char *text = strdup(json_is_string(message) ? json_string_value(message) : "");
        json_decref(document);
        return text;
}

static void test_loopback(UNUSED void **state) {
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback}), 0);
        AUTO_FREE char *answer = http_ask(loopback, GET("/api/v3/plan"));
        assert_int_equal(http_status(answer), 200);
        assert_holds(answer, "\"whence\":\"127.0.0.1:");
        AUTO_FREE char *old = http_ask(loopback, "GET /api/v3/health HTTP/1.0\r\nHost: localhost\r\n\r\n");
        assert_int_equal(http_status(old), 200);
        assert_holds(old, "\"asked\":");
        AUTO_CLOSE int fd = http_connect(loopback);
        for (int i = 0; i < 3; i++) {
                assert_true(http_send_text(fd, "GET /api/v3/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
                AUTO_FREE char *kept = http_read(fd, "}\n");
                assert_int_equal(http_status(kept), 200);
        }
        assert_true(http_send_text(fd, GET("/api/v3/health")));
        AUTO_FREE char *last = http_read(fd, NULL);
        assert_holds(last, "Connection: close\r\n");
        AUTO_FREE char *said = look("api");
        assert_string_equal(said, "");
        assert_int_equal(fixture_stop(), 0);
}

static void test_ipv6(UNUSED void **state) {
        fixture_pick("::1", loopback, sizeof loopback);
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback}), 0);
        AUTO_FREE char *answer = http_ask(loopback, GET("/api/v3/health"));
        assert_int_equal(http_status(answer), 200);
        assert_int_equal(fixture_stop(), 0);
}

static void test_what_is_no_loopback_is_refused(UNUSED void **state) {
        static const char *const refused[] = {"0.0.0.0:18080", "[::]:18080", "10.1.2.3:18080",
                                              "127.0.0.1",     "x:1",        "127.0.0.1:0"};
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                assert_int_equal(fixture_start(&(ApiSettings){.listen = refused[i]}), 0);
                AUTO_FREE char *said = look("api");
                assert_holds(said, "api.listen");
                assert_holds(said, i < 3 ? "which is no loopback address" : "allowed is a numeric address and port");
                assert_int_equal(fixture_stop(), 0);
        }
}

static void test_a_taken_port_names_its_holder(UNUSED void **state) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(holder, (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(holder, (struct sockaddr *)&address, &size), 0);
        assert_int_equal(listen(holder, 1), 0);
        snprintf(loopback, sizeof loopback, "127.0.0.1:%u", ntohs(address.sin_port));
        /* the server is our child: it must not hold the port, too */
        assert_int_equal(fixture_start_without(&(ApiSettings){.listen = loopback}, holder), 0);

        char wanted[160];
        AUTO_FREE char *said = look("api");
        snprintf(wanted, sizeof wanted, "cannot listen on %s: port %u is taken by process %d (", loopback,
                 ntohs(address.sin_port), getpid());
        assert_holds(said, wanted);
        assert_holds(said, "stop that, or change api.listen");
        AUTO_FREE char *others = http_ask(fixture_socket, GET("/api/v3/health"));
        assert_int_equal(http_status(others), 200);

        close(holder);
        AUTO_FREE char *well = look("api");
        assert_string_equal(well, "");
        AUTO_FREE char *answer = http_ask(loopback, GET("/api/v3/health"));
        assert_int_equal(http_status(answer), 200);
        assert_int_equal(fixture_stop(), 0);
}

static void test_health_listeners(UNUSED void **state) {
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        fixture_pick("127.0.0.2", health, sizeof health);
        fixture_pick("::1", extra, sizeof extra);
        const char *const listen[] = {health, "nonsense", extra, loopback, NULL};
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback, .health_listen = listen}), 0);
        AUTO_FREE char *well = http_ask(health, GET("/api/v3/health"));
        assert_int_equal(http_status(well), 200);
        AUTO_FREE char *one = http_ask(extra, GET("/api/v3/health/database"));
        assert_holds(one, "{\"name\":\"database\"}");
        AUTO_FREE char *head = http_ask(health, "HEAD /api/v3/health HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n");
        assert_int_equal(http_status(head), 200);
        assert_string_equal(http_body(head), "");

        static const char *const refused[] = {GET("/api/v3/status"),
                                              GET("/"),
                                              GET("/metrics"),
                                              GET("/openapi.json"),
                                              GET("/api/v3/healthy"),
                                              "POST /api/v3/health HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n",
                                              "POST /api/v3/deployment/pause HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"};
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                AUTO_FREE char *answer = http_ask(health, refused[i]);
                assert_int_equal(http_status(answer), 403);
                assert_holds(answer, "answers GET /api/v3/health and what is below it, and nothing else");
        }
        AUTO_FREE char *said = look("api-health");
        assert_holds(said, "api.health_listen: 'nonsense' is no address");
        assert_holds(said, "another address of this controller has port");
        assert_int_equal(fixture_stop(), 0);
}

/* Anonymous people have few places, and take none from others. */
static void test_health_listeners_have_places_of_their_own(UNUSED void **state) {
        fixture_pick("127.0.0.2", health, sizeof health);
        const char *const listen[] = {health, NULL};
        assert_int_equal(fixture_start(&(ApiSettings){.health_listen = listen, .connections = 16}), 0);
        int fds[17];
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = http_connect(health);
        AUTO_FREE char *refused = http_read(fds[16], NULL);
        assert_int_equal(http_status(refused), 503);
        assert_holds(refused, "Retry-After: 1\r\n");
        AUTO_FREE char *ours = http_ask(fixture_socket, GET("/api/v3/health"));
        assert_int_equal(http_status(ours), 200);
        close(fds[0]);
        assert_true(http_send_text(fds[1], GET("/api/v3/health")));
        AUTO_FREE char *early = http_read(fds[1], NULL);
        assert_int_equal(http_status(early), 200);
        for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        assert_int_equal(fixture_stop(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_loopback),
                cmocka_unit_test(test_ipv6),
                cmocka_unit_test(test_what_is_no_loopback_is_refused),
                cmocka_unit_test(test_a_taken_port_names_its_holder),
                cmocka_unit_test(test_health_listeners),
                cmocka_unit_test(test_health_listeners_have_places_of_their_own),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
