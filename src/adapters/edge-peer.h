/* Who may tell us what HAProxy's log says. Whoever is believed can cause an automatic rollback, so an open port isn't enough: the
 * kernel is asked whose the connection is (base/peer-tcp.h). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

#define EDGE_ANYONE "anyone" /* in `users`: nobody is asked for on connections from `addresses` */
#define EDGE_DEFAULT_USER "haproxy"

typedef struct EdgePeers {
        const char *const *addresses; /* may connect, besides loopback; NULL-terminated */
        const char *const *users;     /* are believed, besides root and our own */
} EdgePeers;

/* 0; -ENOENT: a name is unknown here. EDGE_DEFAULT_USER needn't be known: it is the default. */
int edge_peers_check(const EdgePeers *peers, Error *error);

typedef enum EdgeBelief {
        EDGE_BELIEVED,
        EDGE_WRONG_ADDRESS,
        EDGE_WRONG_USER,
        EDGE_USER_UNKNOWN, /* nobody can tell whose connection it is */
} EdgeBelief;

/* `fd`: our end of a connection that came from `remote`. *ret_who, where it isn't believed: "uid 1234", or its address. */
#define EDGE_WHO_MAX 64
EdgeBelief edge_peers_believe(const EdgePeers *peers, int fd, const struct sockaddr *remote,
                              char ret_who[EDGE_WHO_MAX]);

/* What to do about it, for people. */
void edge_peers_explain(const EdgePeers *peers, EdgeBelief belief, const char *who, char *text, size_t size);
