/* The release store: what it says of `current`, how it takes releases in, and what verification notices. */
#include "core/version.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utime.h>

#include <cmocka.h>

#include "release-fixture.h"

#define BUDGET (10 * USEC_PER_SEC)

static sd_event *loop;
static ReleaseStore *store;

typedef struct Answer {
        bool called;
        OpResult result;
} Answer;

static void on_answer(void *userdata, const OpResult *result) {
        Answer *answer = userdata;
        assert_false(answer->called);
        answer->called = true;
        answer->result = *result;
}

static OpResult await(Answer *answer) {
        assert_false(answer->called); /* never from inside the call that began it */
        while (!answer->called)
                assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
        return answer->result;
}

static OpResult take_in(const char *version, bool again) {
        Answer answer = {0};
        Error error = {0};
        Op *op;
        assert_int_equal(release_store_take_in(store, version, again, BUDGET, on_answer, &answer, &op, &error), 0);
        return await(&answer);
}

static OpResult verify(const char *version, bool thorough) {
        Answer answer = {0};
        Error error = {0};
        Op *op;
        assert_int_equal(release_store_verify(store, version, thorough, BUDGET, on_answer, &answer, &op, &error), 0);
        return await(&answer);
}

static void assert_done(OpResult result, int64_t number) {
        if (result.status != OP_DONE)
                fail_msg("%s", result.error.message);
        assert_int_equal(result.number, number);
}

static void assert_failed(OpResult result, int code, const char *words) {
        assert_int_equal(result.status, OP_FAILED);
        if (result.error.code != code || !strstr(result.error.message, words))
                fail_msg("%d: '%s' doesn't say '%s'", result.error.code, result.error.message, words);
}

/* ---- list and current ---- */

static void test_lists_only_versions_in_their_order(UNUSED void **state) {
        char(*versions)[VERSION_MAX] = NULL;
        size_t count = 0;
        Error error = {0};
        assert_int_equal(mkdir(in("versions/v10.0.0"), 0755), 0);
        assert_int_equal(mkdir(in("versions/lost+found"), 0755), 0);
        assert_int_equal(mkdir(in("versions/v1.0"), 0755), 0);
        put("versions/v9.0.0", "a file");
        assert_int_equal(symlink("v3.0.0", in("versions/v8.0.0")), 0);
        assert_int_equal(release_store_list(store, &versions, &count, &error), 0);
        assert_int_equal(count, 3);
        assert_string_equal(versions[0], "v2.4.0");
        assert_string_equal(versions[1], "v3.0.0");
        assert_string_equal(versions[2], "v10.0.0");
        free(versions);
}

static void point_current(const char *target) {
        unlink(in("current"));
        assert_int_equal(symlink(target, in("current")), 0);
}

static void assert_current_says(int code, const char *words) {
        char version[VERSION_MAX] = "untouched";
        Error error = {0};
        int r = release_store_current(store, version, &error);
        if (r != code || !strstr(error.message, words))
                fail_msg("%d: '%s' doesn't say '%s'", r, error.message, words);
        assert_string_equal(version, "untouched");
        assert_non_null(strstr(error.message, in("current")));
        assert_non_null(strstr(error.message, "ln -s")); /* how to mend it */
}

static void assert_current_is(const char *expected) {
        char version[VERSION_MAX];
        Error error = {0};
        if (release_store_current(store, version, &error) < 0)
                fail_msg("%s", error.message);
        assert_string_equal(version, expected);
}

static void test_current_may_be_absolute_or_relative(UNUSED void **state) {
        assert_current_is("v3.0.0");
        point_current("versions/v2.4.0");
        assert_current_is("v2.4.0");
        point_current("./versions/../versions/v2.4.0//");
        assert_current_is("v2.4.0");
}

static void test_a_broken_current_says_how_to_mend_it(UNUSED void **state) {
        unlink(in("current"));
        assert_current_says(-ENOENT, "is missing");
        point_current("versions/v7.0.0");
        assert_current_says(-ENOLINK, "which is missing");
        point_current("current");
        assert_current_says(-ENOLINK, "missing");
        point_current("/tmp");
        assert_current_says(-EINVAL, "not a release");
        point_current(in("versions/v3.0.0/bin"));
        assert_current_says(-EINVAL, "not a release");
        assert_int_equal(mkdir(in("versions/latest"), 0755), 0);
        point_current("versions/latest");
        assert_current_says(-EINVAL, "not a release");
        unlink(in("current"));
        put("current", "text");
        assert_current_says(-EINVAL, "not a symlink");
        unlink(in("current"));
        assert_int_equal(mkdir(in("current"), 0755), 0);
        put("current/precious", "data");
        assert_current_says(-EISDIR, "real directory");
        Error error = {0};
        assert_int_equal(release_store_switch(store, "v2.4.0", &error), -EISDIR);
        assert_string_equal(get("current/precious"), "data"); /* nothing is deleted */
        assert_string_equal(get("etc/config.yaml"), "version: v3.0.0\nedited: by hand\n");
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), -EISDIR);
}

/* ---- taking in ---- */

static void test_taking_in_twice_is_done_once(UNUSED void **state) {
        assert_false(release_store_has_manifest(store, "v2.4.0"));
        assert_failed(verify("v2.4.0", false), -ENODATA, "auto-rollback adopt");
        assert_done(take_in("v2.4.0", false), 5); /* bin, bin/service, latest, notes, configuration */
        assert_true(release_store_has_manifest(store, "v2.4.0"));
        assert_done(verify("v2.4.0", false), 0);
        assert_done(verify("v2.4.0", true), 3);
        OpResult again = take_in("v2.4.0", false);
        assert_done(again, 5);
        assert_non_null(strstr(again.detail, "0 files hashed"));
}

static void test_a_changed_release_is_taken_in_again_only_when_told_to(UNUSED void **state) {
        assert_done(take_in("v2.4.0", false), 5);
        put("versions/v2.4.0/bin/service", "#!/bin/sh\n# V2.4.0\n"); /* as long as before */
        assert_failed(take_in("v2.4.0", false), -ESTALE, "bin/service");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "bin/service");
        assert_done(take_in("v2.4.0", true), 5);
        assert_done(verify("v2.4.0", false), 0);
}

static void test_the_manifest_is_text_and_guards_itself(UNUSED void **state) {
        assert_done(take_in("v2.4.0", false), 5);
        char *text = get("state/manifests/v2.4.0.manifest");
        assert_non_null(strstr(text, "manifest 1\ndirectory 755 bin\nfile 755 "));
        assert_non_null(strstr(text, " bin/service\nlink "));
        assert_non_null(strstr(text, " notes %25%0A.txt\nconfig "));
        assert_non_null(strstr(text, "\nend 5 "));
        *strstr(text, "755 bin") = '6';
        put("state/manifests/v2.4.0.manifest", text);
        assert_failed(verify("v2.4.0", false), -EBADMSG, "damaged or was edited");
        text[40] = '\0';
        put("state/manifests/v2.4.0.manifest", text);
        assert_failed(verify("v2.4.0", false), -EBADMSG, "damaged");
        put("state/manifests/v2.4.0.manifest", "");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "damaged");
        assert_failed(take_in("v2.4.0", false), -EBADMSG, "damaged");
        assert_done(take_in("v2.4.0", true), 5);
}

static void test_special_files_are_refused(UNUSED void **state) {
        assert_int_equal(mkfifo(in("versions/v2.4.0/pipe"), 0600), 0);
        assert_failed(take_in("v2.4.0", false), -EBADMSG, "pipe is neither a file");
        assert_false(release_store_has_manifest(store, "v2.4.0"));
}

static int on_ready(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        int *count = userdata;
        (*count)++;
        return 0;
}

static void test_a_big_release_never_holds_the_loop_for_long(UNUSED void **state) {
        static char block[1024 * 1024];
        AUTO_FCLOSE FILE *file = fopen(in("versions/v2.4.0/big"), "we");
        for (int i = 0; i < 8; i++)
                assert_int_equal(fwrite(block, 1, sizeof block, file), sizeof block);
        fflush(file);
        Answer answer = {0};
        Error error = {0};
        Op *op;
        int turns = 0, others = 0;
        sd_event_source
                *other; /* as patient as the check, and always ready: requests to the controller are like that */
        assert_int_equal(release_store_take_in(store, "v2.4.0", false, BUDGET, on_answer, &answer, &op, &error), 0);
        AUTO_CLOSE int ready = eventfd(1, EFD_CLOEXEC);
        assert_true(sd_event_add_io(loop, &other, ready, EPOLLIN, on_ready, &others) >= 0);
        assert_true(sd_event_source_set_priority(other, SD_EVENT_PRIORITY_IDLE) >= 0);
        for (; !answer.called; turns++)
                assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
        assert_done(answer.result, 6);
        assert_true(turns >= 32); /* 256 KiB each */
        assert_true(others >= 10);
        sd_event_source_unref(other);
}

static void test_a_cancelled_check_never_calls_back(UNUSED void **state) {
        Answer answer = {0};
        Error error = {0};
        Op *op;
        assert_int_equal(release_store_take_in(store, "v2.4.0", false, BUDGET, on_answer, &answer, &op, &error), 0);
        assert_true(sd_event_run(loop, 0) >= 0);
        op_cancel(op);
        while (sd_event_run(loop, 0) > 0)
                ;
        assert_false(answer.called);
        assert_false(release_store_has_manifest(store, "v2.4.0"));
}

static void test_a_spent_budget_ends_it(UNUSED void **state) {
        Answer answer = {0};
        Error error = {0};
        Op *op;
        assert_int_equal(release_store_take_in(store, "v2.4.0", false, 1, on_answer, &answer, &op, &error), 0);
        usleep(2000); /* longer than the budget and the timer's accuracy, before the loop is even asked */
        OpResult result = await(&answer);
        assert_true(result.status == OP_TIMED_OUT || result.status == OP_DONE);
        assert_int_equal(release_store_take_in(store, "../etc", false, BUDGET, on_answer, &answer, &op, &error),
                         -EINVAL);
}

/* ---- verifying ---- */

static void test_verification_names_what_is_wrong(UNUSED void **state) {
        assert_done(take_in("v2.4.0", false), 5);

        assert_int_equal(rename(in("versions/v2.4.0/latest"), in("latest")), 0);
        assert_failed(verify("v2.4.0", false), -EBADMSG, "incomplete: latest is missing");
        assert_int_equal(symlink("/bin/sh", in("versions/v2.4.0/latest")), 0);
        assert_failed(verify("v2.4.0", false), -EBADMSG, "altered: latest points elsewhere");
        unlink(in("versions/v2.4.0/latest"));
        put("versions/v2.4.0/latest", "bin/service");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "latest is a file, not a link");
        assert_int_equal(rename(in("latest"), in("versions/v2.4.0/latest")), 0);
        assert_done(verify("v2.4.0", false), 0);

        put("versions/v2.4.0/extra", "");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "altered: extra was added");
        unlink(in("versions/v2.4.0/extra"));

        assert_int_equal(chmod(in("versions/v2.4.0/bin/service"), 0644), 0);
        assert_failed(verify("v2.4.0", false), -EBADMSG, "bin/service has mode 0644 instead of 0755");
        assert_int_equal(chmod(in("versions/v2.4.0/bin/service"), 0755), 0);

        put("versions/v2.4.0/bin/service", "half");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "has 4 bytes instead of 19");
        put("versions/v2.4.0/bin/service", "#!/bin/sh\n# v2.4.0\n");
        assert_done(verify("v2.4.0", false), 1); /* the same content again: hashed once */
        assert_done(verify("v2.4.0", false), 0); /* and remembered */

        assert_int_equal(rename(in("versions/v2.4.0"), in("versions/away")), 0);
        assert_failed(verify("v2.4.0", false), -ENOENT, "is missing");
        assert_int_equal(symlink("away", in("versions/v2.4.0")), 0);
        assert_failed(verify("v2.4.0", false), -ENOTDIR, "v2.4.0");
}

static void test_content_changed_under_the_same_times_needs_thoroughness(UNUSED void **state) {
        struct stat st;
        assert_done(take_in("v2.4.0", false), 5);
        assert_int_equal(stat(in("versions/v2.4.0/bin/service"), &st), 0);
        put("versions/v2.4.0/bin/service", "#!/bin/sh\n# V2.4.0\n");
        const struct timespec times[2] = {st.st_atim, st.st_mtim};
        assert_int_equal(utimensat(AT_FDCWD, in("versions/v2.4.0/bin/service"), times, 0), 0);
        /* the modification time was put back, the change time can't be */
        assert_failed(verify("v2.4.0", false), -EBADMSG, "bin/service has another content");
        assert_failed(verify("v2.4.0", true), -EBADMSG, "bin/service has another content");
}

static void test_the_saved_configuration_is_part_of_it(UNUSED void **state) {
        assert_done(take_in("v2.4.0", false), 5);
        put("etc/config.v2.4.0.yaml", "VERSION: v2.4.0\n");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "config.v2.4.0.yaml has another content");
        put("etc/config.v2.4.0.yaml", "");
        assert_failed(verify("v2.4.0", false), -EBADMSG, "is empty");
        unlink(in("etc/config.v2.4.0.yaml"));
        assert_failed(verify("v2.4.0", false), -ENOENT, "saved configuration");
        assert_failed(take_in("v3.9.9", false), -ENOENT, "is missing");
}

static void test_a_store_without_configurations(UNUSED void **state) {
        assert_done(take_in("v2.4.0", false), 5);
        const ReleasePaths paths = {in("versions"), in("current"), in("etc/config.yaml"), "", in("state")};
        ReleaseStore *with = store, *without = NULL;
        Error error = {0};
        assert_int_equal(release_store_open(loop, &paths, &without, &error), 0);
        store = without;
        assert_done(verify("v2.4.0", false), 0);
        assert_done(take_in("v3.0.0", false), 4);
        assert_int_equal(release_store_prepare(store, "v2.4.0", &error), 0);
        assert_int_equal(release_store_switch(store, "v2.4.0", &error), 0);
        assert_int_equal(release_store_switched(store, "v2.4.0", &error), 1);
        assert_string_equal(get("etc/config.yaml"), "version: v3.0.0\nedited: by hand\n");
        store = with;
        assert_failed(verify("v3.0.0", false), -ENODATA, "without its configuration");
        release_store_close(without);
}

/* ---- the world ---- */

static int set_up(UNUSED void **state) {
        clear_world();
        make_world();
        if (sd_event_new(&loop) < 0)
                return -1;
        store = open_store(loop);
        return 0;
}

static int tear_down(UNUSED void **state) {
        store = release_store_close(store);
        loop = sd_event_unref(loop);
        return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_lists_only_versions_in_their_order),
                TEST(test_current_may_be_absolute_or_relative),
                TEST(test_a_broken_current_says_how_to_mend_it),
                TEST(test_taking_in_twice_is_done_once),
                TEST(test_a_changed_release_is_taken_in_again_only_when_told_to),
                TEST(test_the_manifest_is_text_and_guards_itself),
                TEST(test_special_files_are_refused),
                TEST(test_a_big_release_never_holds_the_loop_for_long),
                TEST(test_a_cancelled_check_never_calls_back),
                TEST(test_a_spent_budget_ends_it),
                TEST(test_verification_names_what_is_wrong),
                TEST(test_content_changed_under_the_same_times_needs_thoroughness),
                TEST(test_the_saved_configuration_is_part_of_it),
                TEST(test_a_store_without_configurations),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
