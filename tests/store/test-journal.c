#include "base/clock.h"
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "store-fixture.h"

/* Stand before libc's, for SQLite too, which is a shared library: so that syncs can be counted. */
static int syncs;

int fsync(int fd) {
        syncs++;
        return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
        syncs++;
        return (int)syscall(SYS_fdatasync, fd);
}

static Journal *open_journal(const char *name) {
        Journal *journal = NULL;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error.message);
        assert_string_equal(journal_space_problem(journal), "");
        return journal;
}

static void append(Journal *journal, Run *run, const char *note) {
        Error error = {0};
        if (journal_append_run(journal, run, note, &error) < 0)
                fail_msg("%s", error.message);
}

static int count_visits(void *userdata, UNUSED const Run *run) {
        ++*(int *)userdata;
        return 0;
}

/* ---- runs ---- */

static void test_a_run_comes_back_as_it_was(UNUSED void **state) {
        Journal *journal = open_journal("whole");
        Run run = full_run(), back;
        Error error = {0};
        append(journal, &run, "begun");
        assert_int_equal(run.id, 1);
        memset(&back, 0, sizeof back);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        assert_int_equal(journal_run(journal, 2, &back, &error), 0);

        run.phase = RUN_RECOVERY;
        run.steps[STEP_STOP_VERSION].state = STEP_TIMED_OUT;
        run.recovery[STEP_RESTORE_TRAFFIC].attempt = 9;
        append(journal, &run, "changed");
        assert_int_equal(run.id, 1);
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        journal_close(journal);

        journal = open_journal("whole");
        assert_int_equal(journal_run(journal, 1, &back, &error), 1);
        assert_memory_equal(&back, &run, sizeof run);
        journal_close(journal);
}

static void test_every_append_is_synced_before_it_returns(UNUSED void **state) {
        Journal *journal = open_journal("synced");
        Run run = full_run();
        for (int i = 0; i < 10; i++) {
                run.token++;
                syncs = 0;
                append(journal, &run, "intent");
                assert_true(syncs > 0);
        }
        journal_close(journal);
}

static void test_the_open_run_is_the_one_that_has_not_ended(UNUSED void **state) {
        static const RunPhase ends[] = {RUN_SUCCEEDED, RUN_FAILED, RUN_HOLDING};
        Journal *journal = open_journal("open");
        Run back;
        Error error = {0};
        assert_int_equal(journal_open_run(journal, &back, &error), 0);
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                Run run = full_run();
                append(journal, &run, "begun");
                assert_int_equal(journal_open_run(journal, &back, &error), 1);
                assert_int_equal(back.id, run.id);
                run.phase = ends[i];
                append(journal, &run, "ended");
                assert_int_equal(journal_open_run(journal, &back, &error), 0);
        }
        int visited = 0;
        assert_int_equal(journal_runs(journal, 2, count_visits, &visited, &error), 0);
        assert_int_equal(visited, 2);
        journal_close(journal);
}

static int keep_last(void *userdata, const JournalRecord *record) {
        memcpy(userdata, record, sizeof *record);
        return 0;
}

/* Also one that can't be read any more. */
static void test_a_run_is_put_aside(UNUSED void **state) {
        Journal *journal = open_journal("aside");
        Run sound = full_run(), broken = full_run(), back;
        JournalRecord last = {0};
        int64_t id = 0;
        char command[PATH_MAX + 160];
        Error error = {0};
        assert_int_equal(journal_put_aside(journal, 4000, "nothing", &id, &error), 0);
        sound.phase = RUN_SUCCEEDED;
        append(journal, &sound, "ended");
        append(journal, &broken, "begun");
        snprintf(command, sizeof command,
                 "/usr/bin/python3 -c 'import sqlite3; c=sqlite3.connect(\"%s\");"
                 "c.execute(\"UPDATE runs SET phase=\\\"forwards\\\" WHERE id=%lld\"); c.commit()'",
                 in("aside"), (long long)broken.id);
        assert_int_equal(system(command), 0);
        assert_int_equal(journal_open_run(journal, &back, &error), -EBADMSG);
        assert_int_equal(journal_put_aside(journal, 4000, "put aside by ann", &id, &error), 1);
        assert_int_equal(id, broken.id);
        assert_int_equal(journal_open_run(journal, &back, &error), 0);
        assert_int_equal(journal_run(journal, id, &back, &error), 1);
        assert_int_equal(back.phase, RUN_FAILED);
        assert_int_equal(back.outcome, OUTCOME_CANCELLED);
        assert_int_equal(back.ended_wall, 4000);
        assert_string_equal(back.failure, "put aside by ann");
        assert_int_equal(journal_records(journal, id, keep_last, &last, &error), 0);
        assert_string_equal(last.note, "put aside by ann");
        assert_int_equal(journal_run(journal, sound.id, &back, &error), 1);
        assert_int_equal(back.phase, RUN_SUCCEEDED);
        journal_close(journal);
}

static int keep_order(void *userdata, const JournalRecord *record) {
        JournalRecord *last = userdata;
        assert_true(record->seq > last->seq);
        assert_true(record->at_wall >= last->at_wall);
        *last = *record;
        return 0;
}

static int stop_at_first(void *userdata, const Run *run) {
        *(int64_t *)userdata = run->id;
        return 42;
}

static void test_records_tell_the_story_in_order(UNUSED void **state) {
        Journal *journal = open_journal("records");
        Run run = full_run(), other = full_run();
        JournalRecord last = {0};
        int64_t newest = 0;
        Error error = {0};
        append(journal, &run, "one");
        append(journal, &other, "not mine");
        run.phase = RUN_SETTLE;
        run.cursor = STEP_RESUME_DEPLOYMENTS;
        append(journal, &run, "it's \"two\"");
        assert_int_equal(journal_records(journal, run.id, keep_order, &last, &error), 0);
        assert_string_equal(last.note, "it's \"two\"");
        assert_int_equal(last.phase, RUN_SETTLE);
        assert_int_equal(last.cursor, STEP_RESUME_DEPLOYMENTS);
        assert_int_equal(journal_runs(journal, 10, stop_at_first, &newest, &error), 42);
        assert_int_equal(newest, other.id);
        journal_close(journal);
}

static void test_counts_automatic_rollbacks(UNUSED void **state) {
        Journal *journal = open_journal("count");
        int64_t count = -1;
        Error error = {0};
        for (int i = 0; i < 4; i++) {
                Run run = full_run();
                run.created_wall = 1000 + i;
                run.phase = RUN_SUCCEEDED;
                run.plan.mode = i == 1 ? MODE_MANUAL : MODE_AUTOMATIC;
                run.plan.kind = i == 2 ? RUN_DEPLOYMENT : RUN_ROLLBACK;
                append(journal, &run, "");
        }
        assert_int_equal(journal_count_automatic(journal, 1000, &count, &error), 0);
        assert_int_equal(count, 2);
        assert_int_equal(journal_count_automatic(journal, 1001, &count, &error), 0);
        assert_int_equal(count, 1);
        journal_close(journal);
}

static void test_validation(UNUSED void **state) {
        Journal *journal = open_journal("validation");
        Run run = full_run();
        char verdict[16], *json = NULL;
        Error error = {0};
        append(journal, &run, "");
        assert_int_equal(journal_validation(journal, run.id, verdict, sizeof verdict, &json, &error), 0);
        assert_int_equal(journal_set_validation(journal, run.id, "pending", NULL, &error), 0);
        assert_int_equal(journal_validation(journal, run.id, verdict, sizeof verdict, &json, &error), 1);
        assert_null(json);
        assert_int_equal(journal_set_validation(journal, run.id, "passed", "{\"error_rate\": \"0.05%\"}", &error), 0);
        assert_int_equal(journal_validation(journal, run.id, verdict, sizeof verdict, &json, &error), 1);
        assert_string_equal(verdict, "passed");
        assert_string_equal(json, "{\"error_rate\": \"0.05%\"}");
        free(json);
        assert_int_equal(journal_set_validation(journal, 999, "passed", NULL, &error), -EINVAL); /* no such run */
        journal_close(journal);
}

/* ---- decisions ---- */

static void fill_decision(Decision *decision) {
        memset(decision, 0, sizeof *decision);
        decision->at_wall = INT64_C(1795362036123456);
        decision->kind = DECISION_REVIEW;
        decision->triggers = TRIGGER_ERROR_RATE | TRIGGER_OUTAGE;
        decision->guard = GUARD_SAME_BEFORE;
        snprintf(decision->version, sizeof decision->version, "v3.0.0");
        snprintf(decision->target, sizeof decision->target, "v2.4.0");
        decision->expected = 5;
        decision->needed = 4;
        decision->degraded = 4;
        decision->unknown = 1;
        decision->sample_count = WINDOW_SAMPLES_MAX;
        for (int64_t i = 0; i < WINDOW_SAMPLES_MAX; i++) {
                Sample *sample = &decision->samples[i];
                sample->start_mono = i;
                sample->end_mono = i + 30;
                sample->end_wall = INT64_MAX - i;
                sample->measured = i % 2 == 0;
                sample->requests = INT64_C(1) << (i % 62);
                sample->errors = i;
                sample->successes = i * 7;
                sample->latency_p50_us = -1;
                sample->latency_p99_us = INT64_MIN + i;
                sample->dropped = 3;
                snprintf(sample->note, sizeof sample->note, "note %d", (int)i);
        }
        decision->rules = (Rules){10000, 100000, 990000, 120000000, 30000000, 750000, 100, 10000000, 3, 1, 2, 4};
        snprintf(decision->reason, sizeof decision->reason, "error rate 5.02%%");
}

static int last_decision(void *userdata, const Decision *decision) {
        *(int64_t *)userdata = decision->id;
        return 0;
}

static void test_a_decision_keeps_its_evidence_bit_for_bit(UNUSED void **state) {
        Journal *journal = open_journal("decision");
        Decision *decision = malloc(sizeof *decision), *back = malloc(sizeof *back);
        int64_t oldest = 0;
        Error error = {0};
        assert_true(decision && back);
        fill_decision(decision);
        assert_int_equal(journal_add_decision(journal, decision, NULL, &error), 0);
        assert_int_equal(decision->id, 1);
        assert_int_equal(journal_decision(journal, 1, back, &error), 1);
        assert_memory_equal(back, decision, sizeof *decision);
        decision->sample_count = 0;
        assert_int_equal(journal_add_decision(journal, decision, NULL, &error), 0);
        assert_int_equal(journal_decision(journal, 2, back, &error), 1);
        assert_int_equal(back->sample_count, 0);
        assert_int_equal(journal_decision(journal, 3, back, &error), 0);
        assert_int_equal(journal_decisions(journal, 10, last_decision, &oldest, &error), 0);
        assert_int_equal(oldest, 1);
        free(decision);
        free(back);
        journal_close(journal);
}

/* Something in every member, and the arrays full. Copied from static objects, as their padding is zero: the test compares bytes. */
static void fill_evidence(Evidence *evidence) {
        static const Evidence scalars = {
                .now_mono = INT64_MAX,
                .window_known = true,
                .deployment_known = true,
                .deployment = {7, 8, "v3.0.0", "v2.4.0", 9, 10, true},
                .deployment_age_us = -1,
                .deployment_is_rollback = true,
                .drained_by_operator = true,
                .run_unsound = true,
                .shadow = true,
                .rollbacks_today = 3,
                .release_count = EVIDENCE_RELEASES_MAX,
                .outage = {true,
                           1,
                           {2, 3, 4, true},
                           {true, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, "\"so\"\n\xe2\x9c\x93"},
                           {true, 15, 16}},
                .units = {true,
                          17,
                          {true, 18, RESTARTS_KEPT, {0}},
                          {true, true, true, true, 19, 20, 21, "abc", "failed"}},
                .consensus = {true, 22, {23, true, true, MEMBERS_MAX, {{0}}}, {.at_mono = 24, .count = MEMBERS_MAX}},
        };
        static const struct ConsensusRecord record = {0, {1, 25}, {2, 26}};
        static const ConsensusMember member = {"n1", "127.0.0.1:2379", 0,  true, true, 27,   28, 29, 30, true, 31,
                                               32,   UINT32_MAX,       33, 34,   35,   "why"};
        memcpy(evidence, &scalars, sizeof *evidence);
        for (unsigned i = 0; i < EVIDENCE_RELEASES_MAX; i++) {
                Release *release = &evidence->releases[i];
                snprintf(release->version, VERSION_MAX, "v1.%u.0", i);
                release->state = (ReleaseState)(i % 4);
                release->since_wall = i;
                release->present = i % 2;
        }
        for (int64_t i = 0; i < RESTARTS_KEPT; i++)
                evidence->units.before.rises[i] = INT64_MIN + i;
        for (unsigned i = 0; i < MEMBERS_MAX; i++) {
                memcpy(&evidence->consensus.before.members[i], &record, sizeof record);
                memcpy(&evidence->consensus.state.members[i], &member, sizeof member);
                evidence->consensus.before.members[i].id = evidence->consensus.state.members[i].id = UINT64_MAX - i;
        }
}

static void test_evidence_comes_back_bit_for_bit(UNUSED void **state) {
        Journal *journal = open_journal("evidence");
        AUTO_FREE Decision *decision = malloc(sizeof *decision);
        AUTO_FREE Evidence *evidence = malloc(sizeof *evidence), *back = malloc(sizeof *back);
        Error error = {0};
        assert_true(decision && evidence && back);
        fill_decision(decision);
        fill_evidence(evidence);
        assert_int_equal(journal_add_decision(journal, decision, evidence, &error), 0);
        assert_int_equal(journal_evidence(journal, 1, back, &error), 1);
        assert_memory_equal(back, evidence, sizeof *evidence);
        assert_int_equal(journal_add_decision(journal, decision, NULL, &error), 0);
        assert_int_equal(journal_evidence(journal, 2, back, &error), 0); /* none was kept */
        assert_int_equal(journal_evidence(journal, 3, back, &error), 0);
        journal_close(journal);
}

/* ---- releases, deployments, values, alerts ---- */

static void test_releases(UNUSED void **state) {
        Journal *journal = open_journal("releases");
        Release releases[2], one;
        size_t count = 0;
        Error error = {0};
        assert_int_equal(journal_set_release(journal, "v2.4.0", RELEASE_UNPROVEN, 5, &error), 0);
        assert_int_equal(journal_set_release(journal, "v3.0.0", RELEASE_BAKING, 6, &error), 0);
        assert_int_equal(journal_set_release(journal, "v3.1.0", RELEASE_BAKING, 7, &error), 0);
        assert_int_equal(journal_set_release(journal, "v2.4.0", RELEASE_GOOD, 8, &error), 0);
        assert_int_equal(journal_releases(journal, releases, ARRAY_SIZE(releases), &count, &error), 0);
        assert_int_equal(count, 3);
        assert_string_equal(releases[0].version, "v2.4.0");
        assert_int_equal(releases[0].state, RELEASE_GOOD);
        assert_int_equal(releases[0].since_wall, 8);
        assert_false(releases[0].present);
        assert_int_equal(journal_release(journal, "v3.0.0", &one, &error), 1);
        assert_int_equal(one.state, RELEASE_BAKING);
        assert_int_equal(journal_release(journal, "v9.9.9", &one, &error), 0);
        journal_close(journal);
}

static void test_deployments(UNUSED void **state) {
        Journal *journal = open_journal("deployments");
        Deployment first, back;
        Error error = {0};
        memset(&first, 0, sizeof first);
        memset(&back, 0, sizeof back);
        assert_int_equal(journal_last_deployment(journal, &back, &error), 0);
        first.run_id = 3;
        snprintf(first.version, sizeof first.version, "v3.0.0");
        first.at_wall = 99;
        first.symptoms_before = TRIGGER_LATENCY_P99;
        assert_int_equal(journal_add_deployment(journal, &first, &error), 0);
        assert_int_equal(journal_last_deployment(journal, &back, &error), 1);
        assert_memory_equal(&back, &first, sizeof first);
        Deployment second = first;
        snprintf(second.previous, sizeof second.previous, "v3.0.0");
        assert_int_equal(journal_add_deployment(journal, &second, &error), 0);
        assert_int_equal(journal_mark_rolled_back(journal, second.id, &error), 0);
        assert_int_equal(journal_last_deployment(journal, &back, &error), 1);
        assert_int_equal(back.id, second.id);
        assert_true(back.rolled_back);
        assert_string_equal(back.previous, "v3.0.0");
        assert_int_equal(journal_mark_rolled_back(journal, 999, &error), -ENOENT);
        journal_close(journal);
}

static int keep_alert(void *userdata, const JournalAlert *alert) {
        *(JournalAlert *)userdata = *alert;
        return 1;
}

static void test_values_and_alerts(UNUSED void **state) {
        Journal *journal = open_journal("values");
        char value[JOURNAL_VALUE_MAX], big[JOURNAL_VALUE_MAX + 1];
        JournalAlert alert;
        Error error = {0};
        assert_int_equal(journal_get_value(journal, "paused", value, sizeof value, &error), 0);
        assert_int_equal(journal_set_value(journal, "paused", "by root", &error), 0);
        assert_int_equal(journal_set_value(journal, "paused", "by 'me'", &error), 0);
        assert_int_equal(journal_get_value(journal, "paused", value, sizeof value, &error), 1);
        assert_string_equal(value, "by 'me'");
        assert_int_equal(journal_set_value(journal, "paused", NULL, &error), 0);
        assert_int_equal(journal_get_value(journal, "paused", value, sizeof value, &error), 0);
        memset(big, 'x', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        assert_int_equal(journal_set_value(journal, "big", big, &error), -EMSGSIZE);
        assert_int_equal(journal_add_alert(journal, 1, "metrics", "silent", &error), 0);
        assert_int_equal(journal_add_alert(journal, 2, "disk", "full", &error), 0);
        assert_int_equal(journal_alerts(journal, 5, keep_alert, &alert, &error), 1);
        assert_string_equal(alert.source, "disk");
        assert_int_equal(alert.at_wall, 2);
        journal_close(journal);
}

/* ---- other processes, crashes, damage ---- */

static void test_readers_see_what_is_committed_while_it_is_open(UNUSED void **state) {
        Journal *journal = open_journal("shared");
        Run run = full_run();
        append(journal, &run, "for the reader");
        pid_t pid = fork();
        if (pid == 0) {
                Journal *reader = NULL;
                Run back;
                Error error = {0};
                int code = journal_open_reader(in("shared"), &reader, &error) < 0  ? 1
                           : journal_run(reader, run.id, &back, &error) != 1       ? 2
                           : journal_set_value(reader, "a", "b", &error) != -EROFS ? 3
                           : strcmp(back.reason, run.reason) != 0                  ? 4
                                                                                   : 0;
                journal_close(reader);
                _exit(code);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        append(journal, &run, "still writable");
        journal_close(journal);
        Journal *reader = NULL;
        Error error = {0};
        assert_int_equal(journal_open_reader(in("not-there"), &reader, &error), -ENOENT);
        assert_int_equal(journal_open_reader(in("shared"), &reader, &error), 0);
        journal_close(reader);
        journal = open_journal("shared"); /* the reserve is still there after the last one closed */
        journal_close(journal);
}

static void test_every_acknowledged_append_survives_a_kill(UNUSED void **state) {
        int fds[2];
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
                Journal *journal = NULL;
                Run run = full_run();
                if (journal_open(in("killed"), &journal, NULL) < 0)
                        _exit(1);
                for (unsigned i = 1;; i++) {
                        run.token = i;
                        if (journal_append_run(journal, &run, "next", NULL) < 0 ||
                            write(fds[1], &i, sizeof i) != sizeof i)
                                _exit(1);
                }
        }
        unsigned acknowledged = 0;
        for (int i = 0; i < 50; i++)
                assert_int_equal(read(fds[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(fds[1]);
        while (read(fds[0], &acknowledged, sizeof acknowledged) > 0)
                ;
        close(fds[0]);
        Journal *journal = open_journal("killed");
        Run back;
        Error error = {0};
        assert_int_equal(journal_open_run(journal, &back, &error), 1);
        assert_true(back.token == acknowledged || back.token == acknowledged + 1);
        journal_close(journal);
}

static void write_text(const char *name, off_t at, const char *text) {
        AUTO_CLOSE int fd = open(in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
}

static void test_damage_is_said_and_nothing_is_deleted(UNUSED void **state) {
        Journal *journal = NULL;
        Error error = {0};
        struct stat before, after;
        write_text("nonsense", 0,
                   "this is not a database, but it is long enough to be taken for one by its size alone........");
        assert_int_equal(stat(in("nonsense"), &before), 0);
        assert_int_equal(journal_open(in("nonsense"), &journal, &error), -EBADMSG);
        assert_non_null(strstr(error.message, "Nothing was deleted"));
        assert_int_equal(stat(in("nonsense"), &after), 0);
        assert_int_equal(before.st_size, after.st_size);

        journal_close(open_journal("damaged"));
        assert_int_equal(unlink(in("damaged-wal")), 0); /* whose pages would hide the damage */
        char garbage[2049];
        memset(garbage, 'G', sizeof garbage - 1);
        garbage[sizeof garbage - 1] = '\0';
        write_text("damaged", 4096 * 2, garbage); /* some table's root page */
        assert_int_equal(journal_open(in("damaged"), &journal, &error), -EBADMSG);
        assert_non_null(strstr(error.message, "damaged"));
        assert_null(journal);
}

static void test_a_newer_schema_and_a_stranger_are_refused(UNUSED void **state) {
        Journal *journal = NULL;
        Error error = {0};
        char command[PATH_MAX * 2];
        /* without its log, which still holds the pages that the test changes in the file */
        journal_close(open_journal("newer"));
        assert_int_equal(unlink(in("newer-wal")), 0);
        /* user_version stands at byte 60 of the header, application_id at 68; big-endian */
        write_text("newer", 63, "\x63");
        assert_int_equal(journal_open(in("newer"), &journal, &error), -EPROTO);
        assert_non_null(strstr(error.message, "newer program"));
        assert_int_equal(journal_open_reader(in("newer"), &journal, &error), -EPROTO);
        journal_close(open_journal("stranger"));
        assert_int_equal(unlink(in("stranger-wal")), 0);
        write_text("stranger", 68, "XXXX");
        assert_int_equal(journal_open(in("stranger"), &journal, &error), -EBADMSG);
        assert_non_null(strstr(error.message, "not a journal"));
        snprintf(command, sizeof command, "%s/no/such/directory", directory);
        assert_int_equal(journal_open(command, &journal, &error), -ENOENT);
}

static void test_an_empty_file_becomes_a_journal(UNUSED void **state) {
        AUTO_CLOSE int fd = open(in("empty"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* what a power cut may leave */
        assert_true(fd >= 0);
        journal_close(open_journal("empty"));
}

static void test_it_knows_whether_it_was_made_now(UNUSED void **state) {
        Journal *journal = open_journal("made");
        assert_true(journal_is_new(journal));
        journal_close(journal);
        journal = open_journal("made");
        assert_false(journal_is_new(journal));
        journal_close(journal);
}

static void test_a_file_removed_or_replaced_is_noticed(UNUSED void **state) {
        Journal *journal = open_journal("moved");
        assert_true(journal_is_in_place(journal));
        assert_int_equal(rename(in("moved"), in("moved.aside")), 0);
        assert_false(journal_is_in_place(journal));
        AUTO_CLOSE int another = open(in("moved"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(another >= 0);
        assert_false(journal_is_in_place(journal));
        assert_int_equal(rename(in("moved.aside"), in("moved")), 0);
        assert_true(journal_is_in_place(journal));
        journal_close(journal);
}

static void test_a_log_removed_is_noticed(UNUSED void **state) {
        Journal *journal = open_journal("log");
        assert_int_equal(rename(in("log-wal"), in("log-wal.aside")), 0);
        assert_false(journal_is_in_place(journal));
        AUTO_CLOSE int another = open(in("log-wal"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(another >= 0);
        assert_false(journal_is_in_place(journal)); /* replaced */
        assert_int_equal(rename(in("log-wal.aside"), in("log-wal")), 0);
        assert_true(journal_is_in_place(journal));
        journal_close(journal);
}

static void test_a_failed_append_gives_no_id(UNUSED void **state) {
        Journal *journal = open_journal("busy"), *other = NULL;
        Run run = full_run();
        Error error = {0};
        int fds[2];
        char byte;
        journal_close(journal);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) { /* a writer that sits in a transaction for ever */
                char command[PATH_MAX * 2];
                snprintf(
                        command, sizeof command,
                        "exec /usr/bin/python3 -c 'import sqlite3,sys,time; c=sqlite3.connect(\"%s\", isolation_level=None);"
                        "c.execute(\"BEGIN IMMEDIATE\"); print(\"x\", flush=True); time.sleep(60)'",
                        in("busy"));
                dup2(fds[1], 1);
                execl("/bin/sh", "sh", "-c", command, NULL);
                _exit(127);
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &byte, 1), 1);
        assert_int_equal(byte, 'x');
        assert_int_equal(journal_open(in("busy"), &other, &error), 0); /* opening does not need to write */
        assert_int_equal(journal_append_run(other, &run, "", &error), -EBUSY);
        assert_int_equal(run.id, 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(fds[0]);
        append(other, &run, "");
        assert_int_equal(run.id, 1);
        journal_close(other);
}

static int compare_times(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return x < y ? -1 : x > y;
}

/* Not a timed test: it prints what an append costs here. */
static void test_prints_the_cost_of_an_append(UNUSED void **state) {
        Journal *journal = open_journal("cost");
        Run run = full_run();
        int64_t times[300];
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                run.cursor = (StepId)(i % STEP_COUNT);
                run.token++;
                run.steps[run.cursor].state = i % 2 ? STEP_ACTING : STEP_DONE;
                int64_t begun = clock_mono_us();
                append(journal, &run, "intent");
                times[i] = clock_mono_us() - begun;
        }
        qsort(times, ARRAY_SIZE(times), sizeof times[0], compare_times);
        print_message("one append: median %.3f ms, worst %.3f ms\n", (double)times[ARRAY_SIZE(times) / 2] / 1000,
                      (double)times[ARRAY_SIZE(times) - 1] / 1000);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_run_comes_back_as_it_was),
                cmocka_unit_test(test_every_append_is_synced_before_it_returns),
                cmocka_unit_test(test_the_open_run_is_the_one_that_has_not_ended),
                cmocka_unit_test(test_a_run_is_put_aside),
                cmocka_unit_test(test_records_tell_the_story_in_order),
                cmocka_unit_test(test_counts_automatic_rollbacks),
                cmocka_unit_test(test_validation),
                cmocka_unit_test(test_a_decision_keeps_its_evidence_bit_for_bit),
                cmocka_unit_test(test_evidence_comes_back_bit_for_bit),
                cmocka_unit_test(test_releases),
                cmocka_unit_test(test_deployments),
                cmocka_unit_test(test_values_and_alerts),
                cmocka_unit_test(test_readers_see_what_is_committed_while_it_is_open),
                cmocka_unit_test(test_every_acknowledged_append_survives_a_kill),
                cmocka_unit_test(test_damage_is_said_and_nothing_is_deleted),
                cmocka_unit_test(test_a_newer_schema_and_a_stranger_are_refused),
                cmocka_unit_test(test_an_empty_file_becomes_a_journal),
                cmocka_unit_test(test_it_knows_whether_it_was_made_now),
                cmocka_unit_test(test_a_file_removed_or_replaced_is_noticed),
                cmocka_unit_test(test_a_log_removed_is_noticed),
                cmocka_unit_test(test_a_failed_append_gives_no_id),
                cmocka_unit_test(test_prints_the_cost_of_an_append),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
