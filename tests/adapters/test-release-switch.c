/* The switch: killed before and after each of its system calls, on a full disk, and where the file system refuses links or exchanges.
 * The linker puts the functions below between the program and libc (--wrap), so that the code under test knows nothing of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "release-fixture.h"

#define EDITED "version: v3.0.0\nedited: by hand\n"
#define SAVED_2 "version: v2.4.0\n"
#define SAVED_3 "version: v3.0.0\n"

/* ---- between the program and libc ---- */

static struct {
        int kill_before, kill_after; /* at this call, counted from 1; 0: never */
        int calls;
        bool no_space, no_links, no_exchange;
} fault;

#define WRAP(type, name, parameters, arguments, refused, code)                                                         \
        type __real_##name parameters;                                                                                 \
        type __wrap_##name parameters;                                                                                 \
        type __wrap_##name parameters {                                                                                \
                fault.calls++;                                                                                         \
                if (fault.calls == fault.kill_before)                                                                  \
                        raise(SIGKILL);                                                                                \
                if (refused) {                                                                                         \
                        errno = code;                                                                                  \
                        return -1;                                                                                     \
                }                                                                                                      \
                type result = __real_##name arguments;                                                                 \
                if (fault.calls == fault.kill_after)                                                                   \
                        raise(SIGKILL);                                                                                \
                return result;                                                                                         \
        }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), fault.no_space, ENOSPC)
WRAP(int, symlink, (const char *target, const char *path), (target, path), fault.no_space, ENOSPC)
WRAP(int, fsync, (int fd), (fd), false, 0)
WRAP(int, rename, (const char *from, const char *to), (from, to), false, 0)
WRAP(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags),
     fault.no_exchange, EINVAL)
WRAP(int, link, (const char *from, const char *to), (from, to), fault.no_links, EPERM)
WRAP(int, unlink, (const char *path), (path), false, 0)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), false, 0)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), false, 0)

/* ---- what must be so whenever the switch was interrupted ---- */

static void fresh_world(void) {
        clear_world();
        make_world();
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c) {
        return text && (strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0);
}

/* The hand-edited configuration is somewhere: live, or kept, or on its way between the two. */
static bool edited_is_safe(void) {
        char command[PATH_MAX * 2];
        snprintf(command, sizeof command, "grep -rqs 'edited: by hand' '%s'", in("etc"));
        return system(command) == 0;
}

static void assert_sound(bool live_may_be_missing) {
        assert_true(is_one_of(current_target(), "v2.4.0", "v3.0.0", "v3.0.0"));
        const char *live = get("etc/config.yaml");
        if (live || !live_may_be_missing)
                assert_true(is_one_of(live, EDITED, SAVED_2, SAVED_3));
        assert_true(edited_is_safe());
}

static void assert_switched(const char *version, const char *config) {
        ReleaseStore *store = open_store(NULL);
        Error error = {0};
        if (release_store_switched(store, version, &error) != 1)
                fail_msg("%s is not wholly in effect: %s", version, error_text(&error));
        assert_string_equal(current_target(), version);
        assert_string_equal(get("etc/config.yaml"), config);
        assert_true(edited_is_safe());
        release_store_close(store);
}

static void switch_to(const char *version) {
        ReleaseStore *store = open_store(NULL);
        Error error = {0};
        if (release_store_switch(store, version, &error) < 0)
                fail_msg("%s", error.message);
        release_store_close(store);
}

/* Prepares and switches in a child that is killed at a call. False: it was not, there are no more calls. */
static bool switch_and_die(int before, int after) {
        pid_t pid = fork();
        if (pid == 0) {
                ReleaseStore *store = open_store(NULL);
                fault.calls = 0;
                fault.kill_before = before;
                fault.kill_after = after;
                Error error;
                if (release_store_prepare(store, "v2.4.0", &error) < 0 ||
                    release_store_switch(store, "v2.4.0", &error) < 0)
                        _exit(1);
                _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status))
                assert_int_equal(WEXITSTATUS(status), 0);
        return WIFSIGNALED(status);
}

/* At each call: killed before or after it, then either finished or taken back. Returns how many calls there were. */
static int crash_everywhere(bool live_may_be_missing, bool saved) {
        const char *back = saved ? SAVED_3 : EDITED;
        int call = 1;
        for (bool more = true; more; call++) {
                more = false;
                for (int way = 0; way < 4; way++) {
                        fresh_world();
                        if (!saved)
                                unlink(in("etc/config.v3.0.0.yaml"));
                        more |= switch_and_die(way & 1 ? 0 : call, way & 1 ? call : 0);
                        assert_sound(live_may_be_missing);
                        if (way & 2) {
                                switch_to("v2.4.0");
                                assert_switched("v2.4.0", SAVED_2);
                                switch_to("v2.4.0"); /* once more changes nothing */
                                assert_switched("v2.4.0", SAVED_2);
                                assert_int_equal(count_in_etc(".config.yaml.replaced.v3.0.0.", NULL), 1);
                        }
                        switch_to("v3.0.0");
                        assert_switched("v3.0.0", back);
                        switch_to("v3.0.0");
                        assert_switched("v3.0.0", back);
                }
        }
        return call - 2;
}

static void test_killed_anywhere_it_can_be_finished_or_taken_back(UNUSED void **state) {
        int calls = crash_everywhere(false, true);
        print_message("killed before and after each of %d calls\n", calls);
        assert_true(calls > 10);
}

static void test_killed_anywhere_when_the_original_had_no_saved_configuration(UNUSED void **state) {
        assert_true(crash_everywhere(false, false) > 10);
}

static void test_killed_anywhere_without_hard_links(UNUSED void **state) {
        fault.no_links = true;
        assert_true(crash_everywhere(false, true) > 10);
        fault.no_links = false;
}

static void test_killed_anywhere_without_links_or_exchange(UNUSED void **state) {
        fault.no_links = fault.no_exchange = true;
        assert_true(crash_everywhere(true, true) > 10);
        fault.no_links = fault.no_exchange = false;
}

/* ---- what it keeps ---- */

static void test_nothing_edited_is_ever_overwritten(UNUSED void **state) {
        char *last = NULL;
        fresh_world();
        switch_to("v2.4.0");
        assert_int_equal(count_in_etc(".config.yaml.replaced.v3.0.0.", &last), 1);
        assert_string_equal(last, EDITED);
        switch_to("v3.0.0");
        assert_switched("v3.0.0", SAVED_3);
        put("etc/config.yaml", "edited: a second time\n");
        switch_to("v2.4.0");
        assert_int_equal(count_in_etc(".config.yaml.replaced.v3.0.0.", NULL), 2);
        assert_int_equal(count_in_etc(".config.yaml.replaced.v2.4.0.", &last), 1);
        assert_string_equal(last, SAVED_2);
        assert_true(edited_is_safe());
        for (int i = 0; i < 3; i++) { /* the same content again and again takes no more room */
                switch_to("v3.0.0");
                switch_to("v2.4.0");
        }
        assert_int_equal(count_in_etc(".config.yaml.replaced.v3.0.0.", NULL), 3);
        assert_int_equal(count_in_etc(".config.yaml.replaced.v2.4.0.", NULL), 1);
}

static void test_the_copy_is_renewed_and_has_the_live_ones_mode(UNUSED void **state) {
        struct stat st;
        Error error = {0};
        char *aside = NULL;
        fresh_world();
        assert_int_equal(chmod(in("etc/config.yaml"), 0640), 0);
        if (geteuid() == 0)
                assert_int_equal(chown(in("etc/config.yaml"), 1234, 5678), 0);
        ReleaseStore *store = open_store(NULL);
        assert_int_equal(release_store_prepare(store, "v2.4.0", &error), 0);
        assert_string_equal(get("etc/.config.yaml.next.v2.4.0"), SAVED_2);
        assert_int_equal(access(in(".current.next.v2.4.0"), F_OK), 0);
        put("etc/config.v2.4.0.yaml", "newer: true\n");
        assert_int_equal(release_store_prepare(store, "v2.4.0", &error), 0);
        assert_string_equal(get("etc/.config.yaml.next.v2.4.0"), "newer: true\n");
        assert_int_equal(count_in_etc(".config.yaml.aside.", &aside), 1);
        assert_string_equal(aside, SAVED_2);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 0);
        assert_int_equal(release_store_switch(store, "v2.4.0", &error), 0);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 1);
        assert_int_equal(stat(in("etc/config.yaml"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        if (geteuid() == 0)
                assert_true(st.st_uid == 1234 && st.st_gid == 5678);
        release_store_close(store);
}

static void test_half_a_switch_is_not_in_effect(UNUSED void **state) {
        Error error = {0};
        fresh_world();
        ReleaseStore *store = open_store(NULL);
        put("etc/config.yaml", SAVED_2);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 0);
        assert_int_equal(unlink(in("current")), 0);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 0);
        assert_int_equal(symlink("versions/v2.4.0", in("current")), 0);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 1);
        put("etc/config.yaml", SAVED_3);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 0);
        release_store_close(store);
}

static void test_a_missing_or_dangling_current_is_filled(UNUSED void **state) {
        fresh_world();
        assert_int_equal(unlink(in("current")), 0);
        switch_to("v2.4.0");
        assert_switched("v2.4.0", SAVED_2);
        fresh_world();
        assert_int_equal(unlink(in("current")), 0);
        assert_int_equal(symlink("versions/v9.9.9", in("current")), 0);
        switch_to("v2.4.0");
        assert_switched("v2.4.0", SAVED_2);
}

static void test_a_refusal_touches_nothing(UNUSED void **state) {
        Error error = {0};
        fresh_world();
        ReleaseStore *store = open_store(NULL);
        assert_int_equal(release_store_switch(store, "v9.9.9", &error), -ENOENT);
        assert_int_equal(release_store_switch(store, "../etc", &error), -EINVAL);
        assert_int_equal(unlink(in("etc/config.v2.4.0.yaml")), 0);
        assert_int_equal(release_store_prepare(store, "v2.4.0", &error), -ENOENT);
        assert_non_null(strstr(error.message, "config.v2.4.0.yaml is missing"));
        assert_int_equal(release_store_switch(store, "v2.4.0", &error), -ENOENT);
        assert_string_equal(get("etc/config.yaml"), EDITED);
        assert_string_equal(current_target(), "v3.0.0");
        release_store_close(store);
}

static void test_a_prepared_switch_writes_nothing(UNUSED void **state) {
        Error error = {0};
        fresh_world();
        ReleaseStore *store = open_store(NULL);
        assert_int_equal(release_store_prepare(store, "v2.4.0", &error), 0);
        assert_int_equal(release_store_prepare(store, "v3.0.0", &error), 0);
        fault.no_space = true;
        int there = release_store_switch(store, "v2.4.0", &error);
        if (there == 0)
                there = release_store_switch(store, "v2.4.0", &error);
        int back = release_store_switch(store, "v3.0.0", &error);
        int again = release_store_switch(store, "v2.4.0", &error); /* not prepared any more */
        fault.no_space = false;
        assert_int_equal(there, 0);
        assert_int_equal(back, 0);
        assert_int_equal(again, -ENOSPC);
        assert_switched("v3.0.0", SAVED_3);
        release_store_close(store);
}

static void test_switched_at_is_when_current_changed(UNUSED void **state) {
        Error error = {0};
        struct stat st;
        fresh_world();
        switch_to("v2.4.0");
        ReleaseStore *store = open_store(NULL);
        assert_int_equal(lstat(in("current"), &st), 0);
        assert_int_equal(release_store_switched_at(store, &error) / USEC_PER_SEC, st.st_ctim.tv_sec);
        assert_int_equal(unlink(in("current")), 0);
        assert_int_equal(release_store_switched_at(store, &error), -ENOENT);
        release_store_close(store);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_killed_anywhere_it_can_be_finished_or_taken_back),
                cmocka_unit_test(test_killed_anywhere_when_the_original_had_no_saved_configuration),
                cmocka_unit_test(test_killed_anywhere_without_hard_links),
                cmocka_unit_test(test_killed_anywhere_without_links_or_exchange),
                cmocka_unit_test(test_nothing_edited_is_ever_overwritten),
                cmocka_unit_test(test_the_copy_is_renewed_and_has_the_live_ones_mode),
                cmocka_unit_test(test_half_a_switch_is_not_in_effect),
                cmocka_unit_test(test_a_missing_or_dangling_current_is_filled),
                cmocka_unit_test(test_a_refusal_touches_nothing),
                cmocka_unit_test(test_a_prepared_switch_writes_nothing),
                cmocka_unit_test(test_switched_at_is_when_current_changed),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
