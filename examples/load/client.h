/* An open-loop HTTP client: requests are due at fixed times, whatever the answers do, so that a service that stalls meets the
 * same load as one that doesn't. Up to `connections` are kept alive; more are opened while those are all busy, and closed
 * after their answer. Nothing is ever sent twice: what fails is counted. */
#pragma once

#include "base/error.h"
#include "tally.h"

#include <netinet/in.h>

typedef struct ClientOptions {
        struct sockaddr_in address;
        char host[64];           /* ADDRESS:PORT, as given */
        char name[48];           /* of the client in each write's id */
        int64_t rate;            /* requests per second */
        int64_t write_percent;   /* of the requests */
        int64_t connections;     /* kept alive */
        int64_t connections_max; /* at most open; beyond, requests wait and their latency says so */
        int64_t timeout_us;      /* of one request, from when it was sent */
        int64_t duration_us;     /* 0: until a signal */
} ClientOptions;

/* What the owner is told while it runs; each may be NULL. */
typedef struct ClientHooks {
        void (*ended)(void *userdata, size_t row, bool new_version);
        void (*tick)(void *userdata, int64_t now_us); /* every 100 ms, on the clock of the tally */
        void (*marked)(void *userdata);               /* a phase began */
} ClientHooks;

/* Runs the load: SIGUSR1 begins a phase, SIGTERM or SIGINT ends it (a second one abandons what is outstanding). These signals
 * must be blocked. */
int client_run(const ClientOptions *options, Tally *tally, const ClientHooks *hooks, void *userdata, Error *error);

int64_t client_now_us(void); /* CLOCK_REALTIME */
