/* A listening TCP socket. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Reads "127.0.0.1:8080" or "[::1]:8080", numeric alone. -EINVAL: `error` says what is allowed. */
int listen_parse(const char *text, struct sockaddr_storage *ret_address, Error *error);
bool listen_is_loopback(const struct sockaddr_storage *address);

/* Listens at `text`; `setting` is what messages call it. `loopback`: any other address is refused (-EPERM). `name_holder`: when
 * the address is taken (-EADDRINUSE), the message names the process that has it, if that can be told; that is looked up
 * in all of /proc. Returns the descriptor. */
int listen_tcp(const char *setting, const char *text, bool loopback, bool name_holder, Error *error);
