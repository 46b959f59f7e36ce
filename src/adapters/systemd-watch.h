/* Watches one set of units for as long as it lives, over every loss of the connection. */
#pragma once

#include "adapters/adapter.h"
#include "adapters/systemd-bus.h"

typedef struct SystemdWatch SystemdWatch;

/* `context`: for its event loop and warn(); must outlive the watch. The first report comes as soon as systemd has answered. */
int systemd_watch_new(SystemdBus *bus, const DriverContext *context, const UnitSet *units, UnitsChanged changed,
                      void *userdata, SystemdWatch **ret_watch, Error *error);
SystemdWatch *systemd_watch_free(SystemdWatch *watch);

void systemd_watch_lost(SystemdWatch *watch); /* the connection ended; NULL allowed */
