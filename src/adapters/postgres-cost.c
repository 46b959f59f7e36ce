/* What the way back costs: which rows it would lose, what a safety dump can't read, and how long dump and script would take. */
#include "adapters/postgres-schema.h"

#include <inttypes.h>
#include <string.h>

#define MIB ((int64_t)1024 * 1024)

/* ---- the question ---- */

/* false: out of memory. */
static bool add_cost(FILE *sql, const PgTable *table, unsigned i, bool *first) {
        AUTO_FREE char *schema = pg_quote_name(table->schema), *name = pg_quote_name(table->name);
        AUTO_FREE char *schema_text = pg_quote_literal(table->schema), *name_text = pg_quote_literal(table->name);
        if (!schema || !name || !schema_text || !name_text)
                return false;
        fprintf(sql,
                "%s SELECT %u, c.reltuples, pg_catalog.pg_total_relation_size(c.oid), pg_catalog.pg_has_role(c.relowner, 'USAGE'), ",
                *first ? "" : " UNION ALL", i);
        if (table->finding == PG_DIGEST || table->finding == PG_KEPT)
                fprintf(sql, "false");
        else
                fprintf(sql, "EXISTS (SELECT FROM ONLY %s.%s)", schema, name);
        fprintf(sql,
                " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s "
                "AND c.relname = %s",
                schema_text, name_text);
        *first = false;
        return true;
}

/* What pg_dump would fail on, when nothing serves any more. */
static const char unreadable_sql[] =
        ";\nSELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c\n"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "  WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname !~ '^pg_'\n"
        "    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
        "      AND d.objid = c.oid AND d.deptype = 'e')\n"
        "    AND (pg_catalog.row_security_active(c.oid) OR NOT CASE c.relkind\n"
        "      WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')\n"
        "      ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)\n"
        "  ORDER BY 1 LIMIT 1";

char *pg_sql_costs(const PgPlan *plan) {
        char *text = NULL;
        size_t size = 0;
        bool first = true, whole = true;
        FILE *sql = open_memstream(&text, &size);
        if (!sql)
                return NULL;
        for (unsigned i = 0; whole && i < plan->count; i++)
                whole = add_cost(sql, &plan->tables[i], i, &first);
        if (first)
                fprintf(sql, "SELECT 0 WHERE false");
        fputs(unreadable_sql, sql);
        if (fclose(sql) != 0 || !whole) {
                free(text);
                return NULL;
        }
        return text;
}

/* ---- the answer ---- */

/* All that a judgement goes by. */
typedef struct Judging {
        const Postgres *postgres;
        const SchemaRequest *request;
        const PgWay *way;
        const PgPlan *plan;
        SchemaGate *gate;
} Judging;

static SchemaVerdict judged(const Judging *judging, SchemaVerdict verdict, const char *format, ...) PRINTF_LIKE(3, 4);
static SchemaVerdict judged(const Judging *judging, SchemaVerdict verdict, const char *format, ...) {
        va_list args;
        va_start(args, format);
        vsnprintf(judging->gate->detail, sizeof judging->gate->detail, format, args);
        va_end(args);
        return verdict;
}

static int64_t at_rate(const Postgres *postgres, int64_t bytes, const char *rate) {
        return bytes * USEC_PER_SEC / (settings_int(postgres->settings, rate) * MIB);
}

/* The first table of the plan that stands in the way; false: none. */
static bool stands_in_the_way(const Judging *judging, const PGresult *rows, int row, char *why, size_t size) {
        const PgTable *table = &judging->plan->tables[atoi(pg_value(rows, row, 0))];
        if (pg_value(rows, row, 3)[0] != 't') {
                snprintf(why, size, "the role %s doesn't own %s.%s, which %.200s changes",
                         judging->postgres->server.user, table->schema, table->name, judging->way->original);
                return true;
        }
        if (table->finding != PG_DIGEST && pg_value(rows, row, 4)[0] == 't' && !judging->request->allow_row_loss) {
                snprintf(
                        why, size,
                        "%.200s %s %s.%s, and the rows that are in it (about %.0f) would vanish: allow the loss of rows "
                        "for this run (--allow-row-loss) if that is what you want",
                        judging->way->original, table->finding == PG_EMPTIED ? "empties" : "drops", table->schema,
                        table->name, strtod(pg_value(rows, row, 1), NULL));
                return true;
        }
        return false;
}

SchemaVerdict pg_cost_judge(const Postgres *postgres, const SchemaRequest *request, const PgWay *way,
                            const PgPlan *plan, const PgAnswer *answer, SchemaGate *gate) {
        const Judging judging = {.postgres = postgres, .request = request, .way = way, .plan = plan, .gate = gate};
        char why[REASON_MAX];
        unsigned compared = 0;
        int64_t rewritten = 0;
        const PGresult *rows = answer->rows[0], *unread = answer->rows[1];
        if (PQntuples(unread) > 0)
                return judged(
                        &judging, SCHEMA_REFUSED,
                        "no safety dump can be made: the role %s may not read all of %s (its rights, or row level security)",
                        postgres->server.user, pg_value(unread, 0, 0));
        for (int i = 0; i < PQntuples(rows); i++) {
                if (stands_in_the_way(&judging, rows, i, why, sizeof why))
                        return judged(&judging, SCHEMA_REFUSED, "%s", why);
                if (plan->tables[atoi(pg_value(rows, i, 0))].finding == PG_DIGEST) {
                        rewritten += strtoll(pg_value(rows, i, 2), NULL, 10);
                        compared++;
                }
        }
        gate->estimate_us =
                at_rate(postgres, way->facts.bytes, "dump_rate") + at_rate(postgres, rewritten, "rewrite_rate");
        if (request->limit_us > 0 && gate->estimate_us > request->limit_us)
                return judged(&judging, SCHEMA_REFUSED,
                              "the way back by %s would take about %" PRId64 " s (a dump of %" PRId64 " MiB, %" PRId64
                              " MiB rewritten), and may take %" PRId64 " s: do it by hand, or raise "
                              "data.restore_limit and budgets.restore_version",
                              way->original, gate->estimate_us / USEC_PER_SEC, way->facts.bytes / MIB, rewritten / MIB,
                              request->limit_us / USEC_PER_SEC);
        char looks[64] = "no table is rewritten";
        if (compared > 0)
                snprintf(looks, sizeof looks, "%u table%s compared row by row", compared,
                         compared == 1 ? " is" : "s are");
        return judged(&judging, SCHEMA_REVERSIBLE, "%s takes it back, as rehearsed: %s%s%s", way->original, looks,
                      plan->gone[0] ? "; columns that go: " : "", plan->gone);
}
