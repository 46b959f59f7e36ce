/* The difference of two texts: held against a few by hand, and by applying it to many that are made up. */
#include "base/text-diff.h"

#include "base/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct Printed {
        char **old_lines, **new_lines;
        char text[65536];
        size_t used, changes;
} Printed;

static int print(void *userdata, const DiffLine *line) {
        Printed *printed = userdata;
        char *at = printed->text + printed->used;
        size_t room = sizeof printed->text - printed->used;
        if (line->kind == '@')
                printed->used += (size_t)snprintf(at, room, "@@ -%zu,%zu +%zu,%zu @@\n", line->at + 1, line->count,
                                                  line->new_at + 1, line->new_count);
        else
                printed->used += (size_t)snprintf(at, room, "%c%s\n", line->kind,
                                                  line->kind == '+' ? printed->new_lines[line->new_at]
                                                                    : printed->old_lines[line->at]);
        printed->changes += line->kind == '-' || line->kind == '+';
        return 0;
}

static const char *diff(const char *old_text, const char *new_text, size_t context, size_t *ret_changes) {
        static Printed printed;
        char old_copy[16384], new_copy[16384];
        size_t old_count, new_count;
        printed = (Printed){0};
        snprintf(old_copy, sizeof old_copy, "%s", old_text);
        snprintf(new_copy, sizeof new_copy, "%s", new_text);
        assert_int_equal(text_lines(old_copy, &printed.old_lines, &old_count), 0);
        assert_int_equal(text_lines(new_copy, &printed.new_lines, &new_count), 0);
        assert_int_equal(text_diff((const char *const *)printed.old_lines, old_count,
                                   (const char *const *)printed.new_lines, new_count, context, print, &printed),
                         0);
        free(printed.old_lines);
        free(printed.new_lines);
        if (ret_changes)
                *ret_changes = printed.changes;
        return printed.text;
}

static void test_lines(UNUSED void **state) {
        char text[] = "a\n\nb", none[] = "";
        char **lines;
        size_t count;
        assert_int_equal(text_lines(text, &lines, &count), 0);
        assert_int_equal(count, 3);
        assert_string_equal(lines[1], "");
        assert_string_equal(lines[2], "b");
        free(lines);
        assert_int_equal(text_lines(none, &lines, &count), 0);
        assert_int_equal(count, 0);
        free(lines);
}

static void test_by_hand(UNUSED void **state) {
        static const struct {
                const char *old_text, *new_text, *wanted;
        } rows[] = {
                {"", "", ""},
                {"a\nb\n", "a\nb\n", ""},
                {"", "a\n", "@@ -1,0 +1,1 @@\n+a\n"},
                {"a\n", "", "@@ -1,1 +1,0 @@\n-a\n"},
                {"1\n2\n3\n4\n", "1\n2\nx\n4\n", "@@ -2,3 +2,3 @@\n 2\n-3\n+x\n 4\n"},
                {"1\n2\n3\n4\n5\n6\n7\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
                 "@@ -1,1 +1,2 @@\n+x\n 1\n@@ -7,1 +8,2 @@\n 7\n+y\n"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_string_equal(diff(rows[i].old_text, rows[i].new_text, 1, NULL), rows[i].wanted);
        /* within twice the context two changes are one hunk */
        assert_string_equal(diff("1\n2\n", "x\n1\n2\ny\n", 1, NULL), "@@ -1,2 +1,4 @@\n+x\n 1\n 2\n+y\n");
}

/* With all of both as context the difference holds both texts. */
static void apply(const char *shown, char which, char *out) {
        for (const char *line = shown; *line;) {
                const char *end = strchr(line, '\n') + 1;
                if (*line == ' ' || *line == which) {
                        memcpy(out, line + 1, (size_t)(end - line - 1));
                        out += end - line - 1;
                }
                line = end;
        }
        *out = '\0';
}

static void make_up(char *text, unsigned *seed, unsigned lines, unsigned words) {
        *text = '\0';
        for (unsigned i = 0; i < lines; i++) {
                *seed = *seed * 1103515245U + 12345U;
                text += sprintf(text, "%u\n", (*seed >> 16) % words);
        }
}

static void test_applied_it_gives_both(UNUSED void **state) {
        unsigned seed = 7;
        for (unsigned round = 0; round < 3000; round++) {
                char old_text[256], new_text[256], back[512];
                make_up(old_text, &seed, round % 17, 2 + round % 5);
                make_up(new_text, &seed, round % 13, 2 + round % 5);
                const char *shown = diff(old_text, new_text, 1000, NULL);
                if (strcmp(old_text, new_text) == 0)
                        continue;
                apply(shown, '-', back);
                assert_string_equal(back, old_text);
                apply(shown, '+', back);
                assert_string_equal(back, new_text);
        }
}

static void test_it_is_short(UNUSED void **state) {
        char old_text[8192] = "", new_text[8192] = "";
        size_t changes, old_used = 0, new_used = 0;
        for (unsigned i = 0; i < 1000; i++) {
                old_used += (size_t)sprintf(old_text + old_used, "%u\n", i);
                if (i % 100 != 50)
                        new_used += (size_t)sprintf(new_text + new_used, "%u\n", i);
        }
        (void)diff(old_text, new_text, 3, &changes);
        assert_int_equal(changes, 10);
}

static void test_another_text_altogether(UNUSED void **state) {
        char old_text[8192] = "", new_text[8192] = "";
        size_t changes, old_used = 0, new_used = 0;
        for (unsigned i = 0; i < 1000; i++) {
                old_used += (size_t)sprintf(old_text + old_used, "%u\n", i);
                new_used += (size_t)sprintf(new_text + new_used, "x%u\n", i);
        }
        (void)diff(old_text, new_text, 3, &changes);
        assert_int_equal(changes, 2000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_by_hand),
                cmocka_unit_test(test_applied_it_gives_both),
                cmocka_unit_test(test_it_is_short),
                cmocka_unit_test(test_another_text_altogether),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
