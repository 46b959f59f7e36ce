#include "http.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char post[] =
        "POST /write?x=1 HTTP/1.1\r\nHost: a\r\ncontent-length: 5 \r\n\r\nab 12GET / HTTP/1.1\r\n\r\n";

/* However the bytes are cut into reads, the request is found exactly when its last byte is there. */
static void test_split_anywhere(void **state) {
        (void)state;
        size_t whole = strlen(post) - strlen("GET / HTTP/1.1\r\n\r\n");
        for (size_t size = 0; size < sizeof post; size++) {
                Request request;
                int r = request_parse(post, size, &request);
                assert_int_equal(r, size >= whole);
                if (r == 0)
                        continue;
                assert_string_equal(request.method, "POST");
                assert_string_equal(request.path, "/write");
                assert_int_equal(request.size, whole);
                assert_int_equal(request.body_size, 5);
                assert_memory_equal(request.body, "ab 12", 5);
                assert_true(request.keep_alive);
        }
}

static void test_keep_alive(void **state) {
        (void)state;
        static const struct {
                const char *text;
                bool keep_alive;
        } rows[] = {
                {"GET / HTTP/1.1\r\n\r\n", true},
                {"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false},
                {"GET / HTTP/1.0\r\n\r\n", false},
                {"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", true},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Request request;
                assert_int_equal(request_parse(rows[i].text, strlen(rows[i].text), &request), 1);
                assert_int_equal(request.keep_alive, rows[i].keep_alive);
        }
}

static void test_refused(void **state) {
        (void)state;
        static const struct {
                const char *text;
                int status;
        } rows[] = {
                {"\r\n\r\n", 400},
                {"GET\r\n\r\n", 400},
                {"GET / HTTP/2.0\r\n\r\n", 400},
                {"GET  HTTP/1.1\r\n\r\n", 400},
                {"VERYLONGMETHOD / HTTP/1.1\r\n\r\n", 400},
                {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
                {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
                {"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400},
                {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
                {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
                {"POST / HTTP/1.1\r\nContent-Length: 8192\r\n\r\n", 413},
                {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Request request;
                assert_int_equal(request_parse(rows[i].text, strlen(rows[i].text), &request), rows[i].status);
        }
        char endless[REQUEST_MAX];
        memset(endless, 'a', sizeof endless);
        Request request;
        assert_int_equal(request_parse(endless, sizeof endless - 1, &request), 0);
        assert_int_equal(request_parse(endless, sizeof endless, &request), 413);
}

static void test_head(void **state) {
        (void)state;
        char out[RESPONSE_HEAD_MAX + 1] = {0};
        size_t size = response_head(out, RESPONSE_HEAD_MAX, 503, "text/plain", 12, "v2.4.0", false);
        assert_int_equal(size, strlen(out));
        assert_int_equal(strncmp(out, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
        assert_non_null(strstr(out, "\r\nX-Version: v2.4.0\r\n"));
        assert_non_null(strstr(out, "\r\nContent-Length: 12\r\n"));
        assert_string_equal(out + size - 23, "\r\nConnection: close\r\n\r\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split_anywhere),
                cmocka_unit_test(test_keep_alive),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_head),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
