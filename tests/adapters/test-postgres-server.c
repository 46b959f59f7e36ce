#include "adapters/postgres-query.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void literals_and_names(UNUSED void **state) {
        static const struct {
                const char *text, *literal, *name;
        } rows[] = {
                {"", "''", "\"\""},
                {"orders", "'orders'", "\"orders\""},
                {"it's", "'it''s'", "\"it's\""},
                {"a\"b", "'a\"b'", "\"a\"\"b\""},
                {"'; DROP TABLE x; --", "'''; DROP TABLE x; --'", "\"'; DROP TABLE x; --\""},
                {"back\\slash'", " E'back\\\\slash'''", "\"back\\slash'\""},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                AUTO_FREE char *literal = pg_quote_literal(rows[i].text);
                AUTO_FREE char *name = pg_quote_name(rows[i].text);
                assert_string_equal(literal, rows[i].literal);
                assert_string_equal(name, rows[i].name);
        }
}

static int check(const char *host, const char *password_file, Error *error) {
        const PgServer server = {
                .host = host, .port = 5432, .database = "d", .user = "u", .password_file = password_file};
        *error = (Error){0};
        return pg_server_check(&server, error);
}

static void hosts(UNUSED void **state) {
        static const char *const good[] = {"/run/postgresql", "127.0.0.1", "10.0.0.7", "::1", "fe80::1"};
        static const char *const bad[] = {"",     "localhost", "db.example.com", "10.0.0.1,10.0.0.2", "127.0.0.1:5432",
                                          "[::1]"};
        Error error;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(check(good[i], NULL, &error), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                assert_int_equal(check(bad[i], NULL, &error), -EINVAL);
                assert_non_null(strstr(error.message, "data.postgres.host"));
        }
}

static void password_files(UNUSED void **state) {
        char path[] = "/tmp/test-postgres-server-XXXXXX";
        Error error;
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(check("::1", path, &error), 0);
        assert_int_equal(fchmod(fd, 0640), 0);
        assert_int_equal(check("::1", path, &error), -EPERM);
        assert_non_null(strstr(error.message, "chmod 0600"));
        close(fd);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(check("::1", path, &error), -ENOENT);
        assert_int_equal(check("::1", "/", &error), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(literals_and_names),
                cmocka_unit_test(hosts),
                cmocka_unit_test(password_files),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
