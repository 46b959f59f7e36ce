/* To whom we talk: the settings of a PostgreSQL server looked at, and a connection to it begun. And how text becomes SQL. */
#include "adapters/postgres-query.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define ALIVE_CHECK "1s" /* how often the server looks whether we are still there while it runs a statement */

static bool is_address(const char *host) {
        unsigned char address[sizeof(struct in6_addr)];
        return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool given(const char *text) {
        return text && text[0];
}

/* libpq would leave a file out that others can read, and tell only standard error. */
static int check_password_file(const char *path, Error *error) {
        struct stat found;
        if (stat(path, &found) < 0)
                return error_set(error, -errno, "data.postgres.password_file: %s: %s", path, strerror(errno));
        if (!S_ISREG(found.st_mode))
                return error_set(error, -EINVAL, "data.postgres.password_file: %s isn't a file", path);
        if (found.st_mode & (S_IRWXG | S_IRWXO))
                return error_set(error, -EPERM, "data.postgres.password_file: others may read %s: chmod 0600 %s", path,
                                 path);
        if (access(path, R_OK) < 0)
                return error_set(error, -errno, "data.postgres.password_file: %s: %s", path, strerror(errno));
        return 0;
}

int pg_host_check(const char *host, Error *error) {
        if (host[0] == '/' || is_address(host))
                return 0;
        return error_set(
                error, -EINVAL,
                "data.postgres.host: '%.100s' is neither an address nor the directory of a socket; a name isn't "
                "looked up, because that could block: give its address",
                host);
}

int pg_server_check(const PgServer *server, Error *error) {
        int r = pg_host_check(server->host, error);
        if (r < 0)
                return r;
        return given(server->password_file) ? check_password_file(server->password_file, error) : 0;
}

/* Nothing that the environment or a home directory says decides to whom we talk. GSSAPI would look names up. */
PGconn *pg_server_connect(const PgServer *server, int64_t budget_us) {
        char port[16], options[160];
        bool local = server->host[0] == '/';
        snprintf(port, sizeof port, "%" PRId64, server->port);
        snprintf(options, sizeof options,
                 "-c client_connection_check_interval=" ALIVE_CHECK " -c statement_timeout=%" PRId64,
                 budget_us / USEC_PER_MSEC + 1);
        const char *const keys[] = {local ? "host" : "hostaddr",
                                    "port",
                                    "dbname",
                                    "user",
                                    "application_name",
                                    "options",
                                    "gssencmode",
                                    "client_encoding",
                                    given(server->password_file) ? "passfile" : NULL,
                                    NULL};
        const char *const values[] = {server->host, port,      server->database, server->user,          "auto-rollback",
                                      options,      "disable", "UTF8",           server->password_file, NULL};
        return PQconnectStartParams(keys, values, 0);
}

/* ---- quoting ---- */

static char *quote(const char *prefix, char mark, bool backslashes, const char *text) {
        size_t length = strlen(prefix);
        char *quoted = malloc(length + 2 * strlen(text) + 3), *at = quoted;
        if (!quoted)
                return NULL;
        memcpy(at, prefix, length);
        at += length;
        *at++ = mark;
        for (; *text; text++) {
                if (*text == mark || (backslashes && *text == '\\'))
                        *at++ = *text;
                *at++ = *text;
        }
        *at++ = mark;
        *at = '\0';
        return quoted;
}

/* As PQescapeLiteral() does it, which would take a connection: right whatever standard_conforming_strings is. */
char *pg_quote_literal(const char *text) {
        return strchr(text, '\\') ? quote(" E", '\'', true, text) : quote("", '\'', false, text);
}

char *pg_quote_name(const char *text) {
        return quote("", '"', false, text);
}
