/* Users by name: of the machine's own file, and of one with odd lines in it. */
#include "base/macros.h"
#include "base/users.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_find(UNUSED void **state) {
        uid_t uid = 4242;
        Error error = {0};
        assert_int_equal(users_find("root", &uid, &error), 1);
        assert_int_equal(uid, 0);
        assert_int_equal(users_find("games", &uid, &error), 1);
        assert_int_equal(uid, 5); /* in every Debian */
        assert_int_equal(users_find("game", &uid, &error), 0);
        assert_int_equal(users_find("", &uid, &error), 0);
        assert_int_equal(uid, 5);
}

static void test_odd_lines(UNUSED void **state) {
        char path[] = "/tmp/test-users-XXXXXX";
        static const char text[] = "root:x:0:0:root:/root:/bin/sh\n# ann:x:7:7::/:\n\nbroken\nbob:x:twelve:1::/:\n"
                                   "ann:x:1000:1000::/:\nann:x:1001:1001::/:\ncid:x:1002:1002::/:";
        uid_t uid = 4242;
        Error error = {0};
        AUTO_CLOSE int fd = mkstemp(path);
        assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
        assert_int_equal(users_find_in(path, "broken", &uid, &error), 0);
        assert_int_equal(users_find_in(path, "bob", &uid, &error), 0);
        assert_int_equal(uid, 4242);
        assert_int_equal(users_find_in(path, "ann", &uid, &error), 1);
        assert_int_equal(uid, 1000); /* the first, as everywhere */
        assert_int_equal(users_find_in(path, "cid", &uid, &error), 1);
        assert_int_equal(uid, 1002);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(users_find_in(path, "ann", &uid, &error), -ENOENT);
        assert_non_null(strstr(error_text(&error), path));
}

static void test_describe(UNUSED void **state) {
        char text[USERS_TEXT_MAX];
        assert_string_equal(users_describe(0, text, sizeof text), "root (uid 0)");
        assert_string_equal(users_describe(3999999999u, text, sizeof text), "uid 3999999999");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_odd_lines),
                cmocka_unit_test(test_describe),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
