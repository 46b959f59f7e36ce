#include "adapters/postgres-script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void takes(const char *script) {
        Error error = {0};
        if (pg_script_check(script, strlen(script), &error) != 0)
                fail_msg("refused: %s\n%s", script, error.message);
}

/* `why`: a part of the message, which begins with the line. */
static void refuses(const char *script, const char *why) {
        Error error = {0};
        if (pg_script_check(script, strlen(script), &error) == 0)
                fail_msg("taken: %s", script);
        if (!strstr(error.message, why))
                fail_msg("%s\nsays '%s', not '%s'", script, error.message, why);
}

static void test_plain(void **state) {
        (void)state;
        takes("");
        takes("-- nothing\n/* at /* all */ */\n;;\n");
        takes("ALTER TABLE orders DROP COLUMN note;\nUPDATE schema_version SET version = 'v2.4.0';\n");
        takes("DO $$ BEGIN PERFORM 1; END $$;");
        takes("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN 1; COMMIT; END $f$;");
        takes("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);");
        takes("SELECT a[1:2], b::text, f(x := 1), c[1 : n] FROM t;");
        takes("SELECT CASE WHEN true THEN 1 END;");
        takes("COMMENT ON TABLE t IS 'COMMIT; \\! rm';");
        takes("SELECT \"COMMIT\", \"a\"\"b;\" FROM t;");
        takes("SET standard_conforming_strings = on;\nSET client_encoding = 'UTF8';");
        takes("PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p;");
        takes("SET CONSTRAINTS one DEFERRED;");
        takes("ALTER TABLE t ADD COLUMN \xc3\xa9t\xc3\xa9 text;");
}

static void test_transactions(void **state) {
        (void)state;
        static const char *const ends[] = {"BEGIN",
                                           "begin work",
                                           "START TRANSACTION",
                                           "COMMIT",
                                           "CoMMiT AND CHAIN",
                                           "END",
                                           "ROLLBACK",
                                           "ABORT",
                                           "SAVEPOINT a",
                                           "RELEASE a",
                                           "ROLLBACK TO a",
                                           "PREPARE TRANSACTION 'x'",
                                           "COMMIT PREPARED 'x'",
                                           "SET TRANSACTION READ ONLY",
                                           "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                                           "/* a */ COMMIT",
                                           "SET CONSTRAINTS ALL IMMEDIATE"};
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
                char script[160];
                snprintf(script, sizeof script, "SELECT 1;\n%s;\n", ends[i]);
                refuses(script, "line 2: ");
        }
        refuses("SELECT 1; COMMIT;", "COMMIT: it would end the transaction");
        refuses("SELECT 1;;COMMIT", "line 1: COMMIT");
}

static void test_beyond(void **state) {
        (void)state;
        static const char *const beyond[] = {"ALTER SYSTEM SET a = 1",
                                             "CREATE DATABASE x",
                                             "DROP DATABASE x",
                                             "VACUUM t",
                                             "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
                                             "REINDEX TABLE CONCURRENTLY t",
                                             "LOAD 'x'",
                                             "DISCARD ALL",
                                             "SET SESSION AUTHORIZATION x",
                                             "RESET SESSION AUTHORIZATION",
                                             "CREATE SUBSCRIPTION s",
                                             "SET track_counts = off",
                                             "SET LOCAL track_counts TO off",
                                             "RESET ALL"};
        for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
                char script[160];
                snprintf(script, sizeof script, "-- a\n%s;\n", beyond[i]);
                refuses(script, "line 2: ");
        }
}

static void test_elsewhere(void **state) {
        (void)state;
        static const char *const reaches[] = {
                "CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw",
                "alter server other OPTIONS (SET host 'x')",
                "CREATE USER MAPPING FOR a SERVER other",
                "CREATE FOREIGN DATA WRAPPER w",
                "IMPORT FOREIGN SCHEMA public FROM SERVER other INTO here",
                "CREATE EXTENSION dblink",
                "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
                "SELECT dblink('dbname=other', 'DELETE FROM t')",
                "SELECT * FROM public.DBLINK_exec ('a', 'b')",
                "SELECT \"dblink_send_query\"('a', 'b')",
                "DO $$ BEGIN PERFORM dblink_connect('a'); END $$",
                "DO $a$BEGIN EXECUTE $b$SELECT dblink('a')$b$; END$a$",
                "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT dblink(''a'')'"};
        for (size_t i = 0; i < sizeof reaches / sizeof reaches[0]; i++) {
                char script[160];
                snprintf(script, sizeof script, "SELECT 1;\n%s;\n", reaches[i]);
                refuses(script, "line 2: ");
                refuses(script, "reaches beyond this database");
        }
        refuses("DO $$\nBEGIN\n  PERFORM dblink('a');\nEND $$;", "line 3: dblink: ");
        takes("-- dblink(\nDROP EXTENSION dblink; DROP SERVER other CASCADE;");
        takes("SELECT dblink, my_dblink(1), 'dblink' FROM dblinks;");
        takes("COPY t FROM stdin;\ndblink('a')\n\\.\n");
        takes("DO $$ BEGIN PERFORM my_dblink(1); END $$;");
}

static void test_copy(void **state) {
        (void)state;
        takes("COPY t (a, b) FROM stdin;\nCOMMIT;\n\\! rm\n'\n\\.\nSELECT 1;\n");
        takes("COPY t FROM STDIN WITH (FORMAT csv); \r\na,b\r\n\\.\r\n");
        takes("COPY (SELECT 1) TO STDOUT;");
        refuses("COPY t FROM stdin;\na\n\\.\nCOMMIT;\n", "line 4: COMMIT");
        refuses("COPY t FROM stdin;\na\nb\n", "line 1: the data");
        refuses("COPY t FROM stdin; SELECT 1;\n\\.\n", "nothing may follow");
        refuses("COPY t FROM '/etc/passwd';", "COPY may read from stdin only");
        refuses("COPY t TO '/tmp/x';", "COPY may read from stdin only");
        refuses("COPY t FROM PROGRAM 'id';", "COPY may read from stdin only");
        refuses("COPY stdin FROM '/etc/passwd';", "COPY may read from stdin only");
        refuses("COPY stdout FROM '/etc/passwd';", "COPY may read from stdin only");
        refuses("COPY t (stdin) FROM '/etc/passwd';", "COPY may read from stdin only");
}

static void test_psql_commands(void **state) {
        (void)state;
        takes("\\restrict aB3\nSELECT 1;\n\\unrestrict aB3\n");
        takes("\\restrict aB3\r\n\\unrestrict aB3\r\n\\restrict b\n\\unrestrict b\n");
        refuses("SELECT 1;\n\\! rm\n", "line 2: a backslash");
        refuses("SELECT 1 \\g x\n", "line 1: a backslash");
        refuses("SELECT 1 \\; COMMIT;", "a backslash");
        refuses("\\i other.sql\n", "a backslash");
        refuses("\\.\n", "a backslash");
        refuses("\\restrict\n", "a backslash");
        refuses("\\restrict a b\n", "letters and digits");
        refuses("\\restrict a\\g\n", "letters and digits");
        refuses("\\restrict a\nSELECT 1;\n", "without its");
        refuses("\\restrict a\n\\unrestrict b\n", "don't belong together");
        refuses("\\restrict a\n\\restrict b\n", "don't belong together");
        refuses("\\unrestrict a\n", "don't belong together");
        refuses("SELECT 1\n\\restrict a\n;\n\\unrestrict a\n", "line 2: a backslash");
        refuses("SELECT :name;", "variables");
        refuses("SELECT :'name';", "variables");
        refuses("SELECT :{?name};", "variables");
}

static void test_quotes(void **state) {
        (void)state;
        takes("SELECT E'a\\'; COMMIT; --';");
        takes("SELECT e'\\\\', '\\\\', 'a''b', U&'\\0041', $$'$$, $a$ $$ ' $b$ $a$;");
        takes("SELECT a$b$c FROM t;\n"); /* one name */
        refuses("SELECT 'a\\'; COMMIT; --';", "read in two ways");
        refuses("SELECT '\\'", "read in two ways");
        refuses("SELECT E'a\\\\'; COMMIT;", "COMMIT");
        refuses("SELECT type'a\\''; COMMIT; --';", "read in two ways");
        refuses("SELECT 'a;\n", "line 1: the quote");
        refuses("SELECT 1;\nSELECT \"a;\n", "line 2: the quote");
        refuses("\nSELECT $a$ $b$ $$ ;\n", "line 2: the dollar quote");
        refuses("/* /* */\n", "line 1: the comment");
        refuses("SELECT 1$a$ $a$; COMMIT;", "COMMIT");
        refuses("SELECT 1 -- '\n;COMMIT;", "line 2: COMMIT");
        refuses("SELECT (1; COMMIT;", "semicolon");
        refuses("SELECT 1", "semicolon");
        refuses("SELECT 1)); COMMIT;", "COMMIT");
        refuses("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;", "BEGIN ATOMIC");
}

static void test_read_in_two_ways(void **state) {
        (void)state;
        refuses("SET standard_conforming_strings = off;", "must stay on");
        refuses("SET client_encoding = 'SJIS';", "must stay UTF8");
        refuses("SET NAMES 'BIG5';", "must stay UTF8");
        refuses("SELECT '\xff';", "UTF-8");
        refuses("SELECT 1;\n\xc3;", "line 2");
        Error error = {0};
        assert_int_not_equal(pg_script_check("a\0b", 3, &error), 0);
}

/* Every part of a script ends in an answer, within its bounds. */
static void test_cut_anywhere(void **state) {
        (void)state;
        static const char whole[] =
                "\\restrict k\nCOPY t (a) FROM stdin;\nx\\.\n\\.\nSELECT E'\\'', $a$ $b$ $a$, \"q\" /* c /* d */ */ -- e\n, "
                "a::b, (1), x'0', 1e5;\n\\unrestrict k\n";
        takes(whole);
        for (size_t from = 0; from < sizeof whole; from++)
                for (size_t to = from; to < sizeof whole; to++) {
                        char *part = malloc(to - from + 1); /* its own: a read beyond it is seen */
                        memcpy(part, whole + from, to - from);
                        Error error = {0};
                        int r = pg_script_check(part, to - from, &error);
                        assert_true(r == 0 || error.message[0]);
                        free(part);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),        cmocka_unit_test(test_transactions),
                cmocka_unit_test(test_beyond),       cmocka_unit_test(test_elsewhere),
                cmocka_unit_test(test_copy),         cmocka_unit_test(test_psql_commands),
                cmocka_unit_test(test_quotes),       cmocka_unit_test(test_read_in_two_ways),
                cmocka_unit_test(test_cut_anywhere),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
