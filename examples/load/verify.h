/* The end of the ledger: is each acknowledged write stored exactly once? */
#pragma once

#include "base/error.h"
#include "tally.h"

#include <netinet/in.h>

typedef struct Verification {
        int64_t stored;                /* writes of this client that the service has */
        int64_t acknowledged;          /* writes it has told us it has */
        int64_t lost;                  /* acknowledged, not stored */
        int64_t duplicated;            /* stored more than once */
        int64_t misnumbered;           /* stored under another number than was acknowledged */
        int64_t unacknowledged_stored; /* stored though the client was told nothing, or a failure: allowed */
} Verification;

/* Reads GET /writes at `address` and compares. */
int verify_ledger(const struct sockaddr_in *address, const char *host, const char *client, const Tally *tally,
                  Verification *ret_verification, Error *error);
