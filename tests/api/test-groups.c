/* Who belongs to a group, by files with odd lines in them. */
#include "api/groups.h"
#include "base/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void write_file(const char *path, const char *text) {
        AUTO_FCLOSE FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
}

static void test_groups(UNUSED void **state) {
        char directory[] = "/tmp/test-groups-XXXXXX", passwd[64], group[64];
        assert_non_null(mkdtemp(directory));
        snprintf(passwd, sizeof passwd, "%s/passwd", directory);
        snprintf(group, sizeof group, "%s/group", directory);
        write_file(passwd, "root:x:0:0:root:/root:/bin/sh\n# comment\n\nbroken\n+::::::\nann:x:1000:1000::/:\n"
                           "ben:x:1001:77::/:\nben2:x:1001:1001::/:\ncid:x:1002:1002::/:\nempty:x:::::\n");
        write_file(group, "root:x:0:\nops:x:77:ann,ben2\n+:::\nops2:x:78:ben2\nops:x:78:cidx,xcid\nlast:x:79:cid");
        static const struct {
                gid_t gid;
                uid_t uid;
                int member;
        } cases[] = {{77, 1000, 1}, {77, 1001, 1}, {77, 1002, 0}, {78, 1001, 1}, {78, 1002, 0}, {79, 1002, 1},
                     {79, 1000, 0}, {77, 4242, 0}, {0, 0, 1},     {0, 1000, 0},  {77, 0, 0}};
        Error error = {0};
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (groups_has_user_in(passwd, group, cases[i].gid, cases[i].uid, &error) != cases[i].member)
                        fail_msg("group %u, user %u", cases[i].gid, cases[i].uid);
        gid_t games = 0;
        assert_int_equal(groups_find("games", &games, &error), 1);
        assert_int_equal(games, 60); /* in every Debian */
        assert_int_equal(groups_find("game", &games, &error), 0);
        assert_int_equal(groups_find("", &games, &error), 0);
        assert_int_equal(unlink(group), 0);
        assert_int_equal(groups_has_user_in(passwd, group, 77, 1000, &error), -ENOENT);
        assert_int_equal(unlink(passwd), 0);
        assert_int_equal(groups_has_user_in(passwd, group, 77, 1000, &error), -ENOENT);
        assert_int_equal(rmdir(directory), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_groups),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
