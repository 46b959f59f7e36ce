/* Puts the PostgreSQL driver before a real server, from a pipe:
 *   postgres-tool KEY=VALUE...      (settings of the block data.postgres; a map's entry: KEY.NAME=TEXT)
 * then one command a line on stdin, and lines of JSON on stdout:
 *   query BUDGET_MS SQL | replication BUDGET_MS | check BUDGET_MS    its answer comes when it is there; "notice" and "progress" before it
 *   cancel                                                           what is under way: no answer comes any more
 *   ping                                                             answered at once, as long as nothing blocks the loop */
#include "adapters/postgres-internal.h"

#include <string.h>

#include "tool-line.h"

static sd_event *event;
static Postgres *driver;
static PgQuery *query;
static Op *op;

static json_t *rows_json(const PGresult *rows) {
        json_t *list = json_array();
        for (int i = 0; i < PQntuples(rows); i++) {
                json_t *row = json_array();
                for (int k = 0; k < PQnfields(rows); k++)
                        json_array_append_new(row, PQgetisnull(rows, i, k) ? json_null()
                                                                           : json_string(PQgetvalue(rows, i, k)));
                json_array_append_new(list, row);
        }
        return list;
}

static void on_rows(void *userdata, const PgAnswer *answer) {
        (void)userdata;
        query = NULL;
        json_t *results = json_array();
        for (unsigned i = 0; i < answer->count; i++)
                json_array_append_new(results, rows_json(answer->rows[i]));
        tool_tell(json_pack("{so ss si ss}", "results", results, "error",
                            answer->error.code ? error_text(&answer->error) : "", "code", answer->error.code,
                            "sqlstate", answer->sqlstate));
}

static void on_notice(void *userdata, const char *line) {
        (void)userdata;
        tool_tell(json_pack("{ss}", "notice", line));
}

static void on_progress(void *userdata, const DataCheckNews *news) {
        (void)userdata;
        tool_tell(json_pack("{ss ss? sb si si}", "progress", news->about, "finding", news->finding, "damage",
                            news->damage, "done", (int)news->done, "total", (int)news->total));
}

static void on_checked(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        json_t *answer = tool_result(result);
        if (result->status == OP_DONE)
                json_object_set_new(answer, "problems", json_integer(result->number));
        tool_tell(answer);
}

static json_t *replica_json(const Replica *replica) {
        return json_pack("{ss ss ss ss sb sb sb sI sI sI ss}", "name", replica->name, "address", replica->address,
                         "state", replica->state, "sync", replica->sync, "paused", replica->paused, "stale",
                         replica->stale, "missing", replica->missing, "idle_us", (json_int_t)replica->idle_us, "lag_us",
                         (json_int_t)replica->lag_us, "lag_bytes", (json_int_t)replica->lag_bytes, "detail",
                         replica->detail);
}

static void on_replication(void *userdata, const OpResult *result) {
        (void)userdata;
        op = NULL;
        json_t *answer = tool_result(result), *replicas = json_array();
        if (result->status == OP_DONE) {
                const ReplicationState *state = &result->replication;
                for (unsigned i = 0; i < state->count; i++)
                        json_array_append_new(replicas, replica_json(&state->replicas[i]));
                json_object_update_new(answer, json_pack("{sb si ss}", "primary", state->primary, "expected",
                                                         (int)state->expected, "detail", state->detail));
        }
        json_object_set_new(answer, "replicas", replicas);
        tool_tell(answer);
}

static void act(const char *line) {
        char verb[16] = "";
        long long ms = 0;
        int used = 0, r = 0;
        Error error = {0};
        sscanf(line, "%15s %lld %n", verb, &ms, &used);
        int64_t budget_us = ms * USEC_PER_MSEC;
        if (strcmp(verb, "query") == 0)
                r = pg_query_begin(event, &driver->server, line + used, budget_us, on_rows, on_notice, NULL, &query,
                                   &error);
        else if (strcmp(verb, "replication") == 0)
                r = postgres_data_driver.replication(driver, budget_us, on_replication, NULL, &op, &error);
        else if (strcmp(verb, "check") == 0)
                r = postgres_data_driver.check(driver, on_progress, budget_us, on_checked, NULL, &op, &error);
        else if (strcmp(verb, "cancel") == 0) {
                query = pg_query_cancel(query);
                op = op_cancel(op);
                tool_tell(json_pack("{ss}", "status", "cancelled"));
        } else
                tool_tell(json_pack("{ss}", "status", "pong"));
        if (r < 0)
                tool_tell(tool_refused(&error));
}

int main(int argc, char **argv) {
        Error error = {0};
        Settings *settings = NULL;
        void *opened = NULL;
        int r = settings_new(postgres_data_driver.settings, &settings, &error);
        for (int i = 1; i < argc && r >= 0; i++)
                r = tool_set(settings, postgres_data_driver.settings, argv[i], &error);
        if (r >= 0)
                r = sd_event_new(&event);
        const DriverContext context = {.event = event};
        if (r >= 0)
                r = postgres_data_driver.open(&context, settings, &opened, &error);
        driver = opened;
        tool_tell(r < 0 ? tool_refused(&error) : tool_open());
        if (r >= 0)
                r = tool_serve(event, act);
        pg_query_cancel(query);
        op_cancel(op);
        if (driver)
                postgres_data_driver.close(driver);
        settings_free(settings);
        sd_event_unref(event);
        return r < 0;
}
