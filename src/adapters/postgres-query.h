/* A question to PostgreSQL on the event loop, by libpq without blocking: connect, send, read, close, all within one budget. A server
 * that hangs, refuses or goes away is an error that names it. Name look-up would block: the host is an address or a socket's
 * directory, never a name. */
#pragma once

#include "base/error.h"
#include "io/op.h"

#include <libpq-fe.h>

typedef struct PgServer {
        const char *host; /* an address, or the directory of its socket */
        int64_t port;
        const char *database, *user;
        const char *password_file; /* NULL or "": libpq's own way */
} PgServer;

typedef struct PgAnswer {
        Error error;      /* code 0: all statements succeeded; else it names the server, the statement and what to do */
        char sqlstate[6]; /* of the error; "" when it isn't the server's */
        const char *message; /* the server's own words, one line; "" likewise */
        unsigned count;      /* results of statements that gave rows, in order; those before the error are there too */
        PGresult *const *rows; /* valid during the callback */
} PgAnswer;

typedef void (*PgCallback)(void *userdata, const PgAnswer *answer);
typedef struct PgQuery PgQuery;

#define PG_RESULTS_MAX 16
#define PG_ANSWER_MAX ((size_t)16 * 1024 * 1024) /* bytes of all results; a longer answer is an error (-EMSGSIZE) */

/* Whether the server can be asked at all as it is configured: no name as its host, a password file that libpq will believe. Asks
 * nobody. pg_query_begin() looks, too. */
int pg_server_check(const PgServer *server, Error *error);
int pg_host_check(const char *host, Error *error); /* only the first of it: it looks at no file */
/* As PQconnectStart(): PQconnectPoll() goes on with it. NULL: out of memory. */
PGconn *pg_server_connect(const PgServer *server, int64_t budget_us);

/* One or more statements, separated by semicolons; the server runs them as one transaction unless they say otherwise. The callback
 * comes once, from the loop; the query is gone after it. Everything is copied. A notice of the server goes to `notice` (may be
 * NULL), which may not cancel the query.
 *
 * Whoever ends it (the budget, pg_query_cancel(), a kill -9 of ours) ends the statement at the server too, within about
 * a second, and rolls its transaction back: the server looks whether the connection is still there (client_connection_check_interval).
 * A request to cancel would take a second connection, for which libpq 15 blocks. */
int pg_query_begin(sd_event *event, const PgServer *server, const char *sql, int64_t budget_us, PgCallback callback,
                   void (*notice)(void *userdata, const char *line), void *userdata, PgQuery **ret_query, Error *error);
PgQuery *pg_query_cancel(PgQuery *query); /* no callback any more; NULL allowed; returns NULL */

/* A text as an SQL literal or name, quoted. The caller's to free(); NULL: out of memory. */
char *pg_quote_literal(const char *text);
char *pg_quote_name(const char *text);
