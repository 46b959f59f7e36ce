/* Incidents, their notes, and what was captured for them. All of it gives way before a run's reserve does. */
#include "store/journal-chain.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SQL_MAX 1536
#define NAMES_MAX 512

/* A reader may have an older program's journal before it, which knows none. */
static int has_incidents(Journal *journal, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'incident_parts'",
                                &statement, error);
        return r < 0 ? r : journal_step(journal, statement, "look for incidents", error);
}

/* ---- reading ---- */

static int select_incidents(Journal *journal, const char *rest, sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(incident_fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT id, %s FROM incidents %s", names, rest);
        return journal_prepare(journal, sql, ret_statement, error);
}

static int read_incident(Journal *journal, sqlite3_stmt *statement, Incident *ret_incident, Error *error) {
        Incident incident = {.id = sqlite3_column_int64(statement, 0)};
        int r = columns_read(journal, statement, 1, incident_fields, &incident, error);
        if (r == 0)
                *ret_incident = incident;
        return r;
}

static int read_one(Journal *journal, sqlite3_stmt *statement, Incident *ret_incident, Error *error) {
        int r = journal_step(journal, statement, "read an incident", error);
        if (r <= 0)
                return r;
        r = read_incident(journal, statement, ret_incident, error);
        return r < 0 ? r : 1;
}

int journal_incident(Journal *journal, int64_t id, Incident *ret_incident, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = has_incidents(journal, error);
        if (r <= 0)
                return r;
        r = select_incidents(journal, "WHERE id = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, id);
        return read_one(journal, statement, ret_incident, error);
}

int journal_incidents(Journal *journal, unsigned limit, bool open,
                      int (*visit)(void *userdata, const Incident *incident), void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = has_incidents(journal, error);
        if (r <= 0)
                return r;
        r = select_incidents(journal,
                             open ? "WHERE state <> 'resolved' ORDER BY id DESC LIMIT ?1" : "ORDER BY id DESC LIMIT ?1",
                             &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, limit);
        while ((r = journal_step(journal, statement, "read the incidents", error)) > 0) {
                Incident incident;
                r = read_incident(journal, statement, &incident, error);
                if (r == 0)
                        r = visit(userdata, &incident);
                if (r != 0)
                        return r;
        }
        return r;
}

int journal_notes(Journal *journal, int64_t incident_id, int (*visit)(void *userdata, const JournalNote *note),
                  void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = has_incidents(journal, error);
        if (r <= 0)
                return r;
        r = journal_prepare(
                journal,
                "SELECT id, at_wall, kind, ref, text FROM incident_notes WHERE incident_id = ?1 ORDER BY id LIMIT ?2",
                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, incident_id);
        sqlite3_bind_int64(statement, 2, JOURNAL_NOTES_KEPT);
        while ((r = journal_step(journal, statement, "read an incident's notes", error)) > 0) {
                JournalNote note = {.id = sqlite3_column_int64(statement, 0),
                                    .at_wall = sqlite3_column_int64(statement, 1),
                                    .ref = sqlite3_column_int64(statement, 3)};
                column_copy(statement, 2, note.kind, sizeof note.kind);
                column_copy(statement, 4, note.text, sizeof note.text);
                r = visit(userdata, &note);
                if (r != 0)
                        return r;
        }
        return r;
}

/* ---- which case it is ---- */

static int find_by_id(Journal *journal, const char *where, int64_t id, Incident *ret_incident, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        if (id <= 0)
                return 0;
        int r = select_incidents(journal, where, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, id);
        return read_one(journal, statement, ret_incident, error);
}

static int find_by_source(Journal *journal, const char *source, Incident *ret_incident, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = select_incidents(journal, "WHERE source = ?1 AND state <> 'resolved' ORDER BY id DESC LIMIT 1",
                                 &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_text(statement, 1, source, -1, SQLITE_STATIC);
        return read_one(journal, statement, ret_incident, error);
}

int journal_find_incident(Journal *journal, const JournalCase *its_case, Incident *ret_incident, Error *error) {
        int r = has_incidents(journal, error);
        if (r <= 0)
                return r;
        if (its_case->source && its_case->source[0] != '\0')
                return find_by_source(journal, its_case->source, ret_incident, error);
        /* a run stays found by its note when a later one of the same case has taken its place */
        r = find_by_id(journal,
                       "WHERE run_id = ?1 OR id = (SELECT incident_id FROM incident_notes WHERE ref = ?1"
                       " LIMIT 1) ORDER BY id DESC LIMIT 1",
                       its_case->run_id, ret_incident, error);
        if (r == 0)
                r = find_by_id(journal, "WHERE decision_id = ?1 ORDER BY id DESC LIMIT 1", its_case->decision_id,
                               ret_incident, error);
        if (r == 0)
                r = find_by_id(
                        journal,
                        "WHERE deployment_id = ?1 AND state <> 'resolved' AND source = '' ORDER BY id DESC LIMIT 1",
                        its_case->deployment_id, ret_incident, error);
        if (r == 0)
                r = find_by_id(journal,
                               "WHERE run_id = ?1 AND state <> 'resolved' AND source = '' ORDER BY id DESC LIMIT 1",
                               its_case->deployment_run_id, ret_incident, error);
        return r;
}

/* ---- writing ---- */

static int insert_incident(Journal *journal, const Incident *incident, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], marks[NAMES_MAX], sql[SQL_MAX];
        columns_names(incident_fields, "", names, sizeof names);
        columns_marks(incident_fields, 1, marks, sizeof marks);
        snprintf(sql, sizeof sql, "INSERT INTO incidents (%s) VALUES (%s)", names, marks);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        columns_bind(statement, 1, incident_fields, incident);
        return journal_finish(journal, statement, "open an incident", error);
}

static int update_incident(Journal *journal, const Incident *incident, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], marks[NAMES_MAX], sql[SQL_MAX];
        columns_names(incident_fields, "", names, sizeof names);
        columns_marks(incident_fields, 2, marks, sizeof marks);
        snprintf(sql, sizeof sql, "UPDATE incidents SET (%s) = (%s) WHERE id = ?1", names, marks);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, incident->id);
        columns_bind(statement, 2, incident_fields, incident);
        r = journal_finish(journal, statement, "change an incident", error);
        if (r == 0 && sqlite3_changes(journal->db) == 0)
                return error_set(error, -ENOENT, "journal %s: there is no incident %" PRId64, journal->path,
                                 incident->id);
        return r;
}

/* What comes and goes for days fills it up: then the first notes stay, which tell how it began. */
static int insert_note(Journal *journal, int64_t incident_id, const JournalNote *note, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "INSERT INTO incident_notes (incident_id, at_wall, kind, ref, text)"
                                " SELECT ?1, ?2, ?3, ?4, ?5 WHERE"
                                " (SELECT count(*) FROM incident_notes WHERE incident_id = ?1) < ?6",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, incident_id);
        sqlite3_bind_int64(statement, 2, note->at_wall);
        sqlite3_bind_text(statement, 3, note->kind, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, note->ref);
        sqlite3_bind_text(statement, 5, note->text, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, JOURNAL_NOTES_KEPT);
        return journal_finish(journal, statement, "keep an incident's note", error);
}

static int forget_oldest(Journal *journal, int64_t newest, Error *error) {
        static const char *const statements[] = {"DELETE FROM incident_notes WHERE incident_id <= ?1",
                                                 "DELETE FROM incident_parts WHERE incident_id <= ?1",
                                                 "DELETE FROM incidents WHERE id <= ?1"};
        if (newest <= JOURNAL_INCIDENTS_KEPT)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
                AUTO_STATEMENT sqlite3_stmt *statement = NULL;
                int r = journal_prepare(journal, statements[i], &statement, error);
                if (r < 0)
                        return r;
                sqlite3_bind_int64(statement, 1, newest - JOURNAL_INCIDENTS_KEPT);
                r = journal_finish(journal, statement, "forget old incidents", error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_new(Journal *journal, Incident *incident, const JournalNote *note, int64_t *ret_id, Error *error) {
        int r = insert_incident(journal, incident, error);
        if (r < 0)
                return r;
        int64_t id = sqlite3_last_insert_rowid(journal->db);
        if (note)
                r = insert_note(journal, id, note, error);
        if (r == 0)
                r = journal_chain_add(journal, CHAIN_INCIDENT, id, clock_wall_us(), error);
        if (r == 0)
                r = forget_oldest(journal, id, error);
        *ret_id = id;
        return r;
}

static int begin(Journal *journal, Error *error) {
        int r = journal_keep_reserve(journal, error);
        return r < 0 ? r : journal_begin(journal, error);
}

static int end(Journal *journal, int r, const char *doing, Error *error) {
        r = journal_end(journal, r, doing, error);
        if (r >= 0)
                (void)journal_checkpoint_if_long(journal, NULL);
        return r;
}

int journal_open_incident(Journal *journal, const JournalCase *its_case, Incident *incident, const JournalNote *note,
                          Error *error) {
        Incident found;
        int64_t id = 0;
        int r = begin(journal, error);
        if (r < 0)
                return r;
        r = journal_find_incident(journal, its_case, &found, error);
        bool known = r == 1;
        if (r == 0)
                r = open_new(journal, incident, note, &id, error);
        r = end(journal, r, "open an incident", error);
        if (r < 0)
                return r;
        if (known)
                *incident = found;
        else
                incident->id = id;
        return known;
}

int journal_change_incident(Journal *journal, const Incident *incident, const JournalNote *note, Error *error) {
        int r = begin(journal, error);
        if (r < 0)
                return r;
        r = update_incident(journal, incident, error);
        if (r == 0 && note)
                r = insert_note(journal, incident->id, note, error);
        if (r == 0)
                r = journal_chain_add(journal, CHAIN_INCIDENT, incident->id, clock_wall_us(), error);
        return end(journal, r, "change an incident", error);
}

/* ---- what was captured ---- */

int journal_set_part(Journal *journal, int64_t incident_id, const char *kind, const char *json, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        if (strlen(json) > JOURNAL_PART_MAX)
                return error_set(error, -EMSGSIZE, "journal %s: the %s of incident %" PRId64 " is longer than %d bytes",
                                 journal->path, kind, incident_id, JOURNAL_PART_MAX);
        int r = journal_keep_reserve(journal, error);
        if (r == 0)
                r = journal_prepare(
                        journal, "INSERT OR REPLACE INTO incident_parts (incident_id, kind, json) VALUES (?1, ?2, ?3)",
                        &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, incident_id);
        sqlite3_bind_text(statement, 2, kind, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, json, -1, SQLITE_STATIC);
        r = journal_finish(journal, statement, "keep what was captured for an incident", error);
        if (r == 0)
                (void)journal_checkpoint_if_long(journal, NULL);
        return r;
}

int journal_part(Journal *journal, int64_t incident_id, const char *kind, char **ret_json, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = has_incidents(journal, error);
        if (r <= 0)
                return r;
        r = journal_prepare(journal, "SELECT json FROM incident_parts WHERE incident_id = ?1 AND kind = ?2", &statement,
                            error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, incident_id);
        sqlite3_bind_text(statement, 2, kind, -1, SQLITE_STATIC);
        r = journal_step(journal, statement, "read what was captured for an incident", error);
        if (r <= 0)
                return r;
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        char *copy = strdup(text ? text : "");
        if (!copy)
                return error_set(error, -ENOMEM, "out of memory");
        *ret_json = copy;
        return 1;
}
