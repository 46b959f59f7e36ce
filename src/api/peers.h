/* Who may still connect, and who has taken too long. Operators always get through: readers have fewer places than there are,
 * one user or address of them fewer still, and the health listeners have places of their own. */
#pragma once

#include "api/server.h"

/* Takes a place for a peer whose kind, caller and remote are known. False: there is none, `peer` is as it was. */
bool peers_enter(ApiServer *server, Peer *peer);
void peers_leave(Peer *peer);

/* A deadline for the next request, REQUEST_TIMEOUT_US from now. */
void peers_expect(Peer *peer);
/* No deadline: it is our turn. */
void peers_wait(Peer *peer);

/* Cuts those whose deadline is over. */
void peers_cut(ApiServer *server, int64_t now_mono);

/* Sets the server's `connections` as the settings and the limit of descriptors allow, which is raised as far as can be. */
void peers_make_room(ApiServer *server);
