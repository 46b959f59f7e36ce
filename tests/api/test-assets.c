/* The dashboard's files are in the program, whole, and of the right kind. */
#include "api/assets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool holds(const Asset *asset, const char *text) {
        return memmem(asset->data, asset->size, text, strlen(text)) != NULL;
}

static void test_page(void **state) {
        (void)state;
        const Asset *page = asset_find("/");
        assert_non_null(page);
        assert_string_equal(page->content_type, "text/html; charset=utf-8");
        assert_memory_equal(page->data, "<!doctype html>", 15);
        assert_memory_equal(page->data + page->size - 8, "</html>\n", 8);
        assert_int_equal(page->etag[0], '"');
        assert_int_equal(page->etag[strlen(page->etag) - 1], '"');
        assert_null(asset_find(""));
        assert_null(asset_find("/index.html"));
        assert_null(asset_find("/assets/"));
        assert_null(asset_find("/assets/../index.html"));
}

/* What one file asks for is there, too: nothing on the page is a 404. */
static void check_wanted(const Asset *asset, const char *before, const char *prefix) {
        const char *at = (const char *)asset->data, *end = at + asset->size;
        while ((at = memmem(at, (size_t)(end - at), before, strlen(before)))) {
                char path[128];
                at += strlen(before);
                const char *quote = memchr(at, '"', (size_t)(end - at));
                assert_non_null(quote);
                snprintf(path, sizeof path, "%s%.*s", prefix, (int)(quote - at), at);
                if (!asset_find(path))
                        fail_msg("%s wants %s, which is not in the program", asset->path, path);
        }
}

static void test_what_is_wanted(void **state) {
        (void)state;
        static const char *const scripts[] = {"/assets/app.js", "/assets/view-run.js", "/assets/evidence.js"};
        const Asset *page = asset_find("/");
        if (!asset_find("/assets/app.js"))
                skip(); /* built without it */
        check_wanted(page, "href=\"/assets/", "/assets/");
        check_wanted(page, "src=\"/assets/", "/assets/");
        for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
                const Asset *script = asset_find(scripts[i]);
                assert_non_null(script);
                assert_string_equal(script->content_type, "text/javascript; charset=utf-8");
                check_wanted(script, "from \"./", "/assets/");
        }
}

/* Nothing is asked of anybody else, and nothing stands in the page that its policy would forbid. */
static void test_policy(void **state) {
        (void)state;
        const Asset *page = asset_find("/");
        assert_false(holds(page, "https:"));
        assert_false(holds(page, "http:"));
        assert_false(holds(page, "style="));
        assert_false(holds(page, "<style"));
        assert_false(holds(page, "<script>"));
        assert_false(holds(page, " onclick"));
}

static void test_licences(void **state) {
        (void)state;
        const Asset *licences = asset_find("/assets/licences.txt");
        if (!licences)
                skip();
        assert_string_equal(licences->content_type, "text/plain; charset=utf-8");
        assert_true(holds(licences, "NovaCron Rollback: Apache License 2.0."));
        assert_true(holds(licences, "The MIT License (MIT)"));
        assert_true(holds(licences, "Leon Sorokin"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_page),
                cmocka_unit_test(test_what_is_wanted),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_licences),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
