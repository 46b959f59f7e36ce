#include "base/nearest.h"
#include "base/settings-build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const SettingSpec specs[] = {
        {"name", SETTING_STRING, NULL, 0, 0, NULL, "a name"},
        {"mode", SETTING_CHOICE, "auto", 0, 0, "auto system private", NULL},
        {"every", SETTING_DURATION, "1s", 1000, 60000000, NULL, NULL},
        {"share", SETTING_RATIO, "75%", 0, 0, NULL, NULL},
        {"path", SETTING_PATH, "", 0, 0, NULL, NULL},
        {"on", SETTING_BOOL, "false", 0, 0, NULL, NULL},
        {"servers", SETTING_LIST, "", 0, 0, NULL, NULL},
        {"users", SETTING_LIST, "[ann, bob]", 0, 0, NULL, NULL},
        {"rules", SETTING_MAP, "", 0, 0, NULL, NULL},
        {"limit", SETTING_COUNT, "3", 1, 10, NULL, NULL},
        {"at", SETTING_ENDPOINT, "", 0, 0, NULL, NULL},
        {0},
};

static Settings *make(void) {
        Settings *settings = NULL;
        Error error = {0};
        if (settings_new(specs, &settings, &error) < 0)
                fail_msg("%s", error_text(&error));
        return settings;
}

static void test_defaults(UNUSED void **state) {
        Settings *settings = make();
        assert_string_equal(settings_string(settings, "mode"), "auto");
        assert_int_equal(settings_int(settings, "every"), 1000000);
        assert_int_equal(settings_int(settings, "share"), 750000);
        assert_int_equal(settings_int(settings, "limit"), 3);
        assert_string_equal(settings_string(settings, "path"), "");
        assert_string_equal(settings_string(settings, "name"), "");
        assert_false(settings_bool(settings, "on"));
        assert_null(settings_list(settings, "servers")[0]);
        assert_string_equal(settings_list(settings, "users")[0], "ann");
        assert_string_equal(settings_list(settings, "users")[1], "bob");
        assert_null(settings_list(settings, "users")[2]);
        const char *key;
        const char *const *list;
        assert_false(settings_map_at(settings, "rules", 0, &key, &list));
        assert_string_equal(settings_missing(settings)->key, "name");
        settings_free(settings);
}

static void test_setting(UNUSED void **state) {
        Settings *settings = make();
        static const char *const servers[] = {"a", "b", NULL};
        assert_int_equal(settings_set(settings, "name", "x", NULL), 0);
        assert_null(settings_missing(settings));
        assert_int_equal(settings_set(settings, "on", "true", NULL), 0);
        assert_true(settings_bool(settings, "on"));
        assert_int_equal(settings_set_list(settings, "servers", servers, NULL), 0);
        assert_int_equal(settings_set_list(settings, "servers", servers + 1, NULL), 0); /* replaces */
        assert_string_equal(settings_list(settings, "servers")[0], "b");
        assert_null(settings_list(settings, "servers")[1]);
        assert_int_equal(settings_set_list(settings, "users", servers + 2, NULL), 0); /* none, instead of the default */
        assert_null(settings_list(settings, "users")[0]);
        assert_int_equal(settings_add_entry(settings, "rules", "one", servers, NULL), 0);
        assert_int_equal(settings_add_entry(settings, "rules", "two", servers, NULL), 0);
        const char *key;
        const char *const *list;
        assert_true(settings_map_at(settings, "rules", 1, &key, &list));
        assert_string_equal(key, "two");
        assert_string_equal(list[1], "b");
        assert_false(settings_map_at(settings, "rules", 2, &key, &list));
        static const char *const good[] = {"127.0.0.1:1", "[::1]:65535", "[fe80::1]:80", ""};
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(settings_set(settings, "at", good[i], NULL), 0);
        settings_free(settings);
}

static void test_refusing(UNUSED void **state) {
        static const struct {
                const char *key, *text, *says;
        } rows[] = {
                {"nothing", "x", "there is no 'nothing'"},
                {"name", "", "it must not be empty"},
                {"mode", "auto system", "allowed is one of: auto, system, private"},
                {"mode", "aut", "allowed is one of"},
                {"every", "1us",
                 "'every' is '1us': too small; allowed is a duration such as 100ms, 30s or 24h, from 1ms to 1m"},
                {"every", "1h", "too large"},
                {"limit", "11", "allowed is a whole number, from 1 to 10"},
                {"servers", "a", "allowed is a list"},
                {"path", "a\nb", "a line break"},
                {"at", "127.0.0.1", "numeric address and port"},
                {"at", "::1:80", "numeric address and port"},
                {"at", "[::1:80", "numeric address and port"},
                {"at", "[]:80", "numeric address and port"},
                {"at", "1.2.3.4:080000", "numeric address and port"},
                {"at", "12345678901234567890123456789012345678901234567890:1", "numeric address and port"},
        };
        Settings *settings = make();
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Error error = {0};
                assert_int_equal(settings_set(settings, rows[i].key, rows[i].text, &error), -EINVAL);
                if (!strstr(error.message, rows[i].says))
                        fail_msg("wanted %s\ngot %s", rows[i].says, error.message);
        }
        static const char *const none[] = {NULL};
        assert_int_equal(settings_set_list(settings, "name", none, NULL), -EINVAL);
        assert_int_equal(settings_add_entry(settings, "servers", "x", none, NULL), -EINVAL);
        assert_int_equal(settings_int(settings, "every"), 1000000); /* untouched */
        static const SettingSpec wrong[] = {{"every", SETTING_DURATION, "5", 0, 0, NULL, NULL}, {0}};
        Settings *other = NULL;
        assert_int_equal(settings_new(wrong, &other, NULL), -EINVAL);
        assert_null(other);
        settings_free(settings);
}

static void test_nearest(UNUSED void **state) {
        assert_int_equal(edit_distance("", ""), 0);
        assert_int_equal(edit_distance("status", "status"), 0);
        assert_int_equal(edit_distance("stauts", "status"), 1);
        assert_int_equal(edit_distance("statu", "status"), 1);
        assert_int_equal(edit_distance("kitten", "sitting"), 3);
        assert_string_equal(settings_nearest_key(specs, "nmae"), "name");
        assert_string_equal(settings_nearest_key(specs, "shar"), "share");
        assert_null(settings_nearest_key(specs, "zzzzzz"));
        assert_string_equal(nearer_word("abcd", "abcx", "abce"), "abcx"); /* the first of two equally near */
        assert_true(word_listed("a bc d", "bc"));
        assert_true(word_listed("a bc d", "d"));
        assert_false(word_listed("a bc d", "b"));
        assert_false(word_listed("a bc d", "a bc"));
        assert_false(word_listed("a bc d", ""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_setting),
                cmocka_unit_test(test_refusing),
                cmocka_unit_test(test_nearest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
