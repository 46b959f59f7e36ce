/* The outbox: messages that wait until their receiver has them. */
#include "store/journal-internal.h"

#include <errno.h>
#include <string.h>

#define DOING "keep what is to be told"

static void bind_text(sqlite3_stmt *statement, int at, const char *text) {
        sqlite3_bind_text(statement, at, text ? text : "", -1, SQLITE_STATIC);
}

static int insert(Journal *journal, const OutboxEntry *entry, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(
                journal,
                "INSERT OR IGNORE INTO outbox (receiver, driver, event, kind, severity, path, headers, body,"
                " state, made_wall, ended_wall, answer)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', ?9, 0, '')",
                &statement, error);
        if (r < 0)
                return r;
        const char *const texts[] = {entry->receiver, entry->driver, entry->event,   entry->kind,
                                     entry->severity, entry->path,   entry->headers, entry->body};
        for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
                bind_text(statement, i + 1, texts[i]);
        sqlite3_bind_int64(statement, 9, entry->made_wall);
        return journal_finish(journal, statement, DOING, error);
}

/* The oldest one gives way when too many wait; 1: it did. */
static int make_room(Journal *journal, const OutboxEntry *entry, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int64_t count = 0, oldest = 0;
        int r = journal_outbox_waiting(journal, entry->receiver, &count, &oldest, error);
        if (r < 0 || count <= OUTBOX_WAITING_MAX)
                return r;
        r = journal_prepare(journal,
                            "UPDATE outbox SET state = 'dropped', ended_wall = ?2, answer = 'too many wait' WHERE id ="
                            " (SELECT min(id) FROM outbox WHERE receiver = ?1 AND state = 'waiting')",
                            &statement, error);
        if (r < 0)
                return r;
        bind_text(statement, 1, entry->receiver);
        sqlite3_bind_int64(statement, 2, entry->made_wall);
        r = journal_finish(journal, statement, DOING, error);
        return r < 0 ? r : 1;
}

static int forget_oldest(Journal *journal, Error *error) {
        char sql[160];
        snprintf(sql, sizeof sql,
                 "DELETE FROM outbox WHERE state <> 'waiting' AND id <= (SELECT max(id) FROM outbox) - %d",
                 OUTBOX_KEPT);
        return journal_execute(journal, sql, DOING, error);
}

int journal_outbox_add(Journal *journal, const OutboxEntry *entries, unsigned count, unsigned *ret_dropped,
                       Error *error) {
        unsigned dropped = 0;
        int r = count > 0 ? journal_keep_reserve(journal, error) : 0;
        if (r < 0 || count == 0)
                return r;
        r = journal_begin(journal, error);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < count && r >= 0; i++) {
                r = insert(journal, &entries[i], error);
                if (r >= 0)
                        r = make_room(journal, &entries[i], error);
                dropped += r > 0;
        }
        if (r >= 0)
                r = forget_oldest(journal, error);
        r = journal_end(journal, r, DOING, error);
        if (r < 0)
                return r;
        (void)journal_checkpoint_if_long(journal, NULL);
        if (ret_dropped)
                *ret_dropped = dropped;
        return 0;
}

static char *column_text(sqlite3_stmt *statement, int column) {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return strdup(text ? text : "");
}

int journal_outbox_next(Journal *journal, const char *receiver, const char *severity, int64_t since_wall,
                        OutboxEntry *ret_entry, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "SELECT id, driver, event, kind, severity, path, headers, body, made_wall FROM outbox"
                                " WHERE receiver = ?1 AND state = 'waiting' AND (?2 IS NULL OR (severity = ?2 AND"
                                " made_wall >= ?3)) ORDER BY id LIMIT 1",
                                &statement, error);
        if (r < 0)
                return r;
        bind_text(statement, 1, receiver);
        if (severity)
                bind_text(statement, 2, severity);
        sqlite3_bind_int64(statement, 3, since_wall);
        r = journal_step(journal, statement, "read the outbox", error);
        if (r <= 0)
                return r;
        OutboxEntry entry = {.id = sqlite3_column_int64(statement, 0), .made_wall = sqlite3_column_int64(statement, 8)};
        snprintf(entry.receiver, sizeof entry.receiver, "%s", receiver);
        column_copy(statement, 1, entry.driver, sizeof entry.driver);
        column_copy(statement, 2, entry.event, sizeof entry.event);
        column_copy(statement, 3, entry.kind, sizeof entry.kind);
        column_copy(statement, 4, entry.severity, sizeof entry.severity);
        column_copy(statement, 5, entry.path, sizeof entry.path);
        entry.headers = column_text(statement, 6);
        entry.body = column_text(statement, 7);
        if (!entry.headers || !entry.body) {
                journal_outbox_clear(&entry);
                return error_set(error, -ENOMEM, "journal %s: out of memory", journal->path);
        }
        *ret_entry = entry;
        return 1;
}

void journal_outbox_clear(OutboxEntry *entry) {
        free((char *)entry->headers);
        free((char *)entry->body);
        entry->headers = entry->body = NULL;
}

int journal_outbox_end(Journal *journal, int64_t id, bool delivered, const char *answer, int64_t at_wall,
                       Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "UPDATE outbox SET state = ?2, ended_wall = ?3, answer = ?4 WHERE id = ?1 AND"
                                " state = 'waiting'",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, id);
        bind_text(statement, 2, delivered ? "delivered" : "dropped");
        sqlite3_bind_int64(statement, 3, at_wall);
        bind_text(statement, 4, answer);
        return journal_finish(journal, statement, "note what was told", error);
}

int journal_outbox_expire(Journal *journal, int64_t before_wall, int64_t at_wall, int64_t *ret_count, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "UPDATE outbox SET state = 'dropped', ended_wall = ?2, answer = 'it waited too long'"
                                " WHERE state = 'waiting' AND made_wall < ?1",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, before_wall);
        sqlite3_bind_int64(statement, 2, at_wall);
        r = journal_finish(journal, statement, "empty its outbox", error);
        if (r == 0)
                *ret_count = sqlite3_changes64(journal->db);
        return r;
}

int journal_outbox_waiting(Journal *journal, const char *receiver, int64_t *ret_count, int64_t *ret_oldest_wall,
                           Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "SELECT count(*), coalesce(min(made_wall), 0) FROM outbox WHERE receiver = ?1 AND"
                                " state = 'waiting'",
                                &statement, error);
        if (r < 0)
                return r;
        bind_text(statement, 1, receiver);
        r = journal_step(journal, statement, "read its outbox", error);
        if (r < 0)
                return r;
        *ret_count = sqlite3_column_int64(statement, 0);
        *ret_oldest_wall = sqlite3_column_int64(statement, 1);
        return 0;
}
