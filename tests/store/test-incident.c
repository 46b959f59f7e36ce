/* Incidents in the journal: one for a case, whoever opens it and however often; bounded; and kept as they were given. */
#include "store/journal.h"

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

static Incident full_incident(int number) {
        Incident incident;
        memset(&incident, 0, sizeof incident); /* padding too: bytes are compared */
        incident.cause = INCIDENT_EMERGENCY;
        incident.severity = SEVERITY_P0;
        incident.state = INCIDENT_ACKNOWLEDGED;
        incident.opened_wall = INT64_C(1795362036123456) + number;
        incident.acknowledged_wall = incident.opened_wall + 1;
        incident.deployment_id = 10 + number;
        incident.decision_id = 20 + number;
        incident.run_id = 30 + number;
        snprintf(incident.acknowledged_by, sizeof incident.acknowledged_by, "ann (uid 1000)");
        snprintf(incident.title, sizeof incident.title, "it's \"bad\" \xe2\x9c\x93");
        snprintf(incident.version, sizeof incident.version, "v3.0.0");
        snprintf(incident.target, sizeof incident.target, "v2.4.0");
        snprintf(incident.outcome, sizeof incident.outcome, "under way");
        snprintf(incident.told, sizeof incident.told, "P1");
        return incident;
}

static JournalNote note_of(const char *kind, int64_t run_id) {
        JournalNote note = {.at_wall = 5, .ref = run_id};
        snprintf(note.kind, sizeof note.kind, "%s", kind);
        snprintf(note.text, sizeof note.text, "%s of run %d", kind, (int)run_id);
        return note;
}

static int try_open(Journal *journal, const JournalCase *its_case, Incident *incident) {
        const JournalNote note = note_of("opened", its_case->run_id);
        Error error = {0};
        int r = journal_open_incident(journal, its_case, incident, &note, &error);
        if (r < 0)
                fail_msg("%s", error.message);
        return r;
}

static int count(void *userdata, UNUSED const Incident *incident) {
        ++*(unsigned *)userdata;
        return 0;
}

static unsigned count_all(Journal *journal, bool open) {
        unsigned number = 0;
        Error error = {0};
        assert_int_equal(journal_incidents(journal, 1000000, open, count, &number, &error), 0);
        return number;
}

static int count_notes(void *userdata, UNUSED const JournalNote *note) {
        ++*(unsigned *)userdata;
        return 0;
}

static void test_it_comes_back_as_it_was(UNUSED void **state) {
        Journal *journal = open_journal("whole");
        Incident incident = full_incident(0), found;
        const JournalCase its_case = {.run_id = 30, .decision_id = 20, .deployment_id = 10};
        Error error = {0};
        assert_int_equal(try_open(journal, &its_case, &incident), 0);
        journal_close(journal);
        journal = open_journal("whole");
        assert_int_equal(journal_incident(journal, incident.id, &found, &error), 1);
        assert_memory_equal(&found, &incident, sizeof found);
        assert_int_equal(journal_incident(journal, 99, &found, &error), 0);
        journal_close(journal);
}

static void test_one_for_a_case(UNUSED void **state) {
        Journal *journal = open_journal("case");
        const JournalCase first = {.run_id = 30, .decision_id = 20, .deployment_id = 10};
        Incident incident = full_incident(0);
        Error error = {0};
        assert_int_equal(try_open(journal, &first, &incident), 0);
        const JournalCase same[] = {{.run_id = 30},
                                    {.decision_id = 20},
                                    {.run_id = 31, .decision_id = 21, .deployment_id = 10},
                                    {.decision_id = 22, .deployment_id = 11, .deployment_run_id = 30}};
        for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
                Incident again = full_incident(1);
                assert_int_equal(try_open(journal, &same[i], &again), 1);
                assert_int_equal(again.id, incident.id);
                assert_int_equal(again.run_id, 30);
        }
        const JournalCase others[] = {{.run_id = 40, .decision_id = 41, .deployment_id = 42}, {.source = "cpu"}};
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                Incident other = full_incident(2 + (int)i);
                snprintf(other.source, sizeof other.source, "%s", others[i].source ? others[i].source : "");
                assert_int_equal(try_open(journal, &others[i], &other), 0);
                assert_int_equal(try_open(journal, &others[i], &other), 1);
        }
        assert_int_equal(count_all(journal, false), 3);
        /* a later run takes its place: the earlier one still finds it, by its note */
        const JournalNote note = note_of("run", 31);
        incident.run_id = 31;
        assert_int_equal(journal_change_incident(journal, &incident, &note, &error), 0);
        for (int64_t run = 30; run <= 31; run++) {
                const JournalCase its_case = {.run_id = run};
                Incident found;
                assert_int_equal(journal_find_incident(journal, &its_case, &found, &error), 1);
                assert_int_equal(found.id, incident.id);
        }
        journal_close(journal);
}

/* What is over opens anew, but never for the same run or decision. */
static void test_a_resolved_one_is_over(UNUSED void **state) {
        Journal *journal = open_journal("resolved");
        const JournalCase its_case = {.run_id = 30, .decision_id = 20, .deployment_id = 10},
                          later = {.run_id = 50, .decision_id = 51, .deployment_id = 10, .deployment_run_id = 30},
                          machine = {.source = "disk"};
        Incident incident = full_incident(0), other = full_incident(1);
        Error error = {0};
        assert_int_equal(try_open(journal, &its_case, &incident), 0);
        incident.state = INCIDENT_RESOLVED;
        assert_int_equal(journal_change_incident(journal, &incident, NULL, &error), 0);
        assert_int_equal(try_open(journal, &its_case, &other), 1);
        assert_int_equal(count_all(journal, true), 0);
        other = full_incident(20);
        assert_int_equal(try_open(journal, &later, &other), 0);
        Incident disk = full_incident(2);
        snprintf(disk.source, sizeof disk.source, "disk");
        assert_int_equal(try_open(journal, &machine, &disk), 0);
        disk.state = INCIDENT_RESOLVED;
        assert_int_equal(journal_change_incident(journal, &disk, NULL, &error), 0);
        assert_int_equal(try_open(journal, &machine, &disk), 0);
        journal_close(journal);
}

static void test_notes_and_parts(UNUSED void **state) {
        Journal *journal = open_journal("notes");
        const JournalCase its_case = {.run_id = 30};
        Incident incident = full_incident(0);
        Error error = {0};
        char *text = NULL, *big = calloc(1, JOURNAL_PART_MAX + 2);
        unsigned notes = 0;
        assert_int_equal(try_open(journal, &its_case, &incident), 0);
        for (unsigned i = 0; i < JOURNAL_NOTES_KEPT + 20; i++) {
                const JournalNote note = note_of("review", 0);
                assert_int_equal(journal_change_incident(journal, &incident, &note, &error), 0);
        }
        assert_int_equal(journal_notes(journal, incident.id, count_notes, &notes, &error), 0);
        assert_int_equal(notes, JOURNAL_NOTES_KEPT);
        assert_int_equal(journal_part(journal, incident.id, "log", &text, &error), 0);
        assert_int_equal(journal_set_part(journal, incident.id, "log", "{\"a\":1}", &error), 0);
        assert_int_equal(journal_set_part(journal, incident.id, "log", "{\"a\":2}", &error), 0);
        assert_int_equal(journal_part(journal, incident.id, "log", &text, &error), 1);
        assert_string_equal(text, "{\"a\":2}");
        free(text);
        memset(big, 'x', JOURNAL_PART_MAX + 1);
        assert_int_equal(journal_set_part(journal, incident.id, "log", big, &error), -EMSGSIZE);
        incident.id = 77;
        assert_int_equal(journal_change_incident(journal, &incident, NULL, &error), -ENOENT);
        free(big);
        journal_close(journal);
}

static void test_the_oldest_go(UNUSED void **state) {
        Journal *journal = open_journal("bounded");
        Incident incident;
        Error error = {0};
        char *text = NULL;
        unsigned notes = 0;
        for (int i = 0; i < JOURNAL_INCIDENTS_KEPT + 5; i++) {
                const JournalCase its_case = {.run_id = 1000 + i};
                incident = full_incident(970 + i);
                assert_int_equal(try_open(journal, &its_case, &incident), 0);
                if (i == 0)
                        assert_int_equal(journal_set_part(journal, incident.id, "log", "{}", &error), 0);
        }
        assert_int_equal(count_all(journal, false), JOURNAL_INCIDENTS_KEPT);
        assert_int_equal(journal_notes(journal, 1, count_notes, &notes, &error), 0);
        assert_int_equal(notes, 0);
        assert_int_equal(journal_part(journal, 1, "log", &text, &error), 0);
        journal_close(journal);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_comes_back_as_it_was), cmocka_unit_test(test_one_for_a_case),
                cmocka_unit_test(test_a_resolved_one_is_over),  cmocka_unit_test(test_notes_and_parts),
                cmocka_unit_test(test_the_oldest_go),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
