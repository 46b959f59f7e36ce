#include "answer.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_split_anywhere(void **state) {
        (void)state;
        static const char text[] = "HTTP/1.1 200 OK\r\nX-Version: v2.4.0\r\nContent-Length: 8\r\n\r\n{\"n\":17}";
        for (size_t size = 0; size < sizeof text; size++) {
                Answer answer;
                int r = answer_parse(text, size, false, &answer);
                assert_int_equal(r, size >= strlen(text));
                if (r == 0)
                        continue;
                assert_int_equal(answer.status, 200);
                assert_string_equal(answer.version, "v2.4.0");
                assert_int_equal(answer_number(&answer), 17);
                assert_false(answer.close);
        }
}

static void test_ended_by_close(void **state) {
        (void)state;
        static const char text[] = "HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\n\r\n<html>";
        Answer answer;
        assert_int_equal(answer_parse(text, strlen(text), false, &answer), 0);
        assert_int_equal(answer_parse(text, strlen(text), true, &answer), 1);
        assert_int_equal(answer.status, 503);
        assert_true(answer.close);
        assert_string_equal(answer.version, "");
        assert_int_equal(answer_number(&answer), 0);
}

static void test_cut_short(void **state) {
        (void)state;
        static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"n\"";
        Answer answer;
        assert_int_equal(answer_parse(text, strlen(text), true, &answer), 0);
}

static void test_not_http(void **state) {
        (void)state;
        static const char *const texts[] = {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n"};
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                Answer answer;
                assert_int_equal(answer_parse(texts[i], strlen(texts[i]), false, &answer), -1);
        }
}

/* The version goes into JSON: what has no place there is cut off. */
static void test_hostile_version(void **state) {
        (void)state;
        static const char text[] = "HTTP/1.1 200 OK\r\nX-Version: v1\",\"x\r\nContent-Length: 0\r\n\r\n";
        Answer answer;
        assert_int_equal(answer_parse(text, strlen(text), false, &answer), 1);
        assert_string_equal(answer.version, "v1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split_anywhere),  cmocka_unit_test(test_ended_by_close),
                cmocka_unit_test(test_cut_short),       cmocka_unit_test(test_not_http),
                cmocka_unit_test(test_hostile_version),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
