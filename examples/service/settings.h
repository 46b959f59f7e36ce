/* The service's configuration, a file of "key: value" lines (a subset of YAML), and the faults it may ask for. Faults are
 * counted, never random: every run of a test sees the same ones. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ServiceSettings {
        char listen[64]; /* ADDRESS:PORT */
        char data[256];  /* directory of the ledger */
        char version[64];

        /* Counted over the requests of clients (GET /, POST /write), not over /health and /metrics; 0: never. They hold from
         * faults_from_ms until faults_until_ms (0: for ever), counted from the start or the last reload. */
        int64_t error_every;   /* every Nth is answered with error_status */
        int64_t error_status;  /* 500 */
        int64_t latency_every; /* every Nth is answered latency_us later */
        int64_t latency_us;
        int64_t hang_every;       /* every Nth is never answered */
        int64_t crash_on_request; /* the Nth aborts the process */
        int64_t faults_from_ms, faults_until_ms;

        bool unhealthy;         /* /health answers 503 */
        bool hang;              /* connections are accepted, nothing is ever answered, /health neither */
        int64_t crash_after_ms; /* aborts that long after it was ready or reloaded */
        int64_t slow_start_ms;  /* before it listens and says it is ready */
        int64_t slow_stop_ms;   /* between the last answer and the exit */
        bool ignore_sigterm;
} ServiceSettings;

extern const ServiceSettings service_settings_default;

/* Reads the file over what `settings` holds. The error reads `file:line: what is wrong and what is allowed`; `settings` is
 * then unchanged. */
int service_settings_load(const char *path, ServiceSettings *settings, Error *error);

/* Where the counting stands; zeroed at the start and at every reload. */
typedef struct FaultCount {
        int64_t since_us; /* monotonic: the start or the reload */
        int64_t requests; /* since then, within the faults' time */
} FaultCount;

typedef struct Fault {
        bool crash, hang, error;
        int64_t latency_us;
} Fault;

/* What shall go wrong with the next client request. */
Fault fault_next(const ServiceSettings *settings, FaultCount *count, int64_t now_us);
