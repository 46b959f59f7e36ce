/* Walking the chain: is every record still as it was written, and is none missing and none more? */
#include "store/journal-chain.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

typedef struct Walk {
        Journal *journal;
        JournalProof *proof;
        unsigned char link[DIGEST_BYTES]; /* of the row before */
        int64_t seq;
        int64_t before[CHAIN_KIND_COUNT]; /* the newest of each kind that was there before the chain */
        int64_t newest[CHAIN_KIND_COUNT]; /* of each kind that has a link */
        const char *known;                /* NULL: not asked for */
} Walk;

static void fault(Walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(Walk *walk, const char *format, ...) {
        va_list args;
        va_start(args, format);
        vsnprintf(walk->proof->fault, sizeof walk->proof->fault, format, args);
        va_end(args);
}

static int kind_of(const char *name) {
        for (int kind = 0; kind < CHAIN_KIND_COUNT; kind++)
                if (name && strcmp(chain_kind_name((ChainKind)kind), name) == 0)
                        return kind;
        return -1;
}

/* "decision=17 record=120" */
static void read_before(Walk *walk, const char *about) {
        for (unsigned kind = CHAIN_BEGIN + 1; kind < CHAIN_KIND_COUNT; kind++) {
                char key[32];
                snprintf(key, sizeof key, "%s=", chain_kind_name((ChainKind)kind));
                const char *at = strstr(about, key);
                walk->before[kind] = at ? strtoll(at + strlen(key), NULL, 10) : 0;
        }
}

/* What the journal has dropped for its length was not removed by anybody. */
static bool may_be_gone(const Walk *walk, int kind, int64_t ref) {
        int64_t kept = chain_kind_kept((ChainKind)kind);
        return kept > 0 && ref <= walk->newest[kind] - kept;
}

static int check_record(Walk *walk, const ChainRow *row, int kind, Error *error) {
        unsigned char digest[DIGEST_BYTES];
        int r = chain_digest(walk->journal, (ChainKind)kind, row->ref, row->schema, digest, error);
        if (r < 0)
                return r;
        if (r == 0 && !may_be_gone(walk, kind, row->ref))
                fault(walk, "%s %" PRId64 " was removed", row->kind, row->ref);
        if (r > 0 && memcmp(digest, row->digest, DIGEST_BYTES) != 0)
                fault(walk, "%s %" PRId64 " was changed", row->kind, row->ref);
        return 0;
}

static void look_for_known(Walk *walk) {
        char text[JOURNAL_LINK_MAX];
        sodium_bin2hex(text, sizeof text, walk->link, sizeof walk->link);
        if (walk->known && strncmp(text, walk->known, strlen(walk->known)) == 0)
                walk->proof->known_found = true;
}

/* 0: go on; the proof has the fault, if there is one. */
static int check_row(Walk *walk, const ChainRow *row, const unsigned char *kept_link, bool newest, Error *error) {
        unsigned char link[DIGEST_BYTES];
        int kind = kind_of(row->kind);
        if (kind < 0 || row->schema > JOURNAL_SCHEMA_VERSION)
                return error_set(error, -EPROTO,
                                 "journal %s: link %" PRId64 " was made by a newer program (schema %" PRId64
                                 ", this one knows %d); use that one",
                                 walk->journal->path, row->seq, row->schema, JOURNAL_SCHEMA_VERSION);
        if (row->seq != walk->seq + 1) {
                fault(walk, "link %" PRId64 " was removed (after %" PRId64 " comes %" PRId64 ")", walk->seq + 1,
                      walk->seq, row->seq);
                return 0;
        }
        chain_link(walk->link, row, link);
        if (memcmp(link, kept_link, DIGEST_BYTES) != 0) {
                fault(walk, "link %" PRId64 " (of %s %" PRId64 ") was changed", row->seq, row->kind, row->ref);
                return 0;
        }
        if (kind == CHAIN_BEGIN) {
                read_before(walk, row->about);
                walk->proof->begun_wall = row->at_wall;
        }
        walk->seq = row->seq;
        memcpy(walk->link, link, sizeof link);
        walk->proof->records += kind != CHAIN_BEGIN;
        look_for_known(walk);
        return newest && kind != CHAIN_BEGIN ? check_record(walk, row, kind, error) : 0;
}

static int walk_links(Walk *walk, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(walk->journal,
                                "SELECT seq, at_wall, kind, ref, schema, about, digest, link,"
                                " seq = max(seq) OVER (PARTITION BY kind, ref) FROM chain ORDER BY seq",
                                &statement, error);
        while (r >= 0 && !walk->proof->fault[0] &&
               (r = journal_step(walk->journal, statement, "read the chain", error)) > 0) {
                const ChainRow row = {
                        .seq = sqlite3_column_int64(statement, 0),
                        .at_wall = sqlite3_column_int64(statement, 1),
                        .kind = (const char *)sqlite3_column_text(statement, 2),
                        .ref = sqlite3_column_int64(statement, 3),
                        .schema = sqlite3_column_int64(statement, 4),
                        .about = (const char *)sqlite3_column_text(statement, 5),
                        .digest = sqlite3_column_blob(statement, 6),
                };
                if (sqlite3_column_bytes(statement, 6) != DIGEST_BYTES ||
                    sqlite3_column_bytes(statement, 7) != DIGEST_BYTES || !row.kind || !row.about)
                        fault(walk, "link %" PRId64 " was changed", row.seq);
                else
                        r = check_row(walk, &row, sqlite3_column_blob(statement, 7),
                                      sqlite3_column_int(statement, 8) != 0, error);
        }
        return r < 0 ? r : 0;
}

/* Records without a link that should have one. */
static int look_for_inserted(Walk *walk, int kind, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char sql[384];
        snprintf(sql, sizeof sql,
                 "SELECT min(%s) FROM %s WHERE %s > ?1 AND %s AND %s NOT IN (SELECT ref FROM chain WHERE kind = ?2)",
                 chain_kind_key((ChainKind)kind), chain_kind_table((ChainKind)kind), chain_kind_key((ChainKind)kind),
                 chain_kind_filter((ChainKind)kind), chain_kind_key((ChainKind)kind));
        int r = journal_prepare(walk->journal, sql, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, walk->before[kind]);
        sqlite3_bind_text(statement, 2, chain_kind_name((ChainKind)kind), -1, SQLITE_STATIC);
        r = journal_step(walk->journal, statement, "look for records without a link", error);
        if (r > 0 && sqlite3_column_type(statement, 0) != SQLITE_NULL)
                fault(walk, "%s %" PRId64 " was inserted: it has no link", chain_kind_name((ChainKind)kind),
                      (int64_t)sqlite3_column_int64(statement, 0));
        return r < 0 ? r : 0;
}

static int find_newest(Walk *walk, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(walk->journal, "SELECT kind, max(ref) FROM chain GROUP BY kind", &statement, error);
        while (r >= 0 && (r = journal_step(walk->journal, statement, "read the chain", error)) > 0) {
                int kind = kind_of((const char *)sqlite3_column_text(statement, 0));
                if (kind >= 0)
                        walk->newest[kind] = sqlite3_column_int64(statement, 1);
        }
        return r;
}

static int walk_all(Walk *walk, Error *error) {
        int r = find_newest(walk, error);
        if (r == 0)
                r = walk_links(walk, error);
        for (int kind = CHAIN_BEGIN + 1; r == 0 && !walk->proof->fault[0] && kind < CHAIN_KIND_COUNT; kind++)
                r = look_for_inserted(walk, kind, error);
        return r;
}

int journal_verify(Journal *journal, const char *known, JournalProof *ret_proof, Error *error) {
        JournalLink link;
        Walk walk = {.journal = journal, .proof = ret_proof, .known = known};
        *ret_proof = (JournalProof){0};
        int r = journal_newest_link(journal, &link, error);
        if (r < 0)
                return r;
        /* one transaction: what is added meanwhile is neither missing nor more */
        r = journal_execute(journal, "BEGIN", "verify it", error);
        if (r == 0 && journal_newest_link(journal, &link, error) == 1) {
                r = walk_all(&walk, error);
                memcpy(ret_proof->newest, link.text, sizeof link.text);
        }
        sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
        if (r == 0 && known && !ret_proof->known_found && !ret_proof->fault[0])
                fault(&walk, "link %.16s isn't in the chain: it was cut off before it, or made anew", known);
        ret_proof->whole = r == 0 && ret_proof->fault[0] == '\0';
        return r;
}
