#include "store/journal-internal.h"
#include "store/journal-tables.h"

#include "base/fsio.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define APPLICATION_ID 0x4e565242 /* "NVRB" */
#define BUSY_MS 1000

/* What brings a journal of schema N to N + 1 is at N - 1. */
static const char *const migrations[] = {
        "ALTER TABLE runs ADD COLUMN symptoms_before INTEGER NOT NULL DEFAULT 0;",
        AUDIT_TABLE,
        INCIDENT_TABLES OUTBOX_TABLE CHAIN_TABLE RUN_COLUMNS_4 DECISION_COLUMNS_4,
};
#define SCHEMA_NEEDED 4 /* runs and decisions are written with its columns */

/* Words, not numbers, for what people look at with the sqlite3 shell. Times: microseconds since the epoch (`*_wall`) or since boot
 * (`*_mono`). */
static const char schema[] =
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, mode TEXT NOT NULL,"
        " from_version TEXT NOT NULL, to_version TEXT NOT NULL, step_count INTEGER NOT NULL, reason TEXT NOT NULL,"
        " initiator TEXT NOT NULL, decision_id INTEGER NOT NULL, phase TEXT NOT NULL, outcome TEXT NOT NULL,"
        " cursor INTEGER NOT NULL, token INTEGER NOT NULL, outstanding INTEGER NOT NULL, settle_tries INTEGER NOT NULL,"
        " cancel_requested INTEGER NOT NULL, created_wall INTEGER NOT NULL, ended_wall INTEGER NOT NULL, failure TEXT NOT NULL,"
        " serving TEXT NOT NULL, in_flight_cut INTEGER NOT NULL, requests_failed INTEGER NOT NULL,"
        " symptoms_before INTEGER NOT NULL DEFAULT 0);"
        "CREATE TABLE plan_steps (run_id INTEGER NOT NULL REFERENCES runs, position INTEGER NOT NULL, step INTEGER NOT NULL,"
        " budget_us INTEGER NOT NULL, critical INTEGER NOT NULL, PRIMARY KEY (run_id, position)) WITHOUT ROWID;"
        "CREATE TABLE steps (run_id INTEGER NOT NULL REFERENCES runs, lane TEXT NOT NULL CHECK (lane IN ('forward', 'recovery')),"
        " step INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL, started_wall INTEGER NOT NULL,"
        " ended_wall INTEGER NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (run_id, lane, step)) WITHOUT ROWID;"
        "CREATE TABLE records (seq INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs, at_wall INTEGER NOT NULL,"
        " phase TEXT NOT NULL, cursor INTEGER NOT NULL, note TEXT NOT NULL);"
        "CREATE INDEX records_of_run ON records (run_id);"
        "CREATE TRIGGER records_stay BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;"
        "CREATE TABLE validations (run_id INTEGER PRIMARY KEY REFERENCES runs, verdict TEXT NOT NULL, json TEXT);"
        "CREATE TABLE decisions (id INTEGER PRIMARY KEY, at_wall INTEGER NOT NULL, kind TEXT NOT NULL,"
        " triggers INTEGER NOT NULL, guard TEXT NOT NULL, version TEXT NOT NULL, target TEXT NOT NULL, expected INTEGER NOT NULL,"
        " needed INTEGER NOT NULL, degraded INTEGER NOT NULL, unknown INTEGER NOT NULL, reason TEXT NOT NULL);"
        "CREATE TABLE samples (decision_id INTEGER NOT NULL REFERENCES decisions, position INTEGER NOT NULL,"
        " start_mono INTEGER NOT NULL, end_mono INTEGER NOT NULL, end_wall INTEGER NOT NULL, measured INTEGER NOT NULL,"
        " requests INTEGER NOT NULL, errors INTEGER NOT NULL, successes INTEGER NOT NULL, latency_p50_us INTEGER NOT NULL,"
        " latency_p99_us INTEGER NOT NULL, dropped INTEGER NOT NULL, note TEXT NOT NULL,"
        " PRIMARY KEY (decision_id, position)) WITHOUT ROWID;"
        "CREATE TABLE rules (decision_id INTEGER PRIMARY KEY REFERENCES decisions, error_rate_ppm INTEGER NOT NULL,"
        " latency_p99_us INTEGER NOT NULL, success_rate_ppm INTEGER NOT NULL, window_us INTEGER NOT NULL,"
        " interval_us INTEGER NOT NULL, degraded_share_ppm INTEGER NOT NULL, min_requests INTEGER NOT NULL,"
        " outage_window_us INTEGER NOT NULL, restart_limit INTEGER NOT NULL, armed_for_us INTEGER NOT NULL,"
        " bake_for_us INTEGER NOT NULL, rollbacks_per_day INTEGER NOT NULL);"
        "CREATE TABLE releases (version TEXT PRIMARY KEY, state TEXT NOT NULL, since_wall INTEGER NOT NULL);"
        "CREATE TABLE deployments (id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, version TEXT NOT NULL,"
        " previous TEXT NOT NULL, at_wall INTEGER NOT NULL, symptoms_before INTEGER NOT NULL, rolled_back INTEGER NOT NULL);"
        "CREATE TABLE \"values\" (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE alerts (id INTEGER PRIMARY KEY, at_wall INTEGER NOT NULL, source TEXT NOT NULL, message TEXT NOT NULL);" AUDIT_TABLE
                INCIDENT_TABLES OUTBOX_TABLE CHAIN_TABLE RUN_COLUMNS_4 DECISION_COLUMNS_4
        /* filled and emptied by journal_prepare_space(): what it leaves is free pages */
        "CREATE TABLE reserve (filler BLOB);";

static int query_int64(Journal *journal, const char *sql, int64_t *ret, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, sql, &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "read its header", error);
        if (r < 0)
                return r;
        *ret = sqlite3_column_int64(statement, 0);
        return 0;
}

/* 1: a journal of a schema we know; 0: empty, to be made. */
static int check_header(Journal *journal, Error *error) {
        int64_t application, version, tables;
        int r = query_int64(journal, "PRAGMA application_id", &application, error);
        if (r == 0)
                r = query_int64(journal, "PRAGMA user_version", &version, error);
        if (r == 0)
                r = query_int64(journal, "SELECT count(*) FROM sqlite_schema", &tables, error);
        if (r < 0)
                return r;
        if (application == 0 && version == 0 && tables == 0)
                return 0;
        if (application != APPLICATION_ID)
                return error_set(error, -EBADMSG,
                                 "%s is a database, but not a journal; set another `paths.state`, or move it away",
                                 journal->path);
        if (version > JOURNAL_SCHEMA_VERSION)
                return error_set(error, -EPROTO,
                                 "journal %s was written by a newer program (schema %" PRId64
                                 ", this one knows %d); use that one, or "
                                 "move the journal away",
                                 journal->path, version, JOURNAL_SCHEMA_VERSION);
        return 1;
}

static int make_schema(Journal *journal, Error *error) {
        char pragmas[96];
        snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
                 JOURNAL_SCHEMA_VERSION);
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = check_header(journal, error); /* again: another process may have made it while we waited */
        bool is_new = r == 0;
        if (r == 0)
                r = journal_execute(journal, schema, "make its tables", error);
        if (r == 0)
                r = journal_execute(journal, pragmas, "make its tables", error);
        r = journal_end(journal, r, "make its tables", error);
        journal->is_new = is_new && r >= 0;
        return r < 0 ? r : fs_sync_directory_of(journal->path, error);
}

/* From *version to the next: 0; -EBADMSG: it has none. */
static int migrate_once(Journal *journal, int64_t *version, Error *error) {
        char pragma[48];
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = query_int64(journal, "PRAGMA user_version", version, error); /* again: another may have done it */
        if (r == 0 && *version < 1)
                r = error_set(error, -EBADMSG, "journal %s has no schema version", journal->path);
        if (r == 0 && *version < JOURNAL_SCHEMA_VERSION) {
                r = journal_execute(journal, migrations[*version - 1], "bring it up to date", error);
                snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", (int)*version + 1);
                if (r == 0)
                        r = journal_execute(journal, pragma, "bring it up to date", error);
        }
        r = journal_end(journal, r, "bring it up to date", error);
        if (r >= 0)
                (*version)++;
        return r;
}

/* In place, each step a transaction of its own: an older program's rows stay as they are, and on a full disk the small steps
 * come through. */
static int migrate(Journal *journal, Error *error) {
        int64_t version = 0;
        int r = query_int64(journal, "PRAGMA user_version", &version, error);
        while (r >= 0 && version < JOURNAL_SCHEMA_VERSION)
                r = migrate_once(journal, &version, error);
        return r == -ENOSPC && version >= SCHEMA_NEEDED ? 0 : r;
}

static int check_integrity(Journal *journal, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "PRAGMA quick_check(1)", &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "check it", error);
        if (r < 0)
                return r;
        const char *answer = (const char *)sqlite3_column_text(statement, 0);
        if (answer && strcmp(answer, "ok") == 0)
                return 0;
        return error_set(
                error, -EBADMSG,
                "journal %s is damaged (%.120s). Nothing was deleted. Move it and its -wal and -shm files aside and start "
                "again with a new one; `sqlite3 FILE .recover` may save its history",
                journal->path, answer ? answer : "no answer");
}

static int on_commit(void *userdata, UNUSED sqlite3 *db, UNUSED const char *name, int frames) {
        Journal *journal = userdata;
        journal->wal_frames = frames;
        return SQLITE_OK;
}

/* Every connection says so: whoever closes last must leave the log and its space in place. */
static void keep_log_file(Journal *journal) {
        int keep = 1;
        sqlite3_file_control(journal->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
}

static int connect_database(Journal *journal, int flags, Error *error) {
        if (sqlite3_open_v2(journal->path, &journal->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
                return journal->db ? journal_fail(journal, "open it", error)
                                   : error_set(error, -ENOMEM, "out of memory");
        sqlite3_extended_result_codes(journal->db, 1);
        sqlite3_busy_timeout(journal->db, BUSY_MS);
        keep_log_file(journal);
        return journal_execute(journal,
                               "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON",
                               "open it", error);
}

static int connect_writer(Journal *journal, Error *error) {
        int r = connect_database(journal, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
        if (r < 0)
                return r;
        sqlite3_wal_hook(journal->db, on_commit,
                         journal); /* also ends SQLite's own checkpoints: ours know the reserve */
        r = journal_execute(journal, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
                            "open it", error);
        return r < 0 ? r : check_header(journal, error);
}

static int open_writer(Journal *journal, Error *error) {
        int r = connect_writer(journal, error);
        if (r == -ENOSPC && journal_release_spare(journal)) { /* the shared index needs its place back */
                sqlite3_close(journal->db);
                journal->db = NULL;
                r = connect_writer(journal, error);
        }
        if (r == 0)
                return make_schema(journal, error);
        if (r > 0)
                r = check_integrity(journal, error);
        if (r < 0)
                return r;
        return migrate(journal, error);
}

static Journal *journal_new(const char *path) {
        Journal *journal = calloc(1, sizeof *journal);
        if (journal)
                journal->path = strdup(path);
        return journal && journal->path ? journal : journal_close(journal);
}

static void cleanup_journal(Journal **journal) {
        journal_close(*journal);
}

static int look_at_log(const Journal *journal, struct stat *ret_log) {
        char log[PATH_MAX];
        int n = snprintf(log, sizeof log, "%s-wal", journal->path);
        if (n < 0 || (size_t)n >= sizeof log)
                return -ENAMETOOLONG;
        return stat(log, ret_log) < 0 ? -errno : 0;
}

/* SQLite knows which file it has open; of its log, which we have it keep and which it has opened by
 * now, it does not tell. */
static void note_log(Journal *journal) {
        struct stat log;
        if (look_at_log(journal, &log) < 0)
                return;
        journal->log_device = log.st_dev;
        journal->log_inode = log.st_ino;
}

int journal_open(const char *path, Journal **ret_journal, Error *error) {
        CLEANUP(cleanup_journal) Journal *journal = journal_new(path);
        Error space = {0};
        if (!journal)
                return error_set(error, -ENOMEM, "out of memory");
        int r = open_writer(journal, error);
        if (r < 0)
                return r;
        /* what is missing is a matter of readiness, not a reason to work without a journal */
        (void)journal_prepare_space(journal, &space);
        note_log(journal);
        *ret_journal = TAKE_PTR(journal);
        return 0;
}

/* Who only looks may have an older program's journal before it, and can't migrate that: missing columns are made up. */
#define OLD_DECISIONS "CREATE TEMP VIEW decisions AS SELECT *, 1 AS rule_version, '' AS evidence FROM main.decisions"
static int make_up_columns(Journal *journal, Error *error) {
        int64_t version;
        int r = query_int64(journal, "PRAGMA user_version", &version, error);
        if (r < 0 || version >= 4)
                return r;
        return journal_execute(
                journal,
                version < 2 ? "CREATE TEMP VIEW runs AS SELECT *, 0 AS symptoms_before,"
                              " 0 AS allow_row_loss FROM main.runs;" OLD_DECISIONS
                            : "CREATE TEMP VIEW runs AS SELECT *, 0 AS allow_row_loss FROM main.runs;" OLD_DECISIONS,
                "read an older one", error);
}

int journal_open_reader(const char *path, Journal **ret_journal, Error *error) {
        CLEANUP(cleanup_journal) Journal *journal = journal_new(path);
        if (!journal)
                return error_set(error, -ENOMEM, "out of memory");
        if (access(path, F_OK) < 0)
                return error_set(error, -errno, "journal %s: %s", path, strerror(errno));
        int r = connect_database(journal, SQLITE_OPEN_READONLY, error);
        if (r == 0)
                r = check_header(journal, error);
        if (r == 0)
                return error_set(error, -ENOENT, "journal %s is still empty", path);
        if (r > 0)
                r = make_up_columns(journal, error);
        if (r < 0)
                return r;
        *ret_journal = TAKE_PTR(journal);
        return 0;
}

bool journal_is_new(const Journal *journal) {
        return journal->is_new;
}

bool journal_is_in_place(const Journal *journal) {
        struct stat log;
        int moved = 0;
        if (sqlite3_file_control(journal->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
                return false;
        int r = look_at_log(journal, &log);
        if (r < 0)
                return r != -ENOENT;
        return journal->log_inode == 0 || (log.st_dev == journal->log_device && log.st_ino == journal->log_inode);
}

Journal *journal_close(Journal *journal) {
        if (!journal)
                return NULL;
        for (size_t i = 0; i < STATEMENT_COUNT; i++)
                sqlite3_finalize(journal->statements[i]);
        sqlite3_close(journal->db);
        free(journal->path);
        free(journal);
        return NULL;
}
