/* Which adapters there are. A new one is a line here and a file beside. */
#include "adapters/adapter.h"

#include <string.h>

extern const UnitsDriver systemd_units_driver, supervisor_units_driver;
extern const TrafficDriver haproxy_traffic_driver, hook_traffic_driver;
extern const MetricsDriver edge_metrics_driver, openmetrics_metrics_driver, prometheus_metrics_driver;
extern const ConsensusDriver etcd_consensus_driver;
extern const DataDriver postgres_data_driver;
extern const AlertDriver alertmanager_driver, notify_driver, webhook_driver, otlp_driver;

const UnitsDriver *const units_drivers[] = {&systemd_units_driver, &supervisor_units_driver, NULL};
const TrafficDriver *const traffic_drivers[] = {&haproxy_traffic_driver, &hook_traffic_driver, NULL};
const MetricsDriver *const metrics_drivers[] = {&edge_metrics_driver, &openmetrics_metrics_driver,
                                                &prometheus_metrics_driver, NULL};
const ConsensusDriver *const consensus_drivers[] = {&etcd_consensus_driver, NULL};
const DataDriver *const data_drivers[] = {&postgres_data_driver, NULL};
const AlertDriver *const alert_drivers[] = {&alertmanager_driver, &notify_driver, &webhook_driver, &otlp_driver, NULL};

const UnitsDriver *units_driver_find(const char *name) {
        for (const UnitsDriver *const *driver = units_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}

const TrafficDriver *traffic_driver_find(const char *name) {
        for (const TrafficDriver *const *driver = traffic_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}

const MetricsDriver *metrics_driver_find(const char *name) {
        for (const MetricsDriver *const *driver = metrics_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}

const ConsensusDriver *consensus_driver_find(const char *name) {
        for (const ConsensusDriver *const *driver = consensus_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}

const DataDriver *data_driver_find(const char *name) {
        for (const DataDriver *const *driver = data_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}

const AlertDriver *alert_driver_find(const char *name) {
        for (const AlertDriver *const *driver = alert_drivers; *driver; driver++)
                if (strcmp((*driver)->name, name) == 0)
                        return *driver;
        return NULL;
}
