/* The addresses that the server listens on. One that can't be had is no reason not to serve on the others: it is tried again at
 * each look, and says why. */
#pragma once

#include "api/server.h"

struct Listener {
        ApiServer *server;
        PeerKind kind;
        const char *address; /* a path, or ADDRESS:PORT */
        int fd;              /* -1: not listening */
        struct stat file;    /* of PEER_UNIX: the socket's identity */
        sd_event_source *accept_source, *retry_source;
        Error problem; /* why it isn't listening */
};

/* Fills server->listeners from the settings; nothing is opened yet. 0 or -ENOMEM. */
int listeners_new(ApiServer *server, Error *error);
void listeners_free(ApiServer *server);

/* Opens a listener that isn't open, or whose socket file is gone: 0, or its `problem` is set and returned. */
int listener_open(Listener *listener);

/* Accepts what is waiting on all of them, a few at a time. */
void listeners_accept(ApiServer *server);
/* Whether connections wake the event loop by themselves. */
void listeners_watch(ApiServer *server, bool watch);

/* The source of a kind's alerts ("api-tls"), and its setting ("api.tls_listen"). */
const char *listener_source(PeerKind kind);
const char *listener_setting(PeerKind kind);
