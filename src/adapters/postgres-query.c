#include "adapters/postgres-query.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#define SHOWN_SQL 80
#define SHOWN_SERVER 256

struct PgQuery {
        sd_event *event;
        sd_event_source *io, *deadline, *soon;
        PGconn *connection;
        bool connected;
        char *sql;
        int64_t budget_us;
        PgCallback callback;
        void (*notice)(void *userdata, const char *line);
        void *userdata;
        char server[SHOWN_SERVER]; /* "PostgreSQL at /run/postgresql port 5432, database novacron" */
        Error error;               /* the first */
        char sqlstate[6], message[DETAIL_MAX];
        bool in_rows; /* the newest of `rows` is being filled */
        unsigned count;
        size_t bytes;
        PGresult *rows[PG_RESULTS_MAX];
};

/* ---- the end ---- */

PgQuery *pg_query_cancel(PgQuery *query) {
        if (!query)
                return NULL;
        query->io = sd_event_source_disable_unref(query->io); /* before its descriptor is closed */
        sd_event_source_disable_unref(query->deadline);
        sd_event_source_disable_unref(query->soon);
        PQfinish(query->connection); /* NULL allowed; doesn't wait on a connection that doesn't block */
        for (unsigned i = 0; i < query->count; i++)
                PQclear(query->rows[i]);
        sd_event_unref(query->event);
        free(query->sql);
        free(query);
        return NULL;
}

static void finish(PgQuery *query) {
        PgAnswer answer = {
                .error = query->error, .message = query->message, .count = query->count, .rows = query->rows};
        memcpy(answer.sqlstate, query->sqlstate, sizeof answer.sqlstate);
        query->io = sd_event_source_disable_unref(query->io); /* the server isn't kept while the caller thinks */
        query->deadline = sd_event_source_disable_unref(query->deadline);
        PQfinish(TAKE_PTR(query->connection));
        query->callback(query->userdata, &answer);
        pg_query_cancel(query);
}

/* ---- errors ---- */

/* One line: libpq's messages end with a newline and have more of them inside. */
static void squeeze(char *text, size_t size, const char *from) {
        size_t used = 0;
        for (bool blank = true; from && *from && used + 1 < size; from++) {
                bool is_blank = strchr(" \t\r\n", *from) != NULL;
                if (!is_blank || !blank)
                        text[used++] = is_blank ? ' ' : *from;
                blank = is_blank;
        }
        while (used > 0 && text[used - 1] == ' ')
                used--;
        text[used] = '\0';
}

static void name_sql(const PgQuery *query, char *text) {
        squeeze(text, SHOWN_SQL, query->sql);
        if (strlen(text) == SHOWN_SQL - 1)
                strcpy(text + SHOWN_SQL - 4, "...");
}

/* libpq's own message names the socket again, and asks on its next line whether the server is running. */
static void connection_problem(const PgQuery *query, char *text, size_t size) {
        const char *message = PQerrorMessage(query->connection), *reason = strstr(message, " failed: ");
        squeeze(text, size, reason ? reason + strlen(" failed: ") : message);
        char *question = strstr(text, " Is the server running");
        if (question)
                *question = '\0';
}

static void fail_connecting(PgQuery *query) {
        char said[300];
        connection_problem(query, said, sizeof said);
        if (PQconnectionNeedsPassword(query->connection))
                error_set(
                        &query->error, -EACCES,
                        "%s: it asks for a password: put HOST:PORT:DATABASE:USER:PASSWORD into a file of mode 0600 and "
                        "name it as data.postgres.password_file",
                        query->server);
        else if (PQconnectionUsedPassword(query->connection))
                error_set(&query->error, -EACCES, "%s: %s; correct the password in data.postgres.password_file",
                          query->server, said);
        else if (strncmp(said, "FATAL:", strlen("FATAL:")) == 0) /* it is there, and says so itself */
                error_set(&query->error, -ECONNREFUSED,
                          "%s: %s; look at data.postgres in rollback.yaml and at the server's log", query->server,
                          said);
        else
                error_set(&query->error, -ECONNREFUSED, "%s: %s; is it running? systemctl status postgresql",
                          query->server, said);
}

static void fail_lost(PgQuery *query) {
        char said[200], sql[SHOWN_SQL];
        squeeze(said, sizeof said, PQerrorMessage(query->connection));
        name_sql(query, sql);
        error_set(&query->error, -ECONNRESET,
                  "%s: the connection was lost during '%s': %s; its log says why: "
                  "journalctl -u postgresql",
                  query->server, sql, said);
}

static void fail_statement(PgQuery *query, const PGresult *result) {
        char sql[SHOWN_SQL];
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        if (query->error.code)
                return;
        if (!state) { /* libpq's own: the server is gone */
                fail_lost(query);
                return;
        }
        squeeze(query->message, sizeof query->message, primary);
        name_sql(query, sql);
        snprintf(query->sqlstate, sizeof query->sqlstate, "%s", state);
        error_set(&query->error, -EPROTO, "%s: %s (SQLSTATE %s, asked: %s)", query->server, query->message, state, sql);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        PgQuery *query = userdata;
        char sql[SHOWN_SQL];
        (void)source;
        (void)usec;
        name_sql(query, sql);
        if (query->connected)
                error_set(&query->error, -ETIMEDOUT, "%s: no answer within %" PRId64 " ms to: %s", query->server,
                          query->budget_us / USEC_PER_MSEC, sql);
        else
                error_set(&query->error, -ETIMEDOUT,
                          "%s: it doesn't let us in within %" PRId64 " ms; is it running? systemctl status postgresql",
                          query->server, query->budget_us / USEC_PER_MSEC);
        finish(query);
        return 0;
}

/* ---- results ---- */

/* The rows come one by one, so that what is kept can be bounded. */
static int keep_row(PgQuery *query, const PGresult *row) {
        if (!query->in_rows) {
                if (query->count == PG_RESULTS_MAX)
                        return error_set(&query->error, -EMSGSIZE, "%s: more than %d results at once", query->server,
                                         PG_RESULTS_MAX);
                PGresult *rows = PQcopyResult(row, PG_COPYRES_ATTRS);
                if (!rows)
                        return error_set(&query->error, -ENOMEM, "%s: out of memory", query->server);
                query->rows[query->count++] = rows;
                query->in_rows = true;
        }
        PGresult *rows = query->rows[query->count - 1];
        int at = PQntuples(rows);
        for (int field = 0; field < PQnfields(row); field++) {
                bool null = PQgetisnull(row, 0, field);
                int length = PQgetlength(row, 0, field);
                query->bytes += (size_t)length + sizeof(void *) + sizeof length;
                if (query->bytes > PG_ANSWER_MAX)
                        return error_set(&query->error, -EMSGSIZE, "%s: the answer is longer than %zu MiB",
                                         query->server, PG_ANSWER_MAX / 1024 / 1024);
                if (!PQsetvalue(rows, at, field, null ? NULL : PQgetvalue(row, 0, field), null ? -1 : length))
                        return error_set(&query->error, -ENOMEM, "%s: out of memory", query->server);
        }
        return 0;
}

/* Negative: there is no sense in reading on. */
static int take_result(PgQuery *query, PGresult *result) {
        int r = 0;
        switch (PQresultStatus(result)) {
        case PGRES_SINGLE_TUPLE:
                r = keep_row(query, result);
                break;
        case PGRES_TUPLES_OK: /* the end of a statement's rows */
                if (!query->in_rows && query->count < PG_RESULTS_MAX) {
                        query->rows[query->count++] = result;
                        return 0;
                }
                if (!query->in_rows)
                        r = error_set(&query->error, -EMSGSIZE, "%s: more than %d results at once", query->server,
                                      PG_RESULTS_MAX);
                query->in_rows = false;
                break;
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
                break;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
                r = error_set(&query->error, -EPROTO, "%s: COPY isn't possible here", query->server);
                break;
        default:
                fail_statement(query, result);
                query->in_rows = false;
                break;
        }
        PQclear(result);
        return r;
}

/* ---- asking ---- */

/* True: the answer is whole, or there will be none. */
static bool read_on(PgQuery *query) {
        bool lost = PQconsumeInput(query->connection) == 0;
        bool gone = PQstatus(query->connection) == CONNECTION_BAD; /* then what it said before is still to be read */
        while (gone || !PQisBusy(query->connection)) {
                PGresult *result = PQgetResult(query->connection);
                if (!result)
                        return true;
                if (take_result(query, result) < 0)
                        return true;
        }
        if (lost && query->error.code == 0)
                fail_lost(query);
        return lost;
}

static int watch(PgQuery *query, uint32_t events);

static int ask_on(PgQuery *query) {
        if (read_on(query)) {
                finish(query);
                return 0;
        }
        int left = PQflush(query->connection);
        return watch(query, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int begin_asking(PgQuery *query) {
        query->connected = true;
        if (PQsetnonblocking(query->connection, 1) < 0 || !PQsendQuery(query->connection, query->sql) ||
            !PQsetSingleRowMode(query->connection)) {
                fail_lost(query);
                finish(query);
                return 0;
        }
        return ask_on(query);
}

/* ---- connecting ---- */

static int connect_on(PgQuery *query) {
        query->io = sd_event_source_disable_unref(query->io); /* the socket may be another after this */
        switch (PQconnectPoll(query->connection)) {
        case PGRES_POLLING_READING:
                return watch(query, EPOLLIN);
        case PGRES_POLLING_WRITING:
                return watch(query, EPOLLOUT);
        case PGRES_POLLING_OK:
                return begin_asking(query);
        default:
                fail_connecting(query);
                finish(query);
                return 0;
        }
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        PgQuery *query = userdata;
        (void)source;
        (void)fd;
        (void)events;
        int r = query->connected ? ask_on(query) : connect_on(query);
        if (r < 0) { /* no memory to go on watching; finish() has not been called then */
                error_set(&query->error, r, "%s: cannot wait for it: %s", query->server, strerror(-r));
                finish(query);
        }
        return 0;
}

static int watch(PgQuery *query, uint32_t events) {
        if (query->io)
                return sd_event_source_set_io_events(query->io, events);
        return sd_event_add_io(query->event, &query->io, PQsocket(query->connection), events, on_socket, query);
}

static int on_soon(sd_event_source *source, void *userdata) {
        PgQuery *query = userdata;
        (void)source;
        query->soon = sd_event_source_disable_unref(query->soon);
        int r = 0;
        if (PQstatus(query->connection) != CONNECTION_BAD)
                r = watch(query, EPOLLOUT); /* as if PQconnectPoll() had said so */
        else
                fail_connecting(query);
        if (r < 0)
                error_set(&query->error, r, "%s: cannot wait for it: %s", query->server, strerror(-r));
        if (query->error.code)
                finish(query);
        return 0;
}

static void on_notice(void *userdata, const char *message) {
        PgQuery *query = userdata;
        char line[DETAIL_MAX];
        squeeze(line, sizeof line, message);
        if (query->notice)
                query->notice(query->userdata, line);
}

/* ---- the beginning ---- */

static int start(PgQuery *query, const PgServer *server, const char *sql) {
        snprintf(query->server, sizeof query->server, "PostgreSQL at %.100s port %" PRId64 ", database %.63s",
                 server->host, server->port, server->database);
        query->sql = strdup(sql);
        query->connection = query->sql ? pg_server_connect(server, query->budget_us) : NULL;
        if (!query->connection)
                return -ENOMEM;
        PQsetNoticeProcessor(query->connection, on_notice, query);
        int r = sd_event_add_time_relative(query->event, &query->deadline, CLOCK_BOOTTIME, (uint64_t)query->budget_us,
                                           1000, on_deadline, query);
        return r < 0 ? r : sd_event_add_defer(query->event, &query->soon, on_soon, query);
}

int pg_query_begin(sd_event *event, const PgServer *server, const char *sql, int64_t budget_us, PgCallback callback,
                   void (*notice)(void *userdata, const char *line), void *userdata, PgQuery **ret_query,
                   Error *error) {
        int r = pg_server_check(server, error);
        if (r < 0)
                return r;
        PgQuery *query = calloc(1, sizeof *query);
        if (!query)
                return error_set(error, -ENOMEM, "PostgreSQL: out of memory");
        *query = (PgQuery){.event = sd_event_ref(event),
                           .budget_us = budget_us,
                           .callback = callback,
                           .notice = notice,
                           .userdata = userdata};
        r = start(query, server, sql);
        if (r < 0) {
                error_set(error, r, "%s: cannot begin to ask it: %s", query->server, strerror(-r));
                pg_query_cancel(query);
                return r;
        }
        *ret_query = query;
        return 0;
}
