#include "daemon/config-load.h"

#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

/* Every release can have a unit: shown with a version that stands for all. */
#define SAMPLE_VERSION "v1.2.3"

static int check_window(const ConfigLoad *load, const Config *config) {
        const Rules *rules = &config->rules;
        char interval[UNITS_TEXT_MAX], window[UNITS_TEXT_MAX];
        units_format_duration(rules->interval_us, interval, sizeof interval);
        units_format_duration(rules->window_us, window, sizeof window);
        TreeMark mark = config_mark(load, "decision", "interval");
        if (rules->interval_us > rules->window_us)
                return config_refuse(
                        load, mark,
                        "'decision.interval' is %s, longer than 'thresholds.degradation_window' (%s); allowed is at most the window",
                        interval, window);
        int64_t samples = rules->window_us / rules->interval_us + 1;
        if (samples > WINDOW_SAMPLES_MAX)
                return config_refuse(load, mark,
                                     "a window of %s with an interval of %s makes %" PRId64
                                     " samples; allowed are %d: take a longer interval",
                                     window, interval, samples, WINDOW_SAMPLES_MAX);
        return 0;
}

static int check_health(const ConfigLoad *load, const Config *config) {
        int64_t least = (config->health_successes - 1) * config->health_gap_us;
        if (least < config->budgets_us[STEP_VERIFY_HEALTH])
                return 0;
        char least_text[UNITS_TEXT_MAX], budget[UNITS_TEXT_MAX];
        return config_refuse(
                load, config_mark(load, "health", "gap"),
                "%" PRId64
                " successes 'health.gap' apart take %s, but 'budgets.verify_health' is %s; take a shorter gap or fewer successes",
                config->health_successes, units_format_duration(least, least_text, sizeof least_text),
                units_format_duration(config->budgets_us[STEP_VERIFY_HEALTH], budget, sizeof budget));
}

static int check_paths(const ConfigLoad *load, const Config *config) {
        if (strcmp(config->versions, config->current) == 0)
                return config_refuse(
                        load, config_mark(load, "paths", "current"),
                        "'paths.current' is the same as 'paths.versions'; allowed is a symlink's path of its own");
        if (strlen(config->socket) >=
            sizeof((struct sockaddr_un){0}.sun_path) - 4) /* with room for the suffix it is made under */
                return config_refuse(load, config_mark(load, "paths", "socket"),
                                     "'paths.socket' has %zu bytes; allowed are %zu: a Unix socket's path is short",
                                     strlen(config->socket), sizeof((struct sockaddr_un){0}.sun_path) - 5);
        if (config->saved_config[0] == '\0')
                return 0;
        if (config->saved_config[0] != '/' || !strstr(config->saved_config, "{version}"))
                return config_refuse(
                        load, config_mark(load, "paths", "saved_config"),
                        "'paths.saved_config' is '%.80s'; allowed is an absolute path with {version} in it, or ''",
                        config->saved_config);
        return 0;
}

static int check_alerts(const ConfigLoad *load, const Config *config) {
        if (!config->alert_command[0] || config->alert_command[0][0] == '/')
                return 0;
        return config_refuse(load, config_mark(load, "alerts", "command"),
                             "'alerts.command' begins with '%.80s'; allowed is a program's absolute path",
                             config->alert_command[0]);
}

/* What is tried is never root's doing, and never on the service's own port. */
static int check_trial(const ConfigLoad *load, const Config *config) {
        const char *program = config->trial_command[0];
        if (program && program[0] != '/' && strncmp(program, "{directory}/", strlen("{directory}/")) != 0)
                return config_refuse(
                        load, config_mark(load, "readiness", "trial_command"),
                        "'readiness.trial_command' begins with '%.80s'; allowed is an absolute path, or {directory}/...",
                        program);
        if (strncmp(config->trial_url, "http://", strlen("http://")) != 0 || !strstr(config->trial_url, "{port}"))
                return config_refuse(
                        load, config_mark(load, "readiness", "trial_url"),
                        "'readiness.trial_url' is '%.80s'; allowed is an http:// address with {port} in it",
                        config->trial_url);
        if (strcmp(config->trial_user, "root") == 0 || strcmp(config->trial_user, "0") == 0)
                return config_refuse(load, config_mark(load, "readiness", "trial_user"),
                                     "'readiness.trial_user' is root; allowed is a user with no rights of its own");
        return 0;
}

/* The gate refuses what would take longer than the limit; what it lets through must come to its end within its step. */
static int check_restore_limit(const ConfigLoad *load, const Config *config) {
        char limit[UNITS_TEXT_MAX], budget[UNITS_TEXT_MAX];
        if (!config->data_driver || config->data_restore_limit_us < config->budgets_us[STEP_RESTORE_VERSION])
                return 0;
        return config_refuse(
                load, config_mark(load, "data", "restore_limit"),
                "'data.restore_limit' is %s; it must be shorter than 'budgets.restore_version' (%s), in which it happens",
                units_format_duration(config->data_restore_limit_us, limit, sizeof limit),
                units_format_duration(config->budgets_us[STEP_RESTORE_VERSION], budget, sizeof budget));
}

/* What the data driver itself refuses, where it was written. */
static int check_data(const ConfigLoad *load, const Config *config) {
        const DataDriver *driver = config->data_driver;
        const char *key = "";
        Error inner = {0};
        if (!driver || !driver->check_settings || driver->check_settings(config->data_settings, &key, &inner) >= 0)
                return 0;
        const TreeNode *node = tree_member(tree_member(tree_member(load->root, "data"), driver->name), key);
        return config_refuse(load, node ? node->mark : config_mark(load, "data", driver->name), "%s",
                             error_text(&inner));
}

/* The error of expanding one name, with the place it was written at. */
static int check_expansion(const ConfigLoad *load, TreeMark mark, int expanded, const Error *inner) {
        return expanded == 0 ? 0 : config_refuse(load, mark, "%s", error_text(inner));
}

static int check_units(const ConfigLoad *load, const Config *config) {
        UnitSet units;
        Error inner = {0};
        const TreeNode *releases = tree_member(tree_member(load->root, "units"), "releases");
        for (const TreeNode *row = releases ? releases->children : NULL; row; row = row->next) {
                const char *glob;
                const char *const *names;
                for (unsigned i = 0; settings_map_at(config->units_block, "releases", i, &glob, &names); i++) {
                        int r = strcmp(glob, row->key) == 0 ? config_expand_units(names, SAMPLE_VERSION, &units, &inner)
                                                            : 0;
                        if (r < 0)
                                return check_expansion(load, row->mark, r, &inner);
                }
        }
        const char *const pattern[] = {config->unit_pattern, NULL};
        int r = config_expand_units(pattern, SAMPLE_VERSION, &units, &inner);
        return check_expansion(load, config_mark(load, "units", "pattern"), r, &inner);
}

int config_check(const ConfigLoad *load, const Config *config) {
        static int (*const checks[])(const ConfigLoad *, const Config *) = {check_window,
                                                                            check_health,
                                                                            check_paths,
                                                                            check_alerts,
                                                                            check_trial,
                                                                            check_units,
                                                                            config_check_components,
                                                                            config_check_addresses,
                                                                            check_restore_limit,
                                                                            check_data,
                                                                            config_check_receivers};
        for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
                int r = checks[i](load, config);
                if (r < 0)
                        return r;
        }
        return 0;
}
