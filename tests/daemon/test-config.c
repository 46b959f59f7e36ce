#include "daemon/config.h"

#include "daemon/yaml-tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define HEALTH "health:\n  url: http://127.0.0.1:9000/health\n"

static void cleanup_config(Config **config) {
        config_free(*config);
}
#define AUTO_CONFIG CLEANUP(cleanup_config)

static Config *load(const char *text) {
        Config *config = NULL;
        Error error = {0};
        if (config_load_text("test.yaml", text, strlen(text), &config, &error) < 0)
                fail_msg("%s", error_text(&error));
        return config;
}

static void test_defaults_are_the_specifications(UNUSED void **state) {
        AUTO_CONFIG Config *config = load(HEALTH);
        assert_int_equal(config->rules.error_rate_ppm, 10000);
        assert_int_equal(config->rules.latency_p99_us, 100 * USEC_PER_MSEC);
        assert_int_equal(config->rules.success_rate_ppm, 990000);
        assert_int_equal(config->rules.window_us, 120 * USEC_PER_SEC);
        assert_int_equal(config->rules.interval_us, 30 * USEC_PER_SEC);
        assert_int_equal(config->rules.degraded_share_ppm, 750000);
        assert_int_equal(config->rules.min_requests, 100);
        assert_int_equal(config->rules.armed_for_us, 24 * 3600 * USEC_PER_SEC);
        assert_int_equal(config->rules.bake_for_us, 600 * USEC_PER_SEC);
        assert_int_equal(config->rules.outage_window_us, 10 * USEC_PER_SEC);
        assert_int_equal(config->rules.restart_limit, 3);
        assert_int_equal(config->rules.rollbacks_per_day, 3);
        static const int budgets_s[STEP_COUNT] = {10, 5, 30, 10, 30, 10, 60, 5, 5};
        for (int step = 0; step < STEP_COUNT; step++)
                assert_int_equal(config->budgets_us[step], budgets_s[step] * USEC_PER_SEC);
        assert_int_equal(config->emergency_drain_us, 5 * USEC_PER_SEC);
        assert_int_equal(config->drain_park_max_us, 5 * USEC_PER_SEC);
        assert_string_equal(config->versions, "/opt/novacron/versions");
        assert_string_equal(config->current, "/opt/novacron/current");
        assert_string_equal(config->live_config, "/etc/novacron/config.yaml");
        assert_string_equal(config->saved_config, "/etc/novacron/config.{version}.yaml");
        assert_string_equal(config->state, "/var/lib/novacron");
        assert_string_equal(config->log, "/var/log/novacron/rollback.log");
        assert_string_equal(config->socket, "/run/novacron/rollback.sock");
        assert_string_equal(config->group, "novacron");
        assert_string_equal(config->unit_pattern, "novacron-dwcp-v{major}");
        assert_string_equal(config->units_driver->name, "systemd");
        assert_string_equal(settings_string(config->units_settings, "bus"), "auto");
        assert_null(config->traffic_driver);
        assert_null(config->traffic_settings);
        assert_null(config->metrics_driver);
        assert_string_equal(config->health_url, "http://127.0.0.1:9000/health");
        assert_int_equal(config->health_interval_us, USEC_PER_SEC);
        assert_int_equal(config->health_timeout_us, 2 * USEC_PER_SEC);
        assert_int_equal(config->health_gap_us, 10 * USEC_PER_MSEC);
        assert_int_equal(config->health_successes, 3);
        assert_null(config->alert_command[0]);
}

static void test_thresholds_as_the_specification_prints_them(UNUSED void **state) {
        AUTO_CONFIG Config *config = load("thresholds:\n"
                                          "  error_rate: 1.0%           # Maximum acceptable error rate\n"
                                          "  latency_p99: 100ms         # P99 latency threshold\n"
                                          "  success_rate: 99.0%        # Minimum success rate\n"
                                          "  degradation_window: 120s   # Sustained degradation time\n" HEALTH);
        assert_int_equal(config->rules.error_rate_ppm, 10000);
        assert_int_equal(config->rules.window_us, 120 * USEC_PER_SEC);
}

static void test_everything_can_be_set(UNUSED void **state) {
        AUTO_CONFIG Config *config =
                load("units:\n"
                     "  driver: supervisor\n"
                     "  supervisor:\n"
                     "    command: [/usr/bin/service, --port, '9000']\n"
                     "    ready_timeout: 1.5s\n"
                     "  systemd:\n"
                     "    bus: private\n"
                     "traffic:\n"
                     "  driver: haproxy\n"
                     "  drain_park_max: 2s\n"
                     "  haproxy: {socket: /run/haproxy.sock, backend: be, servers: [a, b], gate: false}\n"
                     "metrics: {source: edge, edge: {listen: '[::1]:9095'}}\n"
                     "alerts:\n  command: [/bin/mail, -s, rollback]\n"
                     "decision:\n  armed_for: 0\n"
                     "paths:\n  saved_config: ''\n  group: ''\n" HEALTH);
        assert_string_equal(config->units_driver->name, "supervisor");
        assert_string_equal(settings_list(config->units_settings, "command")[2], "9000");
        assert_null(settings_list(config->units_settings, "command")[3]);
        assert_int_equal(settings_int(config->units_settings, "ready_timeout"), 1500 * USEC_PER_MSEC);
        assert_string_equal(config->traffic_driver->name, "haproxy");
        assert_int_equal(config->drain_park_max_us, 2 * USEC_PER_SEC);
        assert_string_equal(settings_list(config->traffic_settings, "servers")[1], "b");
        assert_false(settings_bool(config->traffic_settings, "gate"));
        assert_string_equal(settings_string(config->metrics_settings, "listen"), "[::1]:9095");
        assert_string_equal(config->alert_command[1], "-s");
        assert_int_equal(config->rules.armed_for_us, 0);
        assert_string_equal(config->saved_config, "");
        char path[64] = "x";
        assert_int_equal(config_saved_path(config, "v1.2.3", path, sizeof path, NULL), 0);
        assert_string_equal(path, "");
}

static void test_empty_blocks_are_allowed(UNUSED void **state) {
        AUTO_CONFIG Config *config = load("# nothing\nalerts:\nunits:\n  releases:\n  systemd:\n" HEALTH);
        assert_null(config->alert_command[0]);
}

/* ---- what is refused, with the place where it stands ---- */

typedef struct Bad {
        const char *text;
        const char *place;
        const char *says;
} Bad;

static const Bad bad_files[] = {
        /* keys */
        {"threshold:\n  error_rate: 1.0%\n", "1:1", "there is no 'threshold'; did you mean 'thresholds'?"},
        {"zzzzzzzzzz:\n", "1:1", "allowed: thresholds, decision, budgets"},
        {HEALTH "thresholds:\n  error_rat: 1.0%\n", "4:3",
         "'thresholds' has no key 'error_rat'; did you mean 'error_rate'?"},
        {HEALTH "thresholds:\n  error_rate: 1.0%\n  error_rate: 2.0%\n", "5:3",
         "'error_rate' is set twice, the first time on line 4"},
        {HEALTH "health:\n  successes: 1\n", "3:1", "'health' is set twice, the first time on line 1"},
        {HEALTH "alerts: {xxxxxxxxxxxxxxx: 1}\n", "3:10", "'alerts' has no key 'xxxxxxxxxxxxxxx'; allowed: command"},
        {HEALTH "units:\n  sistemd:\n    bus: auto\n", "4:3", "did you mean 'systemd'?"},
        {HEALTH "units:\n  systemd:\n    buz: auto\n", "5:5", "'systemd' has no key 'buz'; did you mean 'bus'?"},
        {HEALTH "? [a]\n: 1\n", "3:3", "a key must be a plain word"},
        /* values */
        {HEALTH "thresholds:\n  error_rate: 1.0\n", "4:15",
         "'error_rate' is '1.0'; allowed is a percentage such as 1.0%, from 0.0% to 100.0%"},
        {HEALTH "thresholds:\n  error_rate: 101%\n", "4:15", "from 0.0% to 100.0%"},
        {HEALTH "thresholds:\n  error_rate: -1%\n", "4:15", "'-1%'"},
        {HEALTH "thresholds:\n  error_rate: NaN\n", "4:15", "a percentage"},
        {HEALTH "thresholds:\n  latency_p99: 100\n", "4:16",
         "'latency_p99' is '100'; allowed is a duration such as 100ms, 30s or 24h"},
        {HEALTH "thresholds:\n  latency_p99: 100 parsec\n", "4:16", "a duration"},
        {HEALTH "thresholds:\n  latency_p99: 99999999999999999999s\n", "4:16", "a duration"},
        {HEALTH "thresholds:\n  latency_p99: 0ms\n", "4:16",
         "too small; allowed is a duration such as 100ms, 30s or 24h, from 1ms to 1h"},
        {HEALTH "thresholds:\n  latency_p99:\n", "4:15", "a duration"},
        {HEALTH "decision:\n  min_requests: 0\n", "4:17", "too small; allowed is a whole number, from 1 to 1000000000"},
        {HEALTH "decision:\n  min_requests: 1e3\n", "4:17", "a whole number"},
        {HEALTH "decision:\n  min_requests: [1]\n", "4:17", "'min_requests' is a list; allowed is a whole number"},
        {HEALTH "decision:\n  min_requests: {a: 1}\n", "4:17", "'min_requests' is a mapping"},
        {HEALTH "decision: 5\n", "3:11", "'decision' must hold keys"},
        {HEALTH "decision: [5]\n", "3:11", "'decision' must hold keys"},
        {HEALTH "budgets:\n  stop_version: 2h\n", "4:17", "too large"},
        {HEALTH "paths:\n  versions: opt/versions\n", "4:13", "an absolute path"},
        {HEALTH "paths:\n  versions: \"/opt\\nx\"\n", "4:13", "a line break"},
        {HEALTH "paths:\n  state: ''\n", "4:10", "an absolute path"},
        {HEALTH "alerts:\n  command: /bin/mail -s hello\n", "4:12", "'command' is a single value; allowed is a list"},
        {HEALTH "alerts:\n  command: [/bin/mail, [x]]\n", "4:24", "an item of 'command' is no single value"},
        {HEALTH "alerts:\n  command: [/bin/mail, '']\n", "4:12", "an item is empty"},
        {HEALTH "alerts:\n  command: [mail]\n", "4:12", "a program's absolute path"},
        {HEALTH "units:\n  systemd: {bus: tram}\n", "4:18",
         "'bus' is 'tram'; allowed is one of: auto, system, private"},
        {HEALTH "units:\n  systemd: {bus: auto system}\n", "4:18", "is 'auto system'"},
        {HEALTH "units:\n  systemd: {bus: ''}\n", "4:18", "one of: auto, system, private"},
        {HEALTH "traffic:\n  haproxy: {gate: yes}\n", "4:19", "'gate' is 'yes'; allowed is true or false"},
        {HEALTH "metrics:\n  edge: {listen: 'localhost:80'}\n", "4:18", "a numeric address and port"},
        {HEALTH "data:\n  driver: postgres\n  postgres: {database: refused}\n", "5:24", "'refused' is refused"},
        {HEALTH "metrics:\n  edge: {listen: '127.0.0.1:0'}\n", "4:18", "a numeric address and port"},
        {HEALTH "metrics:\n  edge: {listen: '127.0.0.1:65536'}\n", "4:18", "a numeric address and port"},
        {"health:\n  url: ftp://x/\n", "2:8", "a URL that begins with http:// or https://"},
        {"health:\n  url: http://\n", "2:8", "a URL"},
        /* drivers, and what is required */
        {"", "1:1", "'health.url' is missing"},
        {"# only a comment\n", "1:1", "'health.url' is missing"},
        {"alerts:\nhealth:\n  gap: 1ms\n", "2:1", "'health.url' is missing"},
        {HEALTH "units:\n  driver: sysv\n", "4:11", "'driver' is 'sysv'; allowed is one of: systemd, supervisor"},
        {HEALTH "units:\n  driver: none\n", "4:11", "allowed is one of: systemd, supervisor"},
        {HEALTH "traffic:\n  driver: nginx\n", "4:11", "allowed is one of: none, haproxy, hook"},
        {HEALTH "traffic:\n  driver: haproxy\n", "4:11", "'traffic.haproxy.socket' is missing"},
        {HEALTH "traffic:\n  driver: haproxy\n  haproxy:\n    socket: /run/x\n", "5:3",
         "'traffic.haproxy.backend' is missing"},
        {HEALTH "metrics: {source: prometheus}\n", "3:19", "allowed is one of: none, edge"},
        /* a driver that isn't chosen: what it says must be right, what is missing doesn't matter */
        {HEALTH "traffic:\n  haproxy:\n    socket: run/x\n", "5:13", "an absolute path"},
        /* what must fit together */
        {HEALTH "decision:\n  interval: 121s\n", "4:13",
         "longer than 'thresholds.degradation_window' (2m); allowed is at most the window"},
        {HEALTH "thresholds:\n  degradation_window: 10s\n", "1:1", "'decision.interval' is 30s, longer than"},
        {HEALTH "decision:\n  interval: 1s\nthresholds:\n  degradation_window: 128s\n", "4:13",
         "makes 129 samples; allowed are 128"},
        {HEALTH "budgets:\n  verify_health: 1s\n", "1:1", NULL},
        {"health:\n  url: http://h/\n  gap: 30s\n", "3:8",
         "3 successes 'health.gap' apart take 1m, but 'budgets.verify_health' is 1m"},
        {HEALTH "data:\n  driver: postgres\n  restore_limit: 30s\n", "5:18",
         "'data.restore_limit' is 30s; it must be shorter than 'budgets.restore_version' (30s)"},
        {HEALTH "paths:\n  current: /opt/novacron/versions\n", "4:12", "the same as 'paths.versions'"},
        {HEALTH "paths:\n  saved_config: /etc/config.yaml\n", "4:17", "an absolute path with {version} in it"},
        {HEALTH
         "paths:\n  socket: /run/"
         "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n",
         "4:11", "a Unix socket's path is short"},
        {HEALTH "units:\n  pattern: novacron-{minior}\n", "4:12",
         "an unknown placeholder; allowed are {version} {major} {minor} {patch}"},
        {HEALTH "units:\n  pattern: novacron-{major\n", "4:12", "an unknown placeholder"},
        {HEALTH "units:\n  pattern: -{major}\n", "4:12", "is no unit's name"},
        {HEALTH "units:\n  pattern: ../x\n", "4:12", "is no unit's name"},
        {HEALTH "units:\n  releases:\n    v2.*: ['a b']\n", "5:11", "'a b' is no unit's name"},
        {HEALTH "units:\n  releases:\n    v2.*: []\n", "5:11", "no unit is named"},
        {HEALTH "units:\n  releases:\n    v2.*: [a, b, c, d, e, f, g, h, i]\n", "5:11", "more than 8 units"},
        {HEALTH "units:\n  releases:\n    v2.*: {a: b}\n", "5:11", "'v2.*' under 'releases' is no list"},
        {HEALTH "units:\n  releases: [a]\n", "4:13", "'releases' is a list; allowed is a mapping"},
        /* receivers */
        {HEALTH "receivers:\n  On: {notify: 'http://h'}\n", "4:3",
         "'On' is no receiver's name; allowed are 1 to 31 of a-z, 0-9, _ and -"},
        {HEALTH "receivers:\n  a: {severity: P1}\n", "4:3",
         "'a' has no address; it must have exactly one of: alertmanager, notify, webhook, otlp"},
        {HEALTH "receivers:\n  a: {notify: 'http://h', otlp: 'http://h'}\n", "4:3", "'a' has two addresses"},
        {HEALTH "receivers:\n  a: {notify: 'h'}\n", "4:15", "a URL that begins with http:// or https://"},
        {HEALTH "receivers:\n  a: {notify: 'http://h/?a=b'}\n", "4:15", "'notify' holds ? or #"},
        {HEALTH "receivers:\n  a: {notify: 'http://h', severity: high}\n", "4:37", "one of: P0, P1, P2, P3"},
        {HEALTH "receivers:\n  a: {notify: 'http://h', about: [run]}\n", "4:34",
         "'about' holds 'run'; allowed are: alerts, runs, deployments, incidents"},
        {HEALTH "receivers:\n  a: {notify: 'http://h', secret_file: /s}\n", "4:40",
         "'secret_file' signs webhooks; 'notify' isn't signed"},
        {HEALTH "receivers:\n  a: {notfy: 'http://h'}\n", "4:7", "'a' has no key 'notfy'; did you mean 'notify'?"},
        /* components */
        {HEALTH "components:\n  Api: {weight: 1}\n", "4:3",
         "'Api' is no component's name; allowed are 1 to 31 of a-z, 0-9, _ and -"},
        {HEALTH "components:\n  abcdefghijklmnopqrstuvwxyz012345: {tcp: '127.0.0.1:1'}\n", "4:3",
         "is no component's name"},
        {HEALTH "components:\n  a: 5\n", "4:6", "'a' must hold keys"},
        {HEALTH "components: [a]\n", "3:13", "'components' must hold keys"},
        {HEALTH "components:\n  api:\n    wieght: 1\n", "5:5", "'api' has no key 'wieght'; did you mean 'weight'?"},
        {HEALTH "components:\n  api:\n    weight: 101\n", "5:13",
         "too large; allowed is a whole number, from 0 to 100"},
        {HEALTH "components:\n  pay:\n    weight: 1\n", "4:3",
         "'pay' has no check; it must have exactly one of: http, tcp, command, unit"},
        {HEALTH "components:\n  storrage:\n    weight: 1\n", "4:3", "did you mean 'storage'?"},
        {HEALTH "components:\n  pay: {tcp: '127.0.0.1:1', unit: a}\n", "4:3", "'pay' has two checks, 'tcp' and 'unit'"},
        {HEALTH "components:\n  scheduler: {tcp: '127.0.0.1:1', unit: a}\n", "4:3", "'scheduler' has two checks"},
        {HEALTH "components:\n  pay: {tcp: 'host:1'}\n", "4:14", "a numeric address and port"},
        {HEALTH "components:\n  pay: {http: 'x'}\n", "4:15", "a URL that begins with http:// or https://"},
        {HEALTH "components:\n  pay: {unit: 'a b'}\n", "4:15", "'a b' is no unit's name"},
        {HEALTH "components:\n  pay: {unit: 'a-{major}'}\n", "4:15", "placeholders are not allowed here"},
        {HEALTH "components:\n  pay: {command: [true]}\n", "4:18",
         "'command' begins with 'true'; allowed is a program's"},
        {HEALTH "components:\n  api: {http: 'http://h/'}\n", "4:9", "'api' is built in and measured by itself"},
        {HEALTH "components:\n  database: {tcp: '127.0.0.1:1'}\n", "4:14", "'database' is built in"},
        {HEALTH "components:\n  consensus: {interval: 1s}\n", "4:15",
         "'interval' of 'consensus' is set as 'consensus.interval'"},
        {HEALTH "components:\n  api: {timeout: 1s}\n", "4:9", "'timeout' of 'api' is set as 'health.timeout'"},
        {HEALTH "components:\n  database: {weight: 2, critical: true, failures: 2}\n", NULL, NULL},
        {HEALTH "components:\n  database: {heal_after: 2}\n", "4:14", "'heal_after' has no effect"},
        {HEALTH "components:\n  api: {heal_after: 2}\n", "4:21", "not what heals 'api': 'restart' (a unit), 'clear'"},
        {HEALTH "components:\n  api: {restart: '-x'}\n", "4:18", "'-x' is no unit's name"},
        {HEALTH "units: {driver: supervisor, supervisor: {command: [/x]}}\ncomponents:\n  pay: {unit: cron}\n", "5:15",
         "'unit' needs 'units.driver: systemd'; supervisor knows the service's own units alone"},
        {HEALTH "components:\n  api: {clear: [rm]}\n", "4:16", "'clear' begins with 'rm'"},
        /* addresses, and what needs what */
        {HEALTH "network:\n  peers: ['10.0.0.1:80', node-1]\n", "4:26",
         "'node-1' is no peer; allowed is a URL such as http://node-1:8080/, or a numeric address"},
        {HEALTH "api:\n  health_listen: ['8080']\n", "4:19", "'8080' can't be listened on"},
        {HEALTH "api:\n  tls_listen: 0.0.0.0:8443\n", "4:15",
         "'api.tls_listen' is set, but not 'api.tls_certificate', which it needs"},
        {HEALTH "api:\n  tls_listen: 0.0.0.0:8443\n  tls_certificate: /c\n", "4:15", "not 'api.tls_key'"},
        {HEALTH "api:\n  tls_key: /k\n", "4:12", "not 'api.tls_certificate'"},
        {HEALTH "api:\n  tls_client_ca: /a\n", "4:18", "not 'api.tls_listen'"},
        {HEALTH "api:\n  tls_clients: {ops: act}\n", "4:16", "not 'api.tls_client_ca'"},
        {HEALTH
         "api: {tls_listen: '0.0.0.0:1', tls_certificate: /c, tls_key: /k, tls_client_ca: /a, tls_clients: {ops: rite}}\n",
         "3:104", "'ops' has the right 'rite'; allowed are read and act"},
        {HEALTH
         "api: {tls_listen: '0.0.0.0:1', tls_certificate: /c, tls_key: /k, tls_client_ca: /a, tls_clients: {ops: []}}\n",
         "3:104", "'ops' has no right"},
        {HEALTH "cache:\n  clear:\n    pages: [rm, -r]\n", "5:12",
         "the command of 'pages' begins with 'rm'; allowed is a program's absolute path"},
        /* YAML that is too clever, or none */
        {HEALTH "paths: &here\n  state: /x\n", "3:8", "an anchor (&name) is not allowed"},
        {HEALTH "paths: *here\n", "3:8", "an alias (*name) is not allowed"},
        {HEALTH "paths:\n  <<: *here\n", "4:7", "an alias (*name) is not allowed"},
        {HEALTH "paths:\n  state: !!str /x\n", "4:10", "a tag (!name) is not allowed"},
        {HEALTH "---\n" HEALTH, "3:1", "a second document"},
        {"{a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}}\n", "1:33", "nested deeper than 8 levels"},
        {"- a\n- b\n", "1:1", "the file must hold blocks"},
        {"just a text\n", "1:1", "the file must hold blocks"},
        {HEALTH "alerts:\n\tcommand: [x]\n", "4:1", "not valid YAML: found character that cannot start any token"},
        {HEALTH "alerts: {command: [x\n", "4:1", "not valid YAML"},
        {HEALTH "paths:\n  state: '/\xff'\n", "4:12", "not UTF-8"},
        {HEALTH "paths:\n  state: '/\xc0\xaf'\n", "4:12", "not UTF-8"},
        {HEALTH "paths:\n  state: '/\xed\xa0\x80'\n", "4:12", "not UTF-8"},
        {"\xff\xfeh\n", "1:1", "not UTF-8"},
};

static void test_bad_files(UNUSED void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
                const Bad *bad = &bad_files[i];
                Config *config = NULL;
                Error error = {0};
                int r = config_load_text("test.yaml", bad->text, strlen(bad->text), &config, &error);
                if (!bad->says) { /* the neighbour of a bad one: must be good */
                        if (r < 0)
                                fail_msg("row %zu: %s", i, error_text(&error));
                        config_free(config);
                        continue;
                }
                char place[64];
                snprintf(place, sizeof place, "test.yaml:%s: ", bad->place);
                if (r == 0)
                        fail_msg("row %zu was taken: %s", i, bad->text);
                if (strncmp(error.message, place, strlen(place)) != 0 || !strstr(error.message, bad->says))
                        fail_msg("row %zu:\n%s\nwanted %s...%s\ngot    %s", i, bad->text, place, bad->says,
                                 error.message);
                assert_null(config);
                assert_true(error.code < 0);
        }
}

static void test_size_and_count_are_bounded(UNUSED void **state) {
        AUTO_FREE char *text = malloc(TREE_SIZE_MAX + 2);
        memset(text, '\n', TREE_SIZE_MAX + 1);
        Config *config = NULL;
        Error error = {0};
        assert_true(config_load_text("big", text, TREE_SIZE_MAX + 1, &config, &error) < 0);
        assert_non_null(strstr(error.message, "big:1:1: larger than 1024 KiB"));

        size_t used = 0;
        for (unsigned i = 0; i <= TREE_CHILDREN_MAX; i++)
                used += (size_t)sprintf(text + used, "k%u: 1\n", i);
        assert_true(config_load_text("many", text, used, &config, &error) < 0);
        assert_string_equal(error.message, "many:1001:1: more than 1000 entries in one place");
}

/* ---- files ---- */

static void write_text(const char *path, const char *text, mode_t mode) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        assert_int_equal(chmod(path, mode), 0);
}

static void test_files(UNUSED void **state) {
        char directory[] = "/tmp/test-config.XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/rollback.yaml", directory);
        Config *config = NULL;
        Error error = {0};
        assert_int_equal(config_load(path, &config, &error), -ENOENT);
        assert_non_null(strstr(error.message, path));
        assert_non_null(strstr(error.message, "auto-rollback check-config --reference")); /* the next step */

        write_text(path, HEALTH, 0644);
        assert_int_equal(config_load(path, &config, &error), 0);
        assert_string_equal(config->file, path);
        config = config_free(config);

        if (geteuid() == 0) {
                write_text(path, HEALTH, 0666);
                assert_int_equal(config_load(path, &config, &error), -EPERM);
                assert_non_null(strstr(error.message, path));
        }
        if (geteuid() == 0) { /* what is run as root must not be somebody else's to change */
                static const char *const commands[][2] = {
                        {"components: {a: {command: [", "]}}\n"},
                        {"components: {api: {clear: [", "]}}\n"},
                        {"cache: {clear: {pages: [", "]}}\n"},
                        {"alerts: {command: [", "]}\n"},
                };
                char program[64], text[256];
                snprintf(program, sizeof program, "%s/program", directory);
                for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                        snprintf(text, sizeof text, HEALTH "%s%s%s", commands[i][0], program, commands[i][1]);
                        write_text(path, text, 0644);
                        write_text(program, "#!/bin/sh\n", 0755);
                        assert_int_equal(config_load(path, &config, &error), 0);
                        config = config_free(config);
                        write_text(program, "#!/bin/sh\n", 0777);
                        assert_int_equal(config_load(path, &config, &error), -EPERM);
                        assert_non_null(strstr(error.message, program));
                }
                unlink(program);
        }
        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
        assert_true(config_load(path, &config, &error) < 0);
        unlink(path);
        rmdir(directory);
}

/* ---- units ---- */

static void test_units(UNUSED void **state) {
        AUTO_CONFIG Config *config = load("units:\n"
                                          "  pattern: app@{version}\n"
                                          "  releases:\n"
                                          "    v2.3.*: [old-a, old-b.target]\n"
                                          "    v2.*: 'app-{major}-{minor}-{patch}'\n"
                                          "    v2.3.9: never-reached\n" HEALTH);
        UnitSet units;
        Error error = {0};
        assert_int_equal(config_units(config, "v2.3.9", &units, &error), 0);
        assert_int_equal(units.count, 2);
        assert_string_equal(units.names[0], "old-a.service");
        assert_string_equal(units.names[1], "old-b.target");
        assert_string_equal(units.version, "v2.3.9");
        assert_int_equal(config_units(config, "v2.4.1", &units, &error), 0);
        assert_string_equal(units.names[0], "app-2-4-1.service");
        assert_int_equal(config_units(config, "3.0.0-rc.1", &units, &error), 0);
        assert_string_equal(units.names[0], "app@3.0.0-rc.1.service");
        assert_int_equal(config_units(config, "v3", &units, &error), -EINVAL);
        assert_int_equal(config_units(config, "../etc", &units, &error), -EINVAL);
        assert_non_null(strstr(error.message, "'../etc' is no version"));

        AUTO_CONFIG Config *plain = load(HEALTH);
        assert_int_equal(config_units(plain, "v3.0.0", &units, &error), 0);
        assert_string_equal(units.names[0], "novacron-dwcp-v3.service");
        char path[128], small[8];
        assert_int_equal(config_saved_path(plain, "v2.4.0", path, sizeof path, &error), 0);
        assert_string_equal(path, "/etc/novacron/config.v2.4.0.yaml");
        assert_int_equal(config_saved_path(plain, "v2.4.0", small, sizeof small, &error), -ENAMETOOLONG);
        assert_int_equal(config_saved_path(plain, "x/../y", path, sizeof path, &error), -EINVAL);
}

/* ---- components ---- */

static const struct ConfigComponent *component(const Config *config, const char *name) {
        for (unsigned i = 0; i < config->component_count; i++)
                if (strcmp(config->components[i].name, name) == 0)
                        return &config->components[i];
        fail_msg("there is no component %s", name);
        return NULL;
}

static void test_components(UNUSED void **state) {
        AUTO_CONFIG Config *plain = load("components:\n" HEALTH);
        static const char *const built_in[] = {"consensus", "network",   "database", "storage",
                                               "api",       "scheduler", "system"};
        assert_int_equal(plain->component_count, ARRAY_SIZE(built_in));
        for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
                assert_string_equal(plain->components[i].name, built_in[i]);
                assert_null(plain->components[i].check);
                assert_int_equal(settings_int(plain->components[i].settings, "weight"), 1);
                assert_int_equal(settings_int(plain->components[i].settings, "heal_after"), 0);
        }
        assert_true(settings_bool(component(plain, "api")->settings, "critical"));
        assert_false(settings_bool(component(plain, "network")->settings, "critical"));
        assert_int_equal(settings_int(component(plain, "network")->settings, "interval"), 5 * USEC_PER_SEC);
        assert_int_equal(settings_int(component(plain, "storage")->settings, "interval"), 30 * USEC_PER_SEC);
        assert_int_equal(settings_int(component(plain, "api")->settings, "interval"), USEC_PER_SEC);

        AUTO_CONFIG Config *config =
                load("components:\n"
                     "  pay: {http: 'http://127.0.0.1:9/', weight: 3, restart: pay, heal_after: 2}\n"
                     "  api: {critical: false, interval: 1s, clear: [/bin/true], heal_after: 1}\n"
                     "  2-b_: {command: [/bin/true, x]}\n"
                     "  scheduler: {unit: cron}\n" HEALTH);
        assert_int_equal(config->component_count, ARRAY_SIZE(built_in) + 2);
        assert_string_equal(config->components[7].name, "pay");
        assert_string_equal(config->components[8].name, "2-b_");
        assert_string_equal(component(config, "pay")->check, "http");
        assert_int_equal(settings_int(component(config, "pay")->settings, "weight"), 3);
        assert_string_equal(component(config, "2-b_")->check, "command");
        assert_string_equal(settings_list(component(config, "2-b_")->settings, "command")[1], "x");
        assert_string_equal(component(config, "scheduler")->check, "unit");
        assert_false(settings_bool(component(config, "api")->settings, "critical"));
        assert_null(component(config, "api")->check);
}

static void test_components_are_counted(UNUSED void **state) {
        char text[4096] = HEALTH "components:\n";
        for (unsigned i = 0; i <= COMPONENTS_MAX - 7; i++)
                sprintf(text + strlen(text), "  c%u: {tcp: '127.0.0.1:1'}\n", i);
        Config *config = NULL;
        Error error = {0};
        assert_true(config_load_text("many", text, strlen(text), &config, &error) < 0);
        assert_string_equal(error.message, "many:29:3: more than 32 components, the built-in ones included");
        text[strlen(text) - 1] = '\0'; /* without the last of them it is just enough */
        *(strrchr(text, '\n') + 1) = '\0';
        AUTO_CONFIG Config *full = load(text);
        assert_int_equal(full->component_count, COMPONENTS_MAX);
}

static void test_unit_as_it_is(UNUSED void **state) {
        UnitSet units;
        Error error = {0};
        assert_int_equal(config_unit("cron", &units, &error), 0);
        assert_int_equal(units.count, 1);
        assert_string_equal(units.names[0], "cron.service");
        assert_int_equal(config_unit("novacron-{major}", &units, &error), -EINVAL);
}

static void test_byte_order_mark(UNUSED void **state) {
        AUTO_CONFIG Config *config = load("\xEF\xBB\xBF" HEALTH);
        assert_string_equal(config->health_url, "http://127.0.0.1:9000/health");
        Config *none = NULL;
        Error error = {0};
        static const char text[] = "\xEF\xBB\xBFhealth:\n  uri: x\n"; /* places are counted without it */
        assert_true(config_load_text("file", text, strlen(text), &none, &error) < 0);
        assert_non_null(strstr(error.message, "file:2:3: "));
}

/* ---- the printed reference is a configuration that says the defaults ---- */

static void test_reference_loads(UNUSED void **state) {
        AUTO_FREE char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);
        config_print_reference(file);
        fclose(file);
        assert_non_null(strstr(
                text,
                "thresholds:\n  # Maximum acceptable error rate: a percentage such as 1.0%, from 0.0% to 100.0%\n  error_rate: 1.0%\n"));
        assert_non_null(strstr(text, "one of: none, haproxy, hook"));
        assert_non_null(strstr(strndupa(text, strcspn(text, "\n")), "Once health.url is set")); /* said at once */
        char *url = strstr(text, "  # url:");
        assert_non_null(url);
        AUTO_FREE char *whole = NULL;
        assert_true(asprintf(&whole, "%.*s  url: http://h/\n%s", (int)(url - text), text, url) > 0);
        AUTO_CONFIG Config *config = load(whole);
        AUTO_CONFIG Config *plain = load("health:\n  url: http://h/\n");
        assert_memory_equal(&config->rules, &plain->rules, sizeof plain->rules);
        assert_memory_equal(config->budgets_us, plain->budgets_us, sizeof plain->budgets_us);
        assert_string_equal(config->saved_config, plain->saved_config);
        for (unsigned i = 0; i < plain->component_count; i++) {
                const Settings *told = config->components[i].settings, *fallback = plain->components[i].settings;
                assert_string_equal(config->components[i].name, plain->components[i].name);
                assert_int_equal(settings_int(told, "interval"), settings_int(fallback, "interval"));
                assert_int_equal(settings_bool(told, "critical"), settings_bool(fallback, "critical"));
                assert_int_equal(settings_int(told, "heal_limit"), settings_int(fallback, "heal_limit"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults_are_the_specifications),
                cmocka_unit_test(test_thresholds_as_the_specification_prints_them),
                cmocka_unit_test(test_everything_can_be_set),
                cmocka_unit_test(test_empty_blocks_are_allowed),
                cmocka_unit_test(test_bad_files),
                cmocka_unit_test(test_size_and_count_are_bounded),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_components),
                cmocka_unit_test(test_components_are_counted),
                cmocka_unit_test(test_unit_as_it_is),
                cmocka_unit_test(test_byte_order_mark),
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_reference_loads),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
