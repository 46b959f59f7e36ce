/* The chain of records: whole after anything we write, and whatever is changed, removed or inserted behind our back is named. */
#include "store/journal.h"
#include "store/sidefile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "store-fixture.h"

static Journal *open_journal(const char *name) {
        Journal *journal = NULL;
        Error error = {0};
        if (journal_open(in(name), &journal, &error) < 0)
                fail_msg("%s", error.message);
        return journal;
}

static void execute(const char *name, const char *sql) {
        sqlite3 *db = NULL;
        char *message = NULL;
        assert_int_equal(sqlite3_open(in(name), &db), SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
                fail_msg("%s: %s", sql, message);
        assert_true(sqlite3_total_changes(db) > 0); /* else nothing was tampered with */
        sqlite3_close(db);
}

static void add_decision(Journal *journal, int64_t at_wall) {
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        AUTO_FREE Evidence *evidence = calloc(1, sizeof *evidence);
        Error error = {0};
        assert_true(decision && evidence);
        decision->at_wall = at_wall;
        decision->kind = DECISION_ROLLBACK;
        decision->sample_count = 3;
        snprintf(decision->version, sizeof decision->version, "v3.0.0");
        evidence->rollbacks_today = 1;
        if (journal_add_decision(journal, decision, evidence, &error) < 0)
                fail_msg("%s", error.message);
}

static void add_run(Journal *journal, RunPhase last) {
        Run run = full_run();
        Error error = {0};
        run.phase = RUN_FORWARD;
        assert_int_equal(journal_append_run(journal, &run, "begun", &error), 0);
        run.phase = last;
        assert_int_equal(journal_append_run(journal, &run, "ended", &error), 0);
        assert_int_equal(journal_set_validation(journal, run.id, "pending", NULL, &error), 0);
        assert_int_equal(journal_set_validation(journal, run.id, "passed", "{\"checks\":[]}", &error), 0);
}

static void add_audit(Journal *journal, int status) {
        JournalAudit entry = {.at_wall = 5, .uid = 1000, .status = status};
        Error error = {0};
        snprintf(entry.who, sizeof entry.who, "ann (uid 1000)");
        assert_int_equal(journal_add_audit(journal, &entry, &error), 0);
}

/* Two of everything that has a link. */
static void make(const char *name) {
        Journal *journal = open_journal(name);
        for (int i = 1; i <= 2; i++) {
                Incident incident = {.opened_wall = i, .run_id = i};
                JournalCase its_case = {.run_id = i};
                JournalNote note = {.at_wall = i, .ref = i};
                Error error = {0};
                snprintf(note.kind, sizeof note.kind, "run");
                snprintf(note.text, sizeof note.text, "begun");
                add_decision(journal, i);
                add_run(journal, RUN_SUCCEEDED);
                assert_int_equal(journal_open_incident(journal, &its_case, &incident, &note, &error), 0);
                incident.state = INCIDENT_RESOLVED;
                assert_int_equal(journal_change_incident(journal, &incident, NULL, &error), 0);
                add_audit(journal, 200);
                add_audit(journal, 403); /* has none */
        }
        journal_close(journal);
}

static JournalProof verify(const char *name, const char *known) {
        Journal *journal = NULL;
        JournalProof proof = {0};
        Error error = {0};
        if (journal_open_reader(in(name), &journal, &error) < 0 || journal_verify(journal, known, &proof, &error) < 0)
                fail_msg("%s", error.message);
        journal_close(journal);
        return proof;
}

/* ---- as we write it ---- */

static void test_what_we_write_is_whole(UNUSED void **state) {
        make("whole");
        JournalProof proof = verify("whole", NULL);
        assert_string_equal(proof.fault, "");
        assert_true(proof.whole);
        assert_int_equal(proof.records, 2 * (1 + 3 + 2 + 2 + 1)); /* decision, run, validation, incident, audit */
        assert_true(proof.begun_wall > 0);
        assert_int_equal(strlen(proof.newest), JOURNAL_LINK_MAX - 1);

        Journal *journal = open_journal("whole"); /* opened again, it goes on */
        JournalLink link;
        Error error = {0};
        add_decision(journal, 9);
        assert_int_equal(journal_newest_link(journal, &link, &error), 1);
        assert_int_equal(link.count, proof.records + 2);
        journal_close(journal);
        assert_true(verify("whole", NULL).whole);
        assert_true(verify("whole", proof.newest).known_found); /* what was noted before is still there */
}

static void test_an_empty_journal_has_no_chain_yet(UNUSED void **state) {
        journal_close(open_journal("empty"));
        JournalProof proof = verify("empty", NULL);
        assert_true(proof.whole);
        assert_int_equal(proof.records, 0);
        assert_string_equal(proof.newest, "");
        assert_false(verify("empty", "3f2a90c1").whole); /* somebody has seen more than that */
}

static void test_what_was_there_before_is_not_in_it(UNUSED void **state) {
        make("before");
        execute("before", "DELETE FROM chain"); /* as a journal of the schema before is, after its migration */
        Journal *journal = open_journal("before");
        add_decision(journal, 7);
        journal_close(journal);
        JournalProof proof = verify("before", NULL);
        assert_string_equal(proof.fault, "");
        assert_int_equal(proof.records, 1);
        assert_int_equal(proof.begun_wall, 7);
}

static void test_runs_of_the_side_file_get_their_links(UNUSED void **state) {
        Run run = full_run();
        Error error = {0};
        unsigned taken = 0;
        run.id = 0;
        assert_int_equal(sidefile_append(in("emergency.jsonl"), &run, "begun", &error), 0);
        run.phase = RUN_SUCCEEDED;
        assert_int_equal(sidefile_append(in("emergency.jsonl"), &run, "ended", &error), 0);
        Journal *journal = open_journal("side");
        assert_int_equal(journal_import_sidefile(journal, in("emergency.jsonl"), &taken, &error), 0);
        assert_int_equal(taken, 2);
        journal_close(journal);
        JournalProof proof = verify("side", NULL);
        assert_string_equal(proof.fault, "");
        assert_int_equal(proof.records, 3);
}

/* ---- behind our back ---- */

static const struct {
        const char *sql, *fault;
} tampered[] = {
        {"UPDATE decisions SET guard = 'shadow' WHERE id = 1", "decision 1 was changed"},
        {"UPDATE decisions SET evidence = replace(evidence, '1', '2') WHERE id = 2", "decision 2 was changed"},
        {"UPDATE samples SET requests = 1 WHERE decision_id = 2 AND position = 1", "decision 2 was changed"},
        {"DELETE FROM samples WHERE decision_id = 1 AND position = 2", "decision 1 was changed"},
        {"UPDATE rules SET error_rate_ppm = 1 WHERE decision_id = 1", "decision 1 was changed"},
        {"DROP TRIGGER records_stay; UPDATE records SET note = 'x' WHERE seq = 3", "record 3 was changed"},
        {"UPDATE runs SET serving = 'v9' WHERE id = 2", "run 2 was changed"},
        {"UPDATE plan_steps SET critical = 1 - critical WHERE run_id = 1 AND position = 2", "run 1 was changed"},
        {"UPDATE steps SET detail = '' WHERE run_id = 1 AND lane = 'forward' AND step = 4", "run 1 was changed"},
        {"UPDATE validations SET verdict = 'failed' WHERE run_id = 2", "validation 2 was changed"},
        {"UPDATE incidents SET title = 'nothing' WHERE id = 1", "incident 1 was changed"},
        {"UPDATE incident_notes SET text = 'x' WHERE incident_id = 2", "incident 2 was changed"},
        {"UPDATE audit SET who = 'bob' WHERE id = 1", "audit 1 was changed"},
        {"UPDATE audit SET uid = NULL WHERE id = 3", "audit 3 was changed"},
        /* removed: one in the middle, the newest */
        {"DELETE FROM samples WHERE decision_id = 1; DELETE FROM rules WHERE decision_id = 1;"
         " DELETE FROM decisions WHERE id = 1",
         "decision 1 was removed"},
        {"DELETE FROM records WHERE seq = 4", "record 4 was removed"},
        {"DELETE FROM audit WHERE id = 3", "audit 3 was removed"},
        {"DELETE FROM validations WHERE run_id = 1", "validation 1 was removed"},
        /* inserted */
        {"INSERT INTO records (run_id, at_wall, phase, cursor, note) VALUES (1, 1, 'succeeded', 8, 'ended')",
         "record 5 was inserted: it has no link"},
        {"INSERT INTO audit SELECT 9, at_wall, uid, who, whence, method, path, arguments, status, outcome FROM audit"
         " WHERE id = 1",
         "audit 9 was inserted: it has no link"},
        /* in another order */
        {"DROP TRIGGER records_stay; UPDATE records SET seq = -seq; UPDATE records SET seq = CASE seq WHEN -1 THEN 2"
         " WHEN -2 THEN 1 ELSE -seq END",
         "record 1 was changed"},
        /* the chain itself */
        {"UPDATE chain SET at_wall = at_wall + 1 WHERE seq = 3", "link 3 (of record 1) was changed"},
        {"UPDATE chain SET digest = x'00' WHERE seq = 2", "link 2 was changed"},
        {"UPDATE chain SET link = zeroblob(32) WHERE seq = 4", "link 4 (of record 2) was changed"},
        {"DELETE FROM chain WHERE seq = 4", "link 4 was removed (after 3 comes 5)"},
        {"DELETE FROM chain WHERE seq = 1", "link 1 was removed (after 0 comes 2)"},
        {"DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)", "audit 3 was inserted: it has no link"},
};

static void test_whatever_is_tampered_with_is_named(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(tampered); i++) {
                char name[32];
                snprintf(name, sizeof name, "tampered-%zu", i);
                make(name);
                execute(name, tampered[i].sql);
                JournalProof proof = verify(name, NULL);
                if (strcmp(proof.fault, tampered[i].fault) != 0)
                        fail_msg("%s: '%s', expected '%s'", tampered[i].sql, proof.fault, tampered[i].fault);
                assert_false(proof.whole);
        }
}

/* Records and links alike cut off at the end leave a chain that is whole: only what was noted elsewhere shows it. */
static void test_a_cut_end_shows_by_a_link_noted_elsewhere(UNUSED void **state) {
        make("cut");
        JournalProof before = verify("cut", NULL);
        execute("cut", "DELETE FROM audit WHERE id >= 3; DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)");
        assert_true(verify("cut", NULL).whole);
        JournalProof proof = verify("cut", before.newest);
        assert_false(proof.whole);
        assert_non_null(strstr(proof.fault, "isn't in the chain"));
}

static void test_what_a_trail_drops_for_its_length_is_not_missed(UNUSED void **state) {
        Journal *journal = open_journal("trail");
        add_audit(journal, 200);
        add_audit(journal, 200);
        journal_close(journal);
        execute("trail", "INSERT INTO audit SELECT id + 20000, at_wall, uid, who, whence, method, path, arguments, 403,"
                         " outcome FROM audit");
        journal = open_journal("trail");
        add_audit(journal, 200); /* drops the first two */
        journal_close(journal);
        JournalProof proof = verify("trail", NULL);
        assert_string_equal(proof.fault, "");
}

static void test_a_newer_programs_link_is_no_fault(UNUSED void **state) {
        make("newer");
        execute("newer", "UPDATE chain SET schema = 99 WHERE seq = 5");
        Journal *journal = NULL;
        JournalProof proof;
        Error error = {0};
        assert_int_equal(journal_open_reader(in("newer"), &journal, &error), 0);
        assert_int_equal(journal_verify(journal, NULL, &proof, &error), -EPROTO);
        assert_false(proof.whole);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_we_write_is_whole),
                cmocka_unit_test(test_an_empty_journal_has_no_chain_yet),
                cmocka_unit_test(test_what_was_there_before_is_not_in_it),
                cmocka_unit_test(test_runs_of_the_side_file_get_their_links),
                cmocka_unit_test(test_whatever_is_tampered_with_is_named),
                cmocka_unit_test(test_a_cut_end_shows_by_a_link_noted_elsewhere),
                cmocka_unit_test(test_what_a_trail_drops_for_its_length_is_not_missed),
                cmocka_unit_test(test_a_newer_programs_link_is_no_fault),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
