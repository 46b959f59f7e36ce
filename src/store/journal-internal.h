/* What the files of the journal share; nobody else includes it, or sqlite3.h. */
#pragma once

#include "store/journal.h"
#include "store/shape.h"

#include <sqlite3.h>
#include <sys/types.h>

/* The reserve. The log holds a run's appends without a checkpoint; measured: 5 or 6 frames of 4120 bytes an append, the link of its record
 * among them, and up to 11 where a run begins or ends. */
#define WAL_RESERVE_BYTES (8 * 1024 * 1024)
#define CHECKPOINT_FRAMES 1500 /* of about 2035 that fit: leaves room while a reader holds a checkpoint up */
#define FREE_PAGES_RESERVE 256
#define SPARE_BYTES (128 * 1024) /* a file given up for the shared index, which SQLite makes anew at each first open */

enum {
        STATEMENT_RUN,
        STATEMENT_PLAN_STEP,
        STATEMENT_STEP,
        STATEMENT_RECORD,
        STATEMENT_COUNT,
};

struct Journal {
        sqlite3 *db;
        char *path;
        sqlite3_stmt *statements[STATEMENT_COUNT]; /* of the append, which should be quick; prepared at first use */
        int wal_frames;                            /* after the newest commit */
        bool is_new;                               /* made by this journal_open() */
        bool chained;                              /* it has the table of the chain, as far as was looked */
        dev_t log_device;                          /* of the log that SQLite has open ... */
        ino_t log_inode;                           /* ... 0: not known */
        char space_problem[ERROR_MESSAGE_MAX];
};

static inline void cleanup_statement(sqlite3_stmt **statement) {
        sqlite3_finalize(*statement);
}
#define AUTO_STATEMENT CLEANUP(cleanup_statement)

/* What SQLite says, as a negative errno. */
int store_errno_of(sqlite3 *db);

/* A row's columns from `first` on into `object`. `what` and `path` name the database in the error: "journal". */
int store_read_columns(const char *what, const char *path, sqlite3_stmt *statement, int first, const Field *fields,
                       void *object, Error *error);

/* Turns what SQLite says into a negative errno and words. `doing`: "keep the run". */
int journal_fail(Journal *journal, const char *doing, Error *error);

int journal_execute(Journal *journal, const char *sql, const char *doing, Error *error);
int journal_prepare(Journal *journal, const char *sql, sqlite3_stmt **ret_statement, Error *error);
int journal_step(Journal *journal, sqlite3_stmt *statement, const char *doing, Error *error); /* 1: a row, 0: done */
/* Runs a statement to its end and makes it ready to be used again. */
int journal_finish(Journal *journal, sqlite3_stmt *statement, const char *doing, Error *error);

int journal_begin(Journal *journal, Error *error);
/* Commits when `r` >= 0, else rolls back; returns `r`, or why it could not commit. */
int journal_end(Journal *journal, int r, const char *doing, Error *error);

/* "a, b, c" */
void columns_names(const Field *fields, const char *prefix, char *buffer, size_t size);
/* "?2, ?3, ?4" for `first` 2 */
void columns_marks(const Field *fields, int first, char *buffer, size_t size);
void columns_bind(sqlite3_stmt *statement, int first, const Field *fields, const void *object);
int columns_read(Journal *journal, sqlite3_stmt *statement, int first, const Field *fields, void *object, Error *error);

/* Copies a text column; cut when it doesn't fit. */
void column_copy(sqlite3_stmt *statement, int column, char *buffer, size_t size);

/* The parts of journal_append_run(), for who is already in a transaction. */
int journal_keep_run(Journal *journal, Run *run, Error *error);
/* 1 and the id a run of the side file got here, 0: not taken in yet. */
int journal_find_alias(Journal *journal, int64_t side_id, int64_t *ret_id, Error *error);
int journal_keep_record(Journal *journal, const Run *run, int64_t at_wall, const char *note, Error *error);

int journal_free_pages(Journal *journal, int64_t *ret_pages, Error *error);
/* Before what isn't a run is written: what a run may need of the free pages stays. -ENOSPC: it gives way. */
int journal_keep_reserve(Journal *journal, Error *error);
bool journal_release_spare(Journal *journal); /* gives the spare file's space up; false: there was none */
int journal_checkpoint_if_long(Journal *journal, Error *error);
