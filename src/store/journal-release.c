/* Releases and deployments; and the small things that must survive a restart: values and alerts. */
#include "store/journal-internal.h"

#include <errno.h>
#include <string.h>

#define SQL_MAX 2048
#define NAMES_MAX 512

static int prepare_with_names(Journal *journal, const char *before, const Field *fields, const char *after,
                              sqlite3_stmt **ret_statement, Error *error) {
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "%s%s%s", before, names, after);
        return journal_prepare(journal, sql, ret_statement, error);
}

/* ---- releases ---- */

int journal_set_release(Journal *journal, const char *version, ReleaseState state, int64_t since_wall, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        Release release = {.state = state, .since_wall = since_wall};
        snprintf(release.version, sizeof release.version, "%s", version);
        int r = prepare_with_names(journal, "INSERT INTO releases (", release_fields,
                                   ") VALUES (?1, ?2, ?3) ON CONFLICT (version) DO UPDATE SET state = excluded.state,"
                                   " since_wall = excluded.since_wall",
                                   &statement, error);
        if (r < 0)
                return r;
        columns_bind(statement, 1, release_fields, &release);
        return journal_finish(journal, statement, "keep the release", error);
}

int journal_release(Journal *journal, const char *version, Release *ret_release, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        Release release = {0};
        int r = prepare_with_names(journal, "SELECT ", release_fields, " FROM releases WHERE version = ?1", &statement,
                                   error);
        if (r < 0)
                return r;
        sqlite3_bind_text(statement, 1, version, -1, SQLITE_STATIC);
        r = journal_step(journal, statement, "read a release", error);
        if (r <= 0)
                return r;
        r = columns_read(journal, statement, 0, release_fields, &release, error);
        if (r < 0)
                return r;
        *ret_release = release;
        return 1;
}

int journal_releases(Journal *journal, Release *ret_releases, size_t max, size_t *ret_count, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        size_t count = 0;
        int r = prepare_with_names(journal, "SELECT ", release_fields, " FROM releases ORDER BY rowid", &statement,
                                   error);
        if (r < 0)
                return r;
        while ((r = journal_step(journal, statement, "read the releases", error)) > 0) {
                Release release = {0};
                r = columns_read(journal, statement, 0, release_fields, &release, error);
                if (r < 0)
                        return r;
                if (count < max)
                        ret_releases[count] = release;
                count++;
        }
        if (r == 0)
                *ret_count = count;
        return r;
}

/* ---- deployments ---- */

int journal_add_deployment(Journal *journal, Deployment *deployment, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char marks[NAMES_MAX], after[NAMES_MAX + 16];
        columns_marks(deployment_fields, 1, marks, sizeof marks);
        snprintf(after, sizeof after, ") VALUES (%s)", marks);
        int r = prepare_with_names(journal, "INSERT INTO deployments (", deployment_fields, after, &statement, error);
        if (r < 0)
                return r;
        columns_bind(statement, 1, deployment_fields, deployment);
        r = journal_finish(journal, statement, "keep the deployment", error);
        if (r == 0)
                deployment->id = sqlite3_last_insert_rowid(journal->db);
        return r;
}

int journal_deployments(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Deployment *deployment),
                        void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = prepare_with_names(journal, "SELECT id, ", deployment_fields,
                                   " FROM deployments ORDER BY id DESC LIMIT ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, limit);
        while ((r = journal_step(journal, statement, "read the deployments", error)) > 0) {
                Deployment deployment = {.id = sqlite3_column_int64(statement, 0)};
                r = columns_read(journal, statement, 1, deployment_fields, &deployment, error);
                if (r == 0)
                        r = visit(userdata, &deployment);
                if (r != 0)
                        return r;
        }
        return r;
}

static int take_deployment(void *userdata, const Deployment *deployment) {
        *(Deployment *)userdata = *deployment;
        return 1;
}

int journal_last_deployment(Journal *journal, Deployment *ret_deployment, Error *error) {
        return journal_deployments(journal, 1, take_deployment, ret_deployment, error);
}

int journal_mark_rolled_back(Journal *journal, int64_t deployment_id, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "UPDATE deployments SET rolled_back = 1 WHERE id = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, deployment_id);
        r = journal_finish(journal, statement, "mark the deployment", error);
        if (r == 0 && sqlite3_changes(journal->db) == 0)
                return error_set(error, -ENOENT, "journal %s: there is no deployment %lld", journal->path,
                                 (long long)deployment_id);
        return r;
}

/* ---- values ---- */

int journal_set_value(Journal *journal, const char *key, const char *value, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        if (value && strlen(value) >= JOURNAL_VALUE_MAX)
                return error_set(error, -EMSGSIZE, "journal %s: the value of %s is longer than %d bytes", journal->path,
                                 key, JOURNAL_VALUE_MAX - 1);
        int r = journal_prepare(journal,
                                value ? "INSERT OR REPLACE INTO \"values\" (key, value) VALUES (?1, ?2)"
                                      : "DELETE FROM \"values\" WHERE key = ?1",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        if (value)
                sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
        return journal_finish(journal, statement, "keep a value", error);
}

int journal_get_value(Journal *journal, const char *key, char *ret_value, size_t size, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT value FROM \"values\" WHERE key = ?1", &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        r = journal_step(journal, statement, "read a value", error);
        if (r > 0)
                column_copy(statement, 0, ret_value, size);
        return r;
}

/* ---- alerts ---- */

int journal_add_alert(Journal *journal, int64_t at_wall, const char *source, const char *message, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "INSERT INTO alerts (at_wall, source, message) VALUES (?1, ?2, ?3)",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, at_wall);
        sqlite3_bind_text(statement, 2, source, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, message, -1, SQLITE_STATIC);
        return journal_finish(journal, statement, "keep an alert", error);
}

int journal_alerts(Journal *journal, unsigned limit, int (*visit)(void *userdata, const JournalAlert *alert),
                   void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT id, at_wall, source, message FROM alerts ORDER BY id DESC LIMIT ?1",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, limit);
        while ((r = journal_step(journal, statement, "read the alerts", error)) > 0) {
                JournalAlert alert = {.id = sqlite3_column_int64(statement, 0),
                                      .at_wall = sqlite3_column_int64(statement, 1)};
                column_copy(statement, 2, alert.source, sizeof alert.source);
                column_copy(statement, 3, alert.message, sizeof alert.message);
                r = visit(userdata, &alert);
                if (r != 0)
                        return r;
        }
        return r;
}
