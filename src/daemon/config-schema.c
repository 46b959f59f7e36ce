#include "daemon/config-schema.h"

#include "base/nearest.h"
#include "core/engine.h"
#include "core/healing.h"
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
        {"mode", SETTING_CHOICE, "act", 0, 0, "act shadow",
         "shadow: what would be rolled back is decided and recorded, but nothing is done"},
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
static const SettingSpec consensus_specs[] = {
        {"driver", SETTING_STRING, "none", 0, 0, NULL, "The cluster in which the service keeps its state"},
        {"interval", SETTING_DURATION, "1s", 100 * MSEC, HOUR, NULL, "Its members are asked this often"},
        {"timeout", SETTING_DURATION, "1s", 10 * MSEC, 60 * SEC, NULL, "A member that takes longer isn't reachable"},
        {"lag", SETTING_DURATION, "50ms", MSEC, HOUR, NULL, "A member further behind its leader is degraded"},
        {"patience", SETTING_DURATION, "5s", 0, HOUR, NULL,
         "A quorum that is missing for this long is lost; elections and restarts take less"},
        {0},
};
static const SettingSpec data_specs[] = {
        {"driver", SETTING_STRING, "none", 0, 0, NULL, "The database in which the service keeps its rows"},
        {"restore_limit", SETTING_DURATION, "25s", SEC, HOUR, NULL,
         "A way back that would take longer is refused beforehand; raise budgets.restore_version with it"},
        {"lag", SETTING_DURATION, "100ms", MSEC, HOUR, NULL, "A replica further behind is degraded"},
        {"check_timeout", SETTING_DURATION, "1h", SEC, DAY, NULL, "A consistency check that takes longer is stopped"},
        {0},
};
static const SettingSpec incident_specs[] = {
        {"log_lines", SETTING_COUNT, "50", 0, 500, NULL,
         "Of the failing unit's log so many lines are kept with an incident"},
        {0},
};
static const SettingSpec history_specs[] = {
        {"keep", SETTING_DURATION, "90d", 0, 3660 * DAY, NULL,
         "Samples are kept this long, for charts and backtests; 0: not"},
        {"size", SETTING_COUNT, "256", 1, 65536, NULL, "MiB of them at most; then the oldest go"},
        {0},
};
static const SettingSpec network_specs[] = {
        {"peers", SETTING_LIST, "", 0, 0, NULL, "The other nodes: http://... is asked, ADDRESS:PORT is connected to"},
        {"loss", SETTING_RATIO, "1.0%", 0, 100 * PERCENT, NULL,
         "More segments sent again, of all sent in network.window, are degraded"},
        {"window", SETTING_DURATION, "60s", SEC, HOUR, NULL, "The loss is taken over this"},
        {0},
};
static const SettingSpec system_specs[] = {
        {"cpu", SETTING_RATIO, "85%", PERCENT, 100 * PERCENT, NULL, "More asks for a manual review"},
        {"memory", SETTING_RATIO, "90%", PERCENT, 100 * PERCENT, NULL, "More asks for a manual review"},
        {"disk", SETTING_RATIO, "95%", PERCENT, 100 * PERCENT, NULL, "More asks for a manual review"},
        {"window", SETTING_DURATION, "60s", SEC, HOUR, NULL, "The processors' load is taken over this"},
        {0},
};
/* Of the components there are and of those that the operator adds; of a new one exactly one of the four checks must be given. */
static const SettingSpec component_specs[] = {
        {"weight", SETTING_COUNT, "1", 0, 100, NULL, "How much it counts in the score; 0: shown, not counted"},
        {"critical", SETTING_BOOL, "false", 0, 0, NULL, "Unhealthy, it makes the whole unhealthy"},
        {"interval", SETTING_DURATION, "5s", 100 * MSEC, HOUR, NULL, "Checked this often"},
        {"timeout", SETTING_DURATION, "2s", 10 * MSEC, 60 * SEC, NULL, "A check that takes longer has failed"},
        {"failures", SETTING_COUNT, "3", 1, 1000, NULL,
         "Checks that must fail in a row until it is unhealthy; until then it is degraded"},
        {"http", SETTING_URL, "", 0, 0, NULL, "Check: answers with 2xx"},
        {"tcp", SETTING_ENDPOINT, "", 0, 0, NULL, "Check: accepts a connection"},
        {"command", SETTING_LIST, "", 0, 0, NULL, "Check: exits with 0"},
        {"unit", SETTING_STRING, "", 0, 0, NULL, "Check: this unit is active"},
        {"restart", SETTING_STRING, "", 0, 0, NULL, "Healing: this unit is restarted; the polkit rule must allow it"},
        {"clear", SETTING_LIST, "", 0, 0, NULL, "Healing: this command is run before"},
        {"heal_after", SETTING_COUNT, "0", 0, 1000, NULL, "Healing begins after so many failed checks; 0: never"},
        {"heal_backoff", SETTING_DURATION, "60s", SEC, DAY, NULL,
         "Until the next try; doubled each time, forgotten when it is well"},
        {"heal_limit", SETTING_COUNT, "3", 1, HEALING_TRIES_MAX, NULL, "Tries in 24 hours, at most"},
        {0},
};
static const SettingSpec readiness_specs[] = {
        {"interval", SETTING_DURATION, "60s", 100 * MSEC, DAY, NULL,
         "Whether the target could be started is proven this often"},
        {"trial_command", SETTING_LIST, "", 0, 0, NULL,
         "Starts the target for a trial, in a sandbox: {version} {directory} {config} {port} are replaced; [] for no trial"},
        {"trial_url", SETTING_STRING, "http://127.0.0.1:{port}/health", 0, 0, NULL, "The trial's health address"},
        {"trial_timeout", SETTING_DURATION, "20s", SEC, HOUR, NULL,
         "A trial that isn't healthy within this has failed"},
        {"trial_every", SETTING_DURATION, "24h", 10 * SEC, 366 * DAY, NULL,
         "A trial is repeated this often, and when the release has changed"},
        {"trial_user", SETTING_STRING, "", 0, 0, NULL, "Who the trial runs as; '' for a user made for it"},
        {0},
};
static const SettingSpec no_specs[] = {{0}};
static const SettingSpec cache_specs[] = {
        {"clear", SETTING_MAP, "", 0, 0, NULL, "Name, command: all are run by POST /api/v3/cache/clear"},
        {"timeout", SETTING_DURATION, "10s", 10 * MSEC, HOUR, NULL, "A command that takes longer is killed"},
        {0},
};
static const SettingSpec validation_specs[] = {
        {"health_score", SETTING_COUNT, "95", 0, 100, NULL, "The health score must be above this"},
        {"baseline_tolerance", SETTING_RATIO, "50%", 0, 1000 * PERCENT, NULL,
         "P99 latency may be this much above the release's own before the deployment"},
        {"baseline_floor", SETTING_DURATION, "5ms", 0, HOUR, NULL, "... or this much, when that is more"},
        {0},
};
static const SettingSpec api_specs[] = {
        {"listen", SETTING_ENDPOINT, "127.0.0.1:8080", 0, 0, NULL,
         "Loopback address for curl and browsers on this machine; '' for none"},
        {"readers", SETTING_CHOICE, "everyone", 0, 0, "everyone group",
         "Who may read on this machine: everyone, or only who may act"},
        {"health_listen", SETTING_LIST, "", 0, 0, NULL,
         "Addresses (ADDRESS:PORT) on which anybody may ask GET /api/v3/health, and nothing else"},
        {"hosts", SETTING_LIST, "", 0, 0, NULL, "Names it may be asked by, besides its addresses and localhost"},
        {"tokens", SETTING_PATH, "", 0, 0, NULL, "File of the tokens' hashes; 'auto-rollback token' makes one"},
        {"tls_listen", SETTING_ENDPOINT, "", 0, 0, NULL, "Address for everybody else, with TLS"},
        {"tls_certificate", SETTING_PATH, "", 0, 0, NULL, "Its certificate with the chain, PEM"},
        {"tls_key", SETTING_PATH, "", 0, 0, NULL, "Its key, PEM"},
        {"tls_client_ca", SETTING_PATH, "", 0, 0, NULL, "Authority of client certificates, PEM"},
        {"tls_clients", SETTING_MAP, "", 0, 0, NULL, "A client certificate's common name: read or act"},
        {"connections", SETTING_COUNT, "1200", 16, 60000, NULL, "At a time, at most; event streams among them"},
        {0},
};
static const SettingSpec alert_specs[] = {
        {"command", SETTING_LIST, "", 0, 0, NULL, "Run for every alert with the message as its last argument"},
        {"service", SETTING_STRING, "novacron-dwcp", 0, 0, NULL, "What messages call the service"},
        {"environment", SETTING_STRING, "production", 0, 0, NULL, "What messages call this environment"},
        {"artifact", SETTING_STRING, "pkg:generic/novacron-dwcp@{version}", 0, 0, NULL,
         "Package URL of a release; {version} is replaced"},
        {"keep_for", SETTING_DURATION, "24h", SEC, 366 * DAY, NULL,
         "A message that no receiver took for so long is given up"},
        {"patience", SETTING_DURATION, "5m", SEC, DAY, NULL,
         "A receiver that takes nothing for so long is an alert itself"},
        {"repeat", SETTING_DURATION, "60s", SEC, HOUR, NULL,
         "Alerts that stand are told Alertmanager again this often; less than its resolve_timeout"},
        {0},
};
/* Of a receiver exactly one of the four addresses must be given: it says the form. */
static const SettingSpec receiver_specs[] = {
        {"alertmanager", SETTING_URL, "", 0, 0, NULL,
         "Alertmanager: what stands and what is over goes to /api/v2/alerts"},
        {"notify", SETTING_URL, "", 0, 0, NULL,
         "The specification's hooks: POST /notify, and /page for what can't wait"},
        {"webhook", SETTING_URL, "", 0, 0, NULL, "CDEvents over CloudEvents (HTTP, binary mode) to this very address"},
        {"otlp", SETTING_URL, "", 0, 0, NULL, "OpenTelemetry: each run as a trace goes to /v1/traces"},
        {"severity", SETTING_CHOICE, "P3", 0, 0, "P0 P1 P2 P3", "It hears of what is this urgent or more"},
        {"about", SETTING_LIST, "[alerts, runs, deployments, incidents]", 0, 0, NULL,
         "It hears of these: alerts, runs, deployments, incidents"},
        {"timeout", SETTING_DURATION, "5s", 10 * MSEC, 60 * SEC, NULL,
         "An answer that takes longer is none; while a run is under way at most 2s"},
        {"secret_file", SETTING_PATH, "", 0, 0, NULL, "Key with which webhooks are signed; nobody else may read it"},
        {"token_file", SETTING_PATH, "", 0, 0, NULL, "Sent as Authorization: Bearer; nobody else may read it"},
        {"ca", SETTING_PATH, "", 0, 0, NULL, "Authorities that are trusted instead of the system's, PEM"},
        {"certificate", SETTING_PATH, "", 0, 0, NULL, "Our certificate, where it is asked for, PEM"},
        {"key", SETTING_PATH, "", 0, 0, NULL, "Its key, PEM"},
        {0},
};

const BlockSpec config_blocks[] = {
        {"thresholds", threshold_specs, FAMILY_NONE, NULL, false,
         "What makes a sample degraded (specification, Trigger Conditions)", NULL},
        {"decision", decision_specs, FAMILY_NONE, NULL, false, "When degraded samples cause a rollback", NULL},
        {"budgets", budget_specs, FAMILY_NONE, NULL, false,
         "What each step may take: a ceiling, never a schedule (specification, Total Rollback Time)", NULL},
        {"paths", path_specs, FAMILY_NONE, NULL, false, "Where things are", NULL},
        {"units", unit_specs, FAMILY_UNITS, "driver", false, "How the service is started and stopped", NULL},
        {"traffic", traffic_specs, FAMILY_TRAFFIC, "driver", true, "How traffic is drained and restored", NULL},
        {"metrics", metric_specs, FAMILY_METRICS, "source", true, "How the service is measured", NULL},
        {"health", health_specs, FAMILY_NONE, NULL, false, "How the service is asked whether it is well", NULL},
        {"consensus", consensus_specs, FAMILY_CONSENSUS, "driver", true,
         "The cluster whose quorum and members are watched", NULL},
        {"data", data_specs, FAMILY_DATA, "driver", true,
         "The database: whether a release can work with its schema, and the way back", NULL},
        {"incidents", incident_specs, FAMILY_NONE, NULL, false, "What is kept of a rollback, a hold or a review", NULL},
        {"history", history_specs, FAMILY_NONE, NULL, false, "What was measured, kept for a while", NULL},
        {"network", network_specs, FAMILY_NONE, NULL, false, "The way to the other nodes", NULL},
        {"system", system_specs, FAMILY_NONE, NULL, false, "This machine (specification, Rollback Decision Matrix)",
         NULL},
        {"components", no_specs, FAMILY_NONE, NULL, false,
         "Component health: settings of consensus, network, database, storage, api, scheduler, system, and others",
         component_specs},
        {"readiness", readiness_specs, FAMILY_NONE, NULL, false,
         "Whether the rollback target could be started right now", NULL},
        {"cache", cache_specs, FAMILY_NONE, NULL, false, "How caches are cleared", NULL},
        {"validation", validation_specs, FAMILY_NONE, NULL, false,
         "When a rollback has helped (specification, Success Criteria)", NULL},
        {"api", api_specs, FAMILY_NONE, NULL, false, "Where and by whom the controller may be asked", NULL},
        {"alerts", alert_specs, FAMILY_NONE, NULL, false, "Who is told", NULL},
        {"receivers", no_specs, FAMILY_NONE, NULL, false,
         "Who is told over HTTP, and in which form; any number, each under a name of yours", receiver_specs},
        {0},
};

const BuiltIn config_built_ins[] = {
        {.name = "consensus", .without = "interval timeout", .elsewhere = "consensus", .critical = "true"},
        {.name = "network"},
        {.name = "database", .without = "restart clear heal_after heal_backoff heal_limit", .critical = "true"},
        {.name = "storage", .interval = "30s"},
        /* looks at what is known already */
        {.name = "api", .without = "timeout", .elsewhere = "health", .critical = "true", .interval = "1s"},
        {.name = "scheduler", .checkable = true},
        {.name = "system"},
        {0},
};

const BuiltIn *config_built_in_find(const char *name) {
        for (const BuiltIn *built_in = config_built_ins; built_in->name; built_in++)
                if (strcmp(built_in->name, name) == 0)
                        return built_in;
        return NULL;
}

bool config_is_check(const char *key) {
        return word_listed("http tcp command unit", key);
}

bool config_is_receiver(const char *key) {
        return word_listed("alertmanager notify webhook otlp", key);
}

bool config_built_in_has(const BuiltIn *built_in, const char *key) {
        if (built_in && !built_in->checkable && config_is_check(key))
                return false;
        return !(built_in && built_in->without && word_listed(built_in->without, key));
}

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
        TEXT("decision", "mode", decision_mode),
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
        NUMBER("consensus", "interval", consensus_interval_us),
        NUMBER("consensus", "timeout", consensus_timeout_us),
        NUMBER("consensus", "lag", consensus_lag_us),
        NUMBER("consensus", "patience", consensus_patience_us),
        NUMBER("data", "restore_limit", data_restore_limit_us),
        NUMBER("data", "lag", data_lag_us),
        NUMBER("data", "check_timeout", data_check_timeout_us),
        NUMBER("incidents", "log_lines", incident_log_lines),
        NUMBER("history", "keep", history_keep_us),
        NUMBER("history", "size", history_size_mib),
        NUMBER("network", "loss", network_loss_ppm),
        NUMBER("network", "window", network_window_us),
        NUMBER("system", "cpu", system_cpu_ppm),
        NUMBER("system", "memory", system_memory_ppm),
        NUMBER("system", "disk", system_disk_ppm),
        NUMBER("system", "window", system_window_us),
        NUMBER("readiness", "interval", readiness_interval_us),
        TEXT("readiness", "trial_url", trial_url),
        NUMBER("readiness", "trial_timeout", trial_timeout_us),
        NUMBER("readiness", "trial_every", trial_every_us),
        TEXT("readiness", "trial_user", trial_user),
        NUMBER("cache", "timeout", cache_timeout_us),
        NUMBER("alerts", "keep_for", alerts_keep_us),
        NUMBER("alerts", "repeat", alerts_repeat_us),
        NUMBER("alerts", "patience", alerts_patience_us),
        NUMBER("validation", "health_score", validation_health_score),
        NUMBER("validation", "baseline_tolerance", baseline_tolerance_ppm),
        NUMBER("validation", "baseline_floor", baseline_floor_us),
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
        case FAMILY_CONSENSUS:
                DRIVER_AT(consensus_drivers);
        case FAMILY_DATA:
                DRIVER_AT(data_drivers);
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
