/* A registry of drivers that do nothing, so that the configuration is tested without the real ones and their tables. */
#include "adapters/adapter.h"

#include <errno.h>
#include <string.h>

static const SettingSpec systemd_settings[] = {
        {"bus", SETTING_CHOICE, "auto", 0, 0, "auto system private", "How systemd is reached"},
        {0},
};
static const SettingSpec supervisor_settings[] = {
        {"command", SETTING_LIST, NULL, 0, 0, NULL, "Program and arguments"},
        {"ready_timeout", SETTING_DURATION, "5s", USEC_PER_MSEC, 60 * USEC_PER_SEC, NULL, "Until it is ready"},
        {0},
};
static const SettingSpec haproxy_settings[] = {
        {"socket", SETTING_PATH, NULL, 0, 0, NULL, "The runtime socket"},
        {"backend", SETTING_STRING, NULL, 0, 0, NULL, "The backend's name"},
        {"servers", SETTING_LIST, "", 0, 0, NULL, "All of the backend's when left out"},
        {"gate", SETTING_BOOL, "true", 0, 0, NULL, "Requests are parked while drained"},
        {0},
};
static const SettingSpec edge_settings[] = {
        {"listen", SETTING_ENDPOINT, "127.0.0.1:9095", 0, 0, NULL, "Where the log arrives"},
        {0},
};

static const SettingSpec etcd_settings[] = {
        {"endpoints", SETTING_LIST, NULL, 0, 0, NULL, "Client URLs"},
        {0},
};

static const SettingSpec postgres_settings[] = {
        {"database", SETTING_STRING, "novacron", 0, 0, NULL, "The service's database"},
        {0},
};

/* As the real one: a setting that no row can refuse. */
static int check_postgres(const Settings *settings, const char **ret_key, Error *error) {
        *ret_key = "database";
        return strcmp(settings_string(settings, "database"), "refused") != 0
                       ? 0
                       : error_set(error, -EINVAL, "data.postgres.database: 'refused' is refused");
}

static const UnitsDriver systemd = {.name = "systemd", .settings = systemd_settings, .any_unit = true};
static const UnitsDriver supervisor = {.name = "supervisor", .settings = supervisor_settings};
static const TrafficDriver haproxy = {.name = "haproxy", .settings = haproxy_settings};
static const TrafficDriver hook = {.name = "hook", .settings = NULL};
static const MetricsDriver edge = {.name = "edge", .settings = edge_settings};
static const DataDriver postgres = {
        .name = "postgres", .settings = postgres_settings, .check_settings = check_postgres};
static const ConsensusDriver etcd = {.name = "etcd", .settings = etcd_settings};

const UnitsDriver *const units_drivers[] = {&systemd, &supervisor, NULL};
const TrafficDriver *const traffic_drivers[] = {&haproxy, &hook, NULL};
const MetricsDriver *const metrics_drivers[] = {&edge, NULL};
const ConsensusDriver *const consensus_drivers[] = {&etcd, NULL};
const DataDriver *const data_drivers[] = {&postgres, NULL};

#define FIND(type, list)                                                                                               \
        for (const type *const *driver = list; *driver; driver++)                                                      \
                if (strcmp((*driver)->name, name) == 0)                                                                \
                        return *driver;                                                                                \
        return NULL

const UnitsDriver *units_driver_find(const char *name) {
        FIND(UnitsDriver, units_drivers);
}
const TrafficDriver *traffic_driver_find(const char *name) {
        FIND(TrafficDriver, traffic_drivers);
}
const MetricsDriver *metrics_driver_find(const char *name) {
        FIND(MetricsDriver, metrics_drivers);
}
const ConsensusDriver *consensus_driver_find(const char *name) {
        FIND(ConsensusDriver, consensus_drivers);
}
const DataDriver *data_driver_find(const char *name) {
        FIND(DataDriver, data_drivers);
}
