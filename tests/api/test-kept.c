/* Answers that are given again, and the kinds of answers that aren't JSON. */
#include "fixture.h"
#include "http.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n"
#define GET_WITH(path, header) "GET " path " HTTP/1.1\r\n" FIXTURE_CLOSE header "\r\n\r\n"
#define PAGE_POLICY                                                                                                    \
        "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
#define KEPT_US 100000 /* KEEP_MS in routes.c */

static int start(UNUSED void **state) {
        return fixture_start(&(ApiSettings){0});
}

static int stop(UNUSED void **state) {
        return fixture_stop();
}

static char *ask(const char *request) {
        return http_ask(fixture_socket, request);
}

static int asked(const char *request) {
        AUTO_FREE char *answer = ask(request);
        const char *number = strstr(answer, "\"asked\":");
        assert_non_null(number);
        return atoi(number + strlen("\"asked\":"));
}

static void deploy(const char *word) {
        AUTO_FREE char *request = NULL;
        assert_true(asprintf(&request,
                             "POST /api/v3/deploy HTTP/1.1\r\n" FIXTURE_CLOSE
                             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n{\"version\":\"%s\"}",
                             strlen(word) + 14, word) > 0);
        AUTO_FREE char *answer = ask(request);
        assert_int_equal(http_status(answer), 200);
}

/* The same answer for a while. On a machine so slow that the while is over, it is tried again. */
static void test_an_answer_is_kept(UNUSED void **state) {
        for (;;) {
                int64_t begun = clock_mono_us();
                int first = asked(GET("/api/v3/status")), second = asked(GET("/api/v3/status"));
                if (clock_mono_us() - begun >= KEPT_US)
                        continue;
                assert_int_equal(first, second);
                break;
        }
        int64_t begun = clock_mono_us();
        int before = asked(GET("/api/v3/status"));
        while (asked(GET("/api/v3/status")) == before)
                assert_true(clock_mono_us() - begun < 50 * KEPT_US);
}

static void test_until_something_happens(UNUSED void **state) {
        int before = asked(GET("/api/v3/status"));
        deploy("x");
        int acted = asked(GET("/api/v3/status"));
        assert_int_equal(acted, before + 1);
        deploy("publish");
        assert_int_equal(asked(GET("/api/v3/status")), acted + 1);
}

static void test_routes_and_names_have_their_own(UNUSED void **state) {
        AUTO_FREE char *all = ask(GET("/api/v3/health")), *one = ask(GET("/api/v3/health/database"));
        AUTO_FREE char *other = ask(GET("/api/v3/health/network")), *again = ask(GET("/api/v3/health/database"));
        assert_holds(all, "\"arguments\":{}");
        assert_holds(one, "\"arguments\":{\"name\":\"database\"}");
        assert_holds(other, "\"arguments\":{\"name\":\"network\"}");
        assert_holds(again, "\"arguments\":{\"name\":\"database\"}");
        AUTO_FREE char *query = ask(GET("/api/v3/health?x=1"));
        assert_int_equal(http_status(query), 400);
        AUTO_FREE char *head = ask("HEAD /api/v3/health HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n");
        assert_int_equal(http_status(head), 200);
        assert_string_equal(http_body(head), "");
        deploy("unhealthy");
        for (int i = 0; i < 2; i++) {
                AUTO_FREE char *bad = ask(GET("/api/v3/health"));
                assert_int_equal(http_status(bad), 503);
                assert_holds(bad, "\"asked\":");
        }
}

static void test_a_status_of_its_own(UNUSED void **state) {
        AUTO_FREE char *answer = ask("POST /api/v3/rollback HTTP/1.1\r\n" FIXTURE_CLOSE
                                     "Content-Type: application/json\r\nContent-Length: 32\r\n\r\n"
                                     "{\"mode\":\"manual\",\"reason\":\"x y\"}");
        assert_int_equal(http_status(answer), 202);
}

/* ---- not JSON ---- */

static void test_metrics(UNUSED void **state) {
        for (int i = 0; i < 2; i++) { /* made, and kept; the two forms don't get mixed up */
                AUTO_FREE char *plain = ask(GET("/metrics"));
                assert_int_equal(http_status(plain), 200);
                assert_holds(plain, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
                assert_holds(plain, "Vary: Accept\r\n");
                assert_string_equal(http_body(plain),
                                    "# HELP rollback_runs_total Runs.\n# TYPE rollback_runs_total counter\n"
                                    "rollback_runs_total 1\n"
                                    "# TYPE rollback_build_info gauge\n# HELP rollback_build_info What runs.\n"
                                    "rollback_build_info{version=\"1\"} 1\n"
                                    "# TYPE rollback_ready gauge\nrollback_ready 1\n");
                AUTO_FREE char *open = ask(GET_WITH(
                        "/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3"));
                assert_holds(open, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
                assert_holds(open, "# TYPE rollback_runs counter\n");
                assert_string_equal(open + strlen(open) - 6, "# EOF\n");
        }
}

static void test_the_description(UNUSED void **state) {
        AUTO_FREE char *first = ask(GET("/openapi.json"));
        assert_int_equal(http_status(first), 200);
        assert_holds(first, "\"openapi\":\"3.1");
        deploy("publish");
        AUTO_FREE char *second = ask(GET("/openapi.json"));
        assert_string_equal(http_body(first), http_body(second));
}

static void test_the_page(UNUSED void **state) {
        AUTO_FREE char *page = ask(GET("/"));
        assert_int_equal(http_status(page), 200);
        static const char *const headers[] = {
                "Content-Type: text/html; charset=utf-8\r\n",
                PAGE_POLICY,
                "X-Frame-Options: DENY\r\n",
                "X-Content-Type-Options: nosniff\r\n",
                "Referrer-Policy: no-referrer\r\n",
                "Cache-Control: no-cache\r\n",
        };
        for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
                assert_holds(page, headers[i]);
        char tag[100];
        const char *header = strstr(page, "ETag: ");
        assert_non_null(header);
        assert_int_equal(sscanf(header, "ETag: %99[^\r]", tag), 1);
        AUTO_FREE char *request = NULL;
        assert_true(asprintf(&request, "GET / HTTP/1.1\r\n" FIXTURE_CLOSE "If-None-Match: \"x\", %s\r\n\r\n", tag) > 0);
        AUTO_FREE char *same = ask(request);
        assert_int_equal(http_status(same), 304);
        assert_string_equal(http_body(same), "");
        AUTO_FREE char *other = ask(GET_WITH("/", "If-None-Match: \"x\""));
        assert_int_equal(http_status(other), 200);
        AUTO_FREE char *posted = ask("POST / HTTP/1.1\r\n" FIXTURE_CLOSE "\r\n");
        assert_int_equal(http_status(posted), 405);
        assert_holds(posted, "Allow: GET, HEAD\r\n");
        AUTO_FREE char *outside = ask(GET("/assets/../../etc/passwd"));
        assert_int_equal(http_status(outside), 404);
}

/* No page from elsewhere is ever told that it may read. */
static void test_no_answer_allows_other_origins(UNUSED void **state) {
        static const char *const requests[] = {
                "OPTIONS /api/v3/rollback HTTP/1.1\r\n" FIXTURE_CLOSE
                "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
                "OPTIONS / HTTP/1.1\r\n" FIXTURE_CLOSE "Origin: http://evil.example\r\n\r\n",
                GET_WITH("/api/v3/health", "Origin: http://evil.example"),
                GET_WITH("/", "Origin: http://evil.example"),
        };
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                AUTO_FREE char *answer = ask(requests[i]);
                if (i < 2)
                        assert_int_equal(http_status(answer), 405);
                assert_null(strcasestr(answer, "Access-Control-"));
                assert_holds(answer, "X-Content-Type-Options: nosniff\r\n");
        }
}

int main(void) {
#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)
        const struct CMUnitTest tests[] = {
                SERVED(test_an_answer_is_kept),
                SERVED(test_until_something_happens),
                SERVED(test_routes_and_names_have_their_own),
                SERVED(test_a_status_of_its_own),
                SERVED(test_metrics),
                SERVED(test_the_description),
                SERVED(test_the_page),
                SERVED(test_no_answer_allows_other_origins),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
