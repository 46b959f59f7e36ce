/* Ten thousand bad requests, on every kind of connection: each gets a clear refusal or a closed connection, and the server goes on. The
 * generator has a seed: what fails once fails again. */
#include "fixture.h"
#include "http.h"
#include "tls-client.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define REQUESTS 10000
#define TLS_REQUESTS 200
#define BATCH 10 /* below what one address may have of the health listeners */
#define REQUEST_MAX 4096
#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define PIECE(pieces) pieces[random_below(ARRAY_SIZE(pieces))]

static uint64_t seed = 20240117;

static size_t random_below(size_t limit) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        return (size_t)(seed >> 33) % limit;
}

static const char *const methods[] = {"GET",   "POST",    "HEAD", "DELETE", "PUT",   "OPTIONS",
                                      "TRACE", "CONNECT", "get",  "",       "G\x01T"};
static const char *const paths[] = {
        "/",
        "/api/v3/status",
        "/api/v3/health",
        "/api/v3/health/%00",
        "/api/v3/rollback",
        "/api/v3/rollback/1",
        "/api/v3/rollback/99999999999999999999/cancel",
        "/api/v3/plan?mode=%ff&to=../../x",
        "/api/v3/history?limit=-1",
        "/api/v3/traffic/restore",
        "/api/v3/cache/clear",
        "/api/v3/session",
        "/metrics",
        "/openapi.json?x",
        "/assets/../../../etc/shadow",
        "*",
        "http://elsewhere.example/api/v3/status",
        "/%2e%2e/%2e%2e",
        "nonsense",
        "",
};
static const char *const versions[] = {"HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTP", ""};
static const char *const headers[] = {
        "Host: localhost\r\n",
        "Host: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host:\r\n",
        "Content-Type: application/json\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Length: 7\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Connection: upgrade\r\nUpgrade: h2c\r\n",
        "Authorization: Bearer x\r\n",
        "Cookie: novacron_session=\x7f\r\n",
        "Origin: null\r\n",
        "Last-Event-ID: x\r\n",
        "If-None-Match: *\r\n",
        " folded: header\r\n",
        "no colon\r\n",
        ": no name\r\n",
};
static const char *const bodies[] = {
        "",
        "{}",
        "{\"mode\":\"manual\",\"reason\":7}",
        "{\"mode\":\"manual\",\"mode\":\"x\"}",
        "{\"a\":{\"a\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "[1e999]",
        "\"\\ud800\"",
        "{\"timeout_seconds\":1e3}",
        "\xef\xbb\xbf{}",
        "5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "-5\r\n",
};

/* A request of pieces that are each right or wrong, sometimes with some bytes changed, sometimes cut off. */
static size_t make_request(char *text, size_t size) {
        int used = snprintf(text, size, "%s %s %s\r\n", PIECE(methods), PIECE(paths), PIECE(versions));
        for (size_t i = random_below(5); i > 0; i--)
                used += snprintf(text + used, size - (size_t)used, "%s", PIECE(headers));
        used += snprintf(text + used, size - (size_t)used, "\r\n%s", PIECE(bodies));
        size_t length = (size_t)used;
        if (random_below(4) == 0)
                for (size_t i = 1 + random_below(4); i > 0; i--)
                        text[random_below(length)] = (char)random_below(256);
        return random_below(8) == 0 ? random_below(length) + 1 : length;
}

/* Whatever was answered is an answer, and a problem is one that says what is wrong. */
static void check_answer(const char *request, const char *answer) {
        int status = http_status(answer);
        if (answer[0] != '\0' && (status < 100 || (status >= 500 && status != 501 && status != 503 && status != 505)))
                fail_msg("%s\nwas answered: %s", request, answer);
}

/* Reads until the server closes: it has to, after the end of what we send. */
static void read_to_end(const char *request, int fd) {
        char answer[4096] = "";
        size_t used = 0;
        for (;;) {
                char more[4096];
                struct pollfd readable = {.fd = fd, .events = POLLIN};
                if (poll(&readable, 1, HTTP_WAIT_MS) <= 0)
                        fail_msg("%s\nis neither answered nor closed; so far: %s", request, answer);
                ssize_t got = recv(fd, more, sizeof more, 0);
                if (got <= 0)
                        break;
                size_t kept = (size_t)got < sizeof answer - 1 - used ? (size_t)got : sizeof answer - 1 - used;
                memcpy(answer + used, more, kept);
                used += kept;
                answer[used] = '\0';
        }
        check_answer(request, answer);
}

static void assert_serves(const char *where) {
        AUTO_FREE char *answer = http_ask(where, GET("/api/v3/health"));
        assert_int_equal(http_status(answer), 200);
}

/* All at once. Then one that is right: when that is answered, what came before it has been read. Only then they say that nothing more
 * comes (a server may wait for the rest of a request), and the server has to close. */
static void send_batch(const char *where, char requests[BATCH][REQUEST_MAX]) {
        int fds[BATCH];
        for (int i = 0; i < BATCH; i++) {
                size_t size = make_request(requests[i], REQUEST_MAX - 1);
                requests[i][size] = '\0';
                fds[i] = http_connect(where);
                assert_true(fds[i] >= 0);
                (void)http_send(fds[i], requests[i], size); /* it may have been refused in the middle */
        }
        assert_serves(where);
        for (int i = 0; i < BATCH; i++) {
                if (i > 0) { /* the first hangs up without looking */
                        (void)shutdown(fds[i], SHUT_WR);
                        read_to_end(requests[i], fds[i]);
                }
                close(fds[i]);
        }
}

static void test_random_requests(UNUSED void **state) {
        static char requests[BATCH][REQUEST_MAX];
        char loopback[64], health[64];
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        fixture_pick("127.0.0.2", health, sizeof health);
        const char *const listen[] = {health, NULL};
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback, .health_listen = listen}), 0);
        const char *const ways[] = {loopback, fixture_socket, health};
        for (int i = 0; i < REQUESTS / BATCH; i++)
                send_batch(ways[(unsigned)i % ARRAY_SIZE(ways)], requests);
        assert_int_equal(fixture_stop(), 0);
}

static void test_random_requests_by_tls(UNUSED void **state) {
        char directory[64] = "/tmp/test-input.XXXXXX", address[64], request[4096], pem[128], key[128], command[128];
        assert_non_null(mkdtemp(directory));
        tls_make_certificate(directory, "server", NULL);
        snprintf(pem, sizeof pem, "%s/server.pem", directory);
        snprintf(key, sizeof key, "%s/server.key", directory);
        fixture_pick("127.0.0.1", address, sizeof address);
        assert_int_equal(fixture_start(&(ApiSettings){.tls_listen = address, .tls_certificate = pem, .tls_key = key}),
                         0);
        for (int i = 0; i < TLS_REQUESTS; i++) {
                size_t size = make_request(request, sizeof request - 1);
                request[size] = '\0';
                TlsClient *client = tls_client_open(address, NULL, NULL, NULL);
                assert_non_null(client);
                (void)tls_client_send(client, request);
                if (i % 16 > 0) {
                        tls_client_end(client);
                        AUTO_FREE char *answer = tls_client_read(client, NULL);
                        check_answer(request, answer);
                }
                tls_client_close(client);
        }
        AUTO_FREE char *answer = tls_client_ask(address, NULL, NULL, GET("/api/v3/health"));
        assert_int_equal(http_status(answer), 200);
        assert_int_equal(fixture_stop(), 0);
        snprintf(command, sizeof command, "rm -r %s", directory);
        assert_int_equal(system(command), 0);
}

/* What is too large is said to be, by every way in. */
static void test_bounds(UNUSED void **state) {
        char loopback[64];
        static char large[200000];
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback}), 0);
        const char *const ways[] = {loopback, fixture_socket};
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                int used = snprintf(large, sizeof large, "GET /api/v3/health HTTP/1.1\r\n" FIXTURE_CLOSE "X: ");
                memset(large + used, 'x', 60000);
                memcpy(large + used + 60000, "\r\n\r\n", 5);
                AUTO_FREE char *header = http_ask(ways[i], large);
                assert_int_equal(http_status(header), 431);

                used = snprintf(large, sizeof large, "GET /");
                memset(large + used, 'x', 60000);
                snprintf(large + used + 60000, 100, " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n");
                AUTO_FREE char *path = http_ask(ways[i], large);
                assert_int_equal(http_status(path), 414);

                used = snprintf(large, sizeof large,
                                "POST /api/v3/rollback HTTP/1.1\r\n" FIXTURE_CLOSE
                                "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n");
                memset(large + used, ' ', 100000);
                large[used + 100000] = '\0';
                AUTO_FREE char *body = http_ask(ways[i], large);
                assert_int_equal(http_status(body), 413);
                assert_holds(body, "a body may have 64 KiB");
                assert_serves(ways[i]);
        }
        assert_int_equal(fixture_stop(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_requests),
                cmocka_unit_test(test_random_requests_by_tls),
                cmocka_unit_test(test_bounds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
