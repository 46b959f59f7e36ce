/* The transaction of a way back, as SQL for psql. What it prints begins with the key, so that nothing which the script prints can be
 * taken for it:
 *   KEY phase lock|check|script|compare|commit     where it has come to
 *   KEY holder PID NAME                            who has the advisory lock
 *   KEY refused TEXT                               given up before the script; nothing is done
 *   KEY begin|before|after N [ROWS DIGEST]         table N of the plan: its digest begins; before; after the script
 *   KEY proven N                                   after it: the catalogue proves what the rehearsal could not
 *   KEY lost TEXT                                  rows that vanish or change; nothing is done, unless that was allowed
 *   KEY again                                      the script did more than what views let be seen; nothing is done
 *   KEY committed
 * It begins and ends the transaction itself: a script that swallowed the end would leave it open, and so undone. */
#include "adapters/postgres-schema.h"

#include <errno.h>
#include <inttypes.h>

#define USER_TABLES                                                                                                    \
        "c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"

/* A hash over what DDL writes: xmin changes with a row, and VACUUM and ANALYZE change theirs in place. */
const char pg_sql_catalogue[] =
        "(SELECT pg_catalog.md5(pg_catalog.concat_ws(' ',\n"
        "    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),\n"
        "    pg_catalog.sum(pg_catalog.hashint8extended(w.written::text::int8 * 31 + w.n, w.id::int8))))\n"
        "  FROM (\n"
        "    SELECT a.xmin AS written, a.attrelid AS id, a.attnum AS n FROM pg_catalog.pg_attribute a\n"
        "      JOIN pg_catalog.pg_class r ON r.oid = a.attrelid WHERE r.relpersistence <> 't'\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_class WHERE relpersistence <> 't'\n"
        "    UNION ALL SELECT t.xmin, t.oid, 0 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n\n"
        "      ON n.oid = t.typnamespace WHERE n.nspname !~ '^pg_(toast_)?temp_'\n"
        "    UNION ALL SELECT k.xmin, k.oid, 0 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n\n"
        "      ON n.oid = k.connamespace WHERE n.nspname !~ '^pg_(toast_)?temp_'\n"
        "    UNION ALL SELECT p.xmin, p.oid, 0 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n\n"
        "      ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_(toast_)?temp_'\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_trigger WHERE NOT tgisinternal\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_rewrite\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_policy\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_extension\n"
        "    UNION ALL SELECT xmin, oid, 0 FROM pg_catalog.pg_enum) w\n"
        "  WHERE w.id >= 16384)";

/* ---- around every script ---- */

static void add_search_path(PgFeed *feed, const PgWay *way) {
        AUTO_FREE char *path = pg_quote_literal(way->facts.search_path);
        if (!path)
                feed->failed = -ENOMEM;
        pg_feed_format(feed, "SELECT pg_catalog.set_config('search_path', %s, true);\n", path ? path : "''");
}

void pg_sql_limits(PgFeed *feed, const Postgres *postgres, const PgWay *way, int64_t limit_us) {
        pg_feed_format(feed,
                       "SET LOCAL client_min_messages = warning;\nSET LOCAL row_security = off;\n"
                       "SET LOCAL synchronous_commit = on;\nSET LOCAL work_mem = '4MB';\nSET LOCAL jit = off;\n"
                       "SET LOCAL lock_timeout = %" PRId64 ";\nSET LOCAL statement_timeout = %" PRId64 ";\n",
                       settings_int(postgres->settings, "lock_timeout") / USEC_PER_MSEC, limit_us / USEC_PER_MSEC + 1);
        add_search_path(feed, way);
}

void pg_sql_guard(PgFeed *feed) {
        static const char guard[] =
                "CREATE TEMP TABLE nc_guard (id xid8, released boolean);\n"
                "CREATE FUNCTION pg_temp.nc_guard() RETURNS trigger LANGUAGE plpgsql AS $nc$ BEGIN\n"
                "  IF NOT EXISTS (SELECT FROM pg_temp.nc_guard WHERE released AND id = pg_catalog.pg_current_xact_id()) THEN\n"
                "    RAISE EXCEPTION 'the script tried to end the transaction before its outcome was checked';\n"
                "  END IF;\n  RETURN NULL;\nEND $nc$;\n"
                "CREATE CONSTRAINT TRIGGER nc_guard AFTER INSERT ON pg_temp.nc_guard DEFERRABLE INITIALLY DEFERRED\n"
                "  FOR EACH ROW EXECUTE FUNCTION pg_temp.nc_guard();\n"
                "INSERT INTO pg_temp.nc_guard VALUES (pg_catalog.pg_current_xact_id(), false);\n";
        pg_feed_text(feed, guard, sizeof guard - 1);
}

void pg_sql_release(PgFeed *feed) {
        static const char release[] =
                "DO $nc$ BEGIN\n"
                "  IF (SELECT id FROM pg_temp.nc_guard) IS DISTINCT FROM pg_catalog.pg_current_xact_id_if_assigned() THEN\n"
                "    RAISE EXCEPTION 'the script has ended the transaction in which it was run';\n"
                "  END IF;\nEND $nc$;\n"
                "UPDATE pg_temp.nc_guard SET released = true;\n";
        pg_feed_text(feed, release, sizeof release - 1);
}

void pg_sql_tables(PgFeed *feed, const Postgres *postgres) {
        pg_feed_format(feed,
                       "SELECT c.oid AS id, c.relfilenode AS file, n.nspname AS schema, c.relname AS name\n"
                       "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
                       "  WHERE " USER_TABLES "\n"
                       "    AND c.oid IS DISTINCT FROM pg_catalog.to_regclass('%s')::oid",
                       pg_setting(postgres, "version_table"));
}

/* ---- tables of the plan ---- */

typedef struct Named {
        char *schema, *name; /* quoted as names */
} Named;

static void named_clear(Named *named) {
        free(named->schema);
        free(named->name);
}

static Named named(PgFeed *feed, const char *schema, const char *name) {
        Named quoted = {pg_quote_name(schema), pg_quote_name(name)};
        if (!quoted.schema || !quoted.name)
                feed->failed = -ENOMEM;
        return quoted;
}

static const char *or_empty(const char *text) {
        return text ? text : "";
}

static bool needs_a_look(const PgTable *table) {
        return table->finding != PG_KEPT;
}

static bool is_held(const PgTransaction *of, unsigned i) {
        return of->plan->tables[i].held && !of->all_columns;
}

/* The digest doesn't depend on the rows' order, and is summed as a 128-bit number, so that no row hides another. The exclusive or of a
 * row's values is hashed once more, or two values that have changed places between rows would go unseen: as the seed, of which all bits
 * count. */
static void add_digest(PgFeed *feed, const PgTransaction *of, unsigned i, bool after) {
        const PgTable *table = &of->plan->tables[i];
        const char *when = after ? "after" : "before";
        const char *columns = is_held(of, i) ? (after ? table->rest_after : table->rest_before)
                                             : (after ? table->after : table->before);
        CLEANUP(named_clear)
        Named at =
                after ? named(feed, table->after_schema, table->after_name) : named(feed, table->schema, table->name);
        pg_feed_format(feed, "\\echo %s begin %u\nSELECT pg_catalog.count(*) AS nc_rows_%s, ", of->key, i, when);
        if (columns[0])
                pg_feed_format(feed, "coalesce(" PG_SQL_DIGEST ", 0)", columns);
        else
                pg_feed_format(feed, "0");
        pg_feed_format(feed,
                       " AS nc_digest_%s\n  FROM %s %s.%s \\gset\n"
                       "\\echo %s %s %u :nc_rows_%s :nc_digest_%s\n",
                       when, after && table->after_parts ? "" : "ONLY", or_empty(at.schema), or_empty(at.name), of->key,
                       when, i, when, when);
}

/* ---- before the script ---- */

static void add_lock(PgFeed *feed, const PgTransaction *of, const char *name) {
        int64_t lock = settings_int(of->postgres->settings, "advisory_lock");
        /* A try of ours whose controller was killed may still be at work: nobody waits for it any more. */
        pg_feed_format(
                feed,
                "\\echo %s phase lock\n"
                "SELECT pg_catalog.pg_terminate_backend(pid, 2000) FROM pg_catalog.pg_stat_activity\n"
                "  WHERE application_name = '%s' AND datname = pg_catalog.current_database()\n"
                "    AND usename = current_user AND pid <> pg_catalog.pg_backend_pid();\n"
                "SELECT '%s holder ' || l.pid || ' ' || coalesce(nullif(a.application_name, ''), 'without a name')\n"
                "  FROM " PG_SQL_HOLDERS ";\n"
                "SELECT pg_catalog.pg_advisory_xact_lock(%" PRId64 ");\n",
                of->key, name, of->key, lock, lock);
}

static void add_refusal(PgFeed *feed, const PgTransaction *of, const char *holds, const char *text) {
        pg_feed_format(feed,
                       "SELECT (%s) AS nc_holds \\gset\n\\if :nc_holds\n\\else\n\\echo %s refused %s\n\\q\n\\endif\n",
                       holds, of->key, text);
}

static void add_still_so(PgFeed *feed, const PgTransaction *of) {
        AUTO_FREE char *condition = NULL, *current = pg_quote_literal(of->plan->current);
        if (!current || asprintf(&condition, "SELECT %s = '%s'", pg_sql_catalogue, of->plan->catalogue) < 0) {
                condition = NULL;
                feed->failed = -ENOMEM;
                return;
        }
        add_refusal(feed, of, condition, "the schema was changed by somebody else since the way back was rehearsed");
        free(condition);
        if (asprintf(&condition, "SELECT pg_catalog.min(version) = %s AND pg_catalog.count(*) = 1 FROM %s", current,
                     pg_setting(of->postgres, "version_table")) < 0) {
                condition = NULL;
                feed->failed = -ENOMEM;
                return;
        }
        add_refusal(feed, of, condition, "the schema has another version than a moment ago");
}

/* Which table of the plan each one is; NULL: none, the script isn't to touch it. */
static void add_snapshot(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(feed, "CREATE TEMP TABLE nc_before AS\n");
        pg_sql_tables(feed, of->postgres);
        pg_feed_format(feed, ";\nALTER TABLE pg_temp.nc_before ADD COLUMN slot int, ADD COLUMN holds pg_catalog.oid,\n"
                             "  ADD COLUMN view text, ADD COLUMN shape text;\n");
        for (unsigned i = 0; i < of->plan->count; i++) {
                const PgTable *table = &of->plan->tables[i];
                AUTO_FREE char *schema = pg_quote_literal(table->schema), *name = pg_quote_literal(table->name);
                if (!schema || !name)
                        feed->failed = -ENOMEM;
                if (needs_a_look(table))
                        pg_feed_format(feed,
                                       "UPDATE pg_temp.nc_before SET slot = %u WHERE schema = %s AND name = %s;\n", i,
                                       or_empty(schema), or_empty(name));
        }
}

/* ALTER TABLE can't change a column that a view shows. */
static void add_views(PgFeed *feed, const PgTransaction *of) {
        for (unsigned i = 0; i < of->plan->count; i++) {
                const PgTable *table = &of->plan->tables[i];
                CLEANUP(named_clear) Named at = named(feed, table->schema, table->name);
                if (is_held(of, i))
                        pg_feed_format(feed,
                                       "CREATE TEMP VIEW " PG_HOLDS "%u AS SELECT %s FROM ONLY %s.%s;\n"
                                       "UPDATE pg_temp.nc_before SET holds = 'pg_temp." PG_HOLDS
                                       "%u'::pg_catalog.regclass,\n"
                                       "  view = '%s', shape = '%s' WHERE slot = %u;\n",
                                       i, table->held, or_empty(at.schema), or_empty(at.name), i, table->view,
                                       table->shape, i);
        }
}

/* Held until the end, so that what is compared is what the script did. */
static void add_table_locks(PgFeed *feed, const PgTransaction *of) {
        for (unsigned i = 0; i < of->plan->count; i++) {
                const PgTable *table = &of->plan->tables[i];
                CLEANUP(named_clear) Named at = named(feed, table->schema, table->name);
                if (needs_a_look(table))
                        pg_feed_format(feed, "LOCK TABLE ONLY %s.%s IN SHARE ROW EXCLUSIVE MODE;\n",
                                       or_empty(at.schema), or_empty(at.name));
        }
}

static void add_lost(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(feed, "%s", of->allow_row_loss ? "" : "\\q\n");
}

/* "schema.name" as an SQL literal. */
static char *shown(PgFeed *feed, const PgTable *table) {
        AUTO_FREE char *text = NULL;
        if (asprintf(&text, "%s.%s", table->schema, table->name) < 0)
                text = NULL;
        char *literal = text ? pg_quote_literal(text) : NULL;
        if (!literal)
                feed->failed = -ENOMEM;
        return literal;
}

static void add_vanishing(PgFeed *feed, const PgTransaction *of, unsigned i) {
        const PgTable *table = &of->plan->tables[i];
        CLEANUP(named_clear) Named at = named(feed, table->schema, table->name);
        AUTO_FREE char *literal = shown(feed, table);
        pg_feed_format(feed,
                       "SELECT EXISTS (SELECT FROM ONLY %s.%s) AS nc_some \\gset\n\\if :nc_some\n"
                       "SELECT '%s lost ' || %s || ': ' || pg_catalog.count(*) || ' rows %s' FROM ONLY %s.%s;\n",
                       or_empty(at.schema), or_empty(at.name), of->key, or_empty(literal),
                       of->allow_row_loss ? "vanish" : "would vanish", or_empty(at.schema), or_empty(at.name));
        add_lost(feed, of);
        pg_feed_format(feed, "\\endif\n");
}

/* Values compared as text are written out whole, whatever the database or the role has set; not for the script. */
#define ALL_DIGITS "SET LOCAL extra_float_digits = 1;\n"
#define USUAL_DIGITS "SET LOCAL extra_float_digits TO DEFAULT;\n"

static void add_before(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(feed, ALL_DIGITS);
        for (unsigned i = 0; i < of->plan->count; i++) {
                PgFinding finding = of->plan->tables[i].finding;
                if (finding == PG_DIGEST) {
                        add_digest(feed, of, i, false);
                        pg_feed_format(feed, "\\set nc_rows_%u :nc_rows_before\n\\set nc_digest_%u :nc_digest_before\n",
                                       i, i);
                } else if (needs_a_look(&of->plan->tables[i]))
                        add_vanishing(feed, of, i);
        }
        pg_feed_format(feed, USUAL_DIGITS);
}

/* ---- after it ---- */

/* Of the tables with a view nothing but the columns beside it, and what they are, may be different: no row was written to, and the view
 * still shows those columns of that table. Else it isn't known what happened to the columns that aren't compared. */
static void add_still_held(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(
                feed,
                "SET LOCAL search_path = pg_catalog;\n"
                "SELECT EXISTS (SELECT FROM pg_temp.nc_before b\n"
                "    LEFT JOIN pg_catalog.pg_stat_xact_all_tables s ON s.relid = b.id WHERE b.holds IS NOT NULL\n"
                "    AND (s.n_tup_ins > 0 OR s.n_tup_upd > 0 OR s.n_tup_del > 0 OR " PG_SQL_VIEW(
                        "b.holds") " IS DISTINCT FROM b.view\n      OR " PG_SQL_SHAPE("b.id") " IS DISTINCT FROM b.shape)) AS nc_some \\gset\n"
                                                                                              "\\if :nc_some\n\\echo %s again\n\\q\n\\endif\n",
                of->key);
        add_search_path(feed, of->way);
}

#define TOUCHED                                                                                                        \
        "c.oid IS NULL OR c.relfilenode <> b.file OR coalesce(s.n_tup_upd, 0) > 0 OR coalesce(s.n_tup_del, 0) > 0"

static void add_unforeseen(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(
                feed,
                "CREATE TEMP TABLE nc_touched AS SELECT b.slot, b.schema || '.' || b.name AS name FROM pg_temp.nc_before b\n"
                "  LEFT JOIN pg_catalog.pg_class c ON c.oid = b.id\n"
                "  LEFT JOIN pg_catalog.pg_stat_xact_all_tables s ON s.relid = b.id WHERE " TOUCHED "\n"
                "  UNION ALL SELECT NULL, 'large objects' FROM pg_catalog.pg_stat_xact_all_tables s\n"
                "  WHERE s.relid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND s.n_tup_upd + s.n_tup_del > 0;\n"
                "SELECT EXISTS (SELECT FROM pg_temp.nc_touched WHERE slot IS NULL) AS nc_some \\gset\n\\if :nc_some\n"
                "SELECT '%s lost rows of ' || name || ' were changed, which the rehearsal did not show'\n"
                "  FROM pg_temp.nc_touched WHERE slot IS NULL LIMIT 1;\n",
                of->key);
        add_lost(feed, of);
        pg_feed_format(feed, "\\endif\n");
}

static void add_after(PgFeed *feed, const PgTransaction *of, unsigned i) {
        AUTO_FREE char *literal = shown(feed, &of->plan->tables[i]);
        pg_feed_format(feed,
                       "SELECT %s AND NOT EXISTS (SELECT FROM pg_temp.nc_touched WHERE slot = %u) AS nc_proven \\gset\n"
                       "\\if :nc_proven\n\\echo %s proven %u\n\\else\n",
                       of->plan->tables[i].in_place ? "true" : "false", i, of->key, i);
        add_digest(feed, of, i, true);
        pg_feed_format(
                feed,
                "SELECT :nc_rows_%u = :nc_rows_after AND :nc_digest_%u = :nc_digest_after AS nc_same \\gset\n"
                "\\if :nc_same\n\\else\n"
                "SELECT '%s lost ' || %s || CASE WHEN :nc_rows_%u = :nc_rows_after THEN ': values were changed, of '\n"
                "  || :nc_rows_after || ' rows' ELSE ': ' || :nc_rows_%u || ' rows before, ' || :nc_rows_after\n"
                "  || ' after' END;\n",
                i, i, of->key, or_empty(literal), i, i);
        add_lost(feed, of);
        pg_feed_format(feed, "\\endif\n\\endif\n");
}

static void add_outcome(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(
                feed,
                "SELECT (SELECT pg_catalog.min(version) = '%s' AND pg_catalog.count(*) = 1 FROM %s) AS nc_holds \\gset\n"
                "\\if :nc_holds\n\\else\n\\echo %s refused the script did not leave %s at %s\n\\q\n\\endif\n",
                of->plan->wanted, pg_setting(of->postgres, "version_table"), of->key,
                pg_setting(of->postgres, "version_table"), of->plan->wanted);
}

void pg_sql_transaction(PgFeed *feed, const PgTransaction *of, const char *name) {
        pg_feed_format(feed,
                       "BEGIN ISOLATION LEVEL READ COMMITTED;\n"); /* what is seen behind a lock is what is there */
        pg_sql_limits(feed, of->postgres, of->way, of->limit_us);
        add_lock(feed, of, name);
        pg_feed_format(feed, "\\echo %s phase check\n", of->key);
        add_still_so(feed, of);
        pg_sql_guard(feed);
        add_table_locks(feed, of);
        add_snapshot(feed, of);
        add_views(feed, of);
        add_before(feed, of);
        pg_feed_format(feed, "\\echo %s phase script\n", of->key);
        pg_feed_script(feed, of->way->script, of->way->size);
        pg_feed_format(feed, "RESET ROLE;\nRESET ALL;\n");
        pg_sql_limits(feed, of->postgres, of->way, of->limit_us);
        pg_sql_release(feed);
        pg_feed_format(feed, "SET CONSTRAINTS ALL IMMEDIATE;\n"); /* what would fire at the COMMIT is compared too */
        pg_feed_format(feed, "\\echo %s phase compare\n", of->key);
        add_still_held(feed, of);
        add_unforeseen(feed, of);
        pg_feed_format(feed, ALL_DIGITS);
        for (unsigned i = 0; i < of->plan->count; i++)
                if (of->plan->tables[i].finding == PG_DIGEST)
                        add_after(feed, of, i);
        add_outcome(feed, of);
        pg_feed_format(feed, "\\echo %s phase commit\nCOMMIT;\n\\echo %s committed\n", of->key, of->key);
}
