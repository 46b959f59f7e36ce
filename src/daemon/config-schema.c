#include "daemon/config-schema.h"

#include "core/engine.h"
#include "daemon/config.h"

#include <string.h>

#define MSEC USEC_PER_MSEC
#define SEC USEC_PER_SEC
#define HOUR (3600 * SEC)
#define DAY (24 * HOUR)
#define PERCENT (PPM / 100)

static const SettingSpec threshold_specs[] = {
        {"error_rate", SETTING_RATIO, "1.0%", 0, 100 * PERCENT, NULL, "Maximum acceptable error rate"},
        {"latency_p99", SETTING_DURATION, "100ms", MSEC, HOUR, NULL, "P99 latency threshold"},
        {"success_rate", SETTING_RATIO, "99.0%", 0, 100 * PERCENT, NULL, "Minimum success rate"},
        {"degradation_window", SETTING_DURATION, "120s", SEC, DAY, NULL, "Sustained degradation time"},
        {0},
};
static const SettingSpec decision_specs[] = {
        {"interval", SETTING_DURATION, "30s", SEC, HOUR, NULL, "One sample is taken each"},
        {"degraded_share", SETTING_RATIO, "75%", PERCENT, 100 * PERCENT, NULL,
         "Share of the window's expected samples that must be degraded"},
        {"min_requests", SETTING_COUNT, "100", 1, 1000000000, NULL, "A sample with fewer requests says nothing"},
        {"armed_for", SETTING_DURATION, "24h", 0, 366 * DAY, NULL,
         "Time after a deployment in which a rollback is automatic; 0 for always"},
        {"bake_for", SETTING_DURATION, "10m", SEC, 366 * DAY, NULL,
         "A deployment that lived this long without a trigger is good"},
        {"outage_window", SETTING_DURATION, "10s", SEC, HOUR, NULL, "A total outage of this length triggers at once"},
        {"restart_limit", SETTING_COUNT, "3", 1, RESTARTS_KEPT, NULL,
         "Automatic restarts within outage_window that mean the unit failed"},
        {"rollbacks_per_day", SETTING_COUNT, "3", 0, 1000, NULL, "Automatic rollbacks in 24 hours, at most"},
        {0},
};

#define BUDGET(key, fallback, help)                                                                                    \
        { key, SETTING_DURATION, fallback, 10 * MSEC, HOUR, NULL, help }
static const SettingSpec budget_specs[] = {
        BUDGET("preflight", "10s", "Step 0: prove the target before anything is touched"),
        BUDGET("pause_deployments", "5s", "Step 1"),
        BUDGET("drain_traffic", "30s", "Step 2: until no request is in flight"),
        BUDGET("stop_version", "10s", "Step 3: then the processes are killed"),
        BUDGET("restore_version", "30s", "Step 4: schema, configuration, current"),
        BUDGET("start_version", "10s", "Step 5: until the unit says it is ready"),
        BUDGET("verify_health", "60s", "Step 6: until health.successes in a row"),
        BUDGET("restore_traffic", "5s", "Step 7"),
        BUDGET("resume_deployments", "5s", "Step 8"),
        BUDGET("emergency_drain", "5s", "Step 2 in an emergency"),
        {0},
};
static const SettingSpec path_specs[] = {
        {"versions", SETTING_PATH, "/opt/novacron/versions", 0, 0, NULL, "One directory for each release"},
        {"current", SETTING_PATH, "/opt/novacron/current", 0, 0, NULL, "The symlink that names the live release"},
        {"live_config", SETTING_PATH, "/etc/novacron/config.yaml", 0, 0, NULL, "The service's live configuration"},
        {"saved_config", SETTING_STRING, "/etc/novacron/config.{version}.yaml", 0, 0, NULL,
         "Each release's saved configuration; '' when releases have none of their own"},
        {"state", SETTING_PATH, "/var/lib/novacron", 0, 0, NULL, "Journal, manifests and locks"},
        {"log", SETTING_PATH, "/var/log/novacron/rollback.log", 0, 0, NULL, "For tail -f"},
        {"socket", SETTING_PATH, "/run/novacron/rollback.sock", 0, 0, NULL, "The control socket"},
        {"group", SETTING_STRING, "novacron", 0, 0, NULL, "Members may act over the socket; '' for none"},
        {0},
};
static const SettingSpec unit_specs[] = {
        {"driver", SETTING_STRING, "systemd", 0, 0, NULL, "What runs the service"},
        {"pattern", SETTING_STRING, "novacron-dwcp-v{major}", 0, 0, NULL,
         "A release's unit; {major} {minor} {patch} {version} are replaced"},
        {"releases", SETTING_MAP, "", 0, 0, NULL,
         "Exceptions to the pattern: version glob, list of units; the first match counts"},
        {0},
};
static const SettingSpec traffic_specs[] = {
        {"driver", SETTING_STRING, "none", 0, 0, NULL,
         "What stands before the service; none: drain and restore are skipped"},
        {"drain_park_max", SETTING_DURATION, "5s", 10 * MSEC, HOUR, NULL,
         "Requests in flight get this long while others are parked at the gate"},
        {0},
};
static const SettingSpec metric_specs[] = {
        {"source", SETTING_STRING, "none", 0, 0, NULL, "Where samples come from; none: nothing is decided on samples"},
        {0},
};
static const SettingSpec health_specs[] = {
        {"url", SETTING_URL, NULL, 0, 0, NULL, "The service's own health address"},
        {"interval", SETTING_DURATION, "1s", 100 * MSEC, HOUR, NULL, "Asked this often while watching"},
        {"timeout", SETTING_DURATION, "2s", 10 * MSEC, 60 * SEC, NULL, "An answer that takes longer is a failure"},
        {"gap", SETTING_DURATION, "10ms", 0, 60 * SEC, NULL, "Between two questions while a start is verified"},
        {"successes", SETTING_COUNT, "3", 1, 1000, NULL, "Healthy answers in a row that prove a start"},
        {0},
};
static const SettingSpec alert_specs[] = {
        {"command", SETTING_LIST, "", 0, 0, NULL, "Run for every alert with the message as its last argument"},
        {0},
};

const BlockSpec config_blocks[] = {
        {"thresholds", threshold_specs, FAMILY_NONE, NULL, false,
         "What makes a sample degraded (specification, Trigger Conditions)"},
        {"decision", decision_specs, FAMILY_NONE, NULL, false, "When degraded samples cause a rollback"},
        {"budgets", budget_specs, FAMILY_NONE, NULL, false,
         "What each step may take: a ceiling, never a schedule (specification, Total Rollback Time)"},
        {"paths", path_specs, FAMILY_NONE, NULL, false, "Where things are"},
        {"units", unit_specs, FAMILY_UNITS, "driver", false, "How the service is started and stopped"},
        {"traffic", traffic_specs, FAMILY_TRAFFIC, "driver", true, "How traffic is drained and restored"},
        {"metrics", metric_specs, FAMILY_METRICS, "source", true, "How the service is measured"},
        {"health", health_specs, FAMILY_NONE, NULL, false, "How the service is asked whether it is well"},
        {"alerts", alert_specs, FAMILY_NONE, NULL, false, "Who is told"},
        {0},
};

#define TEXT(block, key, member)                                                                                       \
        { block, key, offsetof(Config, member), true }
#define NUMBER(block, key, member)                                                                                     \
        { block, key, offsetof(Config, member), false }
#define STEP_BUDGET(key, step)                                                                                         \
        { "budgets", key, offsetof(Config, budgets_us) + (step) * sizeof(int64_t), false }

const ConfigBinding config_bindings[] = {
        NUMBER("thresholds", "error_rate", rules.error_rate_ppm),
        NUMBER("thresholds", "latency_p99", rules.latency_p99_us),
        NUMBER("thresholds", "success_rate", rules.success_rate_ppm),
        NUMBER("thresholds", "degradation_window", rules.window_us),
        NUMBER("decision", "interval", rules.interval_us),
        NUMBER("decision", "degraded_share", rules.degraded_share_ppm),
        NUMBER("decision", "min_requests", rules.min_requests),
        NUMBER("decision", "armed_for", rules.armed_for_us),
        NUMBER("decision", "bake_for", rules.bake_for_us),
        NUMBER("decision", "outage_window", rules.outage_window_us),
        NUMBER("decision", "restart_limit", rules.restart_limit),
        NUMBER("decision", "rollbacks_per_day", rules.rollbacks_per_day),
        STEP_BUDGET("preflight", STEP_PREFLIGHT),
        STEP_BUDGET("pause_deployments", STEP_PAUSE_DEPLOYMENTS),
        STEP_BUDGET("drain_traffic", STEP_DRAIN_TRAFFIC),
        STEP_BUDGET("stop_version", STEP_STOP_VERSION),
        STEP_BUDGET("restore_version", STEP_RESTORE_VERSION),
        STEP_BUDGET("start_version", STEP_START_VERSION),
        STEP_BUDGET("verify_health", STEP_VERIFY_HEALTH),
        STEP_BUDGET("restore_traffic", STEP_RESTORE_TRAFFIC),
        STEP_BUDGET("resume_deployments", STEP_RESUME_DEPLOYMENTS),
        NUMBER("budgets", "emergency_drain", emergency_drain_us),
        TEXT("paths", "versions", versions),
        TEXT("paths", "current", current),
        TEXT("paths", "live_config", live_config),
        TEXT("paths", "saved_config", saved_config),
        TEXT("paths", "state", state),
        TEXT("paths", "log", log),
        TEXT("paths", "socket", socket),
        TEXT("paths", "group", group),
        TEXT("units", "pattern", unit_pattern),
        NUMBER("traffic", "drain_park_max", drain_park_max_us),
        TEXT("health", "url", health_url),
        NUMBER("health", "interval", health_interval_us),
        NUMBER("health", "timeout", health_timeout_us),
        NUMBER("health", "gap", health_gap_us),
        NUMBER("health", "successes", health_successes),
        {0},
};

const BlockSpec *config_block_find(const char *name, size_t *ret_index) {
        for (size_t i = 0; config_blocks[i].name; i++)
                if (strcmp(config_blocks[i].name, name) == 0) {
                        *ret_index = i;
                        return &config_blocks[i];
                }
        return NULL;
}

#define DRIVER_AT(list)                                                                                                \
        ({                                                                                                             \
                if (!(list)[index])                                                                                    \
                        return false;                                                                                  \
                *ret_name = (list)[index]->name;                                                                       \
                *ret_specs = (list)[index]->settings;                                                                  \
                *ret_driver = (list)[index];                                                                           \
                return true;                                                                                           \
        })

bool config_driver_at(DriverFamily family, unsigned index, const char **ret_name, const SettingSpec **ret_specs,
                      const void **ret_driver) {
        switch (family) {
        case FAMILY_UNITS:
                DRIVER_AT(units_drivers);
        case FAMILY_TRAFFIC:
                DRIVER_AT(traffic_drivers);
        case FAMILY_METRICS:
                DRIVER_AT(metrics_drivers);
        case FAMILY_NONE:
                break;
        }
        return false;
}

bool config_driver_find(DriverFamily family, const char *name, const SettingSpec **ret_specs, const void **ret_driver) {
        const char *candidate;
        for (unsigned i = 0; config_driver_at(family, i, &candidate, ret_specs, ret_driver); i++)
                if (strcmp(candidate, name) == 0)
                        return true;
        return false;
}

char *config_driver_names(const BlockSpec *block, char *buffer, size_t size) {
        int used = snprintf(buffer, size, "%s", block->driver_optional ? "none" : "");
        const char *name;
        const SettingSpec *specs;
        const void *driver;
        for (unsigned i = 0;
             config_driver_at(block->family, i, &name, &specs, &driver) && used >= 0 && (size_t)used < size; i++)
                used += snprintf(buffer + used, size - (size_t)used, "%s%s", used ? ", " : "", name);
        return buffer;
}
