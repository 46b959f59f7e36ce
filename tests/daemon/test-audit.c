/* The audit trail: what is kept of each request to act, and that a flood of refused ones can't fill anything. */
#include "daemon/audit.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-audit-XXXXXX", path[64];
static Controller controller;
static unsigned lines; /* in the log */

static int count_line(UNUSED LogSink *sink, UNUSED const LogEntry *entry) {
        lines++;
        return 0;
}

static int begin(UNUSED void **state) {
        static LogSink sink = {.write = count_line};
        Error error = {0};
        snprintf(path, sizeof path, "%s/journal.db", directory);
        controller = (Controller){.role = ROLE_DAEMON};
        lines = 0;
        sink = (LogSink){.write = count_line};
        assert_int_equal(log_add_sink(&sink, &error), 0);
        return journal_open(path, &controller.journal, &error);
}

static int end(UNUSED void **state) {
        char command[80];
        audit_free(&controller);
        log_remove_sinks();
        controller.journal = journal_close(controller.journal);
        snprintf(command, sizeof command, "rm -f %s/*", directory);
        return system(command);
}

static Caller caller_of(const char *name, const char *whence, uid_t uid) {
        Caller caller = {.uid = uid};
        snprintf(caller.name, sizeof caller.name, "%s", name);
        snprintf(caller.whence, sizeof caller.whence, "%s", whence);
        return caller;
}

static void refuse(const char *name, const char *whence) {
        const Caller caller = caller_of(name, whence, (uid_t)-1);
        op_acted(&controller, &caller, "POST", "/api/v3/deploy", NULL, 401, "Who are you?");
}

/* The answer of GET audit; the caller's. */
static json_t *entries(unsigned limit) {
        Problem problem = {0};
        json_t *answer = NULL, *arguments = json_pack("{s:i}", "limit", (int)limit);
        assert_int_equal(op_audit(&controller, arguments, NULL, &answer, &problem), 0);
        json_t *list = json_incref(json_object_get(answer, "entries"));
        json_decref(answer);
        json_decref(arguments);
        return list;
}

static size_t count_entries(void) {
        json_t *list = entries(1000);
        size_t count = json_array_size(list);
        json_decref(list);
        return count;
}

static const char *text(const json_t *entry, const char *key) {
        return json_string_value(json_object_get(entry, key));
}

static void test_who_whence_what_and_what_came_of_it(UNUSED void **state) {
        const Caller root = caller_of("root (uid 0)", "127.0.0.1:4711", 0);
        json_t *arguments = json_pack("{s:s, s:s}", "version", "v3.0.0", "reason", "caf\xc3\xa9 \"x\"");
        op_acted(&controller, &root, "POST", "/api/v3/deploy", arguments, 200, "200");
        refuse("anonymous", "[::1]:99");
        json_t *list = entries(10);
        assert_int_equal(json_array_size(list), 2);
        const json_t *newest = json_array_get(list, 0), *first = json_array_get(list, 1);
        assert_string_equal(text(first, "who"), "root (uid 0)");
        assert_string_equal(text(first, "whence"), "127.0.0.1:4711");
        assert_string_equal(text(first, "method"), "POST");
        assert_string_equal(text(first, "path"), "/api/v3/deploy");
        assert_string_equal(text(first, "outcome"), "200");
        assert_int_equal(json_integer_value(json_object_get(first, "uid")), 0);
        assert_int_equal(json_integer_value(json_object_get(first, "status")), 200);
        assert_true(json_equal(json_object_get(first, "arguments"), arguments));
        assert_true(json_is_null(json_object_get(newest, "uid")));
        assert_true(json_is_null(json_object_get(newest, "arguments")));
        assert_int_equal(lines, 2);
        json_decref(list);
        json_decref(arguments);
}

static void test_what_takes_time_and_what_heals(UNUSED void **state) {
        const Caller root = caller_of("root (uid 0)", "unix socket", 0);
        audit_begun(&controller, &root, "/api/v3/cache/clear", NULL);
        audit_healing(&controller, "sessions", "restarting redis.service, try 1 of 3 in 24 hours: no answer",
                      HEALING_BEGUN);
        audit_healing(&controller, "sessions", "restarting redis.service failed: not allowed", HEALING_FAILED);
        json_t *list = entries(10);
        const json_t *failed = json_array_get(list, 0), *heals = json_array_get(list, 1),
                     *begun = json_array_get(list, 2);
        assert_int_equal(json_array_size(list), 3);
        assert_int_equal(json_integer_value(json_object_get(begun, "status")), 202);
        assert_string_equal(text(begun, "outcome"), "begun");
        assert_string_equal(text(begun, "path"), "/api/v3/cache/clear");
        assert_string_equal(text(heals, "method"), "heal");
        assert_string_equal(text(heals, "path"), "sessions");
        assert_string_equal(text(heals, "who"), "controller");
        assert_int_equal(json_integer_value(json_object_get(heals, "status")), 202);
        assert_non_null(strstr(text(json_object_get(heals, "arguments"), "what"), "try 1 of 3"));
        assert_int_equal(json_integer_value(json_object_get(failed, "status")), 500);
        json_decref(list);
}

static void test_long_arguments_are_left_out(UNUSED void **state) {
        const Caller root = caller_of("root (uid 0)", "unix socket", 0);
        char reason[4000];
        memset(reason, 'x', sizeof reason - 1);
        reason[sizeof reason - 1] = '\0';
        json_t *arguments = json_pack("{s:s}", "reason", reason);
        op_acted(&controller, &root, "POST", "/api/v3/deploy", arguments, 200, "200");
        json_t *list = entries(1);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(list, 0), "arguments"),
                                                            "left_out_bytes")),
                         4012);
        json_decref(list);
        json_decref(arguments);
}

static void test_refusals_are_bounded(UNUSED void **state) {
        char whence[64];
        for (int i = 0; i < 1000; i++) {
                snprintf(whence, sizeof whence, "10.0.0.9:%d (TLS)", 1000 + i); /* one source, by ever other ports */
                refuse("anonymous", whence);
        }
        assert_int_equal(count_entries(), AUDIT_REFUSED_EACH);
        assert_int_equal(lines, AUDIT_REFUSED_EACH);
        for (int i = 0; i < 5000; i++) { /* ever other sources */
                snprintf(whence, sizeof whence, "10.1.%d.%d:1", i / 250, i % 250);
                refuse("anonymous", whence);
        }
        assert_true(count_entries() <= AUDIT_REFUSED_ALL);
        /* what was done is always in it */
        size_t before = count_entries();
        const Caller root = caller_of("root (uid 0)", "unix socket", 0);
        for (int i = 0; i < 30; i++)
                op_acted(&controller, &root, "POST", "/api/v3/deployment/pause", NULL, 200, "200");
        assert_int_equal(count_entries(), before + 30);
        /* and at the end how many are missing */
        size_t kept = count_entries() - 30;
        audit_free(&controller);
        json_t *list = entries(1000), *entry;
        size_t index, missing = 0;
        json_array_foreach(list, index, entry) {
                if (strstr(text(entry, "outcome"), " more requests were refused within a minute"))
                        missing += strtoul(text(entry, "outcome"), NULL, 10);
        }
        assert_int_equal(kept + missing, 6000);
        json_decref(list);
}

/* Without a journal, or with one that can't be written, there is the log. */
static void test_it_is_never_fatal(UNUSED void **state) {
        const Caller root = caller_of("root (uid 0)", "unix socket", 0);
        controller.journal = journal_close(controller.journal);
        op_acted(&controller, &root, "POST", "/api/v3/deployment/pause", NULL, 200, "200");
        assert_int_equal(lines, 1);
        Error error = {0};
        assert_int_equal(journal_open_reader(path, &controller.journal, &error), 0);
        op_acted(&controller, &root, "POST", "/api/v3/deployment/pause", NULL, 200, "200");
        op_acted(&controller, &root, "POST", "/api/v3/deployment/pause", NULL, 200, "200");
        assert_int_equal(lines, 4); /* and once that the journal doesn't take it */
        assert_int_equal(count_entries(), 0);
}

static int make_directory(UNUSED void **state) {
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(UNUSED void **state) {
        return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_who_whence_what_and_what_came_of_it),
                TEST(test_what_takes_time_and_what_heals),
                TEST(test_long_arguments_are_left_out),
                TEST(test_refusals_are_bounded),
                TEST(test_it_is_never_fatal),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
