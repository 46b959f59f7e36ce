/* The compatibility gate: can the release work with the schema that is there, and if not, is there a way back that is proven? It
 * asks the database what it is, looks the script up, and has it rehearsed once for each script and catalogue; asked again, it costs
 * three questions. */
#include "adapters/postgres-schema.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct PgGate {
        const Postgres *postgres;
        SchemaRequest request;
        bool acts;
        int64_t budget_us;
        uint64_t begun;
        PgGated done;
        void *userdata;
        PgQuery *query;
        PgRehearsal *rehearsal;
        Worker *room;
        SchemaGate gate;
        PgWay way;
        PgPlan plan;
        char plan_path[PATH_MAX];
};

/* ---- the end ---- */

PgGate *pg_gate_cancel(PgGate *gate) {
        if (!gate)
                return NULL;
        gate->query = pg_query_cancel(gate->query);
        gate->rehearsal = pg_rehearsal_cancel(gate->rehearsal);
        gate->room = worker_cancel(gate->room);
        pg_way_clear(&gate->way);
        pg_plan_clear(&gate->plan);
        free(gate);
        return NULL;
}

static void finish(PgGate *gate, SchemaVerdict verdict) {
        PgGated done = gate->done;
        void *userdata = gate->userdata;
        PgWay way = gate->way;
        PgPlan plan = gate->plan;
        SchemaGate said = gate->gate;
        said.verdict = verdict;
        gate->way = (PgWay){0};
        gate->plan = (PgPlan){0};
        pg_gate_cancel(gate);
        done(userdata, &said, &way, &plan);
}

static void say(PgGate *gate, SchemaVerdict verdict, const char *format, ...) PRINTF_LIKE(3, 4);
static void say(PgGate *gate, SchemaVerdict verdict, const char *format, ...) {
        va_list args;
        va_start(args, format);
        vsnprintf(gate->gate.detail, sizeof gate->gate.detail, format, args);
        va_end(args);
        finish(gate, verdict);
}

static int64_t left_us(const PgGate *gate) {
        uint64_t now = 0;
        (void)sd_event_now(gate->postgres->context.event, CLOCK_BOOTTIME, &now);
        int64_t left = gate->budget_us - (int64_t)(now - gate->begun);
        return left > USEC_PER_MSEC ? left : USEC_PER_MSEC;
}

/* ---- last: whether its safety dump has room ---- */

static void on_room(void *userdata, const char *output, UNUSED size_t size, const Error *error) {
        PgGate *gate = userdata;
        SchemaGate *said = &gate->gate;
        char directory[PATH_MAX], why[sizeof said->doubt];
        bool compressed = settings_int(gate->postgres->settings, "dump_compression") > 0;
        PgRoom room;
        gate->room = NULL;
        if (error->code || !pg_room_read(output, &room)) {
                snprintf(said->doubt, sizeof said->doubt, "whether the safety dump has room isn't known: %.150s",
                         error_text(error));
                finish(gate, SCHEMA_REVERSIBLE);
                return;
        }
        pg_dump_directory(gate->postgres, directory, sizeof directory);
        if (pg_room_judge(&room, gate->way.facts.bytes, compressed, directory, why, sizeof why) == SCHEMA_REFUSED) {
                say(gate, SCHEMA_REFUSED, "%s; make room there, or mount a larger file system there", why);
                return;
        }
        memcpy(said->doubt, why, sizeof said->doubt);
        finish(gate, SCHEMA_REVERSIBLE);
}

/* Who acts makes the dump at once, and so finds out. */
static void look_for_room(PgGate *gate) {
        Error error = {0};
        if (gate->acts)
                finish(gate, SCHEMA_REVERSIBLE);
        else if (pg_room_begin(gate->postgres, left_us(gate) / 2, on_room, gate, &gate->room, &error) < 0)
                on_room(gate, NULL, 0, &error);
}

/* ---- what it means for the rows that are there ---- */

static void on_costs(void *userdata, const PgAnswer *answer) {
        PgGate *gate = userdata;
        gate->query = NULL;
        if (answer->error.code || answer->count < 2) {
                say(gate, SCHEMA_UNKNOWN, "%s", error_text(&answer->error));
                return;
        }
        SchemaVerdict verdict =
                pg_cost_judge(gate->postgres, &gate->request, &gate->way, &gate->plan, answer, &gate->gate);
        if (verdict == SCHEMA_REVERSIBLE)
                look_for_room(gate);
        else
                finish(gate, verdict);
}

static void ask_costs(PgGate *gate) {
        Error error = {0};
        AUTO_FREE char *sql = pg_sql_costs(&gate->plan);
        if (!sql) {
                say(gate, SCHEMA_UNKNOWN, "out of memory");
                return;
        }
        if (pg_query_begin(gate->postgres->context.event, &gate->postgres->server, sql, left_us(gate), on_costs, NULL,
                           gate, &gate->query, &error) < 0)
                say(gate, SCHEMA_UNKNOWN, "%s", error_text(&error));
}

/* ---- the proof ---- */

static bool plan_fits(const PgGate *gate) {
        return gate->plan.document && strcmp(gate->plan.script, gate->way.digest) == 0 &&
               strcmp(gate->plan.catalogue, gate->way.facts.catalogue) == 0 &&
               strcmp(gate->plan.current, gate->way.facts.version) == 0 &&
               strcmp(gate->plan.wanted, gate->way.wanted) == 0;
}

static void on_rehearsed(void *userdata, PgPlan *plan, const Error *error) {
        PgGate *gate = userdata;
        Error failure = {0};
        gate->rehearsal = NULL;
        if (!plan) {
                say(gate, error->code == -EPROTO ? SCHEMA_REFUSED : SCHEMA_UNKNOWN, "%s%s",
                    error->code == -EPROTO ? "" : "the way back could not be rehearsed: ", error_text(error));
                return;
        }
        gate->plan = *plan;
        /* Not kept: it is rehearsed again the next time. */
        (void)pg_plan_save(&gate->plan, gate->plan_path, &failure);
        ask_costs(gate);
}

static void prove(PgGate *gate) {
        char name[128];
        Error error = {0};
        snprintf(name, sizeof name, "plan-%.16s.json", gate->way.digest);
        if (pg_state_path(gate->postgres, "schema", name, gate->plan_path, sizeof gate->plan_path, &error) < 0) {
                say(gate, SCHEMA_REFUSED, "%s", error_text(&error));
                return;
        }
        if (pg_plan_load(gate->plan_path, &gate->plan, &error) == 0 && plan_fits(gate)) {
                ask_costs(gate);
                return;
        }
        pg_plan_clear(&gate->plan);
        /* It may be over, and the gate with it, when this returns 0. */
        if (pg_rehearsal_begin(gate->postgres, &gate->way, left_us(gate), on_rehearsed, gate, &gate->rehearsal,
                               &error) < 0)
                say(gate, error.code == -EPROTO ? SCHEMA_REFUSED : SCHEMA_UNKNOWN, "%s", error_text(&error));
}

/* ---- the script ---- */

static void find_way(PgGate *gate) {
        Error error = {0};
        pg_way_find(gate->postgres, &gate->request, gate->gate.current, &gate->way);
        memcpy(gate->gate.wanted, gate->way.wanted, sizeof gate->gate.wanted);
        if (access(gate->way.original, F_OK) < 0 && errno == ENOENT) {
                say(gate, SCHEMA_REFUSED,
                    "%s can't work with schema %s, and there is no way back to %s: neither does the release that leaves "
                    "name a script (release.yaml, down), nor is there %s",
                    gate->request.release, gate->gate.current, gate->gate.wanted, gate->way.original);
                return;
        }
        if (!gate->way.facts.counts) {
                say(gate, SCHEMA_REFUSED,
                    "track_counts is off in the database '%s', so which rows a script touches can't be known: switch it on "
                    "(it is PostgreSQL's default)",
                    gate->postgres->server.database);
                return;
        }
        if (pg_way_read(gate->postgres, &gate->way, gate->gate.script, sizeof gate->gate.script, &error) < 0)
                say(gate, SCHEMA_REFUSED, "%s", error_text(&error));
        else
                prove(gate);
}

/* ---- what the database says of itself ---- */

static void read_facts(PgGate *gate, const PGresult *rows) {
        PgFacts *facts = &gate->way.facts;
        snprintf(facts->catalogue, sizeof facts->catalogue, "%s", pg_value(rows, 0, 0));
        snprintf(facts->search_path, sizeof facts->search_path, "%s", pg_value(rows, 0, 1));
        facts->may_create = pg_value(rows, 0, 2)[0] == 't';
        facts->scratch = pg_value(rows, 0, 3)[0] == 't';
        facts->bytes = strtoll(pg_value(rows, 0, 4), NULL, 10);
        facts->counts = strcmp(pg_value(rows, 0, 7), "on") == 0;
        snprintf(facts->own_extensions, sizeof facts->own_extensions, "%s", pg_value(rows, 0, 5));
        snprintf(facts->used_extensions, sizeof facts->used_extensions, "%s", pg_value(rows, 0, 6));
}

/* What asking again won't change: no such table, no right to read it. */
static bool is_final(const char *sqlstate) {
        return strncmp(sqlstate, "42", 2) == 0 || strcmp(sqlstate, "3D000") == 0;
}

static void on_facts(void *userdata, const PgAnswer *answer) {
        PgGate *gate = userdata;
        const char *table = pg_setting(gate->postgres, "version_table");
        gate->query = NULL;
        if (answer->error.code || answer->count < 2) {
                say(gate, is_final(answer->sqlstate) ? SCHEMA_REFUSED : SCHEMA_UNKNOWN,
                    "which schema is there isn't known: %s", error_text(&answer->error));
                return;
        }
        const PGresult *versions = answer->rows[0];
        if (PQntuples(versions) != 1) {
                say(gate, SCHEMA_REFUSED, "which schema is there isn't known: %s has %d rows, and must have one", table,
                    PQntuples(versions));
                return;
        }
        snprintf(gate->way.facts.version, sizeof gate->way.facts.version, "%s", pg_value(versions, 0, 0));
        memcpy(gate->gate.current, gate->way.facts.version, sizeof gate->gate.current);
        read_facts(gate, answer->rows[1]);
        if (pg_works_with(&gate->request.target, gate->gate.current))
                say(gate, SCHEMA_COMPATIBLE, "%s works with schema %s, which is there", gate->request.release,
                    gate->gate.current);
        else
                find_way(gate);
}

/* One pattern for all of them; plpgsql, so that it names one that is there. */
#define EXTENSIONS(which)                                                                                              \
        "(SELECT pg_catalog.concat('plpgsql', pg_catalog.string_agg('|\"' || pg_catalog.replace(extname, '\"', "       \
        "'\"\"') || '\"', ''))\n    FROM pg_catalog.pg_extension WHERE " which ")"

static int ask_facts(PgGate *gate, Error *error) {
        char scratch[128];
        pg_scratch_name(gate->postgres, scratch, sizeof scratch);
        AUTO_FREE char *name = pg_quote_literal(scratch), *sql = NULL;
        if (!name ||
            asprintf(
                    &sql,
                    "SELECT version FROM %s LIMIT 2;\n"
                    "SELECT %s, pg_catalog.current_setting('search_path'),\n"
                    "  (SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),\n"
                    "  EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = %s),\n"
                    "  (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0) FROM pg_catalog.pg_class c\n"
                    "    WHERE c.relkind = 'r' AND (c.oid >= 16384 OR c.relname = 'pg_largeobject')),\n" EXTENSIONS(
                            "pg_catalog.pg_has_role(extowner, 'USAGE')") ", " EXTENSIONS("extname <> 'amcheck'") ", pg_catalog.current_setting('track_counts')",
                    pg_setting(gate->postgres, "version_table"), pg_sql_catalogue, name) < 0) {
                sql = NULL;
                return error_set(error, -ENOMEM, "out of memory");
        }
        return pg_query_begin(gate->postgres->context.event, &gate->postgres->server, sql, left_us(gate), on_facts,
                              NULL, gate, &gate->query, error);
}

/* ---- first: whether it is at rest ---- */

static void on_unfinished(void *userdata, const PgAnswer *answer) {
        PgGate *gate = userdata;
        Error error = {0};
        gate->query = NULL;
        if (answer->error.code || answer->count < 1) {
                say(gate, is_final(answer->sqlstate) ? SCHEMA_REFUSED : SCHEMA_UNKNOWN,
                    "which schema is there isn't known: %s", error_text(&answer->error));
                return;
        }
        const PGresult *rows = answer->rows[0];
        for (int i = 0; i < PQntuples(rows); i++)
                if (pg_value(rows, i, 1)[0] != 't') {
                        say(gate, SCHEMA_UNKNOWN,
                            "an earlier change of the schema by us has not ended yet (process %s of the server): it may "
                            "wait for a standby (pg_stat_activity says)",
                            pg_value(rows, i, 0));
                        return;
                }
        if (ask_facts(gate, &error) < 0)
                say(gate, SCHEMA_UNKNOWN, "%s", error_text(&error));
}

static int ask_unfinished(PgGate *gate, Error *error) {
        AUTO_FREE char *sql = pg_sql_unfinished(gate->postgres, gate->acts);
        if (!sql)
                return error_set(error, -ENOMEM, "out of memory");
        return pg_query_begin(gate->postgres->context.event, &gate->postgres->server, sql, left_us(gate), on_unfinished,
                              NULL, gate, &gate->query, error);
}

int pg_gate_begin(const Postgres *postgres, const SchemaRequest *request, bool acts, int64_t budget_us, PgGated done,
                  void *userdata, PgGate **ret_gate, Error *error) {
        PgGate *gate = calloc(1, sizeof *gate);
        if (!gate)
                return error_set(error, -ENOMEM, "PostgreSQL gate: out of memory");
        gate->postgres = postgres;
        gate->request = *request;
        gate->acts = acts;
        gate->budget_us = budget_us;
        (void)sd_event_now(postgres->context.event, CLOCK_BOOTTIME, &gate->begun);
        gate->done = done;
        gate->userdata = userdata;
        gate->gate.estimate_us = -1;
        memcpy(gate->gate.wanted, request->target.version, sizeof gate->gate.wanted);
        int r = ask_unfinished(gate, error);
        if (r < 0) {
                pg_gate_cancel(gate);
                return r;
        }
        *ret_gate = gate;
        return 0;
}

/* ---- as the driver is asked ---- */

typedef struct GateOp {
        Op op;
        PgGate *gate;
        sd_event_source *patience; /* a little before the deadline: who can't be asked is unknown, no failure */
        SchemaGate said;
} GateOp;

static void gate_op_destroy(Op *op) {
        GateOp *asked = (GateOp *)op;
        asked->gate = pg_gate_cancel(asked->gate);
        asked->patience = sd_event_source_disable_unref(asked->patience);
        op_finish_base(op);
        free(asked);
}

static void on_gated(void *userdata, const SchemaGate *said, PgWay *way, PgPlan *plan) {
        GateOp *asked = userdata;
        OpResult result = {.status = OP_DONE, .gate = *said};
        asked->gate = NULL;
        pg_way_clear(way);
        pg_plan_clear(plan);
        op_complete(&asked->op, &result);
}

static int on_patience(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        GateOp *asked = userdata;
        OpResult result = {.status = OP_DONE, .gate = asked->gate->gate};
        result.gate.verdict = SCHEMA_UNKNOWN;
        snprintf(result.gate.detail, sizeof result.gate.detail, "%s within %" PRId64 " ms",
                 asked->gate->rehearsal ? "the way back could not be rehearsed" : "the database did not answer",
                 asked->op.budget_us / USEC_PER_MSEC);
        op_complete(&asked->op, &result);
        return 0;
}

static int ungated(GateOp *asked, const SchemaRequest *request) {
        OpResult result = {.status = OP_DONE, .gate = {.verdict = SCHEMA_COMPATIBLE, .estimate_us = 0}};
        snprintf(result.gate.detail, sizeof result.gate.detail, "%s declares no schema: nothing was asked",
                 request->release);
        return op_complete_soon(&asked->op, &result);
}

int postgres_gate(void *self, const SchemaRequest *request, int64_t budget_us, OpCallback callback, void *userdata,
                  Op **ret_op, Error *error) {
        const Postgres *postgres = self;
        GateOp *asked = calloc(1, sizeof *asked);
        if (!asked)
                return error_set(error, -ENOMEM, "PostgreSQL gate: out of memory");
        int64_t patience_us = budget_us - budget_us / 20;
        int r = op_begin(&asked->op, postgres->context.event, "PostgreSQL gate", budget_us, callback, userdata,
                         gate_op_destroy);
        if (r == 0 && !request->target.declared)
                r = ungated(asked, request);
        else if (r == 0) {
                r = sd_event_add_time_relative(postgres->context.event, &asked->patience, CLOCK_BOOTTIME,
                                               (uint64_t)patience_us, 1000, on_patience, asked);
                if (r >= 0)
                        r = pg_gate_begin(postgres, request, false, budget_us, on_gated, asked, &asked->gate, error);
        }
        if (r < 0) {
                gate_op_destroy(&asked->op);
                return error_prefix(error, "PostgreSQL gate");
        }
        *ret_op = &asked->op;
        return 0;
}
