/* The demo service: what it answers. POST /write is the promise that everything here is about: an acknowledged write is on
 * the disk. */
#pragma once

#include "ledger.h"
#include "metrics.h"
#include "server.h"
#include "settings.h"

typedef struct Service {
        ServiceSettings settings;
        const char *config_path; /* read again on SIGHUP; NULL: none */
        FaultCount faults;
        ServiceMetrics metrics;
        Ledger *ledger;
        Server *server;
        unsigned waiting_count;
        struct {
                Connection *connection;
                int64_t number;
        } waiting[LEDGER_BATCH_MAX]; /* for the commit at the batch's end */
} Service;

extern const ServerHooks service_hooks; /* their userdata is the Service */

void service_begin_faults(Service *service); /* counts them from now on */
