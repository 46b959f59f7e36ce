/* The socket a service says READY=1 to (sd_notify(3)). Its name is abstract: no path that could be too long for a socket or be
 * left behind. Only the service's own session is heard. */
#pragma once

#include "base/error.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

typedef struct NotifySocket NotifySocket;

/* `id`: makes the name unique. `ready` comes from the loop, perhaps more than once. */
int notify_socket_new(sd_event *event, const char *id, void (*ready)(void *userdata), void *userdata,
                      NotifySocket **ret_socket, Error *error);
NotifySocket *notify_socket_free(NotifySocket *socket); /* NULL allowed */

const char *notify_socket_address(const NotifySocket *socket);  /* for NOTIFY_SOCKET */
void notify_socket_expect(NotifySocket *socket, pid_t session); /* whose leader it is; before that nobody is heard */
