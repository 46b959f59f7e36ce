#include "daemon/release-declares.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char home[64];     /* what the tests write in */
static char release[96];  /* the release's directory */
static SchemaNeeds needs; /* large */

static void put(const char *name, const char *text) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", release, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

static int set_up(UNUSED void **state) {
        char path[256];
        snprintf(home, sizeof home, "/tmp/test-declares.XXXXXX");
        assert_non_null(mkdtemp(home));
        snprintf(release, sizeof release, "%s/v3.0.0", home);
        assert_int_equal(mkdir(release, 0755), 0);
        snprintf(path, sizeof path, "%s/migrations", release);
        assert_int_equal(mkdir(path, 0755), 0);
        put("migrations/down.sql", "select 1;\n");
        put("../outside.sql", "select 1;\n");
        snprintf(path, sizeof path, "%s/link.sql", release);
        assert_int_equal(symlink("../outside.sql", path), 0);
        snprintf(path, sizeof path, "%s/inside.sql", release);
        assert_int_equal(symlink("migrations/down.sql", path), 0);
        return 0;
}

static int remove_one(const char *path, UNUSED const struct stat *st, UNUSED int flag, UNUSED struct FTW *ftw) {
        return remove(path);
}

static int tear_down(UNUSED void **state) {
        return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void reads(const char *text) {
        Error error = {0};
        memset(&needs, 0xAA, sizeof needs);
        put(RELEASE_DECLARES_FILE, text);
        if (release_declares_read(release, &needs, &error) < 0)
                fail_msg("%s", error.message);
}

static void a_release_without_the_file_declares_nothing(UNUSED void **state) {
        Error error = {0};
        memset(&needs, 0xAA, sizeof needs);
        assert_int_equal(release_declares_read(release, &needs, &error), 0);
        assert_false(needs.declared);
        assert_int_equal(needs.works_count, 0);
        assert_int_equal(release_declares_read("/nowhere/v1.0.0", &needs, &error), 0);
        reads("");
        assert_false(needs.declared);
        reads("# nothing yet\n");
        assert_false(needs.declared);
}

static void what_it_says_is_taken(UNUSED void **state) {
        char script[256];
        reads("schema: {version: v3.0.0, works_with: [v2.4.0, v3.0.0], down: {v2.4.0: migrations/down.sql, v2.3.0: inside.sql}}\n");
        assert_true(needs.declared);
        assert_string_equal(needs.version, "v3.0.0");
        assert_int_equal(needs.works_count, 2);
        assert_true(schema_needs_work(&needs, "v2.4.0") && schema_needs_work(&needs, "v3.0.0"));
        assert_false(schema_needs_work(&needs, "v2.3.0"));
        assert_int_equal(needs.down_count, 2);
        assert_string_equal(needs.down[0].to, "v2.4.0");
        assert_true(realpath(release, script) && strlen(script) < 200);
        strcat(script, "/migrations/down.sql");
        assert_string_equal(needs.down[0].script, script);
        assert_string_equal(needs.down[1].script, script); /* what a link inside the release leads to */
}

static void its_own_schema_is_always_one_it_works_with(UNUSED void **state) {
        reads("schema:\n  version: v3.0.0\n");
        assert_int_equal(needs.works_count, 1);
        assert_true(schema_needs_work(&needs, "v3.0.0"));
        assert_int_equal(needs.down_count, 0);
        reads("schema:\n  version: v3.0.0\n  works_with: [v2.4.0]\n");
        assert_int_equal(needs.works_count, 2);
        assert_true(schema_needs_work(&needs, "v3.0.0"));
        reads("schema:\n  version: v3.0.0\n  works_with: []\n  down: {}\n");
        assert_int_equal(needs.works_count, 1);
}

/* `at`: line and column, and what is said. */
static const struct {
        const char *text, *at;
} refusals[] = {
        {"schemas: {}\n", "release.yaml:1:1: unknown key 'schemas' in release.yaml; did you mean 'schema'?"},
        {"schema:\n  versions: v3.0.0\n",
         "release.yaml:2:3: unknown key 'versions' in 'schema'; did you mean 'version'?"},
        {"schema:\n  version: v3.0.0\n  version: v3.0.0\n",
         "release.yaml:3:3: 'version' is set twice, the first time on line 2"},
        {"schema:\n  works_with: [v2.4.0]\n", "release.yaml:1:1: 'schema.version' is missing; allowed is"},
        {"schema:\n  version: three\n", "release.yaml:2:12: 'three' is no version; allowed is"},
        {"schema:\n  version: [v3.0.0]\n", "release.yaml:2:12: one version is wanted here"},
        {"schema: v3.0.0\n", "release.yaml:1:9: 'schema' must be a mapping"},
        {"- schema\n", "release.yaml:1:1: release.yaml must be a mapping"},
        {"schema:\n  version: v3.0.0\n  works_with: v2.4.0\n", "release.yaml:3:15: 'works_with' must be a list"},
        {"schema:\n  version: v3.0.0\n  works_with: [v2.4.0, '2']\n", "release.yaml:3:24: '2' is no version"},
        {"schema:\n  version: v3.0.0\n  down: migrations/down.sql\n", "release.yaml:3:9: 'down' must be a mapping"},
        {"schema:\n  version: v3.0.0\n  down: {back: migrations/down.sql}\n",
         "release.yaml:3:10: 'back' is no version"},
        {"schema:\n  version: v3.0.0\n  down: {v3.0.0: migrations/down.sql}\n",
         "release.yaml:3:10: 'v3.0.0' is the release's own schema"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: /etc/passwd}\n",
         "release.yaml:3:18: '/etc/passwd' must lie in the release's directory"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: ../outside.sql}\n",
         "release.yaml:3:18: '../outside.sql' leaves the release's directory"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: link.sql}\n",
         "release.yaml:3:18: 'link.sql' leaves the release's directory"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: migrations/up.sql}\n",
         "release.yaml:3:18: the script 'migrations/up.sql' can't be used: there is no such file"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: migrations}\n",
         "release.yaml:3:18: the script 'migrations' is not a file"},
        {"schema:\n  version: v3.0.0\n  down: {v2.4.0: ''}\n",
         "release.yaml:3:18: the path of a script is wanted here"},
        {"schema: &a {version: v3.0.0}\n", "an anchor (&name) is not allowed here"},
        {"schema: {version: \x80}\n", "not UTF-8"},
        {"schema: {version: v3.0.0\n", "not valid YAML"},
};

static void what_is_wrong_is_said_with_its_place(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                Error error = {0};
                SchemaNeeds before;
                memset(&needs, 0xAA, sizeof needs);
                memcpy(&before, &needs, sizeof needs);
                put(RELEASE_DECLARES_FILE, refusals[i].text);
                assert_int_equal(release_declares_read(release, &needs, &error), -EINVAL);
                if (!strstr(error.message, refusals[i].at))
                        fail_msg("%s\n%s\nis not\n%s", refusals[i].text, error.message, refusals[i].at);
                assert_memory_equal(&needs, &before, sizeof needs);
        }
}

static void too_many_of_anything_is_refused(UNUSED void **state) {
        char text[4096] = "schema:\n  version: v3.0.0\n  works_with:\n", line[64];
        Error error = {0};
        for (int i = 0; i < SCHEMA_WORKS_MAX; i++) {
                snprintf(line, sizeof line, "    - v1.0.%d\n", i);
                strcat(text, line);
        }
        put(RELEASE_DECLARES_FILE, text);
        assert_int_equal(release_declares_read(release, &needs, &error), -EINVAL);
        assert_non_null(strstr(error.message, "release.yaml:19:7: more than 16 schemas"));
        strcpy(text, "schema:\n  version: v3.0.0\n  down:\n");
        for (int i = 0; i <= SCHEMA_WORKS_MAX; i++) {
                snprintf(line, sizeof line, "    v1.0.%d: inside.sql\n", i);
                strcat(text, line);
        }
        put(RELEASE_DECLARES_FILE, text);
        assert_int_equal(release_declares_read(release, &needs, &error), -EINVAL);
        assert_non_null(strstr(error.message, "release.yaml:20:5: more than 16 ways back"));
}

static void a_file_that_is_none_is_an_error(UNUSED void **state) {
        char path[256];
        Error error = {0};
        snprintf(path, sizeof path, "%s/" RELEASE_DECLARES_FILE, release);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_true(release_declares_read(release, &needs, &error) < 0);
        assert_non_null(strstr(error.message, path));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_release_without_the_file_declares_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_it_says_is_taken, set_up, tear_down),
                cmocka_unit_test_setup_teardown(its_own_schema_is_always_one_it_works_with, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_wrong_is_said_with_its_place, set_up, tear_down),
                cmocka_unit_test_setup_teardown(too_many_of_anything_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_that_is_none_is_an_error, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
