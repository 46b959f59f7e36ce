/* Decisions with all of their evidence, and the validation of a run. */
#include "store/journal-chain.h"
#include "store/shape-evidence.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SQL_MAX 2048
#define NAMES_MAX 512

static int insert(Journal *journal, const char *table, const char *keys, const int64_t *key_values, int key_count,
                  const Field *fields, const void *object, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], marks[NAMES_MAX], key_marks[16] = "?1", sql[SQL_MAX];
        if (key_count == 2)
                snprintf(key_marks, sizeof key_marks, "?1, ?2");
        columns_names(fields, "", names, sizeof names);
        columns_marks(fields, key_count + 1, marks, sizeof marks);
        snprintf(sql, sizeof sql, "INSERT INTO %s (%s, %s) VALUES (%s, %s)", table, keys, names, key_marks, marks);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        for (int i = 0; i < key_count; i++)
                if (key_values[i] >= 0)
                        sqlite3_bind_int64(statement, i + 1, key_values[i]);
        columns_bind(statement, key_count + 1, fields, object);
        return journal_finish(journal, statement, "keep the decision", error);
}

static int keep_evidence(Journal *journal, int64_t id, const Evidence *evidence, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        AUTO_FREE char *text = evidence_to_text(evidence);
        if (!text)
                return error_set(error, -ENOMEM, "out of memory");
        int r = journal_prepare(journal, "UPDATE decisions SET evidence = ?2 WHERE id = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
        return journal_finish(journal, statement, "keep the evidence", error);
}

static int keep_decision(Journal *journal, const Decision *decision, const Evidence *evidence, int64_t *ret_id,
                         Error *error) {
        int r = insert(journal, "decisions", "id", (int64_t[]){-1}, 1, decision_fields, decision, error);
        if (r < 0)
                return r;
        int64_t id = sqlite3_last_insert_rowid(journal->db);
        for (unsigned i = 0; r == 0 && i < decision->sample_count; i++)
                r = insert(journal, "samples", "decision_id, position", (int64_t[]){id, i}, 2, sample_fields,
                           &decision->samples[i], error);
        if (r == 0)
                r = insert(journal, "rules", "decision_id", (int64_t[]){id}, 1, rules_fields, &decision->rules, error);
        if (r == 0 && evidence)
                r = keep_evidence(journal, id, evidence, error);
        if (r == 0)
                r = journal_chain_add(journal, CHAIN_DECISION, id, decision->at_wall, error);
        *ret_id = id;
        return r;
}

int journal_add_decision(Journal *journal, Decision *decision, const Evidence *evidence, Error *error) {
        int64_t id = 0;
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = keep_decision(journal, decision, evidence, &id, error);
        r = journal_end(journal, r, "keep the decision", error);
        if (r == 0)
                decision->id = id;
        return r;
}

/* ---- reading ---- */

static int select_of(Journal *journal, const Field *fields, const char *rest, int64_t argument,
                     sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT %s%s %s", fields == decision_fields ? "id, " : "", names, rest);
        int r = journal_prepare(journal, sql, ret_statement, error);
        if (r == 0)
                sqlite3_bind_int64(*ret_statement, 1, argument);
        return r;
}

static int read_samples(Journal *journal, Decision *decision, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = select_of(journal, sample_fields, "FROM samples WHERE decision_id = ?1 ORDER BY position", decision->id,
                          &statement, error);
        if (r < 0)
                return r;
        decision->sample_count = 0;
        while ((r = journal_step(journal, statement, "read the samples", error)) > 0) {
                if (decision->sample_count == WINDOW_SAMPLES_MAX)
                        return error_set(error, -EBADMSG, "journal %s: decision %" PRId64 " has too many samples",
                                         journal->path, decision->id);
                r = columns_read(journal, statement, 0, sample_fields, &decision->samples[decision->sample_count++],
                                 error);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_rules(Journal *journal, Decision *decision, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = select_of(journal, rules_fields, "FROM rules WHERE decision_id = ?1", decision->id, &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "read the rules", error);
        if (r == 0)
                return error_set(error, -EBADMSG, "journal %s: decision %" PRId64 " has no rules", journal->path,
                                 decision->id);
        return r < 0 ? r : columns_read(journal, statement, 0, rules_fields, &decision->rules, error);
}

static int read_decision(Journal *journal, sqlite3_stmt *statement, Decision *decision, Error *error) {
        memset(decision, 0, sizeof *decision);
        decision->id = sqlite3_column_int64(statement, 0);
        int r = columns_read(journal, statement, 1, decision_fields, decision, error);
        if (r == 0)
                r = read_samples(journal, decision, error);
        return r < 0 ? r : read_rules(journal, decision, error);
}

int journal_decision(Journal *journal, int64_t id, Decision *ret_decision, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = select_of(journal, decision_fields, "FROM decisions WHERE id = ?1", id, &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "read a decision", error);
        if (r <= 0)
                return r;
        r = read_decision(journal, statement, ret_decision, error);
        return r < 0 ? r : 1;
}

int journal_decisions(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Decision *decision),
                      void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        AUTO_FREE Decision *decision = malloc(sizeof *decision);
        if (!decision)
                return error_set(error, -ENOMEM, "out of memory");
        int r = select_of(journal, decision_fields, "FROM decisions ORDER BY id DESC LIMIT ?1", limit, &statement,
                          error);
        if (r < 0)
                return r;
        while ((r = journal_step(journal, statement, "read the decisions", error)) > 0) {
                r = read_decision(journal, statement, decision, error);
                if (r == 0)
                        r = visit(userdata, decision);
                if (r != 0)
                        return r;
        }
        return r;
}

int journal_evidence(Journal *journal, int64_t decision_id, Evidence *ret_evidence, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT evidence FROM decisions WHERE id = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, decision_id);
        r = journal_step(journal, statement, "read the evidence", error);
        const char *text = r > 0 ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (r < 0 || !text || text[0] == '\0')
                return r < 0 ? r : 0;
        r = evidence_from_text(text, ret_evidence, error);
        return r < 0 ? r : 1;
}

/* ---- validation ---- */

static int keep_validation(Journal *journal, int64_t run_id, const char *verdict, const char *json, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "INSERT OR REPLACE INTO validations (run_id, verdict, json) VALUES (?1, ?2, ?3)",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run_id);
        sqlite3_bind_text(statement, 2, verdict, -1, SQLITE_STATIC);
        if (json)
                sqlite3_bind_text(statement, 3, json, -1, SQLITE_STATIC);
        return journal_finish(journal, statement, "keep the validation", error);
}

int journal_set_validation(Journal *journal, int64_t run_id, const char *verdict, const char *json, Error *error) {
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = keep_validation(journal, run_id, verdict, json, error);
        if (r == 0)
                r = journal_chain_add(journal, CHAIN_VALIDATION, run_id, clock_wall_us(), error);
        return journal_end(journal, r, "keep the validation", error);
}

int journal_validation(Journal *journal, int64_t run_id, char *ret_verdict, size_t size, char **ret_json,
                       Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT verdict, json FROM validations WHERE run_id = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run_id);
        r = journal_step(journal, statement, "read the validation", error);
        if (r <= 0)
                return r;
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        if (ret_json) {
                *ret_json = text ? strdup(text) : NULL;
                if (text && !*ret_json)
                        return error_set(error, -ENOMEM, "out of memory");
        }
        column_copy(statement, 0, ret_verdict, size);
        return 1;
}
