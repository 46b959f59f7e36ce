/* World: everything the controller can touch, opened from one configuration: the drivers, the release store, the HTTP client.
 * The controller and break glass share it. */
#pragma once

#include "adapters/release.h"
#include "daemon/config.h"

typedef struct World {
        const Config *config;
        sd_event *event;
        HttpClient *http;
        ReleaseStore *releases;
        DriverContext context;
        void *units;
        void *traffic;   /* NULL: no balancer configured */
        void *metrics;   /* NULL: no metrics configured */
        void *consensus; /* NULL: no cluster configured */
        void *data;      /* NULL: no database configured */
} World;

/* `warn` is told of what happens in an adapter outside a call. */
int world_open(sd_event *event, const Config *config,
               void (*warn)(void *userdata, const char *source, const char *message), void *userdata, World **ret_world,
               Error *error);
/* The metrics source is opened apart: it may need a port that a controller holds, and break glass can do without. */
int world_open_metrics(World *world, Error *error);
World *world_close(World *world); /* leaves the service and its traffic as they are; NULL allowed; returns NULL */
