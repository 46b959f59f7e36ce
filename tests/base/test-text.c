#include "base/text.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_utf8_length(UNUSED void **state) {
        static const struct {
                const char *text;
                size_t length;
        } rows[] = {
                {"a", 1},
                {"\xc3\xa9", 2},
                {"\xe2\x82\xac", 3},
                {"\xf0\x9f\x98\x80", 4},
                {"\xc3", 0},
                {"\x80", 0},
                {"\xc0\xaf", 0},
                {"\xe0\x80\xaf", 0},
                {"\xff", 0},
                {"\xed\xa0\x80", 0},
                {"\xe2\x82", 0},
                {"\xf4\x90\x80\x80", 0},
                {"\xc3"
                 "a",
                 0},
                {"\xf5\x80\x80\x80", 0},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(utf8_length(rows[i].text, strlen(rows[i].text)), rows[i].length);
}

static void test_text_to_line(UNUSED void **state) {
        static const struct {
                const char *text, *line;
                size_t size;
        } rows[] = {
                {"as it is: caf\xc3\xa9", "as it is: caf\xc3\xa9", 64},
                {"two\nlines\tand\x7f\x1b[2J", "two lines and  [2J", 64},
                {"C1 \xc2\x9b"
                 "31m",
                 "C1  31m", 64},
                {"bent \xff\xc3.", "bent ?\?.", 64},
                {"cut", "cut", 4},
                {"cut", "cu", 3},
                {"caf\xc3\xa9", "caf\xc3\xa9", 6},
                {"caf\xc3\xa9", "caf", 5},
                {"", "", 1},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char line[64];
                bool changed = text_to_line(rows[i].text, line, rows[i].size);
                assert_string_equal(line, rows[i].line);
                assert_int_equal(changed, strcmp(rows[i].text, rows[i].line) != 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_utf8_length),
                cmocka_unit_test(test_text_to_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
