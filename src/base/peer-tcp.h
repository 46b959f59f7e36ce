/* Whose socket is at the other end of a TCP connection of this machine: the kernel is asked (sock_diag), never the peer.
 *
 * Told is the user who made that socket. A process that was handed it by another, or has changed its user since, still counts as
 * who made it: the same as with a Unix socket's credentials. A peer in another network namespace, or behind a forwarder, can't be
 * found, or is the forwarder. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* 1 and the user; 0: nobody can say (the peer's socket is closed, half closed, or not of this machine); or negative when the kernel
 * can't be asked. `fd`: our end. Never waits longer than PEER_TCP_WAIT_MS. Nothing is remembered: to be asked right before
 * something is done. */
#define PEER_TCP_WAIT_MS 20
int peer_tcp_uid(int fd, uid_t *ret_uid, Error *error);
