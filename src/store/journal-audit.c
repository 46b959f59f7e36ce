/* The audit trail: who asked for what, whence, and what came of it. */
#include "store/journal-chain.h"

#include <errno.h>

static void bind_text_or_null(sqlite3_stmt *statement, int at, const char *text) {
        if (text[0] != '\0')
                sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int insert(Journal *journal, const JournalAudit *audit, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(
                journal,
                "INSERT INTO audit (at_wall, uid, who, whence, method, path, arguments, status, outcome)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, audit->at_wall);
        if (audit->uid >= 0)
                sqlite3_bind_int64(statement, 2, audit->uid);
        sqlite3_bind_text(statement, 3, audit->who, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, audit->whence, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, audit->method, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 6, audit->path, -1, SQLITE_STATIC);
        bind_text_or_null(statement, 7, audit->arguments);
        sqlite3_bind_int(statement, 8, audit->status);
        sqlite3_bind_text(statement, 9, audit->outcome, -1, SQLITE_STATIC);
        return journal_finish(journal, statement, "keep the audit trail", error);
}

static int forget_oldest(Journal *journal, int64_t newest, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "DELETE FROM audit WHERE id <= ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, newest - JOURNAL_AUDIT_KEPT);
        return journal_finish(journal, statement, "keep the audit trail short", error);
}

int journal_add_audit(Journal *journal, JournalAudit *audit, Error *error) {
        int64_t id = 0;
        int r = journal_keep_reserve(journal, error);
        if (r == 0)
                r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = insert(journal, audit, error);
        if (r == 0) {
                id = sqlite3_last_insert_rowid(journal->db);
                r = audit->status < 400 ? journal_chain_add(journal, CHAIN_AUDIT, id, audit->at_wall, error) : 0;
        }
        if (r == 0)
                r = forget_oldest(journal, id, error);
        r = journal_end(journal, r, "keep the audit trail", error);
        if (r < 0)
                return r;
        audit->id = id;
        (void)journal_checkpoint_if_long(journal, NULL);
        return 0;
}

/* A reader may have an older program's journal before it, which has no trail. */
static int has_trail(Journal *journal, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'",
                                &statement, error);
        return r < 0 ? r : journal_step(journal, statement, "read the audit trail", error);
}

static void read_row(sqlite3_stmt *statement, JournalAudit *ret_audit) {
        JournalAudit audit = {.id = sqlite3_column_int64(statement, 0),
                              .at_wall = sqlite3_column_int64(statement, 1),
                              .uid = -1,
                              .status = sqlite3_column_int(statement, 8)};
        if (sqlite3_column_type(statement, 2) != SQLITE_NULL)
                audit.uid = sqlite3_column_int64(statement, 2);
        column_copy(statement, 3, audit.who, sizeof audit.who);
        column_copy(statement, 4, audit.whence, sizeof audit.whence);
        column_copy(statement, 5, audit.method, sizeof audit.method);
        column_copy(statement, 6, audit.path, sizeof audit.path);
        column_copy(statement, 7, audit.arguments, sizeof audit.arguments);
        column_copy(statement, 9, audit.outcome, sizeof audit.outcome);
        *ret_audit = audit;
}

int journal_audits(Journal *journal, unsigned limit, int (*visit)(void *userdata, const JournalAudit *audit),
                   void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = has_trail(journal, error);
        if (r <= 0)
                return r;
        r = journal_prepare(journal,
                            "SELECT id, at_wall, uid, who, whence, method, path, arguments, status, outcome FROM audit"
                            " ORDER BY id DESC LIMIT ?1",
                            &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, limit);
        while ((r = journal_step(journal, statement, "read the audit trail", error)) > 0) {
                JournalAudit audit;
                read_row(statement, &audit);
                r = visit(userdata, &audit);
                if (r != 0)
                        return r;
        }
        return r;
}

int journal_heal_tries(Journal *journal, const char *component, int64_t since_wall, int64_t *ret_walls, unsigned max,
                       Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int count = 0;
        int r = journal_prepare(journal,
                                "SELECT at_wall FROM (SELECT id, at_wall FROM audit WHERE method = ?1 AND path = ?2 AND"
                                " status = ?3 AND at_wall >= ?4 ORDER BY id DESC LIMIT ?5) ORDER BY id",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_text(statement, 1, JOURNAL_HEAL, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, component, -1, SQLITE_STATIC);
        sqlite3_bind_int(statement, 3, JOURNAL_BEGUN);
        sqlite3_bind_int64(statement, 4, since_wall);
        sqlite3_bind_int64(statement, 5, max);
        while ((r = journal_step(journal, statement, "read the audit trail", error)) > 0)
                ret_walls[count++] = sqlite3_column_int64(statement, 0);
        return r < 0 ? r : count;
}
