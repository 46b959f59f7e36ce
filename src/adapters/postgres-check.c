/* Looks for damage: every table of the service with amcheck's verify_heapam, every B-tree index with bt_index_check (also whether it
 * has an entry for each row), and what the service declares itself: SQL whose rows are wrong. One after the other, each a question
 * of its own, so that the loop lives, the server is never asked two things at once, and a cancel stops it within a second. It only
 * reads, and waits for no lock for long. */
#include "adapters/postgres-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LOCK_WAIT "SET lock_timeout = '10s'; "
#define PREPARE_BUDGET_US (30 * USEC_PER_SEC)
#define WRONG_ROWS_MAX "1000"

/* What is there: the extension, whether we may use it, how many indexes it doesn't know, and what is to be looked at. */
#define SERVICES                                                                                                       \
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence = ANY "                        \
        "(CASE WHEN pg_is_in_recovery() THEN '{p}' ELSE '{p,u}' END::\"char\"[])"
#define CHECKED_BY                                                                                                     \
        "bt_index_check(regclass, boolean), %s.verify_heapam(regclass, boolean, boolean, text, bigint, bigint)"
static const char prepare_sql[] =
        "SELECT quote_ident(n.nspname), coalesce(bool_and(has_function_privilege(p.oid, 'EXECUTE')), false) "
        "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace LEFT JOIN pg_proc p ON p.pronamespace = n.oid "
        "AND p.oid::regprocedure::text ~ '(bt_index_check\\(regclass,boolean\\)|verify_heapam\\()' "
        "WHERE e.extname = 'amcheck' GROUP BY 1; "
        "SELECT c.oid, 'table', format('%I.%I', n.nspname, c.relname), 0 AS kind, n.nspname, c.relname "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND " SERVICES
        " UNION ALL "
        "SELECT i.indexrelid, 'index', x.oid::regclass::text, 1, n.nspname, c.relname FROM pg_index i "
        "JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am a ON a.oid = x.relam AND a.amname = 'btree' "
        "JOIN pg_class c ON c.oid = i.indrelid OR c.reltoastrelid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE i.indisvalid AND i.indisready AND x.relkind = 'i' AND c.relkind IN ('r', 'm') AND " SERVICES
        " ORDER BY 5, 6, 4, 3; "
        "SELECT count(*) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am a ON a.oid = x.relam AND "
        "a.amname <> 'btree' JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE x.relkind = 'i' AND " SERVICES;
enum { EXTENSION, RELATIONS, OTHER_INDEXES };

typedef struct Item {
        enum { TABLE, INDEX, DECLARED } kind;
        char *oid, *name;
        const char *sql; /* of a declared check */
} Item;

typedef struct Check {
        Op op;
        Postgres *postgres;
        PgQuery *query;
        DataCheckProgress progress;
        int64_t end_mono;
        char *schema; /* amcheck's, quoted */
        Item *items;
        unsigned count, next, problems, not_made, other_indexes;
        char first_problem[DETAIL_MAX - 48], first_not_made[DETAIL_MAX];
} Check;

static void check_destroy(Op *op) {
        Check *check = (Check *)op;
        pg_query_cancel(check->query);
        for (unsigned i = 0; i < check->count; i++) {
                free(check->items[i].oid);
                free(check->items[i].name);
        }
        free(check->items);
        free(check->schema);
        op_finish_base(&check->op);
        free(check);
}

PRINTF_LIKE(3, 4) static void append(char *text, size_t size, const char *format, ...) {
        size_t used = strlen(text);
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text + used, size - used, format, arguments);
        va_end(arguments);
}

static void name_item(const Item *item, char *text, size_t size) {
        static const char *const kinds[] = {[TABLE] = "table", [INDEX] = "index", [DECLARED] = "declared check"};
        snprintf(text, size, "%s %.120s", kinds[item->kind], item->name);
}

/* ---- the end ---- */

static void fail(Check *check, int code, const char *message) {
        Error error;
        error_set(&error, code, "%s", message);
        op_fail(&check->op, &error);
}

static void finish(Check *check) {
        OpResult result = {.status = OP_DONE, .number = check->problems};
        unsigned kinds[3] = {0};
        for (unsigned i = 0; i < check->count; i++)
                kinds[check->items[i].kind]++;
        if (check->problems == 0 && check->not_made > 0) {
                char message[ERROR_MESSAGE_MAX];
                snprintf(message, sizeof message, "%u of %u checks could not be made, the first: %s", check->not_made,
                         check->count, check->first_not_made);
                fail(check, -EAGAIN, message);
                return;
        }
        char *detail = result.detail;
        size_t size = sizeof result.detail;
        if (check->problems > 0)
                append(detail, size, "%s", check->first_problem);
        else
                append(detail, size, "%u checks passed: %u tables, %u indexes, %u declared", check->count, kinds[TABLE],
                       kinds[INDEX], kinds[DECLARED]);
        if (check->not_made > 0)
                append(detail, size, "; %u could not be made", check->not_made);
        if (check->other_indexes > 0)
                append(detail, size, "; not looked at: %u indexes that are no B-trees", check->other_indexes);
        op_complete(&check->op, &result);
}

/* ---- what one came to ---- */

static void tell(Check *check, const char *about, const char *finding, bool damage) {
        const DataCheckNews news = {
                .done = check->next, .total = check->count, .about = about, .finding = finding, .damage = damage};
        if (check->progress)
                check->progress(check->op.userdata, &news);
}

static void note(Check *check, const Item *item, const char *what, bool damage) {
        char about[160], finding[DETAIL_MAX];
        name_item(item, about, sizeof about);
        snprintf(finding, sizeof finding, "%s: ", about);
        append(finding, sizeof finding, "%s", what);
        if (damage && check->problems++ == 0)
                append(check->first_problem, sizeof check->first_problem, "%s", finding);
        if (!damage && check->not_made++ == 0)
                append(check->first_not_made, sizeof check->first_not_made, "%s", finding);
        tell(check, about, finding, damage);
}

/* What the server says of damage: classes XX (corrupted) and 58 (a file is missing, can't be read). */
static bool says_damage(const char *sqlstate) {
        return strncmp(sqlstate, "XX", 2) == 0 || strncmp(sqlstate, "58", 2) == 0;
}

/* The connection is gone or was never there: there is no sense in going on. */
static bool server_is_gone(const PgAnswer *answer) {
        return answer->error.code && (answer->sqlstate[0] == '\0' || strncmp(answer->sqlstate, "57P", 3) == 0);
}

static void judge_rows(Check *check, const Item *item, const PGresult *rows) {
        char text[DETAIL_MAX];
        if (item->kind == TABLE && PQntuples(rows) > 0) {
                snprintf(text, sizeof text, "block %.20s, row %.20s: %.180s", PQgetvalue(rows, 0, 0),
                         PQgetisnull(rows, 0, 1) ? "-" : PQgetvalue(rows, 0, 1), PQgetvalue(rows, 0, 2));
                note(check, item, text, true);
        } else if (item->kind == DECLARED && strcmp(PQgetvalue(rows, 0, 0), "0") != 0) {
                bool more = strcmp(PQgetvalue(rows, 0, 0), WRONG_ROWS_MAX) == 0;
                snprintf(text, sizeof text, "%s%.20s wrong row%s, such as %.160s", more ? "at least " : "",
                         PQgetvalue(rows, 0, 0), strcmp(PQgetvalue(rows, 0, 0), "1") == 0 ? "" : "s",
                         PQgetvalue(rows, 0, 1));
                note(check, item, text, true);
        }
}

/* ---- one after the other ---- */

static void go_on(Check *check);

static void on_item(void *userdata, const PgAnswer *answer) {
        Check *check = userdata;
        const Item *item = &check->items[check->next++];
        check->query = NULL;
        if (server_is_gone(answer)) {
                char about[160];
                Error error = answer->error;
                name_item(item, about, sizeof about);
                error_prefix(&error, "%s", about);
                op_fail(&check->op, &error);
                return;
        }
        if (answer->error.code)
                note(check, item, answer->message, says_damage(answer->sqlstate));
        else
                judge_rows(check, item, answer->rows[0]);
        go_on(check);
}

/* Without the semicolon at its end, which has no place inside brackets. */
static int declared_length(const char *sql) {
        size_t length = strlen(sql);
        while (length > 0 && strchr("; \t\r\n", sql[length - 1]))
                length--;
        return (int)length;
}

/* By the relation's number, and through the catalogue: one that was dropped meanwhile gives no row. */
static char *item_sql(const Check *check, const Item *item) {
        char *sql = NULL;
        int n = -1;
        switch (item->kind) {
        case TABLE:
                n = asprintf(&sql,
                             LOCK_WAIT "SELECT v.blkno, v.offnum, v.msg FROM pg_class c, %s.verify_heapam(c.oid, "
                                       "on_error_stop => true, check_toast => true) v WHERE c.oid = %s LIMIT 1",
                             check->schema, item->oid);
                break;
        case INDEX:
                n = asprintf(&sql, LOCK_WAIT "SELECT %s.bt_index_check(c.oid, true) FROM pg_class c WHERE c.oid = %s",
                             check->schema, item->oid);
                break;
        case DECLARED:
                n = asprintf(&sql,
                             "BEGIN READ ONLY; " LOCK_WAIT "SELECT count(*), min(left(w::text, 160)) FROM "
                             "(SELECT * FROM (%.*s\n) AS checked LIMIT " WRONG_ROWS_MAX ") AS w",
                             declared_length(item->sql), item->sql);
                break;
        }
        return n < 0 ? NULL : sql;
}

static void go_on(Check *check) {
        int64_t left_us = check->end_mono - postgres_now_us(check->postgres);
        Error error = {0};
        if (check->next == check->count) {
                finish(check);
                return;
        }
        const Item *item = &check->items[check->next];
        char about[160];
        name_item(item, about, sizeof about);
        tell(check, about, NULL, false);
        AUTO_FREE char *sql = item_sql(check, item);
        if (!sql) {
                fail(check, -ENOMEM, "PostgreSQL: out of memory");
                return;
        }
        if (pg_query_begin(check->op.event, &check->postgres->server, sql, left_us > 0 ? left_us : 1, on_item, NULL,
                           check, &check->query, &error) < 0)
                op_fail(&check->op, &error);
}

/* ---- what is to be looked at ---- */

static bool add_item(Check *check, int kind, const char *oid, const char *name, const char *sql) {
        Item *items = reallocarray(check->items, check->count + 1, sizeof *items);
        if (!items)
                return false;
        check->items = items;
        Item *item = &items[check->count++];
        *item = (Item){.kind = kind, .oid = strdup(oid), .name = strdup(name), .sql = sql};
        return item->oid && item->name;
}

static bool add_declared(Check *check) {
        const char *name;
        const char *const *texts;
        for (unsigned i = 0; settings_map_at(check->postgres->settings, "checks", i, &name, &texts); i++)
                for (unsigned k = 0; texts[k]; k++)
                        if (!add_item(check, DECLARED, "", name, texts[k]))
                                return false;
        return true;
}

static bool add_relations(Check *check, const PGresult *rows) {
        for (int row = 0; row < PQntuples(rows); row++) {
                int kind = strcmp(PQgetvalue(rows, row, 1), "table") == 0 ? TABLE : INDEX;
                if (!add_item(check, kind, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 2), NULL))
                        return false;
        }
        return true;
}

/* False: amcheck can't be used, and `message` says what to do. */
static bool amcheck_is_there(const Check *check, const PGresult *extension, char *message, size_t size) {
        const PgServer *server = &check->postgres->server;
        if (PQntuples(extension) == 0)
                snprintf(
                        message, size,
                        "the extension amcheck is not in database %.63s; as a superuser: CREATE EXTENSION amcheck (or, "
                        "for the declared checks alone, data.postgres.amcheck: false)",
                        server->database);
        else if (strcmp(PQgetvalue(extension, 0, 1), "t") != 0)
                snprintf(message, size,
                         "role %.63s may not use amcheck; as a superuser: GRANT EXECUTE ON FUNCTION %.63s." CHECKED_BY
                         " TO %.63s",
                         server->user, PQgetvalue(extension, 0, 0), PQgetvalue(extension, 0, 0), server->user);
        else
                return true;
        return false;
}

static void on_prepared(void *userdata, const PgAnswer *answer) {
        Check *check = userdata;
        char message[ERROR_MESSAGE_MAX];
        check->query = NULL;
        if (answer->error.code) {
                op_fail(&check->op, &answer->error);
                return;
        }
        bool fits = true;
        if (settings_bool(check->postgres->settings, "amcheck")) {
                if (!amcheck_is_there(check, answer->rows[EXTENSION], message, sizeof message)) {
                        fail(check, -ENOSYS, message);
                        return;
                }
                check->schema = strdup(PQgetvalue(answer->rows[EXTENSION], 0, 0));
                check->other_indexes = (unsigned)strtoul(PQgetvalue(answer->rows[OTHER_INDEXES], 0, 0), NULL, 10);
                fits = check->schema && add_relations(check, answer->rows[RELATIONS]);
        }
        if (fits && add_declared(check))
                go_on(check);
        else
                fail(check, -ENOMEM, "PostgreSQL: out of memory");
}

int postgres_check(void *self, DataCheckProgress progress, int64_t budget_us, OpCallback callback, void *userdata,
                   Op **ret_op, Error *error) {
        Postgres *postgres = self;
        Check *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "PostgreSQL: out of memory");
        check->postgres = postgres;
        check->progress = progress;
        check->end_mono = postgres_now_us(postgres) + budget_us;
        int64_t prepare_us = budget_us < PREPARE_BUDGET_US ? budget_us : PREPARE_BUDGET_US;
        int r = op_begin(&check->op, postgres->context.event, "consistency check of PostgreSQL", budget_us, callback,
                         userdata, check_destroy);
        if (r < 0)
                error_set(error, r, "PostgreSQL: cannot begin the consistency check: %s", strerror(-r));
        else
                r = pg_query_begin(postgres->context.event, &postgres->server, prepare_sql, prepare_us, on_prepared,
                                   NULL, check, &check->query, error);
        if (r < 0) {
                op_cancel(&check->op);
                return r;
        }
        *ret_op = &check->op;
        return 0;
}
