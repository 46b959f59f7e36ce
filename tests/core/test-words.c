#include "core/words.h"

#include "core-test.h"

#include <string.h>

static void durations(void **state UNUSED) {
        char buffer[WORDS_MAX];
        assert_string_equal(words_duration(250400, buffer), "250.4 ms");
        assert_string_equal(words_duration(45000, buffer), "45 ms");
        assert_string_equal(words_duration(100001, buffer), "100.001 ms");
        assert_string_equal(words_duration(0, buffer), "0 ms");
        assert_string_equal(words_duration(-5, buffer), "0 ms");
        assert_string_equal(words_duration(120 * SEC, buffer), "120 s");
        assert_string_equal(words_duration(12300 * MSEC, buffer), "12.3 s");
        assert_string_equal(words_duration(INT64_MAX, buffer), "9223372036854.775 s");
}

static void shares(void **state UNUSED) {
        char buffer[WORDS_MAX];
        assert_string_equal(words_ratio(10000, buffer), "1.0 %");
        assert_string_equal(words_ratio(1000, buffer), "0.1 %");
        assert_string_equal(words_ratio(2500, buffer), "0.25 %");
        assert_string_equal(words_ratio(1000000, buffer), "100.0 %");
        assert_string_equal(words_percent(50166, 2, buffer), "5.02 %");
        assert_string_equal(words_percent(10001, 4, buffer), "1.0001 %");
        assert_string_equal(words_percent(10001, 2, buffer), "1.00 %");
        assert_string_equal(words_percent(500, 9, buffer), "0.0500 %");
        assert_string_equal(words_percent(-1, 2, buffer), "0.00 %");
}

static void appending_cuts_between_characters(void **state UNUSED) {
        char text[8] = "";
        words_append(text, sizeof text, "%s", "abc");
        words_append(text, sizeof text, "%s", "\xc3\xa9\xc3\xa9"); /* 4 bytes fit exactly */
        assert_string_equal(text, "abc\xc3\xa9\xc3\xa9");
        words_append(text, sizeof text, "x"); /* full: nothing happens */
        assert_string_equal(text, "abc\xc3\xa9\xc3\xa9");

        char cut[8] = "abcd";
        words_append(cut, sizeof cut, "%s", "\xe2\x82\xac\xe2\x82\xac"); /* the second euro sign doesn't fit */
        assert_true(strlen(cut) == 4 || strlen(cut) == 7);
        char half[7] = "abcd";
        words_append(half, sizeof half, "%s", "\xe2\x82\xac");
        assert_string_equal(half, "abcd");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(durations),
                cmocka_unit_test(shares),
                cmocka_unit_test(appending_cuts_between_characters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
