/* What the files of the PostgreSQL adapter share. */
#pragma once

#include "adapters/adapter.h"
#include "adapters/postgres-query.h"

/* A standby that is expected (data.postgres.replicas). */
typedef struct PgReplica {
        char name[64];  /* its application_name */
        bool asked;     /* it has an address */
        char host[108]; /* of `server`; as long as a socket's path may be */
        PgServer server;
} PgReplica;

/* What a standby lacked when it was seen last. */
typedef struct PgSeen {
        char name[64], address[64], replayed[24]; /* "": it lacked nothing */
        int64_t since_mono;                       /* it has lacked something, and replayed nothing, since */
} PgSeen;

typedef struct Postgres {
        DriverContext context;
        const Settings *settings;
        PgServer server; /* the service's database */
        unsigned replica_count, seen_count;
        PgReplica replicas[REPLICAS_MAX];
        PgSeen seen[REPLICAS_MAX];
} Postgres;

int64_t postgres_now_us(const Postgres *postgres);

/* Takes the setting over, refusing what can't be asked. */
int postgres_read_replicas(Postgres *postgres, Error *error);

/* Refuses what would not be a name in SQL. */
int postgres_check_schema_settings(const Postgres *postgres, Error *error);

int postgres_gate(void *self, const SchemaRequest *request, int64_t budget_us, OpCallback callback, void *userdata,
                  Op **ret_op, Error *error);
int postgres_restore(void *self, const SchemaRequest *request, DataProgress progress, int64_t budget_us,
                     OpCallback callback, void *userdata, Op **ret_op, Error *error);
int postgres_replication(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op, Error *error);
int postgres_check(void *self, DataCheckProgress progress, int64_t budget_us, OpCallback callback, void *userdata,
                   Op **ret_op, Error *error);

extern const DataDriver postgres_data_driver;
