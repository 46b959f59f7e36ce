#include "store/journal-chain.h"

#include "base/macros.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#define SQL_MAX 2048
#define NAMES_MAX 1024
#define PARTS_MAX 3

/* The rows that make up a record. Which columns: by the Field table, so that the two can't drift, or by name where there is none. */
typedef struct ChainPart {
        const char *table, *key, *order;
        const Field *fields;
        const char *columns; /* besides, or instead of, the fields; NULL: none */
} ChainPart;

static const struct {
        const char *name, *filter;
        int64_t kept;
        ChainPart parts[PARTS_MAX];
} kinds[] = {
        [CHAIN_BEGIN] = {"begin", "0", 0, {{0}}},
        [CHAIN_DECISION] = {"decision",
                            "1",
                            0,
                            {{"decisions", "id", "id", decision_fields, "evidence"},
                             {"samples", "decision_id", "position", sample_fields, "position"},
                             {"rules", "decision_id", "decision_id", rules_fields, NULL}}},
        [CHAIN_RECORD] = {"record", "1", 0, {{"records", "seq", "seq", NULL, "run_id, at_wall, phase, cursor, note"}}},
        [CHAIN_RUN] = {"run",
                       "phase IN ('succeeded', 'failed', 'holding')",
                       0,
                       {{"runs", "id", "id", run_fields, NULL},
                        {"plan_steps", "run_id", "position", plan_step_fields, "position"},
                        {"steps", "run_id", "lane, step", step_record_fields, "lane, step"}}},
        [CHAIN_VALIDATION] = {"validation", "1", 0, {{"validations", "run_id", "run_id", NULL, "verdict, json"}}},
        [CHAIN_INCIDENT] = {"incident",
                            "1",
                            JOURNAL_INCIDENTS_KEPT,
                            {{"incidents", "id", "id", incident_fields, NULL},
                             {"incident_notes", "incident_id", "id", NULL, "id, at_wall, kind, ref, text"}}},
        [CHAIN_AUDIT] = {"audit",
                         "status < 400",
                         JOURNAL_AUDIT_KEPT,
                         {{"audit", "id", "id", NULL,
                           "at_wall, uid, who, whence, method, path, arguments, status, outcome"}}},
};
static_assert(ARRAY_SIZE(kinds) == CHAIN_KIND_COUNT, "a kind without its rows");

const char *chain_kind_name(ChainKind kind) {
        return kinds[kind].name;
}
const char *chain_kind_table(ChainKind kind) {
        return kinds[kind].parts[0].table;
}
const char *chain_kind_key(ChainKind kind) {
        return kinds[kind].parts[0].key;
}
const char *chain_kind_filter(ChainKind kind) {
        return kinds[kind].filter;
}
int64_t chain_kind_kept(ChainKind kind) {
        return kinds[kind].kept;
}

/* ---- digests ---- */

/* Each value with its length before it, so that no two records have the same text. */
static void put_bytes(crypto_hash_sha256_state *state, const void *bytes, size_t size) {
        char length[24];
        int digits = snprintf(length, sizeof length, "%zu:", size);
        crypto_hash_sha256_update(state, (const unsigned char *)length, (size_t)digits);
        if (size > 0)
                crypto_hash_sha256_update(state, bytes, size);
}

static void put_text(crypto_hash_sha256_state *state, const char *text) {
        put_bytes(state, text, strlen(text));
}

static void put_number(crypto_hash_sha256_state *state, int64_t number) {
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, number);
        put_text(state, text);
}

static void put_row(crypto_hash_sha256_state *state, sqlite3_stmt *statement) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
                put_text(state, sqlite3_column_name(statement, i));
                put_number(state, sqlite3_column_type(statement, i));  /* NULL isn't "" */
                const void *value = sqlite3_column_blob(statement, i); /* numbers as text */
                put_bytes(state, value, (size_t)sqlite3_column_bytes(statement, i));
        }
}

/* Columns that came after the chain did (schema 4), each with the schema that brought it: the digests of older links are without them. A
 * new row of a Field table above needs a row here. */
static const struct {
        const char *table, *column;
        int64_t schema;
} later_columns[] = {
        {NULL, NULL, 0},
};

static bool had_column(const char *table, const char *column, int64_t schema) {
        for (size_t i = 0; later_columns[i].table; i++)
                if (strcmp(later_columns[i].table, table) == 0 && strcmp(later_columns[i].column, column) == 0)
                        return later_columns[i].schema <= schema;
        return true;
}

static void column_list(const ChainPart *part, int64_t schema, char *buffer, size_t size) {
        size_t used = (size_t)snprintf(buffer, size, "%s", part->columns ? part->columns : "");
        for (const Field *field = part->fields; field && field->name; field++)
                if (had_column(part->table, field->name, schema))
                        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used > 0 ? ", " : "", field->name);
}

/* The number of its rows. */
static int put_part(Journal *journal, crypto_hash_sha256_state *state, const ChainPart *part, int64_t ref,
                    int64_t schema, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], sql[SQL_MAX];
        int rows = 0;
        column_list(part, schema, names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE %s = ?1 ORDER BY %s", names, part->table, part->key,
                 part->order);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, ref);
        put_text(state, part->table);
        while ((r = journal_step(journal, statement, "hash a record", error)) > 0) {
                put_row(state, statement);
                rows++;
        }
        return r < 0 ? r : rows;
}

int chain_digest(Journal *journal, ChainKind kind, int64_t ref, int64_t schema, unsigned char ret_digest[DIGEST_BYTES],
                 Error *error) {
        crypto_hash_sha256_state state;
        crypto_hash_sha256_init(&state);
        for (size_t i = 0; i < PARTS_MAX && kinds[kind].parts[i].table; i++) {
                int rows = put_part(journal, &state, &kinds[kind].parts[i], ref, schema, error);
                if (rows < 0 || (i == 0 && rows == 0))
                        return rows;
        }
        crypto_hash_sha256_final(&state, ret_digest);
        return 1;
}

void chain_link(const unsigned char before[DIGEST_BYTES], const ChainRow *row, unsigned char ret_link[DIGEST_BYTES]) {
        crypto_hash_sha256_state state;
        crypto_hash_sha256_init(&state);
        put_bytes(&state, before, DIGEST_BYTES);
        put_number(&state, row->seq);
        put_number(&state, row->at_wall);
        put_text(&state, row->kind);
        put_number(&state, row->ref);
        put_number(&state, row->schema);
        put_text(&state, row->about);
        put_bytes(&state, row->digest, DIGEST_BYTES);
        crypto_hash_sha256_final(&state, ret_link);
}

/* ---- adding ---- */

static int has_chain(Journal *journal, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        if (journal->chained)
                return 1;
        int r = journal_prepare(journal, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'chain'",
                                &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "look for the chain", error);
        journal->chained = r > 0;
        return r;
}

/* 1, or 0: it is empty. */
static int newest(Journal *journal, ChainRow *row, unsigned char link[DIGEST_BYTES], Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT seq, at_wall, link FROM chain ORDER BY seq DESC LIMIT 1", &statement,
                                error);
        if (r == 0)
                r = journal_step(journal, statement, "read the newest link", error);
        memset(link, 0, DIGEST_BYTES);
        if (r <= 0)
                return r;
        row->seq = sqlite3_column_int64(statement, 0);
        row->at_wall = sqlite3_column_int64(statement, 1);
        if (sqlite3_column_bytes(statement, 2) == DIGEST_BYTES)
                memcpy(link, sqlite3_column_blob(statement, 2), DIGEST_BYTES);
        return 1;
}

static int insert(Journal *journal, const ChainRow *row, const unsigned char link[DIGEST_BYTES], Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "INSERT INTO chain (seq, at_wall, kind, ref, schema, about, digest, link)"
                                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, row->seq);
        sqlite3_bind_int64(statement, 2, row->at_wall);
        sqlite3_bind_text(statement, 3, row->kind, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, row->ref);
        sqlite3_bind_int64(statement, 5, row->schema);
        sqlite3_bind_text(statement, 6, row->about, -1, SQLITE_STATIC);
        sqlite3_bind_blob(statement, 7, row->digest, DIGEST_BYTES, SQLITE_STATIC);
        sqlite3_bind_blob(statement, 8, link, DIGEST_BYTES, SQLITE_STATIC);
        return journal_finish(journal, statement, "add a link", error);
}

/* "decision=17 record=120 ...": the newest of each that has no link, as it was there before. */
static int describe_before(Journal *journal, char *about, size_t size, Error *error) {
        size_t used = 0;
        for (unsigned kind = CHAIN_BEGIN + 1; kind < CHAIN_KIND_COUNT && used < size; kind++) {
                AUTO_STATEMENT sqlite3_stmt *statement = NULL;
                char sql[128];
                snprintf(sql, sizeof sql, "SELECT coalesce(max(%s), 0) FROM %s", kinds[kind].parts[0].key,
                         kinds[kind].parts[0].table);
                int r = journal_prepare(journal, sql, &statement, error);
                if (r == 0)
                        r = journal_step(journal, statement, "begin the chain", error);
                if (r < 0)
                        return r;
                used += (size_t)snprintf(about + used, size - used, "%s%s=%" PRId64, used > 0 ? " " : "",
                                         kinds[kind].name, (int64_t)sqlite3_column_int64(statement, 0));
        }
        return 0;
}

static int begin(Journal *journal, int64_t at_wall, unsigned char link[DIGEST_BYTES], Error *error) {
        static const unsigned char nothing[DIGEST_BYTES];
        char about[256];
        int r = describe_before(journal, about, sizeof about, error);
        if (r < 0)
                return r;
        const ChainRow row = {.seq = 1,
                              .at_wall = at_wall,
                              .kind = kinds[CHAIN_BEGIN].name,
                              .schema = JOURNAL_SCHEMA_VERSION,
                              .about = about,
                              .digest = nothing};
        chain_link(nothing, &row, link);
        return insert(journal, &row, link, error);
}

int journal_chain_add(Journal *journal, ChainKind kind, int64_t ref, int64_t at_wall, Error *error) {
        unsigned char before[DIGEST_BYTES], digest[DIGEST_BYTES], link[DIGEST_BYTES];
        ChainRow row = {.seq = 1};
        int r = has_chain(journal, error);
        if (r <= 0)
                return r;
        r = newest(journal, &row, before, error);
        if (r == 0)
                r = begin(journal, at_wall, before, error);
        if (r >= 0)
                r = chain_digest(journal, kind, ref, JOURNAL_SCHEMA_VERSION, digest, error);
        if (r <= 0)
                return r;
        row = (ChainRow){.seq = row.seq + 1,
                         .at_wall = at_wall,
                         .kind = kinds[kind].name,
                         .ref = ref,
                         .schema = JOURNAL_SCHEMA_VERSION,
                         .about = "",
                         .digest = digest};
        chain_link(before, &row, link);
        return insert(journal, &row, link, error);
}

int journal_newest_link(Journal *journal, JournalLink *ret_link, Error *error) {
        unsigned char link[DIGEST_BYTES];
        ChainRow row = {0};
        int r = has_chain(journal, error);
        if (r > 0)
                r = newest(journal, &row, link, error);
        if (r <= 0)
                return r;
        *ret_link = (JournalLink){.count = row.seq, .at_wall = row.at_wall};
        sodium_bin2hex(ret_link->text, sizeof ret_link->text, link, sizeof link);
        return 1;
}
