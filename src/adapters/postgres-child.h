/* psql and pg_dump as child processes: with an environment of their own (nothing of ours tells them whom to ask), without our
 * privileges when we are root (`run_as`), and ending when we do. What one is fed and what it writes are descriptors of ours, so it
 * needs no right to any file. */
#pragma once

#include "adapters/postgres-internal.h"
#include "io/process.h"

typedef struct PgChild PgChild;

/* `said`: what it wrote to standard error, its newest bytes. The child may be freed in it. */
typedef void (*PgChildEnded)(void *userdata, const ProcessExit *exit, const char *said);

typedef struct PgChildSpec {
        const char *program;          /* "psql" */
        const char *const *arguments; /* NULL-terminated, without the program */
        const char *database;         /* NULL: the service's */
        const char *name;             /* application_name, at most 63 bytes */
        int input_fd;                 /* read from its start; 0: none */
        int output_fd;                /* 0: it comes line by line */
        void (*line)(void *userdata, const char *line);
        PgChildEnded ended;
        void *userdata;
} PgChildSpec;

int pg_child_start(const Postgres *postgres, const PgChildSpec *spec, PgChild **ret_child, Error *error);
PgChild *pg_child_free(PgChild *child); /* kills it; NULL allowed; returns NULL */

/* What went wrong, of what psql or pg_dump said: the first line that names an error, without its beginning, and in *ret_line the line
 * of its input that psql named (0: none). Returns `text`. */
char *pg_child_error(const char *said, char *text, size_t size, unsigned *ret_line);

/* ---- what psql is fed: a text in memory, read by the child from a descriptor ---- */

typedef struct PgFeed {
        int fd;
        int failed;                         /* negative errno of the first that failed */
        unsigned script_from, script_lines; /* where the script stands in it: its first line, and how many */
} PgFeed;

int pg_feed_open(PgFeed *feed, Error *error);
void pg_feed_close(PgFeed *feed); /* of a zeroed one: nothing */
void pg_feed_text(PgFeed *feed, const char *text, size_t size);
void pg_feed_format(PgFeed *feed, const char *format, ...) PRINTF_LIKE(2, 3);
void pg_feed_script(PgFeed *feed, const char *script, size_t size); /* notes where it stands */
int pg_feed_check(const PgFeed *feed, Error *error);                /* 0: all of it is there */

/* The error with its place: "SCRIPT line 12: ERROR: ...", or what failed beside the script. */
void pg_feed_error(const PgFeed *feed, const char *script, const char *said, const ProcessExit *exit, Error *error);
