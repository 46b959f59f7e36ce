/* The connection to systemd's manager (PID 1), made on demand and made again after it was lost: a restarted dbus-daemon or a
 * re-executed PID 1 costs a request a retry, not its life. Nothing here waits; time is the requests' own (systemd-request.h).
 *
 * The private socket is root's alone and needs no dbus-daemon, so it still answers when the bus doesn't. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define SYSTEMD_SERVICE "org.freedesktop.systemd1"
#define SYSTEMD_OBJECT "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_PRIVATE_SOCKET "/run/systemd/private"

#define SYSTEMD_UNIT_MAX (UNIT_NAME_MAX + 8) /* with ".service" behind it */

typedef struct SystemdBus SystemdBus;

/* `choice`: "auto", "system" or "private". `lost` (outside any call of ours, from the loop) tells that an open connection ended. */
int systemd_bus_new(sd_event *event, const char *choice, void (*lost)(void *userdata), void *userdata,
                    SystemdBus **ret_self, Error *error);
SystemdBus *systemd_bus_free(SystemdBus *self);

/* The open (perhaps still connecting) connection, borrowed. Calls can be queued at once. */
int systemd_bus_get(SystemdBus *self, sd_bus **ret_bus, Error *error);
/* Gives up a connection that does not answer; the next systemd_bus_get() makes a new one. */
void systemd_bus_drop(SystemdBus *self);
sd_event *systemd_bus_event(const SystemdBus *self);

/* Queues Subscribe, without which systemd sends no signals. Said before each act: after a restart of the bus systemd has forgotten us. */
int systemd_subscribe(sd_bus *bus, sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot);
/* A signal of systemd's; `path` NULL: the manager's. */
int systemd_match(sd_bus *bus, const char *path, const char *interface, const char *member,
                  sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot);

/* The peer went away or isn't there yet: the same request may succeed on the next connection. */
bool systemd_error_is_transient(const sd_bus_error *bus_error);
bool systemd_error_is_denied(const sd_bus_error *bus_error);
/* The unit isn't loaded (and has no file). */
bool systemd_error_is_no_unit(const sd_bus_error *bus_error);

/* "novacron-dwcp-v3" -> "novacron-dwcp-v3.service", as systemctl does; a name with a unit suffix is left as it is. */
void systemd_unit_name(const char *name, char ret_unit[SYSTEMD_UNIT_MAX]);
