/* How far the standbys are behind: what the primary says of those that are connected to it, and what those say that may be asked
 * themselves, all asked at once. What is what:
 *   lag_bytes  WAL that the primary has written and the standby hasn't replayed: always true
 *   lag_us     0 when that is nothing; else the primary's replay_lag, which is measured only while something is replayed. So it is a
 *              lie while replay is paused: then at least the time is told in which we saw nothing replayed
 *   idle_us    the standby's now() - pg_last_xact_replay_timestamp(): no lag at all, it grows while nothing is written */
#include "adapters/postgres-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define STALE_AFTER_US USEC_PER_SEC /* a standby that replays tells of it within milliseconds */

#define MICROSECONDS(interval) "(extract(epoch from " interval ") * 1000000)::bigint"
#define LSN_NOW "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"

static const char primary_sql[] =
        "SELECT pg_is_in_recovery(); "
        "SELECT application_name, coalesce(host(client_addr), ''), state, coalesce(sync_state, ''), replay_lsn, "
        "CASE WHEN replay_lsn IS NOT NULL THEN greatest(pg_wal_lsn_diff(" LSN_NOW
        ", replay_lsn), 0)::bigint END, " MICROSECONDS(
                "replay_lag") " "
                              "FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 1, 2, pid";
enum { NAME, ADDRESS, STATE, SYNC, REPLAYED, LAG_BYTES, LAG_US };

static const char standby_sql[] =
        "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END, " MICROSECONDS(
                "clock_timestamp() - pg_last_xact_replay_timestamp()");
enum { IN_RECOVERY, PAUSE_STATE, IDLE_US };

typedef struct Look Look;
typedef struct Ask {
        Look *look;
        PgQuery *query;
        bool answered, no_standby, paused;
        int64_t idle_us;
        char problem[100];
} Ask;

struct Look {
        Op op;
        Postgres *postgres;
        PgQuery *primary;
        bool primary_answered;
        unsigned waiting;
        ReplicationState state;
        Ask asks[REPLICAS_MAX]; /* as Postgres.replicas */
};

static void look_destroy(Op *op) {
        Look *look = (Look *)op;
        pg_query_cancel(look->primary);
        for (unsigned i = 0; i < look->postgres->replica_count; i++)
                pg_query_cancel(look->asks[i].query);
        op_finish_base(&look->op);
        free(look);
}

/* ---- one standby, as the primary sees it ---- */

static PgSeen *find_seen(Postgres *postgres, const Replica *replica) {
        for (unsigned i = 0; i < postgres->seen_count; i++)
                if (strcmp(postgres->seen[i].name, replica->name) == 0 &&
                    strcmp(postgres->seen[i].address, replica->address) == 0)
                        return &postgres->seen[i];
        PgSeen *seen = &postgres->seen[postgres->seen_count < REPLICAS_MAX ? postgres->seen_count++ : REPLICAS_MAX - 1];
        *seen = (PgSeen){0};
        memcpy(seen->name, replica->name, sizeof seen->name);
        memcpy(seen->address, replica->address, sizeof seen->address);
        return seen;
}

/* For how long it has been seen to lack something and to replay nothing. */
static int64_t stuck_for(Postgres *postgres, const Replica *replica, const char *replayed) {
        PgSeen *seen = find_seen(postgres, replica);
        int64_t now = postgres_now_us(postgres);
        if (replica->lag_bytes <= 0) {
                seen->replayed[0] = '\0';
                return 0;
        }
        if (strcmp(seen->replayed, replayed) != 0) {
                snprintf(seen->replayed, sizeof seen->replayed, "%s", replayed);
                seen->since_mono = now;
        }
        return now - seen->since_mono;
}

static int64_t number(const PGresult *rows, int row, int field) {
        return PQgetisnull(rows, row, field) ? -1 : strtoll(PQgetvalue(rows, row, field), NULL, 10);
}

#define COPY(target, rows, row, field) snprintf(target, sizeof(target), "%s", PQgetvalue(rows, row, field))

static void take_row(Look *look, const PGresult *rows, int row, Replica *replica) {
        *replica = (Replica){.lag_us = -1, .lag_bytes = number(rows, row, LAG_BYTES), .idle_us = -1};
        COPY(replica->name, rows, row, NAME);
        COPY(replica->address, rows, row, ADDRESS);
        COPY(replica->state, rows, row, STATE);
        COPY(replica->sync, rows, row, SYNC);
        if (PQgetisnull(rows, row, STATE)) {
                snprintf(replica->detail, sizeof replica->detail, "the role has no right to see it");
                return;
        }
        int64_t stuck_us = stuck_for(look->postgres, replica, PQgetvalue(rows, row, REPLAYED));
        replica->lag_us = replica->lag_bytes == 0 ? 0 : number(rows, row, LAG_US);
        if (replica->lag_us < stuck_us)
                replica->lag_us = stuck_us;
        replica->stale = stuck_us >= STALE_AFTER_US;
        if (replica->stale)
                snprintf(replica->detail, sizeof replica->detail,
                         "it was seen to replay nothing for %" PRId64 " ms; is it paused?", stuck_us / USEC_PER_MSEC);
}

/* ---- all of them ---- */

static int find_row(const PGresult *rows, const bool *taken, const char *name) {
        for (int i = 0; i < PQntuples(rows); i++)
                if (!taken[i] && strcmp(PQgetvalue(rows, i, NAME), name) == 0)
                        return i;
        return -1;
}

/* Those that are expected come first and in their order, so that no stranger takes their place. */
static int take_rows(Look *look, const PGresult *rows) {
        ReplicationState *state = &look->state;
        AUTO_FREE bool *taken = calloc((size_t)PQntuples(rows) + 1, sizeof *taken);
        if (!taken)
                return -ENOMEM;
        for (unsigned i = 0; i < look->postgres->replica_count; i++) {
                Replica *replica = &state->replicas[state->count++];
                const char *name = look->postgres->replicas[i].name;
                int row = find_row(rows, taken, name);
                if (row >= 0) {
                        take_row(look, rows, row, replica);
                        taken[row] = true;
                        continue;
                }
                *replica = (Replica){.missing = true, .lag_us = -1, .lag_bytes = -1, .idle_us = -1};
                snprintf(replica->name, sizeof replica->name, "%s", name);
                snprintf(replica->detail, sizeof replica->detail, "it isn't connected to the primary");
        }
        for (int row = 0; row < PQntuples(rows); row++) {
                if (taken[row])
                        continue;
                if (state->count < REPLICAS_MAX)
                        take_row(look, rows, row, &state->replicas[state->count++]);
                else
                        state->left_out++;
        }
        return 0;
}

static void describe_server(Look *look, const PGresult *rows) {
        const PgServer *server = &look->postgres->server;
        ReplicationState *state = &look->state;
        bool blind = false;
        for (int row = 0; row < PQntuples(rows); row++)
                blind |= PQgetisnull(rows, row, STATE);
        if (!state->primary)
                snprintf(state->detail, sizeof state->detail,
                         "the server at %.80s port %" PRId64
                         " is a standby itself: set data.postgres.host and port to the primary's",
                         server->host, server->port);
        else if (blind)
                snprintf(state->detail, sizeof state->detail,
                         "role %.63s may not see how far they are: GRANT pg_monitor TO %.63s", server->user,
                         server->user);
}

/* ---- what a standby says itself ---- */

static void add_detail(Replica *replica, const char *text) {
        if (replica->paused && replica->stale)
                replica->detail[0] = '\0'; /* that it replays nothing is explained */
        size_t used = strlen(replica->detail);
        snprintf(replica->detail + used, sizeof replica->detail - used, "%s%s", used ? "; " : "", text);
}

static void merge(const Ask *ask, Replica *replica) {
        replica->idle_us = ask->idle_us;
        replica->paused = ask->paused;
        replica->stale |= ask->paused && replica->lag_bytes > 0;
        if (ask->paused)
                add_detail(replica, "replay is paused; there: SELECT pg_wal_replay_resume()");
        else if (ask->no_standby)
                add_detail(replica, "it says that it is no standby: was it promoted?");
        else if (ask->problem[0])
                add_detail(replica, ask->problem);
}

static void finish(Look *look) {
        OpResult result = {.status = OP_DONE};
        for (unsigned i = 0; i < look->postgres->replica_count; i++)
                if (look->asks[i].answered)
                        merge(&look->asks[i], &look->state.replicas[i]);
        result.replication = look->state;
        op_complete(&look->op, &result);
}

static void go_on(Look *look) {
        if (look->primary_answered && look->waiting == 0)
                finish(look);
}

static void on_standby(void *userdata, const PgAnswer *answer) {
        Ask *ask = userdata;
        ask->query = NULL;
        ask->answered = true;
        ask->idle_us = -1;
        ask->look->waiting--;
        if (answer->error.code)
                snprintf(ask->problem, sizeof ask->problem, "it can't be asked itself: %s", error_text(&answer->error));
        else {
                const PGresult *rows = answer->rows[0];
                ask->no_standby = strcmp(PQgetvalue(rows, 0, IN_RECOVERY), "t") != 0;
                ask->paused = !ask->no_standby && strcmp(PQgetvalue(rows, 0, PAUSE_STATE), "not paused") != 0;
                ask->idle_us = number(rows, 0, IDLE_US);
        }
        go_on(ask->look);
}

static void on_primary(void *userdata, const PgAnswer *answer) {
        Look *look = userdata;
        look->primary = NULL;
        if (answer->error.code) {
                op_fail(&look->op, &answer->error);
                return;
        }
        look->primary_answered = true;
        look->state.at_mono = postgres_now_us(look->postgres);
        look->state.primary = strcmp(PQgetvalue(answer->rows[0], 0, 0), "f") == 0;
        look->state.expected = look->postgres->replica_count;
        describe_server(look, answer->rows[1]);
        int r = take_rows(look, answer->rows[1]);
        if (r < 0) {
                Error error;
                error_set(&error, r, "PostgreSQL: out of memory");
                op_fail(&look->op, &error);
                return;
        }
        go_on(look);
}

static void ask_standby(Look *look, unsigned index, int64_t budget_us) {
        Ask *ask = &look->asks[index];
        Error error = {0};
        *ask = (Ask){.look = look, .idle_us = -1};
        if (!look->postgres->replicas[index].asked)
                return;
        if (pg_query_begin(look->op.event, &look->postgres->replicas[index].server, standby_sql, budget_us, on_standby,
                           NULL, ask, &ask->query, &error) == 0)
                look->waiting++;
        else {
                ask->answered = true;
                snprintf(ask->problem, sizeof ask->problem, "it can't be asked itself: %s", error_text(&error));
        }
}

int postgres_replication(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op,
                         Error *error) {
        Postgres *postgres = self;
        int64_t each_us =
                budget_us - budget_us / 8; /* so that a server that hangs is named, not only the time that is over */
        Look *look = calloc(1, sizeof *look);
        if (!look)
                return error_set(error, -ENOMEM, "PostgreSQL: out of memory");
        look->postgres = postgres;
        int r = op_begin(&look->op, postgres->context.event, "PostgreSQL replication", budget_us, callback, userdata,
                         look_destroy);
        if (r < 0)
                error_set(error, r, "PostgreSQL: cannot begin to ask for the replication: %s", strerror(-r));
        else
                r = pg_query_begin(postgres->context.event, &postgres->server, primary_sql, each_us, on_primary, NULL,
                                   look, &look->primary, error);
        if (r < 0) {
                op_cancel(&look->op);
                return r;
        }
        for (unsigned i = 0; i < postgres->replica_count; i++)
                ask_standby(look, i, each_us);
        *ret_op = &look->op;
        return 0;
}

/* ---- the setting ---- */

static int read_port(const char *text, PgServer *server) {
        char *end;
        long port = strtol(text, &end, 10);
        server->port = port;
        return *text && *end == '\0' && port >= 1 && port <= 65535 ? 0 : -EINVAL;
}

/* "10.0.0.2", "10.0.0.2:5432", "::1", "[::1]:5432", "/run/postgresql", "/run/postgresql:5433". */
static int read_address(PgReplica *replica, const char *text) {
        const char *colon = strrchr(text, ':'), *host = text;
        size_t length = strlen(text);
        int r = 0;
        if (text[0] == '[') {
                const char *bracket = strchr(text, ']');
                if (!bracket)
                        return -EINVAL;
                host = text + 1;
                length = (size_t)(bracket - host);
                if (bracket[1] == ':')
                        r = read_port(bracket + 2, &replica->server);
                else if (bracket[1])
                        r = -EINVAL;
        } else if (colon && (text[0] == '/' || strchr(text, ':') == colon)) {
                length = (size_t)(colon - text);
                r = read_port(colon + 1, &replica->server);
        }
        if (r < 0 || length >= sizeof replica->host)
                return -EINVAL;
        memcpy(replica->host, host, length);
        replica->host[length] = '\0';
        return 0;
}

/* "standby1" or "standby1=10.0.0.2:5432" */
static int read_replica(PgReplica *replica, const char *text, const PgServer *primary, Error *error) {
        const char *address = strchrnul(text, '=');
        size_t length = (size_t)(address - text);
        *replica = (PgReplica){.asked = *address != '\0', .server = *primary};
        replica->server.host = replica->host;
        if (length == 0 || length >= sizeof replica->name)
                return error_set(error, -EINVAL, "data.postgres.replicas: '%.80s' has no name, or too long a one",
                                 text);
        memcpy(replica->name, text, length);
        if (!replica->asked)
                return 0;
        if (read_address(replica, address + 1) < 0)
                return error_set(error, -EINVAL,
                                 "data.postgres.replicas: '%.80s': behind the name comes an address, such as "
                                 "standby1=10.0.0.2:5432 or standby1=/run/postgresql:5433",
                                 text);
        int r = pg_server_check(&replica->server, error);
        return r < 0 ? error_prefix(error, "data.postgres.replicas: '%.80s'", text) : 0;
}

int postgres_read_replicas(Postgres *postgres, Error *error) {
        const char *const *texts = settings_list(postgres->settings, "replicas");
        for (; *texts; texts++) {
                if (postgres->replica_count == REPLICAS_MAX)
                        return error_set(error, -EINVAL, "data.postgres.replicas: at most %d can be told of",
                                         REPLICAS_MAX);
                int r = read_replica(&postgres->replicas[postgres->replica_count++], *texts, &postgres->server, error);
                if (r < 0)
                        return r;
        }
        return 0;
}
