#include "store/history-internal.h"

#include "store/journal-internal.h"

#include "base/fsio.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define APPLICATION_ID 0x4e565248 /* "NVRH" */
#define SCHEMA_VERSION 1
#define BUSY_MS                                                                                                        \
        100 /* the event loop waits for it: a reader never holds a writer up, another writer would be a mistake */
#define WAL_LIMIT_BYTES (1024 * 1024)
#define SQL_MAX 4096
#define NAMES_MAX 512

#define FIELD(type, kind, member)                                                                                      \
        { #member, kind, offsetof(type, member), sizeof(((type *)0)->member), NULL, 0 }
#define ENUMERATION(type, member, highest)                                                                             \
        { #member, FIELD_NUMBER, offsetof(type, member), sizeof(((type *)0)->member), NULL, highest }

#define END                                                                                                            \
        { NULL, FIELD_INT64, 0, 0, NULL, 0 }

const Field history_sample_fields[] = {
        FIELD(HistorySample, FIELD_TEXT, version),
        FIELD(HistorySample, FIELD_INT64, deployment_id),
        FIELD(HistorySample, FIELD_BOOL, during_run),
        END,
};
const Field history_mark_fields[] = {
        ENUMERATION(HistoryMark, kind, HISTORY_DECISION),
        FIELD(HistoryMark, FIELD_INT64, at_wall),
        FIELD(HistoryMark, FIELD_INT64, ended_wall),
        FIELD(HistoryMark, FIELD_INT64, ref),
        FIELD(HistoryMark, FIELD_TEXT, version),
        FIELD(HistoryMark, FIELD_TEXT, previous),
        FIELD(HistoryMark, FIELD_TEXT, target),
        FIELD(HistoryMark, FIELD_BOOL, target_sure),
        FIELD(HistoryMark, FIELD_BOOL, is_rollback),
        FIELD(HistoryMark, FIELD_NUMBER, triggers),
        ENUMERATION(HistoryMark, decision, DECISION_REVIEW),
        ENUMERATION(HistoryMark, guard, GUARD_SHADOW),
        END,
};

/* Times: microseconds since the epoch (`*_wall`) or since boot (`*_mono`). */
static const char schema[] =
        "CREATE TABLE samples (id INTEGER PRIMARY KEY, start_mono INTEGER NOT NULL, end_mono INTEGER NOT NULL,"
        " end_wall INTEGER NOT NULL, measured INTEGER NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,"
        " successes INTEGER NOT NULL, latency_p50_us INTEGER NOT NULL, latency_p99_us INTEGER NOT NULL,"
        " dropped INTEGER NOT NULL, note TEXT NOT NULL, version TEXT NOT NULL, deployment_id INTEGER NOT NULL,"
        " during_run INTEGER NOT NULL);"
        "CREATE INDEX samples_by_time ON samples (end_wall);"
        "CREATE TABLE marks (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_wall INTEGER NOT NULL,"
        " ended_wall INTEGER NOT NULL, ref INTEGER NOT NULL, version TEXT NOT NULL, previous TEXT NOT NULL,"
        " target TEXT NOT NULL, target_sure INTEGER NOT NULL, is_rollback INTEGER NOT NULL, triggers INTEGER NOT NULL,"
        " decision INTEGER NOT NULL, guard INTEGER NOT NULL);"
        "CREATE INDEX marks_by_kind ON marks (kind);";

/* ---- SQLite ---- */

int history_fail(History *history, const char *doing, Error *error) {
        int code = store_errno_of(history->db);
        if (code == -ENOSPC)
                return error_set(error, code, "history %s: can't %s: the disk is full", history->path, doing);
        return error_set(error, code, "history %s: can't %s: %s", history->path, doing, sqlite3_errmsg(history->db));
}

int history_execute(History *history, const char *sql, const char *doing, Error *error) {
        return sqlite3_exec(history->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : history_fail(history, doing, error);
}

int history_prepare(History *history, const char *sql, sqlite3_stmt **ret_statement, Error *error) {
        return sqlite3_prepare_v2(history->db, sql, -1, ret_statement, NULL) == SQLITE_OK
                       ? 0
                       : history_fail(history, "prepare a statement", error);
}

int history_number(History *history, const char *sql, int64_t *ret_number, Error *error) {
        AUTO_HISTORY_STATEMENT sqlite3_stmt *statement = NULL;
        int r = history_prepare(history, sql, &statement, error);
        if (r < 0)
                return r;
        int result = sqlite3_step(statement);
        if (result != SQLITE_ROW && result != SQLITE_DONE)
                return history_fail(history, "read it", error);
        *ret_number = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        return 0;
}

/* ---- opening ---- */

static History *history_new(const char *path) {
        History *history = calloc(1, sizeof *history);
        if (history)
                history->path = strdup(path);
        return history && history->path ? history : history_close(history);
}

History *history_close(History *history) {
        if (!history)
                return NULL;
        sqlite3_finalize(history->add_sample);
        sqlite3_finalize(history->add_mark);
        sqlite3_close(history->db);
        free(history->path);
        free(history);
        return NULL;
}

static void cleanup_history(History **history) {
        history_close(*history);
}

static int connect_database(History *history, int flags, Error *error) {
        if (sqlite3_open_v2(history->path, &history->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
                return history->db ? history_fail(history, "open it", error)
                                   : error_set(error, -ENOMEM, "out of memory");
        sqlite3_extended_result_codes(history->db, 1);
        sqlite3_busy_timeout(history->db, BUSY_MS);
        return history_execute(history,
                               "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON",
                               "open it", error);
}

/* 1: one of ours; 0: empty. */
static int check_header(History *history, Error *error) {
        int64_t application, version;
        int r = history_number(history, "PRAGMA application_id", &application, error);
        if (r == 0)
                r = history_number(history, "PRAGMA user_version", &version, error);
        if (r < 0)
                return r;
        if (application == 0 && version == 0)
                return 0;
        if (application != APPLICATION_ID || version != SCHEMA_VERSION)
                return error_set(error, -EBADMSG, "history %s is another kind of database, or of another program",
                                 history->path);
        return 1;
}

static int make_schema(History *history, Error *error) {
        char sql[sizeof schema + 128];
        snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 schema, APPLICATION_ID, SCHEMA_VERSION);
        return history_execute(history, sql, "make its tables", error);
}

/* A table's columns are the sample's and ours, each once, whatever their order in the structs. */
static int prepare_insert(History *history, const char *table, const Field *first, const Field *second,
                          sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], marks[NAMES_MAX], more_names[NAMES_MAX] = "", more_marks[NAMES_MAX] = "", sql[SQL_MAX];
        int count = (int)field_count(first);
        columns_names(first, "", names, sizeof names);
        columns_marks(first, 2, marks, sizeof marks);
        if (second) {
                columns_names(second, "", more_names, sizeof more_names);
                columns_marks(second, 2 + count, more_marks, sizeof more_marks);
        }
        const char *comma = second ? ", " : "";
        snprintf(sql, sizeof sql, "INSERT INTO %s (id, %s%s%s) VALUES (?1, %s%s%s)", table, names, comma, more_names,
                 marks, comma, more_marks);
        return history_prepare(history, sql, ret_statement, error);
}

static int open_writer(History *history, Error *error) {
        char pragmas[128];
        int r = connect_database(history, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
        snprintf(pragmas, sizeof pragmas,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=%d", WAL_LIMIT_BYTES);
        if (r == 0)
                r = history_execute(history, pragmas, "open it", error);
        if (r == 0)
                r = check_header(history, error);
        if (r == 0)
                r = make_schema(history, error);
        if (r >= 0)
                r = history_number(history,
                                   "SELECT max(coalesce((SELECT max(id) FROM samples), 0),"
                                   " coalesce((SELECT max(id) FROM marks), 0)) + 1",
                                   &history->next_id, error);
        if (r >= 0)
                r = prepare_insert(history, "samples", sample_fields, history_sample_fields, &history->add_sample,
                                   error);
        if (r >= 0)
                r = prepare_insert(history, "marks", history_mark_fields, NULL, &history->add_mark, error);
        return r;
}

static int open_once(const char *path, const HistoryLimits *limits, History **ret_history, Error *error) {
        CLEANUP(cleanup_history) History *history = history_new(path);
        if (!history)
                return error_set(error, -ENOMEM, "out of memory");
        history->limits = *limits;
        int r = open_writer(history, error);
        if (r < 0)
                return r;
        *ret_history = TAKE_PTR(history);
        return 0;
}

/* Its log and index belong to it: beside a new file they would be taken for that one's. */
int history_set_aside(const char *path, Error *error) {
        static const char *const suffixes[] = {"-wal", "-shm"};
        char aside[PATH_MAX], beside[PATH_MAX];
        if ((size_t)snprintf(aside, sizeof aside, "%s.damaged", path) >= sizeof aside)
                return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                snprintf(beside, sizeof beside, "%.*s%s", (int)(sizeof beside - 8), path, suffixes[i]);
                (void)unlink(beside);
        }
        return fs_rename_durable(path, aside, error);
}

int history_open(const char *path, const HistoryLimits *limits, History **ret_history, bool *ret_damaged,
                 Error *error) {
        *ret_damaged = false;
        int r = open_once(path, limits, ret_history, error);
        if (r != -EBADMSG)
                return r;
        r = history_set_aside(path, error);
        if (r < 0)
                return r;
        *ret_damaged = true;
        return open_once(path, limits, ret_history, error);
}

int history_open_reader(const char *path, History **ret_history, Error *error) {
        CLEANUP(cleanup_history) History *history = history_new(path);
        if (!history)
                return error_set(error, -ENOMEM, "out of memory");
        if (access(path, F_OK) < 0)
                return error_set(error, -errno, "history %s: %s", path, strerror(errno));
        int r = connect_database(history, SQLITE_OPEN_READONLY, error);
        if (r == 0)
                r = check_header(history, error);
        if (r == 0)
                return error_set(error, -ENOENT, "history %s is still empty", path);
        if (r < 0)
                return r;
        *ret_history = TAKE_PTR(history);
        return 0;
}

/* ---- writing ---- */

static int finish(History *history, sqlite3_stmt *statement, const char *doing, Error *error) {
        int result = sqlite3_step(statement);
        int r = result == SQLITE_DONE ? 0 : history_fail(history, doing, error);
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        if (r == 0)
                history->next_id++;
        return r;
}

int history_add(History *history, HistorySample *sample, Error *error) {
        sqlite3_stmt *statement = history->add_sample;
        sqlite3_bind_int64(statement, 1, history->next_id);
        columns_bind(statement, 2, sample_fields, &sample->sample);
        columns_bind(statement, 2 + (int)field_count(sample_fields), history_sample_fields, sample);
        sample->id = history->next_id;
        int r = finish(history, statement, "keep a sample", error);
        return r < 0 ? r : history_prune(history, sample->sample.end_wall, error);
}

int history_mark(History *history, HistoryMark *mark, Error *error) {
        sqlite3_bind_int64(history->add_mark, 1, history->next_id);
        columns_bind(history->add_mark, 2, history_mark_fields, mark);
        mark->id = history->next_id;
        return finish(history, history->add_mark, "keep a mark", error);
}

int history_newest_ref(History *history, HistoryMarkKind kind, int64_t *ret_ref, Error *error) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT ref FROM marks WHERE kind = %d ORDER BY id DESC LIMIT 1", (int)kind);
        return history_number(history, sql, ret_ref, error);
}
