/* Who may do what over TLS: tokens, client certificates and sessions, asked of a real server. */
#include "fixture.h"
#include "http.h"
#include "tls-client.h"

#include "base/macros.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAUSE                                                                                                          \
        "POST /api/v3/rollback HTTP/1.1\r\n" FIXTURE_CLOSE "Content-Type: application/json\r\nContent-Length: 34\r\n"
#define BODY "{\"mode\":\"manual\", \"reason\":\"test\"}"
#define PLAN "GET /api/v3/plan HTTP/1.1\r\n" FIXTURE_CLOSE
#define TOKEN "nvr_tls-test"

static char where[64], directory[64], path_certificate[96], path_key[96], path_authority[96], path_tokens[96];

static bool knows(UNUSED void *self, const char *common_name, bool *ret_may_act) {
        *ret_may_act = strcmp(common_name, "ops") == 0;
        return strcmp(common_name, "ops") == 0 || strcmp(common_name, "viewer") == 0;
}

static const char *in(const char *name, const char *ending) {
        static char paths[4][128];
        static unsigned next;
        char *path = paths[next++ % ARRAY_SIZE(paths)];
        snprintf(path, sizeof paths[0], "%s/%s.%s", directory, name, ending);
        return path;
}

/* A certificate of `authority` in the file `name`, made for `purpose`. */
static void make(const char *name, const char *subject, const char *authority, const char *purpose) {
        AUTO_FREE char *command = NULL;
        assert_true(
                asprintf(
                        &command,
                        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s "
                        "-addext extendedKeyUsage=%s -keyout %s -out %s -CA %s -CAkey %s 2>/dev/null",
                        subject, purpose, in(name, "key"), in(name, "pem"), in(authority, "pem"),
                        in(authority, "key")) > 0);
        assert_int_equal(system(command), 0);
}

static void write_tokens(void) {
        unsigned char hash[32];
        char digits[65];
        crypto_hash_sha256(hash, (const unsigned char *)TOKEN, strlen(TOKEN));
        sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
        AUTO_CLOSE int fd = open(path_tokens, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(dprintf(fd, "bot act %s\n", digits) > 0);
}

static int start(UNUSED void **state) {
        snprintf(directory, sizeof directory, "/tmp/test-access-tls-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        tls_make_certificate(directory, "server", NULL);
        tls_make_certificate(directory, "authority", NULL);
        tls_make_certificate(directory, "other", NULL);
        make("ops", "ops", "authority", "clientAuth");
        make("viewer", "viewer", "authority", "clientAuth");
        make("stranger", "stranger", "authority", "clientAuth");
        make("forged", "ops", "other", "clientAuth");
        make("service", "ops", "authority", "serverAuth");
        snprintf(path_certificate, sizeof path_certificate, "%s/server.pem", directory);
        snprintf(path_key, sizeof path_key, "%s/server.key", directory);
        snprintf(path_authority, sizeof path_authority, "%s/authority.pem", directory);
        snprintf(path_tokens, sizeof path_tokens, "%s/tokens", directory);
        write_tokens();
        fixture_pick("127.0.0.1", where, sizeof where);
        const ApiSettings settings = {.tls_listen = where,
                                      .tls_certificate = path_certificate,
                                      .tls_key = path_key,
                                      .tls_client_ca = path_authority,
                                      .tls_client = knows,
                                      .tokens = path_tokens};
        return fixture_start(&settings);
}

static int stop(UNUSED void **state) {
        AUTO_FREE char *command = NULL;
        int r = fixture_stop();
        return asprintf(&command, "rm -r '%s'", directory) > 0 && system(command) == 0 ? r : -1;
}

static char *ask(const char *certificate, const char *request) {
        return tls_client_ask(where, certificate ? in(certificate, "pem") : NULL,
                              certificate ? in(certificate, "key") : NULL, request);
}

static void test_certificates(UNUSED void **state) {
        static const struct {
                const char *certificate;
                int reads, acts;
        } cases[] = {
                {NULL, 401, 401},       {"ops", 200, 202},    {"viewer", 200, 403},
                {"stranger", 401, 401}, {"forged", 401, 401}, {"service", 401, 401},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                AUTO_FREE char *plan = ask(cases[i].certificate, PLAN "\r\n");
                AUTO_FREE char *act = ask(cases[i].certificate, PAUSE "\r\n" BODY);
                if (http_status(plan) != cases[i].reads || http_status(act) != cases[i].acts)
                        fail_msg("%s: %s\n%s", cases[i].certificate ? cases[i].certificate : "none", plan, act);
        }
        AUTO_FREE char *plan = ask("ops", PLAN "\r\n");
        assert_holds(plan, "\"caller\":\"certificate ops\"");
        assert_holds(plan, " (TLS)\"");
        AUTO_FREE char *anonymous = ask(NULL, PLAN "\r\n");
        assert_holds(anonymous, "WWW-Authenticate: Bearer");
}

static void test_tokens(UNUSED void **state) {
        AUTO_FREE char *good = ask(NULL, PAUSE "Authorization: Bearer " TOKEN "\r\n\r\n" BODY);
        assert_int_equal(http_status(good), 202);
        assert_holds(good, "\"caller\":\"token bot\"");
        AUTO_FREE char *bad = ask(NULL, PAUSE "Authorization: Bearer " TOKEN "x\r\n\r\n" BODY);
        assert_int_equal(http_status(bad), 401);
        AUTO_FREE char *twice =
                ask(NULL, PAUSE "Authorization: Bearer x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n" BODY);
        assert_int_equal(http_status(twice), 400);
        for (int i = 0; i < 9; i++)
                free(ask(NULL, PLAN "Authorization: Bearer x\r\n\r\n"));
        AUTO_FREE char *slow = ask(NULL, PLAN "Authorization: Bearer x\r\n\r\n");
        assert_int_equal(http_status(slow), 429);
        assert_holds(slow, "Retry-After: ");
}

static void test_a_session(UNUSED void **state) {
        char request[1024], cookie[128] = "";
        AUTO_FREE char *begun = ask("ops", "POST /api/v3/session HTTP/1.1\r\n" FIXTURE_CLOSE
                                           "Origin: https://localhost\r\nContent-Length: 0\r\n\r\n");
        assert_int_equal(http_status(begun), 200);
        assert_holds(begun, "; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200; Secure");
        assert_holds(begun, "\"may_act\":true");
        const char *set = strstr(begun, "Set-Cookie: novacron_session=");
        assert_non_null(set);
        assert_int_equal(sscanf(set, "Set-Cookie: %100[^;]", cookie), 1);
        snprintf(request, sizeof request,
                 PAUSE "Origin: https://localhost\r\nX-Novacron-Session: 1\r\nCookie: %s\r\n\r\n" BODY, cookie);
        AUTO_FREE char *acted = ask("ops", request);
        assert_int_equal(http_status(acted), 202);
        AUTO_FREE char *without = ask(NULL, request); /* the cookie alone isn't enough */
        assert_int_equal(http_status(without), 401);
        snprintf(request, sizeof request,
                 "DELETE /api/v3/session HTTP/1.1\r\n" FIXTURE_CLOSE "Origin: https://localhost\r\nCookie: %s\r\n\r\n",
                 cookie);
        AUTO_FREE char *ended = ask("ops", request);
        assert_int_equal(http_status(ended), 200);
        assert_holds(ended, "Max-Age=0");
        snprintf(request, sizeof request,
                 PAUSE "Origin: https://localhost\r\nX-Novacron-Session: 1\r\nCookie: %s\r\n\r\n" BODY, cookie);
        AUTO_FREE char *late = ask("ops", request);
        assert_int_equal(http_status(late), 401);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_certificates),
                cmocka_unit_test(test_a_session),
                cmocka_unit_test(test_tokens),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
