/* PostgreSQL (15 and later). Its parts:
 *   postgres-query.c        a question, answered on the event loop (libpq)
 *   postgres-gate.c         can a release work with the schema that is there?
 *   postgres-restore.c      the way back, in one transaction
 *   postgres-replication.c  how far the standbys are behind
 *   postgres-check.c        looks for damage */
#include "adapters/postgres-internal.h"

static const SettingSpec settings[] = {
        {"host", SETTING_STRING, "/var/run/postgresql", 0, 0, NULL, "Address, or the directory of its socket"},
        {"port", SETTING_COUNT, "5432", 1, 65535, NULL, "Port"},
        {"database", SETTING_STRING, "novacron", 0, 0, NULL, "The service's database"},
        {"user", SETTING_STRING, "novacron", 0, 0, NULL, "Role that owns the service's tables"},
        {0},
};

const DataDriver postgres_data_driver = {
        .name = "postgres",
        .settings = settings,
};
