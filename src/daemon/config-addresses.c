/* Addresses, names and files that only make sense together: network.peers, cache.clear and api:. */
#include "base/settings-rules.h"
#include "daemon/config-load.h"

#include <string.h>

/* Where an item of a list was written. */
static TreeMark item_mark(const ConfigLoad *load, const char *block, const char *key, size_t index) {
        const TreeNode *list = tree_member(tree_member(load->root, block), key), *item = list ? list->children : NULL;
        for (; item && index > 0; index--)
                item = item->next;
        return item ? item->mark : config_mark(load, block, key);
}

static bool is_of(SettingType type, const char *text) {
        const SettingSpec spec = {.key = "", .type = type, .fallback = ""};
        int64_t ignored;
        return settings_parse(&spec, text, &ignored, NULL) == 0;
}

static int check_peers(const ConfigLoad *load, const Config *config) {
        for (size_t i = 0; config->network_peers[i]; i++)
                if (!is_of(SETTING_URL, config->network_peers[i]) && !is_of(SETTING_ENDPOINT, config->network_peers[i]))
                        return config_refuse(load, item_mark(load, "network", "peers", i),
                                             "'%.80s' is no peer; allowed is a URL such as http://node-1:8080/, or a "
                                             "numeric address and port such as 10.0.0.1:9000",
                                             config->network_peers[i]);
        return 0;
}

static int check_health_listen(const ConfigLoad *load, const Config *config) {
        const char *const *addresses = settings_list(config->api_block, "health_listen");
        for (size_t i = 0; addresses[i]; i++)
                if (!is_of(SETTING_ENDPOINT, addresses[i]))
                        return config_refuse(
                                load, item_mark(load, "api", "health_listen", i),
                                "'%.80s' can't be listened on; allowed is a numeric address and port such as "
                                "10.0.0.3:8080",
                                addresses[i]);
        return 0;
}

/* `key` makes no sense without `other`. */
static int needs(const ConfigLoad *load, const Config *config, const char *key, const char *other) {
        if (!settings_string(config->api_block, key)[0] || settings_string(config->api_block, other)[0])
                return 0;
        return config_refuse(load, config_mark(load, "api", key), "'api.%s' is set, but not 'api.%s', which it needs",
                             key, other);
}

static int check_tls(const ConfigLoad *load, const Config *config) {
        static const char *const pairs[][2] = {{"tls_listen", "tls_certificate"},
                                               {"tls_listen", "tls_key"},
                                               {"tls_certificate", "tls_key"},
                                               {"tls_key", "tls_certificate"},
                                               {"tls_client_ca", "tls_listen"}};
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                int r = needs(load, config, pairs[i][0], pairs[i][1]);
                if (r < 0)
                        return r;
        }
        const char *name;
        const char *const *rights;
        if (!settings_map_at(config->api_block, "tls_clients", 0, &name, &rights) ||
            settings_string(config->api_block, "tls_client_ca")[0])
                return 0;
        return config_refuse(load, config_mark(load, "api", "tls_clients"),
                             "'api.tls_clients' is set, but not 'api.tls_client_ca', which it needs");
}

static int check_tls_clients(const ConfigLoad *load, const Config *config) {
        const char *name;
        const char *const *rights;
        const TreeNode *map = tree_member(tree_member(load->root, "api"), "tls_clients");
        for (unsigned i = 0; settings_map_at(config->api_block, "tls_clients", i, &name, &rights); i++) {
                TreeMark mark = tree_member(map, name)->mark;
                if (!rights[0])
                        return config_refuse(load, mark, "'%.60s' has no right; allowed are read and act", name);
                for (; *rights; rights++)
                        if (strcmp(*rights, "read") != 0 && strcmp(*rights, "act") != 0)
                                return config_refuse(load, mark,
                                                     "'%.60s' has the right '%.60s'; allowed are read and act", name,
                                                     *rights);
        }
        return 0;
}

static int check_cache(const ConfigLoad *load, const Config *config) {
        const char *name;
        const char *const *command;
        const TreeNode *map = tree_member(tree_member(load->root, "cache"), "clear");
        for (unsigned i = 0; settings_map_at(config->cache_block, "clear", i, &name, &command); i++)
                if (!command[0] || command[0][0] != '/')
                        return config_refuse(
                                load, tree_member(map, name)->mark,
                                "the command of '%.60s' begins with '%.80s'; allowed is a program's absolute "
                                "path",
                                name, command[0] ? command[0] : "");
        return 0;
}

int config_check_addresses(const ConfigLoad *load, const Config *config) {
        static int (*const checks[])(const ConfigLoad *, const Config *) = {check_peers, check_health_listen, check_tls,
                                                                            check_tls_clients, check_cache};
        for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
                int r = checks[i](load, config);
                if (r < 0)
                        return r;
        }
        return 0;
}
