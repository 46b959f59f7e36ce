/* The configuration: /etc/novacron-rollback/rollback.yaml. Everything has a default except what only the operator can know. Loading
 * either gives a whole valid Config or an Error that reads `file:line:column: what is wrong and what is allowed`. */
#pragma once

#include "adapters/adapter.h"
#include "base/error.h"
#include "base/settings.h"
#include "core/types.h"

#define CONFIG_PATH_DEFAULT "/etc/novacron-rollback/rollback.yaml"

#define COMPONENTS_MAX 32 /* the built-in ones among them */
#define COMPONENT_NAME_MAX 32
#define RECEIVERS_MAX 16

typedef struct Config {
        char *file;
        Rules rules;                    /* thresholds: and decision: */
        char *decision_mode;            /* decision.mode: "act" or "shadow" */
        int64_t budgets_us[STEP_COUNT]; /* budgets: (specification, "Total Rollback Time"); [0] is the preflight */
        int64_t emergency_drain_us;     /* budgets.emergency_drain: 5s */
        int64_t drain_park_max_us;      /* traffic.drain_park_max: 5s */

        /* paths: */
        char *versions;    /* /opt/novacron/versions */
        char *current;     /* /opt/novacron/current */
        char *live_config; /* /etc/novacron/config.yaml */
        char *saved_config; /* /etc/novacron/config.{version}.yaml; "" when releases have no configuration of their own */
        char *state;        /* /var/lib/novacron: journal, manifests, locks */
        char *log;          /* /var/log/novacron/rollback.log */
        char *socket;       /* /run/novacron/rollback.sock */
        char *group;        /* novacron: members may act; "" none */

        /* units: */
        char *unit_pattern;    /* novacron-dwcp-v{major}; also {version} {minor} {patch} */
        Settings *units_block; /* for its map `releases:` (version glob -> units), read by config_units() */
        const UnitsDriver *units_driver;
        Settings *units_settings;

        /* traffic: driver may be "none" (NULL): then drain and restore are skipped, and said so */
        const TrafficDriver *traffic_driver;
        Settings *traffic_settings;

        /* metrics: source may be "none" (NULL): then nothing is decided on samples */
        const MetricsDriver *metrics_driver;
        Settings *metrics_settings;

        /* health: */
        char *health_url; /* required: the service's own */
        int64_t health_interval_us, health_timeout_us, health_gap_us;
        int64_t health_successes; /* consecutive ones, health_gap apart, that prove a start */

        /* consensus: driver may be "none" (NULL) */
        const ConsensusDriver *consensus_driver;
        Settings *consensus_settings;
        int64_t consensus_interval_us, consensus_timeout_us, consensus_lag_us, consensus_patience_us;

        /* data: driver may be "none" (NULL) */
        const DataDriver *data_driver;
        Settings *data_settings;
        int64_t data_restore_limit_us, data_lag_us, data_check_timeout_us;

        /* incidents: */
        int64_t incident_log_lines;

        /* history: */
        int64_t history_keep_us; /* 0: samples are not kept */
        int64_t history_size_mib;

        /* network: and system: */
        const char *const *network_peers; /* NULL-terminated */
        int64_t network_loss_ppm, network_window_us;
        int64_t system_cpu_ppm, system_memory_ppm, system_disk_ppm, system_window_us;

        /* components: first the built-in ones, also those that the file says nothing of; then the operator's own, in the file's
         * order */
        unsigned component_count;
        struct ConfigComponent {
                char name[COMPONENT_NAME_MAX];
                const char *check;  /* "http", "tcp", "command" or "unit"; NULL: none was given */
                Settings *settings; /* rows of component_specs, in config-schema.c */
        } components[COMPONENTS_MAX];

        /* readiness: */
        int64_t readiness_interval_us, trial_timeout_us, trial_every_us;
        const char *const *trial_command; /* NULL-terminated; empty: no trial is allowed */
        char *trial_url, *trial_user;

        /* cache: */
        Settings *cache_block; /* for its map `clear:` (name -> command) */
        int64_t cache_timeout_us;

        /* validation: */
        int64_t validation_health_score, baseline_tolerance_ppm, baseline_floor_us;

        Settings *api_block; /* api: as it is; auto.c gives it to the server */

        /* alerts: a command run with the message as its last argument; NULL-terminated, empty for none */
        const char *const *alert_command;
        Settings *alerts_block; /* service, environment, artifact */
        int64_t alerts_keep_us, alerts_repeat_us, alerts_patience_us;

        /* receivers: in the file's order */
        unsigned receiver_count;
        struct ConfigReceiver {
                char name[COMPONENT_NAME_MAX];
                const char *driver; /* which of the addresses it has: an AlertDriver's name */
                Settings *settings; /* rows of receiver_specs, in config-schema.c */
        } receivers[RECEIVERS_MAX];

        void *document; /* what owns the settings' memory */
} Config;

/* As root also refuses a file (or a command in it) that others could change: -EPERM. */
int config_load(const char *path, Config **ret_config, Error *error);
/* The same from memory, without looking at any file; `name` is what messages call it. */
int config_load_text(const char *name, const char *text, size_t size, Config **ret_config, Error *error);
Config *config_free(Config *config); /* NULL allowed; returns NULL */

/* Shadow mode: the engine decides and records, and nothing is done about it. */
bool config_shadow(const Config *config);

/* The units of a release: by the first matching row of `units.releases`, else by the pattern. `version` must be valid. */
int config_units(const Config *config, const char *version, UnitSet *ret_units, Error *error);

/* One unit that is named as it is, without placeholders: ".service" is added where nothing like it is there. */
int config_unit(const char *name, UnitSet *ret_units, Error *error);

/* The saved configuration's path of a release; "" when saved_config is "". */
int config_saved_path(const Config *config, const char *version, char *ret_path, size_t size, Error *error);

/* Prints every key with type, unit, default and range, from the same tables that check the file. What is printed is itself a
 * configuration: the defaults, with what is required or has none left as a comment. */
void config_print_reference(FILE *file);
