/* What the files of the history share; nobody else includes it. */
#pragma once

#include "store/history.h"
#include "store/shape.h"

#include <sqlite3.h>

struct History {
        sqlite3 *db;
        char *path;
        HistoryLimits limits;
        int64_t next_id;
        unsigned writes; /* since it was last made smaller */
        sqlite3_stmt *add_sample, *add_mark;
};

extern const Field history_sample_fields[]; /* without id and sample; behind the columns of sample_fields */
extern const Field history_mark_fields[];   /* without id */

/* Turns what SQLite says into a negative errno and words. `doing`: "keep a sample". */
int history_fail(History *history, const char *doing, Error *error);
int history_execute(History *history, const char *sql, const char *doing, Error *error);
int history_prepare(History *history, const char *sql, sqlite3_stmt **ret_statement, Error *error);
/* One number; 0 where there is no row or it is null. */
int history_number(History *history, const char *sql, int64_t *ret_number, Error *error);
/* The oldest go when they are too old, or too many; a bounded piece of work. */
int history_prune(History *history, int64_t now_wall, Error *error);

static inline void cleanup_history_statement(sqlite3_stmt **statement) {
        sqlite3_finalize(*statement);
}
#define AUTO_HISTORY_STATEMENT CLEANUP(cleanup_history_statement)
