/* The way back itself: which script it is, and its checked text. And small things that the files of the schema share. */
#include "adapters/postgres-schema.h"

#include "base/fsio.h"
#include "core/version.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

const char *pg_setting(const Postgres *postgres, const char *key) {
        return settings_string(postgres->settings, key);
}

/* They stand in SQL, and in psql's own commands, as they are. */
int postgres_check_schema_settings(const Postgres *postgres, Error *error) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
        const char *table = pg_setting(postgres, "version_table");
        if (!table[0] || strspn(table, allowed) != strlen(table))
                return error_set(error, -EINVAL,
                                 "data.postgres.version_table: '%.100s' isn't a table's name such as schema_version or "
                                 "app.schema_version",
                                 table);
        return 0;
}

void pg_way_clear(PgWay *way) {
        free(way->script);
        *way = (PgWay){0};
}

int pg_state_path(const Postgres *postgres, const char *directory, const char *name, char *path, size_t size,
                  Error *error) {
        int n = snprintf(path, size, "%s/%s", postgres->context.state_directory, directory);
        if (n < 0 || (size_t)n >= size)
                return error_set(error, -ENAMETOOLONG, "the state directory's path is too long");
        int r = fs_make_directories(path, 0700, error);
        if (r < 0)
                return r;
        n = snprintf(path, size, "%s/%s/%s", postgres->context.state_directory, directory, name);
        return n < 0 || (size_t)n >= size ? error_set(error, -ENAMETOOLONG, "the state directory's path is too long")
                                          : 0;
}

/* So that a try of ours, left behind by a life that was killed, is known again: whoever has the same state directory is the same
 * controller, and runs one at a time. */
void pg_restore_name(const Postgres *postgres, char name[PG_NAME_MAX]) {
        char host[65] = "", text[PATH_MAX + sizeof host], hex[17];
        unsigned char digest[crypto_hash_sha256_BYTES];
        (void)gethostname(host, sizeof host - 1);
        int n = snprintf(text, sizeof text, "%s:%s", host, postgres->context.state_directory);
        crypto_hash_sha256(digest, (const unsigned char *)text,
                           (size_t)(n < (int)sizeof text ? n : (int)sizeof text - 1));
        sodium_bin2hex(hex, sizeof hex, digest, 8);
        snprintf(name, PG_NAME_MAX, "auto-rollback restore %s", hex);
}

char *pg_sql_unfinished(const Postgres *postgres, bool end_it) {
        char name[PG_NAME_MAX];
        char *sql = NULL;
        pg_restore_name(postgres, name);
        int n = asprintf(&sql,
                         "SELECT l.pid, %s FROM " PG_SQL_HOLDERS " AND a.application_name = '%s' AND a.usename = "
                         "current_user",
                         end_it ? "pg_catalog.pg_terminate_backend(l.pid, 2000)" : "false",
                         settings_int(postgres->settings, "advisory_lock"), name);
        return n < 0 ? NULL : sql;
}

void pg_random_key(char key[PG_KEY_MAX]) {
        unsigned char bytes[(PG_KEY_MAX - 1) / 2];
        randombytes_buf(bytes, sizeof bytes);
        sodium_bin2hex(key, PG_KEY_MAX, bytes, sizeof bytes);
}

/* `text` with `mark` replaced once. */
static void fill_in(const char *text, const char *mark, const char *with, char *buffer, size_t size) {
        const char *at = strstr(text, mark);
        if (at)
                snprintf(buffer, size, "%.*s%s%s", (int)(at - text), text, with, at + strlen(mark));
        else
                snprintf(buffer, size, "%s", text);
}

char *pg_scratch_name(const Postgres *postgres, char *text, size_t size) {
        fill_in(pg_setting(postgres, "rehearsal"), "{database}", postgres->server.database, text, size);
        return text;
}

/* ---- which schemas, which script ---- */

static bool same_schema(const char *a, const char *b) {
        return strcmp(a, b) == 0 || (version_valid(a) && version_valid(b) && version_compare(a, b) == 0);
}

bool pg_works_with(const SchemaNeeds *needs, const char *schema) {
        for (unsigned i = 0; i < needs->works_count; i++)
                if (same_schema(needs->works_with[i], schema))
                        return true;
        return same_schema(needs->version, schema);
}

void pg_way_find(const Postgres *postgres, const SchemaRequest *request, const char *current, PgWay *way) {
        const SchemaNeeds *target = &request->target, *leaving = &request->leaving;
        const char *to = target->version, *script = NULL, *digest = "";
        if (leaving->declared && same_schema(leaving->version, current))
                for (unsigned i = 0; i < leaving->down_count; i++) {
                        bool best = same_schema(leaving->down[i].to, target->version);
                        if (!pg_works_with(target, leaving->down[i].to) || (script && !best))
                                continue;
                        to = leaving->down[i].to;
                        script = leaving->down[i].script;
                        digest = leaving->down[i].digest;
                }
        snprintf(way->wanted, sizeof way->wanted, "%s", to);
        snprintf(way->expected, sizeof way->expected, "%s", digest);
        if (script)
                snprintf(way->original, sizeof way->original, "%s", script);
        else
                fill_in(pg_setting(postgres, "backup"), "{version}", target->version, way->original,
                        sizeof way->original);
}

static int keep_copy(const Postgres *postgres, const PgWay *way, char *path, size_t size, Error *error) {
        char name[128];
        snprintf(name, sizeof name, "script-%.16s.sql", way->digest);
        int r = pg_state_path(postgres, "schema", name, path, size, error);
        return r < 0 ? r : fs_write_atomic(path, way->script, way->size, 0600, error);
}

/* Some editors begin a text with a mark, which psql takes for one only at the beginning of all that it reads. */
static void drop_mark(PgWay *way) {
        static const char mark[] = "\xef\xbb\xbf";
        size_t length = sizeof mark - 1;
        if (way->size < length || memcmp(way->script, mark, length) != 0)
                return;
        way->size -= length;
        memmove(way->script, way->script + length, way->size + 1);
}

static void digest_text(const PgWay *way, char text[65]) {
        unsigned char digest[crypto_hash_sha256_BYTES];
        crypto_hash_sha256(digest, (const unsigned char *)way->script, way->size);
        sodium_bin2hex(text, 65, digest, sizeof digest);
}

static int check_expected(const PgWay *way, Error *error) {
        char digest[65];
        digest_text(way, digest);
        if (way->expected[0] == '\0' || strcmp(way->expected, digest) == 0)
                return 0;
        return error_set(
                error, -EBADMSG,
                "%s, or the release.yaml that names it, was altered since the release was taken in, so it is not "
                "run: put the release back as it was, or accept what is there with: auto-rollback adopt",
                way->original);
}

int pg_way_read(const Postgres *postgres, PgWay *way, char *ret_copy, size_t size, Error *error) {
        int r = fs_check_trusted(way->original, error);
        if (r == 0)
                r = fs_read_file(way->original, PG_SCRIPT_MAX, &way->script, &way->size, error);
        if (r == 0)
                r = check_expected(way, error);
        if (r == 0)
                drop_mark(way);
        if (r == 0 && (r = pg_script_check(way->script, way->size, error)) < 0)
                return error_prefix(error, "%s", way->original);
        if (r < 0)
                return r;
        digest_text(way, way->digest);
        return keep_copy(postgres, way, ret_copy, size, error);
}
