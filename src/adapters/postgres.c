/* PostgreSQL (15 and later). Its parts:
 *   postgres-server.c       to whom we talk
 *   postgres-query.c        a question, answered on the event loop (libpq)
 *   postgres-gate.c         can a release work with the schema that is there?
 *   postgres-restore.c      the way back, in one transaction
 *   postgres-replication.c  how far the standbys are behind
 *   postgres-check.c        looks for damage */
#include "adapters/postgres-internal.h"

#include <errno.h>

static const SettingSpec settings[] = {
        {"host", SETTING_STRING, "/var/run/postgresql", 0, 0, NULL, "Address, or the directory of its socket"},
        {"port", SETTING_COUNT, "5432", 1, 65535, NULL, "Port"},
        {"database", SETTING_STRING, "novacron", 0, 0, NULL, "The service's database"},
        {"user", SETTING_STRING, "novacron", 0, 0, NULL, "Role that owns the service's tables"},
        {"password_file", SETTING_PATH, "", 0, 0, NULL,
         "Lines HOST:PORT:DATABASE:USER:PASSWORD, mode 0600; absent: ~/.pgpass, if there is one"},
        {"replicas", SETTING_LIST, "", 0, 0, NULL,
         "Standbys that are expected: NAME (application_name), or NAME=ADDRESS:PORT (NAME=DIRECTORY:PORT) to be asked itself"},
        {"amcheck", SETTING_BOOL, "true", 0, 0, NULL,
         "A consistency check looks into tables and indexes, by that extension"},
        {"checks", SETTING_MAP, "", 0, 0, NULL, "And it asks these: name, a SELECT whose rows are wrong"},
        {"version_table", SETTING_STRING, "schema_version", 0, 0, NULL,
         "Table with one row, whose column `version` names the schema"},
        {"backup", SETTING_PATH, "/backup/schema.{version}.sql", 0, 0, NULL,
         "Script that takes the schema back, where the release that leaves names none"},
        {"rehearsal", SETTING_STRING, "{database}_rehearsal", 0, 0, NULL,
         "Empty database in which scripts are tried; made when the role may"},
        {"programs", SETTING_PATH, "/usr/bin", 0, 0, NULL, "Directory of psql and pg_dump (15.14 or later)"},
        {"run_as", SETTING_STRING, "nobody", 0, 0, NULL, "As root: psql and pg_dump are run as this user"},
        {"advisory_lock", SETTING_COUNT, "6003015042", 0, 0, NULL,
         "Number of the lock that keeps other migrators out; the same for all of them"},
        {"lock_timeout", SETTING_DURATION, "5s", 100 * USEC_PER_MSEC, 600 * USEC_PER_SEC, NULL,
         "A lock that is held longer by somebody else ends the way back"},
        {"keep_dumps", SETTING_COUNT, "3", 1, 1000, NULL, "Safety dumps that are kept, the newest"},
        {"dump_compression", SETTING_COUNT, "1", 0, 9, NULL, "Of a safety dump; 0: none"},
        {"dump_rate", SETTING_COUNT, "50", 1, 100000, NULL,
         "MiB of tables that are dumped in a second, to estimate with"},
        {"rewrite_rate", SETTING_COUNT, "25", 1, 100000, NULL,
         "MiB of a table that are rewritten and compared in a second, to estimate with"},
        {0},
};

int64_t postgres_now_us(const Postgres *postgres) {
        uint64_t now = 0;
        (void)sd_event_now(postgres->context.event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

static int postgres_check_settings(const Settings *block, const char **ret_key, Error *error) {
        *ret_key = "host";
        return pg_host_check(settings_string(block, "host"), error);
}

static int postgres_open(const DriverContext *context, const Settings *block, void **ret_self, Error *error) {
        Postgres *postgres = calloc(1, sizeof *postgres);
        if (!postgres)
                return error_set(error, -ENOMEM, "PostgreSQL: out of memory");
        postgres->context = *context;
        postgres->settings = block;
        postgres->server = (PgServer){
                .host = settings_string(block, "host"),
                .port = settings_int(block, "port"),
                .database = settings_string(block, "database"),
                .user = settings_string(block, "user"),
                .password_file = settings_string(block, "password_file"),
        };
        int r = pg_server_check(&postgres->server, error);
        if (r >= 0)
                r = postgres_read_replicas(postgres, error);
        if (r >= 0)
                r = postgres_check_schema_settings(postgres, error);
        if (r < 0) {
                free(postgres);
                return r;
        }
        *ret_self = postgres;
        return 0;
}

static void postgres_close(void *self) {
        free(self);
}

const DataDriver postgres_data_driver = {
        .name = "postgres",
        .settings = settings,
        .check_settings = postgres_check_settings,
        .open = postgres_open,
        .close = postgres_close,
        .gate = postgres_gate,
        .restore = postgres_restore,
        .replication = postgres_replication,
        .check = postgres_check,
};
