/* Between the files of the schema's way back.
 *   postgres-gate.c      the question      postgres-script.c  what a script may hold
 *   postgres-schema.c    which script, and its checked text
 *   postgres-rehearse.c  the proof         postgres-plan.c    what it has found
 *   postgres-cost.c      what it means for the rows, and how long it takes
 *   postgres-restore.c   the act           postgres-dump.c    the safety dump before it
 *   postgres-room.c      whether that has room
 *   postgres-rehearse-sql.c, postgres-preserve.c  the SQL around the script: in the proof, in the act
 *   postgres-child.c     psql and pg_dump  postgres-feed.c    what psql is fed */
#pragma once

#include "adapters/postgres-child.h"
#include "adapters/postgres-plan.h"
#include "adapters/postgres-script.h"
#include "io/worker.h"

#include <inttypes.h>
#include <limits.h>

#define PG_KEY_MAX 33 /* of the random word that marks our own lines in what psql prints */

/* What the live database says of itself. */
typedef struct PgFacts {
        char version[VERSION_MAX];  /* schema_version */
        char catalogue[128];        /* a fingerprint: changes when the schema does, not when rows do */
        char search_path[512];      /* of the role in this database */
        char own_extensions[1024];  /* patterns for pg_dump -e: those that the role could drop and make again */
        char used_extensions[1024]; /* those that the schema may need: all but amcheck, which only looks */
        bool may_create;            /* the role may make databases */
        bool scratch;               /* the database for rehearsals is there */
        bool counts;                /* track_counts: which tables a transaction writes to can be known */
        int64_t bytes;              /* of all tables: what a dump reads */
} PgFacts;

/* What the gate hands to the act, and the rehearsal needs. */
typedef struct PgWay {
        char original[PATH_TEXT_MAX]; /* the operator's script */
        char *script;                 /* its checked text */
        size_t size;
        char digest[65];   /* of the text */
        char expected[65]; /* of the file, says the release's manifest; "": nobody says */
        char wanted[VERSION_MAX];
        PgFacts facts;
} PgWay;

void pg_way_clear(PgWay *way);
/* Fills `original` and `wanted`. The leaving release knows the way from its own schema only; from another one the operator's backup
 * of the wanted schema is all there can be. */
void pg_way_find(const Postgres *postgres, const SchemaRequest *request, const char *current, PgWay *way);
/* Reads and checks it; what is run later is this text, whatever becomes of the file. A copy is kept at *ret_copy. */
int pg_way_read(const Postgres *postgres, PgWay *way, char *ret_copy, size_t size, Error *error);
bool pg_works_with(const SchemaNeeds *needs, const char *schema);

const char *pg_setting(const Postgres *postgres, const char *key);
/* Below the state directory; makes the directories. "schema", "dumps". */
int pg_state_path(const Postgres *postgres, const char *directory, const char *name, char *path, size_t size,
                  Error *error);
#define PG_NAME_MAX 64
/* What the act is called in pg_stat_activity. */
void pg_restore_name(const Postgres *postgres, char name[PG_NAME_MAX]);

/* "" for NULL. */
static inline const char *pg_value(const PGresult *rows, int row, int column) {
        return PQgetisnull(rows, row, column) ? "" : PQgetvalue(rows, row, column);
}

/* Who has the advisory lock, as l and a; takes an int64_t. */
#define PG_SQL_HOLDERS                                                                                                 \
        "pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid\n"                             \
        "  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1\n"                                           \
        "    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "                                \
        "pg_catalog.current_database())\n"                                                                             \
        "    AND (l.classid::int8 << 32) + l.objid::int8 = %" PRId64
/* A question for the acts of ours that the server has not ended yet, though nobody waits for them: a COMMIT waits for a standby. Until
 * then the old schema is seen, and is about to go. Rows (pid, whether it was ended now). The caller frees it; NULL: out of memory. */
char *pg_sql_unfinished(const Postgres *postgres, bool end_it);

void pg_random_key(char key[PG_KEY_MAX]);

/* The database that rehearsals happen in. Returns `text`. */
char *pg_scratch_name(const Postgres *postgres, char *text, size_t size);

/* ---- the proof: postgres-rehearse.c ---- */

typedef struct PgRehearsal PgRehearsal;
/* `plan`: NULL with the error that says why not. -EPROTO: the script or the scratch database is to blame; else nobody knows. The
 * plan is the callee's to clear. It may come before pg_rehearsal_begin() has returned. */
typedef void (*PgRehearsed)(void *userdata, PgPlan *plan, const Error *error);
int pg_rehearsal_begin(const Postgres *postgres, const PgWay *way, int64_t budget_us, PgRehearsed done, void *userdata,
                       PgRehearsal **ret_rehearsal, Error *error);
PgRehearsal *pg_rehearsal_cancel(PgRehearsal *rehearsal); /* NULL allowed; returns NULL */

/* ---- the SQL around the script: postgres-preserve.c, postgres-rehearse-sql.c ---- */

#define PG_HOLDS "nc_holds_" /* how the views begin by which PostgreSQL is made to refuse that a column is altered */
/* What is left of such a view and of its table, as hashes; with a search_path of pg_catalog alone, so that all other names are said in
 * full. The view's tells which columns of which table it shows now, whatever was renamed. */
#define PG_SQL_VIEW(view) "pg_catalog.md5(pg_catalog.pg_get_viewdef(" view "))"
#define PG_SQL_SHAPE(table)                                                                                             \
        "(SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname,\n"                           \
        "    pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation::pg_catalog.regcollation, a.attnotnull,\n" \
        "    a.attgenerated), ', ' ORDER BY a.attname)) FROM pg_catalog.pg_attribute a\n"                               \
        "  WHERE a.attrelid = " table " AND a.attnum > 0 AND NOT a.attisdropped)"
/* Of all rows; takes a row's hash. The rehearsal tries it on the empty tables, so that it can't fail for the first time in the act. */
#define PG_SQL_DIGEST "pg_catalog.sum(pg_catalog.hashint4extended(0, %s))"
/* Limits, quiet and the search path, for this transaction. */
void pg_sql_limits(PgFeed *feed, const Postgres *postgres, const PgWay *way, int64_t limit_us);
/* From here on a COMMIT fails unless pg_sql_release() came before: whatever the script does, it can't keep half of it. */
void pg_sql_guard(PgFeed *feed);
void pg_sql_release(PgFeed *feed);
/* As an SQL expression of type text. */
extern const char pg_sql_catalogue[];
/* Rows (id, file, schema, name) of the tables that hold the service's rows, without the table of the schema's version. */
void pg_sql_tables(PgFeed *feed, const Postgres *postgres);

typedef struct PgTransaction {
        const Postgres *postgres;
        const PgWay *way;
        const PgPlan *plan; /* of a rehearsal: NULL, as it makes one */
        const char *key;
        bool allow_row_loss;
        bool all_columns; /* are compared, though the plan may let a view hold some */
        int64_t limit_us;
} PgTransaction;
/* The rehearsal's, in a transaction that has loaded the schema. */
void pg_sql_rehearsal(PgFeed *feed, const PgTransaction *transaction);
/* All of it: the guard, the digests, the script, the comparison, COMMIT. What it prints is in postgres-preserve.c. */
void pg_sql_transaction(PgFeed *feed, const PgTransaction *transaction, const char *name);

/* ---- what it costs: postgres-cost.c ---- */

/* The question: for each table of the plan its owner, size and rows, and what no dump could read. The caller frees it; NULL: out of
 * memory. */
char *pg_sql_costs(const PgPlan *plan);
/* Judges the answer to it (of two results); `gate` gets `estimate_us` and `detail`. */
SchemaVerdict pg_cost_judge(const Postgres *postgres, const SchemaRequest *request, const PgWay *way,
                            const PgPlan *plan, const PgAnswer *answer, SchemaGate *gate);

/* ---- whether the safety dump has room: postgres-room.c ---- */

typedef struct PgRoom {
        int64_t available; /* bytes left where dumps lie */
        int64_t last;      /* the newest dump of this database that is kept; -1: none is */
} PgRoom;

/* Asked in a process of its own; `done` gets what pg_room_read() takes. */
int pg_room_begin(const Postgres *postgres, int64_t budget_us, WorkerDone done, void *userdata, Worker **ret_worker,
                  Error *error);
bool pg_room_read(const char *said, PgRoom *ret_room);
/* SCHEMA_REVERSIBLE: it fits; SCHEMA_REFUSED: it almost certainly doesn't; SCHEMA_UNKNOWN: it may not. `tables`: bytes; `why` in
 * words, "" when it fits. */
SchemaVerdict pg_room_judge(const PgRoom *room, int64_t tables, bool compressed, const char *directory, char *why,
                            size_t size);

/* ---- gate and act ---- */

/* As the gate; with a reversible verdict the plan and the way are filled too (the caller's to clear). */
typedef void (*PgGated)(void *userdata, const SchemaGate *gate, PgWay *way, PgPlan *plan);
typedef struct PgGate PgGate;
/* `acts`: what an earlier life has left behind is ended first; else it is waited for, and the answer is unknown. */
int pg_gate_begin(const Postgres *postgres, const SchemaRequest *request, bool acts, int64_t budget_us, PgGated done,
                  void *userdata, PgGate **ret_gate, Error *error);
PgGate *pg_gate_cancel(PgGate *gate);

/* ---- the safety dump: postgres-dump.c ---- */

typedef struct PgDump PgDump;
typedef void (*PgDumped)(void *userdata, const char *path, const Error *error);
/* `extensions`: a pattern; the others aren't in it, and putting the dump back lets them stand. */
int pg_dump_begin(const Postgres *postgres, int64_t run_id, const char *extensions, PgDumped done, void *userdata,
                  PgDump **ret_dump, Error *error);
PgDump *pg_dump_cancel(PgDump *dump);
/* Where dumps lie. Returns `path`. */
char *pg_dump_directory(const Postgres *postgres, char *path, size_t size);
/* Blocking. What lives that were killed have left unfinished counts as room: it is removed before a dump begins. */
int pg_dump_room(const Postgres *postgres, PgRoom *ret_room);
/* The command that puts a dump back, all of it or nothing, as a shell takes it. Returns `text`. */
char *pg_dump_undo(const Postgres *postgres, const char *path, char *text, size_t size);
