#include "daemon/world.h"

#include "base/fsio.h"

#include <errno.h>

static int open_release_store(World *world, Error *error) {
        const Config *config = world->config;
        const ReleasePaths paths = {
                .versions = config->versions,
                .current = config->current,
                .live_config = config->live_config,
                .saved_config = config->saved_config,
                .state_directory = config->state,
        };
        return release_store_open(world->event, &paths, &world->releases, error);
}

static int open_drivers(World *world, Error *error) {
        const Config *config = world->config;
        int r = config->units_driver->open(&world->context, config->units_settings, &world->units, error);
        if (r < 0)
                return r;
        if (config->traffic_driver)
                r = config->traffic_driver->open(&world->context, config->traffic_settings, &world->traffic, error);
        if (r >= 0 && config->consensus_driver)
                r = config->consensus_driver->open(&world->context, config->consensus_settings, &world->consensus,
                                                   error);
        if (r >= 0 && config->data_driver)
                r = config->data_driver->open(&world->context, config->data_settings, &world->data, error);
        return r;
}

int world_open(sd_event *event, const Config *config,
               void (*warn)(void *userdata, const char *source, const char *message), void *userdata, World **ret_world,
               Error *error) {
        World *world = calloc(1, sizeof *world);
        if (!world)
                return error_set(error, -ENOMEM, "out of memory");
        world->config = config;
        world->event = sd_event_ref(event);

        int r = fs_make_directories(config->state, 0750, error);
        if (r >= 0)
                r = http_client_new(event, &world->http, error);
        if (r >= 0)
                r = open_release_store(world, error);
        if (r >= 0) {
                world->context = (DriverContext){
                        .event = event,
                        .http = world->http,
                        .state_directory = config->state,
                        .current_path = config->current,
                        .config_path = config->live_config,
                        .warn = warn,
                        .userdata = userdata,
                };
                r = open_drivers(world, error);
        }
        if (r < 0) {
                world_close(world);
                return r;
        }
        *ret_world = world;
        return 0;
}

int world_open_metrics(World *world, Error *error) {
        const Config *config = world->config;
        if (!config->metrics_driver || world->metrics)
                return 0;
        return config->metrics_driver->open(&world->context, config->metrics_settings, &config->rules, &world->metrics,
                                            error);
}

World *world_close(World *world) {
        if (!world)
                return NULL;
        const Config *config = world->config;
        if (world->metrics)
                config->metrics_driver->close(world->metrics);
        if (world->data)
                config->data_driver->close(world->data);
        if (world->consensus)
                config->consensus_driver->close(world->consensus);
        if (world->traffic)
                config->traffic_driver->close(world->traffic);
        if (world->units)
                config->units_driver->close(world->units);
        release_store_close(world->releases);
        http_client_free(world->http);
        sd_event_unref(world->event);
        free(world);
        return NULL;
}
