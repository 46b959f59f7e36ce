/* TLS: certificates that are there, replaced, missing or wrong, clients with one of their own, and handshakes that never end. */
#include "fixture.h"
#include "http.h"
#include "tls-client.h"

#include "base/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define EVENTS "GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ROLLBACK                                                                                                       \
        "POST /api/v3/rollback HTTP/1.1\r\n" FIXTURE_CLOSE                                                             \
        "Content-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"mode\":\"manual\",\"reason\":\"x y\"}"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define IN(name) path_in(name, (char[128]){0})

static char directory[64], address[64], loopback[64];

static const char *path_in(const char *name, char text[128]) {
        snprintf(text, 128, "%s/%s", directory, name);
        return text;
}

static int make_certificates(UNUSED void **state) {
        static const char *const names[][2] = {{"first", NULL},      {"second", NULL},        {"authority", NULL},
                                               {"other", NULL},      {"reader", "authority"}, {"actor", "authority"},
                                               {"stranger", "other"}};
        snprintf(directory, sizeof directory, "/tmp/test-tls.XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                tls_make_certificate(directory, names[i][0], names[i][1]);
        return 0;
}

static int remove_certificates(UNUSED void **state) {
        char command[128];
        snprintf(command, sizeof command, "rm -r %s", directory);
        return system(command);
}

/* Puts the pair NAME in force at server.pem and server.key, as a renewal does it: by renaming. */
static void install(const char *name) {
        static const char *const endings[] = {"pem", "key"};
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                char command[512];
                snprintf(command, sizeof command, "cp %s/%s.%s %s/new && mv %s/new %s/server.%s", directory, name,
                         endings[i], directory, directory, directory, endings[i]);
                assert_int_equal(system(command), 0);
        }
}

static bool client_rights(UNUSED void *self, const char *name, bool *ret_may_act) {
        *ret_may_act = strcmp(name, "actor") == 0;
        return *ret_may_act || strcmp(name, "reader") == 0;
}

static void start(unsigned connections) {
        fixture_pick("127.0.0.1", address, sizeof address);
        fixture_pick("127.0.0.1", loopback, sizeof loopback);
        assert_int_equal(fixture_start(&(ApiSettings){.listen = loopback,
                                                      .tls_listen = address,
                                                      .tls_certificate = IN("server.pem"),
                                                      .tls_key = IN("server.key"),
                                                      .tls_client_ca = IN("authority.pem"),
                                                      .tls_client = client_rights,
                                                      .connections = connections}),
                         0);
}

static char *look(void) {
        AUTO_FREE char *done = http_ask(fixture_socket, "POST /api/v3/deploy HTTP/1.1\r\n" FIXTURE_CLOSE
                                                        "Content-Type: application/json\r\nContent-Length: 18\r\n\r\n"
                                                        "{\"version\":\"look\"}");
        AUTO_FREE char *seen = http_ask(fixture_socket, GET("/api/v3/history"));
        assert_int_equal(http_status(done), 200);
        json_t *document = json_loads(http_body(seen), 0, NULL);
        const char *message = json_string_value(json_object_get(json_object_get(document, "looked"), "api-tls"));
        char *text = strdup(message ? message : "");
        json_decref(document);
        return text;
}

static void assert_certificate(const char *wanted) {
        char name[64];
        TlsClient *client = tls_client_open(address, NULL, NULL, NULL);
        assert_non_null(client);
        tls_client_peer(client, name, sizeof name);
        assert_string_equal(name, wanted);
        assert_true(tls_client_send(client, GET("/api/v3/health")));
        AUTO_FREE char *answer = tls_client_read(client, NULL);
        assert_int_equal(http_status(answer), 200);
        tls_client_close(client);
}

static void test_versions(UNUSED void **state) {
        static const struct {
                const char *priorities;
                bool good;
        } rows[] = {{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
                    {"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
                    {"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
                    {"NORMAL:-VERS-ALL:+VERS-TLS1.0", false}};
        install("first");
        start(0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                TlsClient *client = tls_client_open(address, rows[i].priorities, NULL, NULL);
                assert_int_equal(client != NULL, rows[i].good);
                if (client) {
                        assert_true(tls_client_send(client, GET("/api/v3/health")));
                        AUTO_FREE char *answer = tls_client_read(client, NULL);
                        assert_int_equal(http_status(answer), 200);
                }
                tls_client_close(client);
        }
        AUTO_FREE char *plain = http_ask(address, GET("/api/v3/health"));
        assert_int_equal(http_status(plain), 0);
        assert_int_equal(fixture_stop(), 0);
}

static void test_rights(UNUSED void **state) {
        install("first");
        start(0);
        AUTO_FREE char *page = tls_client_ask(address, NULL, NULL, GET("/"));
        AUTO_FREE char *nobody = tls_client_ask(address, NULL, NULL, GET("/api/v3/plan"));
        AUTO_FREE char *stranger = tls_client_ask(address, IN("stranger.pem"), IN("stranger.key"), GET("/api/v3/plan"));
        AUTO_FREE char *reader = tls_client_ask(address, IN("reader.pem"), IN("reader.key"), GET("/api/v3/plan"));
        AUTO_FREE char *refused = tls_client_ask(address, IN("reader.pem"), IN("reader.key"), ROLLBACK);
        AUTO_FREE char *actor = tls_client_ask(address, IN("actor.pem"), IN("actor.key"), ROLLBACK);
        assert_int_equal(http_status(page), 200);
        assert_int_equal(http_status(nobody), 401);
        assert_int_not_equal(http_status(stranger), 200);
        assert_int_equal(http_status(reader), 200);
        assert_holds(reader, "(TLS)\"");
        assert_int_equal(http_status(refused), 403);
        assert_int_equal(http_status(actor), 202);
        assert_int_equal(fixture_stop(), 0);
}

static void test_a_stream(UNUSED void **state) {
        install("first");
        start(0);
        TlsClient *client = tls_client_open(address, NULL, IN("reader.pem"), IN("reader.key"));
        assert_non_null(client);
        assert_true(tls_client_send(client, EVENTS));
        AUTO_FREE char *opened = tls_client_read(client, ": connected\n\n");
        assert_int_equal(http_status(opened), 200);
        for (int i = 0; i < 3; i++) {
                AUTO_FREE char *published =
                        http_ask(fixture_socket, "POST /api/v3/deploy HTTP/1.1\r\n" FIXTURE_CLOSE
                                                 "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                                                 "{\"version\":\"publish\"}");
                assert_int_equal(http_status(published), 200);
                AUTO_FREE char *event = tls_client_read(client, "\"publish\"}\n\n");
                assert_holds(event, "event: tick\n");
        }
        assert_int_equal(fixture_stop(), 0); /* with the stream open */
        AUTO_FREE char *end = tls_client_read(client, NULL);
        assert_holds(end, "0\r\n\r\n");
        tls_client_close(client);
}

static void test_a_certificate_is_replaced(UNUSED void **state) {
        install("first");
        start(0);
        assert_certificate("first");
        TlsClient *old = tls_client_open(address, NULL, NULL, NULL);
        assert_non_null(old);
        install("second");
        AUTO_FREE char *well = look();
        assert_string_equal(well, "");
        assert_certificate("second");
        /* half of a renewal: the certificate and the key don't belong together */
        assert_int_equal(rename(IN("server.key"), IN("kept.key")), 0);
        char command[300];
        snprintf(command, sizeof command, "cp %s/first.key %s/server.key", directory, directory);
        assert_int_equal(system(command), 0);
        AUTO_FREE char *half = look();
        assert_holds(half, "the certificate from before stays in force: ");
        assert_holds(half, "doesn't belong to the key");
        assert_certificate("second");
        install("first");
        AUTO_FREE char *again = look();
        assert_string_equal(again, "");
        assert_certificate("first");
        /* who was connected before all that still is */
        assert_true(tls_client_send(old, GET("/api/v3/health")));
        AUTO_FREE char *answer = tls_client_read(old, NULL);
        assert_int_equal(http_status(answer), 200);
        tls_client_close(old);
        assert_int_equal(fixture_stop(), 0);
}

static void test_a_certificate_is_missing(UNUSED void **state) {
        assert_int_equal(unlink(IN("server.pem")), 0);
        start(0);
        assert_int_equal(http_connect(address), -1);
        AUTO_FREE char *missing = look();
        assert_holds(missing, "server.pem (api.tls_certificate): No such file or directory");
        FILE *file = fopen(IN("server.pem"), "w");
        fputs("no certificate\n", file);
        fclose(file);
        AUTO_FREE char *wrong = look();
        assert_holds(wrong, "cannot use the certificate ");
        assert_holds(wrong, "server.pem");
        AUTO_FREE char *others = http_ask(fixture_socket, GET("/api/v3/health"));
        assert_int_equal(http_status(others), 200);
        install("second");
        AUTO_FREE char *well = look();
        assert_string_equal(well, "");
        assert_certificate("second");
        assert_int_equal(fixture_stop(), 0);
}

/* Each way in says the same of the same mistake. */
static void test_bad_input(UNUSED void **state) {
        static char header[40000], path[40000], body[100000], request[200000];
        static const struct {
                const char *line, *header, *body;
                int status;
                const char *says;
        } rows[] = {
                {"GET /api/v3/nowhere", "", NULL, 404, "there is nothing at /api/v3/nowhere"},
                {"DELETE /api/v3/rollback", "", NULL, 405, "Allow: GET, HEAD, POST\r\n"},
                {"GET /api/v3/deploy", "", NULL, 405, "Allow: POST\r\n"},
                {"GET /api/v3/history?limit=many", "", NULL, 400, "'limit' must be a whole number"},
                {"GET /api/v3/plan?mood=x", "", NULL, 400, "knows no 'mood'"},
                {"POST /api/v3/rollback", JSON_TYPE, "{\"mode\":", 400, "the body is no JSON"},
                {"POST /api/v3/rollback", JSON_TYPE, "[]", 400, "must be a JSON object"},
                {"POST /api/v3/rollback", JSON_TYPE, "{\"mode\":1,\"reason\":\"x\"}", 400, "'mode' must be one of"},
                {"POST /api/v3/traffic/drain", JSON_TYPE, "{\"timeout_seconds\":\"soon\"}", 400,
                 "'timeout_seconds' must be a whole number"},
                {"POST /api/v3/rollback", "", "{}", 415, "send JSON"},
                {"POST /api/v3/rollback", JSON_TYPE, body, 413, "a body may have 64 KiB"},
                {"GET /api/v3/health", header, NULL, 431, ""},
                {path, "", NULL, 414, ""},
        };
        memset(body, ' ', sizeof body - 1);
        snprintf(header, sizeof header, "X: %039000d\r\n", 0);
        snprintf(path, sizeof path, "GET /%039000d", 0);
        install("first");
        start(0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int used = snprintf(request, sizeof request, "%s HTTP/1.1\r\n" FIXTURE_CLOSE "%s", rows[i].line,
                                    rows[i].header);
                if (rows[i].body)
                        snprintf(request + used, sizeof request - (size_t)used, "Content-Length: %zu\r\n\r\n%s",
                                 strlen(rows[i].body), rows[i].body);
                else
                        snprintf(request + used, sizeof request - (size_t)used, "\r\n");
                AUTO_FREE char *by_tls = tls_client_ask(address, IN("actor.pem"), IN("actor.key"), request);
                AUTO_FREE char *by_tcp = http_ask(loopback, request);
                const char *const answers[] = {by_tls, by_tcp};
                for (size_t j = 0; j < ARRAY_SIZE(answers); j++)
                        if (http_status(answers[j]) != rows[i].status || !strstr(answers[j], rows[i].says))
                                fail_msg("row %zu, way %zu, wanted %d ... %s\ngot %s", i, j, rows[i].status,
                                         rows[i].says, answers[j]);
        }
        assert_certificate("first");
        assert_int_equal(fixture_stop(), 0);
}

/* Far more of them than there are places: each gives its place back. */
static void test_handshakes_that_break_off(UNUSED void **state) {
        static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        uint64_t seed = 7;
        install("first");
        start(32);
        for (int i = 0; i < 300; i++) {
                char bytes[300];
                for (size_t j = 0; j < sizeof bytes; j++) {
                        seed = seed * 6364136223846793005U + 1442695040888963407U;
                        bytes[j] = (char)(seed >> 56);
                }
                AUTO_CLOSE int fd = http_connect(address);
                assert_true(fd >= 0);
                if (i % 3 > 0)
                        (void)http_send(fd, hello, sizeof hello - 1);
                if (i % 3 < 2)
                        (void)http_send(fd, bytes, 1 + (seed >> 40) % sizeof bytes);
        }
        /* the last of them may not be noticed yet */
        int64_t deadline = clock_mono_us() + HTTP_WAIT_MS * 1000;
        TlsClient *client;
        while (!(client = tls_client_open(address, NULL, NULL, NULL)))
                assert_true(clock_mono_us() < deadline);
        tls_client_close(client);
        assert_int_equal(fixture_stop(), 0);
}

/* While it lasts it costs nothing. */
static void test_a_handshake_that_waits(UNUSED void **state) {
        install("first");
        start(0);
        int fds[10];
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = http_connect(address);
                assert_true(http_send(fds[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
        }
        assert_certificate("first"); /* by now the server has what they sent */
        int64_t cpu = fixture_cpu_us(), begun = clock_mono_us();
        (void)poll(NULL, 0, 300);
        assert_true((double)(fixture_cpu_us() - cpu) < 0.1 * (double)(clock_mono_us() - begun));
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        assert_int_equal(fixture_stop(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions),
                cmocka_unit_test(test_rights),
                cmocka_unit_test(test_a_stream),
                cmocka_unit_test(test_a_certificate_is_replaced),
                cmocka_unit_test(test_a_certificate_is_missing),
                cmocka_unit_test(test_bad_input),
                cmocka_unit_test(test_handshakes_that_break_off),
                cmocka_unit_test(test_a_handshake_that_waits),
        };
        return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
