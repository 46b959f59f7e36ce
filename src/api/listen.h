/* The listening Unix socket. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Listens at `path`, with `mode`. A stale socket is replaced in one rename, so that nobody ever finds none; a live one is
 * -EADDRINUSE and names its owner; anything else than a socket is left alone (-EEXIST). The socket file's identity is kept in
 * `ret_stat`, for listen_remove(). Returns the descriptor. */
int listen_unix(const char *path, mode_t mode, struct stat *ret_stat, Error *error);

/* Whether the socket at `path` is still ours. */
bool listen_in_place(const char *path, const struct stat *ours);

/* Removes the socket at `path` if it is still ours. */
void listen_remove(const char *path, const struct stat *ours);
