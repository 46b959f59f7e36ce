/* What differs between two releases on a disk. The lines, and that no secret is among them, are for the scenario and for test-mask. */
#include "daemon/release-diff.h"

#include "adapters/manifest.h"
#include "base/fsio.h"
#include "base/macros.h"

#include <limits.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-release-diff-XXXXXX";
static Config config;
static char versions[PATH_MAX], saved[PATH_MAX];

__attribute__((format(printf, 2, 3))) static void write_file(const char *text, const char *format, ...) {
        char name[256], path[PATH_MAX];
        Error error = {0};
        va_list args;
        va_start(args, format);
        vsnprintf(name, sizeof name, format, args);
        va_end(args);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        assert_int_equal(fs_make_directories(path, 0755, &error), 0);
        *slash = '/';
        assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &error), 0);
}

/* A file of a release, in the manifest and on the disk. */
static void add(Manifest *manifest, const char *version, const char *path, const char *text) {
        ManifestEntry entry = {.type = ENTRY_FILE, .mode = 0644, .size = (int64_t)strlen(text)};
        Error error = {0};
        crypto_hash_sha256(entry.digest, (const unsigned char *)text, strlen(text));
        assert_int_equal(manifest_add(manifest, &entry, path, &error), 0);
        write_file(text, "versions/%s/%s", version, path);
}

static void keep(Manifest *manifest, const char *version) {
        char path[PATH_MAX];
        Error error = {0};
        snprintf(path, sizeof path, "%s/manifests/%s.manifest", directory, version);
        manifest_sort(manifest);
        assert_int_equal(manifest_write(manifest, path, &error), 0);
        manifest_clear(manifest);
}

static int set_up(UNUSED void **state) {
        Manifest one = {0}, two = {0};
        char many[64];
        if (!mkdtemp(directory) || sodium_init() < 0)
                return -1;
        snprintf(versions, sizeof versions, "%s/versions", directory);
        snprintf(saved, sizeof saved, "%s/config.{version}.yaml", directory);
        config = (Config){.versions = versions, .state = directory, .saved_config = saved};
        write_file("", "manifests/.keep");
        add(&one, "v1.0.0", "bin/service", "binary");
        add(&two, "v2.0.0", "bin/service", "binary");
        add(&one, "v1.0.0", "etc/a.yaml", "workers: 8\npassword: HUNTER2\n");
        add(&two, "v2.0.0", "etc/a.yaml", "workers: 16\npassword: XYZZY\n");
        add(&one, "v1.0.0", "etc/b.yaml", "a: \xc3\xa4\n");
        add(&two, "v2.0.0", "etc/b.yaml", "a: \033[31m\xc3\xa4\xff\r\n");
        add(&one, "v1.0.0", "lib/old.so", "12345");
        add(&two, "v2.0.0", "lib/new.so", "123456789");
        add(&one, "v1.0.0", "lib/same-name.so", "1");
        add(&two, "v2.0.0", "lib/same-name.so", "22");
        for (unsigned i = 0; i < 300; i++) {
                snprintf(many, sizeof many, "share/%03u.dat", i);
                add(&two, "v2.0.0", many, "x");
        }
        keep(&one, "v1.0.0");
        keep(&two, "v2.0.0");
        write_file("listen: 1\ntoken: HUNTER2\n", "config.v1.0.0.yaml");
        write_file("listen: 1\ntoken: XYZZY\nnew: 1\n", "config.v2.0.0.yaml");
        return 0;
}

static int tear_down(UNUSED void **state) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "rm -rf '%s'", directory);
        return system(command);
}

static const char *text_of(const json_t *difference, const char *name) {
        const json_t *text;
        size_t index;
        json_array_foreach(json_object_get(difference, "texts"), index, text)
                if (strcmp(json_string_value(json_object_get(text, "name")), name) == 0)
                        return json_string_value(json_object_get(text, "diff"));
        return NULL;
}

static const char *change_of(const json_t *difference, const char *path) {
        const json_t *file;
        size_t index;
        json_array_foreach(json_object_get(difference, "files"), index, file)
                if (strcmp(json_string_value(json_object_get(file, "path")), path) == 0)
                        return json_string_value(json_object_get(file, "change"));
        return NULL;
}

static int64_t number_of(const json_t *difference, const char *key) {
        return json_integer_value(json_object_get(difference, key));
}

static void test_what_differs(UNUSED void **state) {
        json_t *difference = release_diff(&config, "v1.0.0", "v2.0.0");
        assert_int_equal(number_of(difference, "added"), 301);
        assert_int_equal(number_of(difference, "removed"), 1);
        assert_int_equal(number_of(difference, "changed"), 3);
        assert_int_equal(
                json_array_size(json_object_get(difference, "files")) + (size_t)number_of(difference, "left_out"), 305);
        assert_true(number_of(difference, "left_out") > 0);
        assert_string_equal(change_of(difference, "etc/a.yaml"), "changed");
        assert_string_equal(change_of(difference, "lib/old.so"), "removed");
        assert_string_equal(change_of(difference, "lib/new.so"), "added");
        assert_null(change_of(difference, "bin/service"));
        assert_string_equal(text_of(difference, "etc/a.yaml"), "@@ -1,2 +1,2 @@\n-workers: 8\n-password: [masked]\n"
                                                               "+workers: 16\n+password: [masked]\n");
        assert_string_equal(text_of(difference, "configuration"), "@@ -1,2 +1,3 @@\n listen: 1\n-token: [masked]\n"
                                                                  "+token: [masked]\n+new: 1\n");
        /* on a terminal it does nothing */
        assert_string_equal(text_of(difference, "etc/b.yaml"), "@@ -1,1 +1,1 @@\n-a: \xc3\xa4\n+a:  [31m\xc3\xa4? \n");
        AUTO_FREE char *all = json_dumps(difference, 0);
        assert_null(strstr(all, "HUNTER2"));
        assert_null(strstr(all, "XYZZY"));
        json_decref(difference);
}

/* What is put in a file's place afterwards: no file of elsewhere is shown, and nothing is waited for. */
static void test_links_and_pipes_in_its_place(UNUSED void **state) {
        char file[128], aside[128], elsewhere[128];
        snprintf(file, sizeof file, "%s/versions/v2.0.0/etc", directory);
        snprintf(aside, sizeof aside, "%s/aside", directory);
        snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", directory);
        write_file("of another\n", "elsewhere/a.yaml");
        for (unsigned kind = 0; kind < 3; kind++) {
                assert_int_equal(rename(file, aside), 0);
                if (kind == 0)
                        assert_int_equal(symlink(elsewhere, file), 0); /* above the file */
                else
                        assert_int_equal(mkdir(file, 0755), 0);
                char inner[160], target[160];
                snprintf(inner, sizeof inner, "%s/a.yaml", file);
                snprintf(target, sizeof target, "%s/a.yaml", elsewhere);
                if (kind == 1)
                        assert_int_equal(symlink(target, inner), 0);
                else if (kind == 2)
                        assert_int_equal(mkfifo(inner, 0644), 0);
                json_t *difference = release_diff(&config, "v1.0.0", "v2.0.0");
                AUTO_FREE char *all = json_dumps(difference, 0);
                assert_null(strstr(all, "of another"));
                assert_non_null(strstr(all, "etc/a.yaml was not compared"));
                assert_non_null(text_of(difference, "configuration")); /* the rest is */
                json_decref(difference);
                assert_int_equal(kind == 0 ? 0 : unlink(inner), 0);
                assert_int_equal(kind == 0 ? unlink(file) : rmdir(file), 0);
                assert_int_equal(rename(aside, file), 0);
        }
}

static void test_nothing_differs(UNUSED void **state) {
        json_t *difference = release_diff(&config, "v1.0.0", "v1.0.0");
        assert_int_equal(json_array_size(json_object_get(difference, "files")), 0);
        assert_int_equal(json_array_size(json_object_get(difference, "texts")), 0);
        assert_int_equal(json_array_size(json_object_get(difference, "notes")), 0);
        json_decref(difference);
}

static void test_what_cant_be_told_is_said(UNUSED void **state) {
        json_t *difference = release_diff(&config, "v1.0.0", "v9.9.9");
        AUTO_FREE char *notes = json_dumps(json_object_get(difference, "notes"), 0);
        assert_non_null(strstr(notes, "v9.9.9 was never taken in"));
        assert_non_null(strstr(text_of(difference, "configuration"), "-listen: 1"));
        json_decref(difference);
        write_file("manifest 1\nnonsense\n", "manifests/v8.0.0.manifest");
        difference = release_diff(&config, "v8.0.0", "v1.0.0");
        AUTO_FREE char *damaged = json_dumps(json_object_get(difference, "notes"), 0);
        assert_non_null(strstr(damaged, "damaged"));
        json_decref(difference);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_differs),
                cmocka_unit_test(test_links_and_pipes_in_its_place),
                cmocka_unit_test(test_nothing_differs),
                cmocka_unit_test(test_what_cant_be_told_is_said),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
