/* The rehearsal: the database's schema without its rows is loaded into a scratch database, the script is run there, and the
 * catalogue is compared. All of it in one transaction that is rolled back, so the scratch database stays empty and needs no
 * tidying. What a script writes to shows in the locks it took, even where there is no row to be written. */
#include "adapters/postgres-schema.h"

#include <errno.h>
#include <string.h>

#define REHEARSAL_LOCK "5728931002746" /* in the scratch database, where nothing but rehearsals happens */

struct PgRehearsal {
        const Postgres *postgres;
        const PgWay *way;
        int64_t budget_us;
        char scratch[128], key[PG_KEY_MAX];
        PgRehearsed done;
        void *userdata;
        PgQuery *query;
        PgChild *child;
        PgFeed feed;
        json_t *tables;
        char version[VERSION_MAX]; /* what the script leaves behind */
        bool whole;                /* all lines came */
        json_t *held;              /* the tables with whose views the script ran too */
        bool loaded;               /* the schema is in, the script's turn has come */
};

PgRehearsal *pg_rehearsal_cancel(PgRehearsal *rehearsal) {
        if (!rehearsal)
                return NULL;
        rehearsal->query = pg_query_cancel(rehearsal->query);
        rehearsal->child = pg_child_free(rehearsal->child);
        pg_feed_close(&rehearsal->feed);
        json_decref(rehearsal->tables);
        json_decref(rehearsal->held);
        free(rehearsal);
        return NULL;
}

static void finish(PgRehearsal *rehearsal, PgPlan *plan, const Error *error) {
        PgRehearsed done = rehearsal->done;
        void *userdata = rehearsal->userdata;
        Error copy = error ? *error : (Error){0};
        pg_rehearsal_cancel(rehearsal);
        done(userdata, plan, plan ? NULL : &copy);
}

/* ---- what happens in the scratch database ---- */

static const char before_sql[] =
        "CREATE TEMP TABLE nc_columns AS SELECT a.attrelid AS id, a.attnum AS n, a.attname AS name,\n"
        "    a.atttypid AS type, a.atttypmod AS typmod, i.indrelid IS NOT NULL AS key\n"
        "  FROM pg_catalog.pg_attribute a JOIN pg_temp.nc_before b ON b.id = a.attrelid\n"
        "  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)\n"
        "  WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';\n"
        "CREATE TEMP TABLE nc_locks AS SELECT relation, mode FROM pg_catalog.pg_locks\n"
        "  WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation';\n"
        "ALTER TABLE pg_temp.nc_before ADD COLUMN scans bigint;\n"
        "UPDATE pg_temp.nc_before SET scans = pg_catalog.pg_stat_get_xact_numscans(id);\n"
        "CREATE TEMP TABLE nc_truncated (id oid);\n"
        "CREATE FUNCTION pg_temp.nc_truncated() RETURNS trigger LANGUAGE plpgsql AS $nc$ BEGIN\n"
        "  INSERT INTO pg_temp.nc_truncated VALUES (TG_RELID);\n  RETURN NULL;\nEND $nc$;\n"
        "DO $nc$ DECLARE one regclass; BEGIN FOR one IN SELECT id::regclass FROM pg_temp.nc_before LOOP\n"
        "  EXECUTE 'CREATE TRIGGER nc_truncated BEFORE TRUNCATE ON ' || one || ' EXECUTE FUNCTION pg_temp.nc_truncated()';\n"
        "END LOOP; END $nc$;\n"
        "SAVEPOINT script;\n"; /* else TRUNCATE would empty a table of this transaction in its place */

/* A value is compared as its old type, so that one which a narrower type has changed is seen; types without a hash as text. Text is
 * hashed byte by byte, whatever its collation calls equal; an interval too, for which a month and 30 days are equal. For who must own
 * the table it counts whether the script, which runs in a subtransaction, has written to the catalogue about it.
 *
 * Where ALTER TABLE alone rewrites a table, a column can differ afterwards only if it was altered; which PostgreSQL refuses where a
 * view shows the column. So there the columns that keep their type are held by a view, and the others are compared, each row by its
 * primary key, which must be held. A type of the database's own can be altered by itself: such columns are compared too. */
static const char compare_sql[] =
        "SET LOCAL search_path = pg_catalog;\n"
        "CREATE TEMP TABLE nc_found AS WITH locked AS (SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'),\n"
        "altered AS (SELECT oid AS id FROM pg_class WHERE xmin <> pg_current_xact_id()::xid\n"
        "    UNION SELECT attrelid FROM pg_attribute WHERE xmin <> pg_current_xact_id()::xid\n"
        "    UNION SELECT indrelid FROM pg_index WHERE xmin <> pg_current_xact_id()::xid\n"
        "    UNION SELECT conrelid FROM pg_constraint WHERE xmin <> pg_current_xact_id()::xid),\n"
        "pairs AS (SELECT b.*, a.id AS after_id, a.file AS after_file, a.schema AS after_schema, a.name AS after_name,\n"
        "    a.kind = 'p' AS after_parts, EXISTS (SELECT FROM altered w WHERE w.id = b.id) AS altered,\n"
        "    EXISTS (SELECT FROM locked l WHERE l.relation IN (b.id, a.id) AND l.mode = 'RowExclusiveLock'\n"
        "      AND NOT EXISTS (SELECT FROM pg_temp.nc_locks k WHERE k.relation = l.relation AND k.mode = l.mode)) AS written,\n"
        "    (pg_stat_get_xact_numscans(b.id) > b.scans OR EXISTS (SELECT FROM locked l WHERE l.relation = b.id AND\n"
        "      l.mode = 'AccessShareLock' AND NOT EXISTS (SELECT FROM pg_temp.nc_locks k WHERE k.relation = l.relation\n"
        "      AND k.mode = l.mode))) AS read\n"
        "  FROM pg_temp.nc_before b LEFT JOIN LATERAL (\n"
        "    SELECT c.oid AS id, c.relfilenode AS file, n.nspname AS schema, c.relname AS name, c.relkind AS kind\n"
        "    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')\n"
        "      AND (c.oid = b.id OR (n.nspname = b.schema AND c.relname = b.name))\n"
        "    ORDER BY c.oid = b.id DESC LIMIT 1) a ON true),\n"
        "columns AS (SELECT p.id, c.n, c.name, m.attname AS after_name, m.attnum <> c.n AND p.id = p.after_id AS made_anew,\n"
        "    c.key, m.atttypid = c.type AND m.atttypmod = c.typmod AND c.type < 16384 AS holds,\n"
        "    format('%I', c.name) AS old_column, format('%I', m.attname) AS new_column,\n"
        "    format_type(c.type, -1) AS old_type, t.typcollation <> 0 AS collated,\n"
        "    CASE WHEN m.atttypid = c.type THEN 'same' WHEN EXISTS (SELECT FROM pg_cast WHERE castsource = m.atttypid\n"
        "      AND casttarget = c.type) THEN 'cast' ELSE 'text' END AS how,\n"
        "    EXISTS (SELECT FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod AND am.amname = 'hash'\n"
        "      JOIN pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amprocnum = 2 AND f.amproclefttype = c.type\n"
        "      WHERE o.opcdefault AND o.opcintype = c.type) AND c.type < 16384 AND c.type <> 'interval'::regtype AS hashed\n"
        "  FROM pairs p JOIN pg_temp.nc_columns c ON c.id = p.id LEFT JOIN pg_type t ON t.oid = c.type\n"
        "  LEFT JOIN LATERAL (SELECT a.attname, a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a WHERE a.attrelid = p.after_id\n"
        "    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''\n"
        "    AND ((p.id = p.after_id AND a.attnum = c.n) OR a.attname = c.name)\n"
        "    ORDER BY p.id = p.after_id AND a.attnum = c.n DESC LIMIT 1) m ON true),\n"
        "terms AS (SELECT id, n, name, old_column, made_anew, key, coalesce(holds, false) AS holds, after_name IS NOT NULL AS shared,\n"
        "    CASE WHEN how = 'text' OR NOT hashed THEN format('(%s)::pg_catalog.text COLLATE \"C\"', old_column)\n"
        "      WHEN collated THEN old_column || ' COLLATE \"C\"' ELSE old_column END AS before,\n"
        "    CASE WHEN how = 'text' OR (how = 'same' AND NOT hashed)\n"
        "        THEN format('(%s)::pg_catalog.text COLLATE \"C\"', new_column)\n"
        "      WHEN how = 'same' THEN new_column || CASE WHEN collated THEN ' COLLATE \"C\"' ELSE '' END\n"
        "      WHEN NOT hashed THEN format('CAST(CAST(%s AS %s) AS pg_catalog.text) COLLATE \"C\"', new_column, old_type)\n"
        "      ELSE format('CAST(%s AS %s)%s', new_column, old_type, CASE WHEN collated THEN ' COLLATE \"C\"' ELSE '' END)\n"
        "      END AS after FROM columns),\n"
        "sums AS (SELECT id, string_agg(before, ', ' ORDER BY n) FILTER (WHERE shared) AS before,\n"
        "    string_agg(after, ', ' ORDER BY n) FILTER (WHERE shared) AS after,\n"
        "    json_agg(name ORDER BY n) FILTER (WHERE NOT shared) AS gone, bool_or(made_anew) AS made_anew,\n"
        "    string_agg(old_column, ', ' ORDER BY n) FILTER (WHERE holds) AS held, bool_and(holds) FILTER (WHERE key) AS keyed,\n"
        "    coalesce(string_agg(before, ', ' ORDER BY n) FILTER (WHERE shared AND (key OR NOT holds)), '') AS rest_before,\n"
        "    coalesce(string_agg(after, ', ' ORDER BY n) FILTER (WHERE shared AND (key OR NOT holds)), '') AS rest_after\n"
        "  FROM terms GROUP BY id),\n"
        "kept AS (SELECT p.*, s.before, s.after, s.gone, s.held, s.keyed, s.rest_before, s.rest_after,\n"
        "    p.after_id = p.id AND NOT coalesce(s.made_anew, false) AS same_table, p.after_file = p.file AS same_file,\n"
        "    NOT p.written AND current_setting('track_counts')::boolean AS counted_none\n"
        "  FROM pairs p LEFT JOIN sums s ON s.id = p.id),\n"
        "found AS (SELECT after_id, schema, name, after_schema, after_name, after_parts, altered, before, after, gone,\n"
        "    same_table AND same_file AS in_place,\n"
        "    CASE WHEN same_table AND NOT same_file AND counted_none AND keyed THEN held END AS held, rest_before, rest_after,\n"
        "    CASE WHEN after_id IS NULL THEN 'dropped'\n"
        "      WHEN after_id <> id AND NOT read AND NOT written THEN 'emptied'\n"
        "      WHEN NOT written AND EXISTS (SELECT FROM pg_temp.nc_truncated t WHERE t.id = kept.id) THEN 'emptied'\n"
        "      WHEN same_table AND same_file AND counted_none THEN 'kept' ELSE 'digest' END AS finding\n"
        "  FROM kept)\n"
        "SELECT found.*, " PG_SQL_SHAPE(
                "after_id") " AS shape FROM found WHERE finding <> 'kept' OR gone IS NOT NULL OR altered;\n";

/* The script once more, from the start, with the views in place that the real run would have: where it fails, or what it leaves is not
 * the same (it may catch the refusal), that run does without. */
static void add_views(PgRehearsal *rehearsal) {
        PgFeed *feed = &rehearsal->feed;
        pg_feed_format(
                feed,
                "SELECT coalesce(string_agg(format('CREATE TEMP VIEW %%1$s AS SELECT %%2$s FROM ONLY %%3$s; INSERT INTO pg_temp.nc_held\n"
                "  VALUES (%%4$L, %%5$L, %%6$L::pg_catalog.regclass, ''pg_temp.%%1$s''::pg_catalog.regclass, %%7$L);', '" PG_HOLDS
                "' || number,\n"
                "  held, full_name, schema, name, full_name, shape), ' '), '') AS nc_views, count(*) = 0 AS nc_none\n"
                "  FROM (SELECT row_number() OVER () AS number, format('%%I.%%I', schema, name) AS full_name, *\n"
                "    FROM pg_temp.nc_found WHERE held IS NOT NULL) h \\gset\n"
                "\\if :nc_none\n\\q\n\\endif\nROLLBACK TO SAVEPOINT script;\n"
                "CREATE TEMP TABLE nc_held (schema text, name text, id oid, view oid, shape text);\n:nc_views\n");
        pg_feed_text(feed, rehearsal->way->script, rehearsal->way->size);
        pg_feed_format(feed,
                       "\n;\nRESET ROLE;\nRESET ALL;\nSET LOCAL search_path = pg_catalog;\n"
                       "SELECT '%s holds ' || json_build_object('schema', schema, 'name', name, 'shape', shape,\n"
                       "  'view', %s)::text FROM pg_temp.nc_held WHERE shape = %s;\n",
                       rehearsal->key, PG_SQL_VIEW("view"), PG_SQL_SHAPE("id"));
}

static void add_script(PgRehearsal *rehearsal) {
        PgFeed *feed = &rehearsal->feed;
        const PgWay *way = rehearsal->way;
        const char *key = rehearsal->key;
        pg_feed_format(feed, "\nRESET ALL;\n");
        pg_sql_limits(feed, rehearsal->postgres, way, rehearsal->budget_us);
        pg_sql_guard(feed);
        pg_feed_format(feed, "CREATE TEMP TABLE nc_before AS\n");
        pg_sql_tables(feed, rehearsal->postgres);
        pg_feed_format(feed, ";\n%s\\echo %s loaded\n", before_sql, key);
        pg_feed_script(feed, way->script, way->size);
        pg_feed_format(feed, "RESET ROLE;\nRESET ALL;\n");
        pg_sql_limits(feed, rehearsal->postgres, way, rehearsal->budget_us);
        pg_feed_format(feed, "SELECT '%s version ' || version FROM %s;\n", key,
                       pg_setting(rehearsal->postgres, "version_table"));
        pg_feed_format(
                feed,
                "%sSELECT '%s table ' || (to_jsonb(f) - 'shape' - 'after_id')::text FROM pg_temp.nc_found f ORDER BY schema, name;\n"
                "\\echo %s whole\n",
                compare_sql, key, key);
        add_views(rehearsal);
        pg_feed_format(feed, "ROLLBACK;\n");
}

/* ---- what it prints ---- */

static const char *after_word(const char *text, const char *word) {
        size_t length = strlen(word);
        return strncmp(text, word, length) == 0 ? text + length : NULL;
}

static void on_line(void *userdata, const char *line) {
        PgRehearsal *rehearsal = userdata;
        const char *said = after_word(line, rehearsal->key), *rest;
        if (!said)
                return; /* the script's own */
        if ((rest = after_word(said, " version ")))
                snprintf(rehearsal->version, sizeof rehearsal->version, "%s", rest);
        else if ((rest = after_word(said, " table ")))
                json_array_append_new(rehearsal->tables, json_loads(rest, JSON_REJECT_DUPLICATES, NULL));
        else if (strcmp(said, " loaded") == 0)
                rehearsal->loaded = true;
        else if (strcmp(said, " whole") == 0)
                rehearsal->whole = true;
        else if ((rest = after_word(said, " holds ")))
                json_array_append_new(rehearsal->held, json_loads(rest, JSON_REJECT_DUPLICATES, NULL));
}

/* Without a mark, the view is left out of the real run. */
static void mark_held(PgRehearsal *rehearsal) {
        size_t i, k;
        json_t *table, *held;
        json_array_foreach(rehearsal->tables, i, table)
                json_array_foreach(rehearsal->held, k, held)
                        if (json_equal(json_object_get(table, "schema"), json_object_get(held, "schema")) &&
                            json_equal(json_object_get(table, "name"), json_object_get(held, "name")))
                                json_object_update(table, held);
}

static int make_plan(PgRehearsal *rehearsal, PgPlan *plan, Error *error) {
        const PgWay *way = rehearsal->way;
        if (strcmp(rehearsal->version, way->wanted) != 0)
                return error_set(error, -EPROTO, "%s leaves %s at '%s', not at %s: let it update it", way->original,
                                 pg_setting(rehearsal->postgres, "version_table"), rehearsal->version, way->wanted);
        mark_held(rehearsal);
        json_t *document = json_pack("{ss ss ss ss sO}", "script", way->digest, "catalogue", way->facts.catalogue,
                                     "current", way->facts.version, "wanted", way->wanted, "tables", rehearsal->tables);
        return pg_plan_read(document, plan, error);
}

/* Whether asking again would not help: the script failed (psql's status 3), or a right is missing. */
static bool is_final(const ProcessExit *exit, const char *said) {
        if (strstr(said, "lock timeout") || strstr(said, "statement timeout") || strstr(said, "deadlock detected"))
                return false;
        return exit->code == 3 || strstr(said, "permission denied") || strstr(said, "must be owner");
}

/* Only a superuser may make most of them; true: that is why. */
static bool explain_extension(const PgRehearsal *rehearsal, const char *said, Error *error) {
        static const char denied[] = "permission denied to create extension \"";
        const char *at = strstr(said, denied);
        if (!at)
                return false;
        at += strlen(denied);
        int length = (int)strcspn(at, "\"\n");
        error_set(
                error, -EPROTO,
                "the schema needs the extension %.*s, which the role %s may not create in the database '%s', where the "
                "way back is rehearsed; as a superuser, once: psql -d %s -c 'CREATE EXTENSION \"%.*s\"'",
                length, at, rehearsal->postgres->server.user, rehearsal->scratch, rehearsal->scratch, length, at);
        return true;
}

static void on_rehearsed(void *userdata, const ProcessExit *exit, const char *said) {
        PgRehearsal *rehearsal = userdata;
        Error error = {0};
        PgPlan plan = {0};
        if (!rehearsal->whole) {
                pg_feed_error(&rehearsal->feed, rehearsal->way->original, said, exit, &error);
                error.code = is_final(exit, said) ? -EPROTO : -EIO;
                if (!rehearsal->loaded && error.code == -EPROTO && !explain_extension(rehearsal, said, &error))
                        error_prefix(&error,
                                     "the schema can't be loaded into the database '%s', where the way back is "
                                     "rehearsed: make it anew with createdb -O %s %s. It said",
                                     rehearsal->scratch, rehearsal->postgres->server.user, rehearsal->scratch);
                finish(rehearsal, NULL, &error);
                return;
        }
        finish(rehearsal, make_plan(rehearsal, &plan, &error) < 0 ? NULL : &plan, &error);
}

/* ---- one after the other ---- */

static void run_script(PgRehearsal *rehearsal) {
        static const char *const arguments[] = {"-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-", NULL};
        Error error = {0};
        add_script(rehearsal);
        int r = pg_feed_check(&rehearsal->feed, &error);
        const PgChildSpec spec = {.program = "psql",
                                  .arguments = arguments,
                                  .database = rehearsal->scratch,
                                  .name = "auto-rollback rehearsal",
                                  .input_fd = rehearsal->feed.fd,
                                  .line = on_line,
                                  .ended = on_rehearsed,
                                  .userdata = rehearsal};
        if (r == 0)
                r = pg_child_start(rehearsal->postgres, &spec, &rehearsal->child, &error);
        if (r < 0)
                finish(rehearsal, NULL, &error);
}

static bool dump_failed(PgRehearsal *rehearsal, const ProcessExit *exit, const char *said) {
        char text[300];
        unsigned line;
        Error error = {0};
        if (exit->code == 0) {
                rehearsal->child = pg_child_free(rehearsal->child);
                return false;
        }
        error_set(&error, is_final(exit, said) ? -EPROTO : -EIO, "pg_dump could not read the schema: %s",
                  pg_child_error(said, text, sizeof text, &line));
        finish(rehearsal, NULL, &error);
        return true;
}

static void dump(PgRehearsal *rehearsal, const char *const *arguments, PgChildEnded ended) {
        Error error = {0};
        const PgChildSpec spec = {.program = "pg_dump",
                                  .arguments = arguments,
                                  .name = "auto-rollback rehearsal",
                                  .output_fd = rehearsal->feed.fd,
                                  .ended = ended,
                                  .userdata = rehearsal};
        if (pg_child_start(rehearsal->postgres, &spec, &rehearsal->child, &error) < 0)
                finish(rehearsal, NULL, &error);
}

static void on_version_dumped(void *userdata, const ProcessExit *exit, const char *said) {
        if (!dump_failed(userdata, exit, said))
                run_script(userdata);
}

static void on_schema_dumped(void *userdata, const ProcessExit *exit, const char *said) {
        PgRehearsal *rehearsal = userdata;
        if (dump_failed(rehearsal, exit, said))
                return;
        const char *const arguments[] = {"--data-only", "-w", "-t", pg_setting(rehearsal->postgres, "version_table"),
                                         NULL};
        dump(rehearsal, arguments, on_version_dumped);
}

static void dump_schema(PgRehearsal *rehearsal) {
        const char *const arguments[] = {"--schema-only",
                                         "-w",
                                         "-e",
                                         rehearsal->way->facts.used_extensions,
                                         "--no-comments", /* on an extension only its owner may say one */
                                         "--no-owner",
                                         "--no-privileges",
                                         "--no-tablespaces",
                                         "--no-publications",
                                         "--no-subscriptions",
                                         NULL};
        PgFeed *feed = &rehearsal->feed;
        pg_feed_format(feed, "BEGIN;\nSET LOCAL client_min_messages = warning;\nSET LOCAL lock_timeout = '10s';\n"
                             "SELECT pg_catalog.pg_advisory_xact_lock(" REHEARSAL_LOCK ");\n");
        dump(rehearsal, arguments, on_schema_dumped);
}

static void on_created(void *userdata, const PgAnswer *answer) {
        PgRehearsal *rehearsal = userdata;
        rehearsal->query = NULL;
        /* Somebody else has made it meanwhile: before this was begun, or while it was under way. */
        bool there =
                strcmp(answer->sqlstate, "42P04") == 0 ||
                (strcmp(answer->sqlstate, "23505") == 0 && strstr(answer->error.message, "pg_database_datname_index"));
        if (answer->error.code && !there)
                finish(rehearsal, NULL, &answer->error);
        else
                dump_schema(rehearsal);
}

static int create_scratch(PgRehearsal *rehearsal, Error *error) {
        char sql[300];
        AUTO_FREE char *name = pg_quote_name(rehearsal->scratch);
        if (!name)
                return error_set(error, -ENOMEM, "out of memory");
        snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
        return pg_query_begin(rehearsal->postgres->context.event, &rehearsal->postgres->server, sql,
                              rehearsal->budget_us, on_created, NULL, rehearsal, &rehearsal->query, error);
}

int pg_rehearsal_begin(const Postgres *postgres, const PgWay *way, int64_t budget_us, PgRehearsed done, void *userdata,
                       PgRehearsal **ret_rehearsal, Error *error) {
        PgRehearsal *rehearsal = calloc(1, sizeof *rehearsal);
        if (!rehearsal)
                return error_set(error, -ENOMEM, "out of memory");
        rehearsal->postgres = postgres;
        rehearsal->way = way;
        rehearsal->budget_us = budget_us;
        rehearsal->done = done;
        rehearsal->userdata = userdata;
        rehearsal->tables = json_array();
        rehearsal->held = json_array();
        pg_random_key(rehearsal->key);
        pg_scratch_name(postgres, rehearsal->scratch, sizeof rehearsal->scratch);
        int r = pg_feed_open(&rehearsal->feed, error);
        if (r == 0 && !way->facts.scratch && !way->facts.may_create)
                r = error_set(error, -EPROTO,
                              "the way back can't be proven: there is no database '%s' to rehearse it in, and the role "
                              "%s may not make one: createdb -O %s %s",
                              rehearsal->scratch, postgres->server.user, postgres->server.user, rehearsal->scratch);
        *ret_rehearsal = rehearsal;
        if (r == 0 && !way->facts.scratch)
                r = create_scratch(rehearsal, error);
        else if (r == 0)
                dump_schema(rehearsal);
        if (r < 0) {
                *ret_rehearsal = NULL;
                pg_rehearsal_cancel(rehearsal);
        }
        return r;
}
