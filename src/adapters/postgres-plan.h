/* What a rehearsal has found about a way back: for each table of the database what the script does to it. Kept in the state
 * directory, so that nothing is rehearsed again while neither the script nor the database's catalogue has changed. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <jansson.h>

typedef enum PgFinding {
        PG_KEPT,    /* the same file, no row touched: the catalogue proves it. Only listed for the columns that go */
        PG_DIGEST,  /* rewritten, written to, or made anew from what was read: its rows are compared */
        PG_DROPPED, /* it goes; its rows would vanish */
        PG_EMPTIED, /* it goes and comes again, and nothing carries its rows over */
} PgFinding;

typedef struct PgTable {
        PgFinding finding;
        bool in_place;             /* of a digest: only written to, so it can turn out that no row was touched */
        bool after_parts;          /* its rows are in partitions afterwards */
        const char *schema, *name; /* before */
        const char *after_schema, *after_name; /* NULL: dropped */
        const char *before, *after;            /* a hash of the columns that both have, as SQL; "": none */
        /* Of a digest: columns that are held by a view, and no row is written to; as SQL. NULL: all are compared. */
        const char *held;
        const char *rest_before, *rest_after; /* then: the primary key and the others, like before and after */
        const char *shape, *view;             /* then: what the script leaves, as hashes (PG_SQL_SHAPE, PG_SQL_VIEW) */
} PgTable;

/* Of what is kept of a rehearsal: one more whenever that, or the SQL in it, comes to mean something else; then it is rehearsed anew. */
#define PG_PLAN_FORM 2

typedef struct PgPlan {
        json_t *document; /* owns every text */
        const char *script, *catalogue, *current,
                *wanted; /* what it is true for: digest, fingerprint, schema versions */
        unsigned count;
        PgTable *tables;
        char gone[REASON_MAX]; /* "orders.note, users.nick": columns that go; "" */
} PgPlan;

void pg_plan_clear(PgPlan *plan); /* of a zeroed one: nothing */

/* Takes the document over, whatever it answers. -EPROTO: it isn't one of ours. */
int pg_plan_read(json_t *document, PgPlan *ret_plan, Error *error);
/* -ENOENT: there is none. */
int pg_plan_load(const char *path, PgPlan *ret_plan, Error *error);
int pg_plan_save(const PgPlan *plan, const char *path, Error *error);
