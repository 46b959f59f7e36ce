/* What happens in the scratch database, as SQL for psql: the script is run, and the catalogue before and after it is compared. What it
 * prints begins with the key:
 *   KEY loaded          the schema is in, the script's turn has come
 *   KEY version TEXT    which schema the script says to have left
 *   KEY table JSON      what becomes of a table: a PgTable, for the plan
 *   KEY whole           that was all; what follows may fail
 *   KEY holds JSON      the script leaves this table the same while a view holds some of its columns */
#include "adapters/postgres-schema.h"

#include <string.h>

/* How often columns were made, altered and dropped in this transaction; what was undone counts too. */
#define ALTERED                                                                                                        \
        "SELECT n_tup_ins + n_tup_upd + n_tup_del AS nc_altered FROM pg_catalog.pg_stat_xact_sys_tables\n"             \
        "  WHERE relid = 'pg_catalog.pg_attribute'::pg_catalog.regclass \\gset\n"

static const char before_sql[] =
        "CREATE TEMP TABLE nc_columns AS SELECT a.attrelid AS id, a.attnum AS n, a.attname AS name,\n"
        "    a.atttypid AS type, a.atttypmod AS typmod, i.indrelid IS NOT NULL AS key\n"
        "  FROM pg_catalog.pg_attribute a JOIN pg_temp.nc_before b ON b.id = a.attrelid\n"
        "  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)\n"
        "    AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = i.indrelid AND g.attnum = ANY (i.indkey)\n"
        "      AND g.attgenerated <> '')\n"
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
        /* In parts, as an expression of a thousand columns in a row is more than the server's stack holds. */
        "CREATE FUNCTION pg_temp.nc_hash(hashes text[], others text[]) RETURNS text LANGUAGE sql AS $nc$\n"
        "  SELECT string_agg('(' || part || ')', ' OPERATOR(pg_catalog.#) ') FROM (\n"
        "    SELECT string_agg(hash, ' OPERATOR(pg_catalog.#) ') AS part FROM unnest(hashes) WITH ORDINALITY h (hash, n) GROUP BY n / 32\n"
        "    UNION ALL SELECT format('pg_catalog.hash_record_extended(ROW(%s), 0)', array_to_string(others, ', '))\n"
        "      WHERE others <> '{}') p $nc$;\n"
        "SAVEPOINT script;\n" /* else TRUNCATE would empty a table of this transaction in its place */
        ALTERED "\\set nc_altered_from :nc_altered\n";

/* A value is compared as its old type, so that one which a narrower type has changed is seen; types without a hash as text. Text is
 * hashed byte by byte, whatever its collation calls equal. PostgreSQL's own hashes leave out a part of some values: a numeric's its sign, a
 * bigint's folds it to 32 bits, a jsonb's where an object ends, an interval's calls a month 30 days. So a bigint is the seed, of which all
 * bits count, and the others are compared as text, 1.50 like 1.5.
 *
 * A row's hash is the exclusive or of its values' hashes, each by the column's own seed. That is as good as random, and NULL's the column's
 * number: a float's zero hashes to the seed itself. Where a type's hash can't be called from SQL, a record does it (which takes twice as
 * long).
 *
 * For who must own the table it counts whether the script, which runs in a subtransaction, has written to the catalogue about it.
 *
 * Where ALTER TABLE alone rewrites a table, a column can differ afterwards only if it was altered; which PostgreSQL refuses where a
 * view shows the column. So there the columns that keep their type are held by a view, and the others are compared, each row by its
 * primary key, which must be held. A type of the database's own can be altered by itself: such columns are compared too. */
#define HASH(when, which)                                                                                              \
        "pg_temp.nc_hash(array_agg(hash_" when " ORDER BY n) FILTER (WHERE hash IS NOT NULL AND " which "),\n"         \
        "      array_agg(" when " ORDER BY n) FILTER (WHERE hash IS NULL AND " which "))"
#define BEFORE HASH("before", "shared")
#define AFTER HASH("after", "shared")
#define REST_BEFORE HASH("before", "shared AND (key OR NOT holds)")
#define REST_AFTER HASH("after", "shared AND (key OR NOT holds)")
#define SHAPE PG_SQL_SHAPE("after_id")
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
        "    format('%I', c.name) AS old_column, quote_ident(m.attname) AS new_column,\n"
        "    format_type(c.type, -1) AS old_type, t.typcollation <> 0 AS collated,\n"
        "    CASE WHEN m.atttypid = c.type THEN 'same' WHEN EXISTS (SELECT FROM pg_cast WHERE castsource = m.atttypid\n"
        "      AND casttarget = c.type) THEN 'cast' ELSE 'text' END AS how,\n"
        "    s.seed, h.name IS NOT NULL AS hashed, CASE WHEN c.type = 'int8'::regtype THEN format('pg_catalog.hashint4extended(%s, %%s)', c.n)\n"
        "      WHEN c.type = 'numeric'::regtype THEN\n"
        "        format('pg_catalog.hashtextextended(pg_catalog.trim_scale(%%s)::pg_catalog.text COLLATE \"C\", %s)', s.seed)\n"
        "      WHEN h.takes = c.type THEN format('pg_catalog.%I(%%s, %s)', h.name, s.seed)\n"
        "      WHEN h.takes = 'timestamp'::regtype THEN\n"
        "        format('pg_catalog.%I(pg_catalog.timezone(''UTC'', %%s), %s)', h.name, s.seed) END AS hash\n"
        "  FROM pairs p JOIN pg_temp.nc_columns c ON c.id = p.id LEFT JOIN pg_type t ON t.oid = c.type\n"
        "  CROSS JOIN LATERAL (SELECT quote_literal(hashint4extended(c.n, 1)) AS seed) s\n"
        "  LEFT JOIN LATERAL (SELECT f.proname AS name, f.proargtypes[0] AS takes FROM pg_opclass o\n"
        "    JOIN pg_am am ON am.oid = o.opcmethod AND am.amname = 'hash' JOIN pg_amproc a ON a.amprocfamily = o.opcfamily\n"
        "      AND a.amprocnum = 2 AND a.amproclefttype = c.type JOIN pg_proc f ON f.oid = a.amproc\n"
        "    WHERE o.opcdefault AND o.opcintype = c.type AND c.type < 16384 AND f.oid < 16384\n"
        "      AND c.type NOT IN ('interval'::regtype, 'jsonb'::regtype)) h ON true\n"
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
        "      END AS after, CASE WHEN how = 'text' OR NOT hashed\n"
        "      THEN format('pg_catalog.hashtextextended(%%s, %s)', seed) ELSE hash END AS hash FROM columns),\n"
        "hashes AS (SELECT *, format('coalesce(%s, %s)', format(hash, before), n) AS hash_before,\n"
        "    format('coalesce(%s, %s)', format(hash, after), n) AS hash_after FROM terms),\n"
        "sums AS (SELECT id, " BEFORE " AS before, " AFTER " AS after, " REST_BEFORE " AS rest_before, " REST_AFTER
        " AS rest_after,\n"
        "    json_agg(name ORDER BY n) FILTER (WHERE NOT shared) AS gone, bool_or(made_anew) AS made_anew,\n"
        "    string_agg(old_column, ', ' ORDER BY n) FILTER (WHERE holds) AS held, bool_and(holds) FILTER (WHERE key) AS keyed\n"
        "  FROM hashes GROUP BY id),\n"
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
        "SELECT found.*, " SHAPE " AS shape FROM found WHERE finding <> 'kept' OR gone IS NOT NULL OR altered;\n";

/* The script once more, from the start, with the views in place that the real run would have: where it fails, or does not do and leave
 * the same (a function may catch the refusal), that run does without. So it does when the script itself catches errors, as that may
 * happen only where there are rows. A variable of psql's carries over what to make: tables go with the savepoint. */
static void add_views(PgFeed *feed, const PgTransaction *of) {
        if (strcasestr(of->way->script, "exception"))
                return;
        pg_feed_format(
                feed,
                "SELECT coalesce(string_agg(format('CREATE TEMP VIEW %%1$s AS SELECT %%2$s FROM ONLY %%3$s; INSERT INTO pg_temp.nc_held\n"
                "  VALUES (%%4$L::pg_catalog.regclass, ''pg_temp.%%1$s''::pg_catalog.regclass, %%5$L);', '" PG_HOLDS
                "' || number,\n"
                "  held, full_name, full_name, shape), ' '), '') AS nc_views, count(*) = 0 AS nc_none\n"
                "  FROM (SELECT row_number() OVER () AS number, format('%%I.%%I', schema, name) AS full_name, *\n"
                "    FROM pg_temp.nc_found WHERE held IS NOT NULL) h \\gset\n"
                "\\if :nc_none\n\\q\n\\endif\nROLLBACK TO SAVEPOINT script;\n"
                "CREATE TEMP TABLE nc_held (id oid, view oid, shape text);\n:nc_views\n" ALTERED
                "\\set nc_altered_from :nc_altered\n");
        pg_feed_text(feed, of->way->script, of->way->size);
        pg_feed_format(feed,
                       "\n;\n" ALTERED "RESET ROLE;\nRESET ALL;\nSET LOCAL search_path = pg_catalog;\n"
                       "SELECT '%s holds ' || json_build_object('after_id', id, 'shape', shape,\n"
                       "  'view', %s)::text FROM pg_temp.nc_held WHERE shape = %s\n"
                       "  AND :nc_altered - :nc_altered_from = :nc_altered_by;\n",
                       of->key, PG_SQL_VIEW("view"), PG_SQL_SHAPE("id"));
}

void pg_sql_rehearsal(PgFeed *feed, const PgTransaction *of) {
        pg_feed_format(feed, "\nRESET ALL;\n");
        pg_sql_limits(feed, of->postgres, of->way, of->limit_us);
        pg_sql_guard(feed);
        pg_feed_format(feed, "CREATE TEMP TABLE nc_before AS\n");
        pg_sql_tables(feed, of->postgres);
        pg_feed_format(feed, ";\n%s\\echo %s loaded\n", before_sql, of->key);
        pg_feed_script(feed, of->way->script, of->way->size);
        pg_feed_format(feed, ALTERED
                       "SELECT :nc_altered - :nc_altered_from AS nc_altered_by \\gset\nRESET ROLE;\nRESET ALL;\n");
        pg_sql_limits(feed, of->postgres, of->way, of->limit_us);
        pg_feed_format(feed, "SELECT '%s version ' || version FROM %s;\n", of->key,
                       pg_setting(of->postgres, "version_table"));
        pg_feed_format(
                feed,
                "%sSELECT '%s table ' || (to_jsonb(f) - 'shape')::text FROM pg_temp.nc_found f ORDER BY schema, name;\n"
                "SELECT format('SELECT ' || %s || ' FROM %%s %%I.%%I', after, CASE WHEN NOT after_parts THEN 'ONLY' END,\n"
                "  after_schema, after_name) FROM pg_temp.nc_found WHERE finding = 'digest' AND after <> '' \\gexec\n"
                "\\echo %s whole\n",
                compare_sql, of->key, "'" PG_SQL_DIGEST "'", of->key);
        add_views(feed, of);
        pg_feed_format(feed, "ROLLBACK;\n");
}
