/* base/fsowner: only as root can there be anything to give. */
#include "base/fsowner.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SOMEBODY 65534

typedef struct Place {
        char path[64];
} Place;

static void path_of(const Place *place, const char *name, char path[128]) {
        snprintf(path, 128, "%s/%s", place->path, name);
}

static void make_file(const Place *place, const char *name) {
        char path[128];
        path_of(place, name, path);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
}

static uid_t owner_of(const Place *place, const char *name) {
        char path[128];
        struct stat status;
        path_of(place, name, path);
        assert_int_equal(lstat(path, &status), 0);
        return status.st_uid;
}

static void make_place(Place *place, uid_t owner) {
        char path[128];
        strcpy(place->path, "/tmp/test-fsowner.XXXXXX");
        assert_non_null(mkdtemp(place->path));
        path_of(place, "below", path);
        assert_int_equal(mkdir(path, 0700), 0);
        make_file(place, "journal.db");
        make_file(place, "below/manifest");
        assert_int_equal(chown(place->path, owner, owner), 0);
}

static void remove_place(const Place *place) {
        static const char *const names[] = {"below/manifest", "below", "journal.db", "second", "link", ""};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char path[128];
                path_of(place, names[i], path);
                if (unlink(path) < 0)
                        (void)rmdir(path);
        }
}

static void test_files_follow_their_directory(void **state) {
        Place place;
        Error error = {0};
        (void)state;
        if (geteuid() != 0)
                skip();
        make_place(&place, SOMEBODY);
        assert_int_equal(fs_give_to_owner(place.path, &error), 0);
        assert_int_equal(owner_of(&place, "journal.db"), SOMEBODY);
        assert_int_equal(owner_of(&place, "below"), SOMEBODY);
        assert_int_equal(owner_of(&place, "below/manifest"), SOMEBODY);
        remove_place(&place);
}

/* A hard link or a symlink in a directory that its owner can write must not make root give something else away. */
static void test_nothing_else_is_given_away(void **state) {
        Place place;
        char first[128], second[128], link_path[128];
        Error error = {0};
        (void)state;
        if (geteuid() != 0)
                skip();
        make_place(&place, SOMEBODY);
        path_of(&place, "journal.db", first);
        path_of(&place, "second", second);
        path_of(&place, "link", link_path);
        assert_int_equal(link(first, second), 0);
        assert_int_equal(symlink("/etc/passwd", link_path), 0);
        assert_int_equal(fs_give_to_owner(place.path, &error), 0);
        assert_int_equal(owner_of(&place, "second"), 0);
        assert_int_equal(owner_of(&place, "link"), 0);
        struct stat passwd;
        assert_int_equal(stat("/etc/passwd", &passwd), 0);
        assert_int_equal(passwd.st_uid, 0);
        remove_place(&place);
}

static void test_roots_own_directory_is_left_alone(void **state) {
        Place place;
        Error error = {0};
        (void)state;
        if (geteuid() != 0)
                skip();
        make_place(&place, 0);
        assert_int_equal(fs_give_to_owner(place.path, &error), 0);
        assert_int_equal(owner_of(&place, "journal.db"), 0);
        remove_place(&place);
}

static void test_a_missing_directory_is_named(void **state) {
        Error error = {0};
        (void)state;
        if (geteuid() != 0)
                skip();
        assert_true(fs_give_to_owner("/nonexistent/state", &error) < 0);
        assert_non_null(strstr(error.message, "/nonexistent/state"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files_follow_their_directory),
                cmocka_unit_test(test_nothing_else_is_given_away),
                cmocka_unit_test(test_roots_own_directory_is_left_alone),
                cmocka_unit_test(test_a_missing_directory_is_named),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
