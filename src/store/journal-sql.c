/* The journal's way of speaking to SQLite: errors, statements, transactions, columns. */
#include "store/journal-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct {
        int sqlite, code;
} codes[] = {
        {SQLITE_FULL, -ENOSPC},      {SQLITE_BUSY, -EBUSY},        {SQLITE_LOCKED, -EBUSY},
        {SQLITE_CORRUPT, -EBADMSG},  {SQLITE_NOTADB, -EBADMSG},    {SQLITE_READONLY, -EROFS},
        {SQLITE_PERM, -EACCES},      {SQLITE_AUTH, -EACCES},       {SQLITE_NOMEM, -ENOMEM},
        {SQLITE_MISMATCH, -EBADMSG}, {SQLITE_CONSTRAINT, -EINVAL}, {SQLITE_TOOBIG, -E2BIG},
};

int store_errno_of(sqlite3 *db) {
        int result = sqlite3_extended_errcode(db), system = sqlite3_system_errno(db);
        if (result == SQLITE_IOERR_SHMSIZE || ((result & 0xff) == SQLITE_IOERR && system == ENOSPC))
                return -ENOSPC;
        if ((result & 0xff) == SQLITE_CANTOPEN && system > 0)
                return -system;
        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (codes[i].sqlite == (result & 0xff))
                        return codes[i].code;
        return -EIO;
}

int journal_fail(Journal *journal, const char *doing, Error *error) {
        int code = store_errno_of(journal->db);
        if (code == -EBADMSG)
                return error_set(
                        error, code,
                        "journal %s is damaged or isn't a journal (%s). Nothing was deleted. Move it and its -wal and -shm "
                        "files aside and start again with a new one; `sqlite3 FILE .recover` may save its history",
                        journal->path, sqlite3_errmsg(journal->db));
        if (code == -EBUSY)
                return error_set(error, code,
                                 "journal %s: can't %s: another process has been writing to it for a second; try again",
                                 journal->path, doing);
        if (code == -ENOSPC)
                return error_set(error, code, "journal %s: can't %s: the disk is full; free some space", journal->path,
                                 doing);
        return error_set(error, code, "journal %s: can't %s: %s (%s)", journal->path, doing,
                         sqlite3_errmsg(journal->db), strerror(-code));
}

int journal_execute(Journal *journal, const char *sql, const char *doing, Error *error) {
        return sqlite3_exec(journal->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : journal_fail(journal, doing, error);
}

int journal_prepare(Journal *journal, const char *sql, sqlite3_stmt **ret_statement, Error *error) {
        return sqlite3_prepare_v2(journal->db, sql, -1, ret_statement, NULL) == SQLITE_OK
                       ? 0
                       : journal_fail(journal, "prepare a statement", error);
}

int journal_step(Journal *journal, sqlite3_stmt *statement, const char *doing, Error *error) {
        int result = sqlite3_step(statement);
        if (result == SQLITE_ROW)
                return 1;
        return result == SQLITE_DONE ? 0 : journal_fail(journal, doing, error);
}

int journal_finish(Journal *journal, sqlite3_stmt *statement, const char *doing, Error *error) {
        int r = journal_step(journal, statement, doing, error);
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return r < 0 ? r : 0;
}

int journal_begin(Journal *journal, Error *error) {
        /* IMMEDIATE: waits for another writer here, where nothing has to be repeated */
        return journal_execute(journal, "BEGIN IMMEDIATE", "begin to write", error);
}

int journal_end(Journal *journal, int r, const char *doing, Error *error) {
        if (r >= 0) {
                int committed = journal_execute(journal, "COMMIT", doing, error);
                if (committed == 0)
                        return r;
                r = committed;
        }
        if (!sqlite3_get_autocommit(journal->db))
                sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

static size_t add(char *buffer, size_t size, size_t used, const char *text) {
        int length = snprintf(buffer + used, size - used, "%s", text);
        return used + (size_t)length < size ? used + (size_t)length : size - 1;
}

void columns_names(const Field *fields, const char *prefix, char *buffer, size_t size) {
        size_t used = add(buffer, size, 0, "");
        for (const Field *field = fields; field->name; field++) {
                used = add(buffer, size, used, field == fields ? "" : ", ");
                used = add(buffer, size, used, prefix);
                used = add(buffer, size, used, field->name);
        }
}

void columns_marks(const Field *fields, int first, char *buffer, size_t size) {
        size_t used = add(buffer, size, 0, "");
        for (const Field *field = fields; field->name; field++) {
                char mark[16];
                snprintf(mark, sizeof mark, "%s?%d", field == fields ? "" : ", ", first + (int)(field - fields));
                used = add(buffer, size, used, mark);
        }
}

void columns_bind(sqlite3_stmt *statement, int first, const Field *fields, const void *object) {
        for (int i = 0; fields[i].name; i++)
                if (field_is_text(&fields[i]))
                        sqlite3_bind_text(statement, first + i, field_get_text(&fields[i], object), -1,
                                          SQLITE_TRANSIENT);
                else
                        sqlite3_bind_int64(statement, first + i, field_get_number(&fields[i], object));
}

int store_read_columns(const char *what, const char *path, sqlite3_stmt *statement, int first, const Field *fields,
                       void *object, Error *error) {
        for (int i = 0; fields[i].name; i++) {
                const char *text = (const char *)sqlite3_column_text(statement, first + i);
                int r = !text ? -EBADMSG
                        : field_is_text(&fields[i])
                                ? field_set_text(&fields[i], object, text)
                                : field_set_number(&fields[i], object, sqlite3_column_int64(statement, first + i));
                if (r < 0)
                        return error_set(error, r, "%s %s: column %s holds '%.40s', which this program doesn't know",
                                         what, path, fields[i].name, text ? text : "nothing");
        }
        return 0;
}

int columns_read(Journal *journal, sqlite3_stmt *statement, int first, const Field *fields, void *object,
                 Error *error) {
        return store_read_columns("journal", journal->path, statement, first, fields, object, error);
}

void column_copy(sqlite3_stmt *statement, int column, char *buffer, size_t size) {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        snprintf(buffer, size, "%s", text ? text : "");
}
