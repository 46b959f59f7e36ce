/* receivers: blocks that the operator names; which address one has says the form of what it is told. */
#include "base/settings-build.h"
#include "daemon/config-load.h"

#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

static const SettingSpec *receiver_rows(void) {
        size_t index;
        return config_block_find("receivers", &index)->named;
}

static int refuse_name(const ConfigLoad *load, const TreeNode *node) {
        return config_refuse(load, node->key_mark,
                             "'%.60s' is no receiver's name; allowed are 1 to %d of a-z, 0-9, _ and -", node->key,
                             COMPONENT_NAME_MAX - 1);
}

/* ---- loading ---- */

static int load_rows(const ConfigLoad *load, const TreeNode *node, Settings *settings) {
        for (const TreeNode *child = node->children; child; child = child->next) {
                const SettingSpec *spec = settings_spec(receiver_rows(), child->key);
                int r = spec ? config_load_value(load, settings, spec, child)
                             : config_refuse_key(load, child, node->key, receiver_rows(), FAMILY_NONE);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_address(const ConfigLoad *load, const TreeNode *node, struct ConfigReceiver *receiver) {
        for (const SettingSpec *spec = receiver_rows(); spec->key; spec++) {
                if (!config_is_receiver(spec->key) || !settings_string(receiver->settings, spec->key)[0])
                        continue;
                if (receiver->driver)
                        return config_refuse(load, node->key_mark,
                                             "'%s' has two addresses, '%s' and '%s'; it must have exactly one of: "
                                             "alertmanager, notify, webhook, otlp",
                                             receiver->name, receiver->driver, spec->key);
                receiver->driver = spec->key;
        }
        return receiver->driver
                       ? 0
                       : config_refuse(load, node->key_mark,
                                       "'%s' has no address; it must have exactly one of: alertmanager, notify, "
                                       "webhook, otlp",
                                       receiver->name);
}

static int load_one(const ConfigLoad *load, const TreeNode *node, Config *config) {
        size_t length = strlen(node->key);
        Error inner = {0};
        if (length == 0 || length >= COMPONENT_NAME_MAX || strspn(node->key, NAME_CHARACTERS) != length)
                return refuse_name(load, node);
        int r = config_check_block_kind(load, node);
        if (r < 0)
                return r;
        if (config->receiver_count == RECEIVERS_MAX)
                return config_refuse(load, node->key_mark, "more than %d receivers", RECEIVERS_MAX);
        Settings **settings = &load->document->receivers[config->receiver_count];
        if (settings_new(receiver_rows(), settings, &inner) < 0)
                return error_set(load->error, inner.code, "%s: %s", load->name, error_text(&inner));
        struct ConfigReceiver *receiver = &config->receivers[config->receiver_count++];
        snprintf(receiver->name, sizeof receiver->name, "%s", node->key);
        receiver->settings = *settings;
        r = load_rows(load, node, receiver->settings);
        return r < 0 ? r : find_address(load, node, receiver);
}

int config_load_receivers(const ConfigLoad *load, Config *config) {
        const TreeNode *block = tree_member(load->root, "receivers");
        int r = 0;
        for (const TreeNode *node = block ? block->children : NULL; node && r == 0; node = node->next)
                r = load_one(load, node, config);
        return r;
}

/* ---- checking ---- */

static int check_address(const ConfigLoad *load, const TreeNode *node, const struct ConfigReceiver *receiver) {
        const char *address = settings_string(receiver->settings, receiver->driver);
        if (strcmp(receiver->driver, "webhook") == 0 || !strpbrk(address, "?#"))
                return 0;
        return config_refuse(load, tree_member(node, receiver->driver)->mark,
                             "'%s' holds ? or #; allowed is an address to which a path can be added", receiver->driver);
}

static int check_about(const ConfigLoad *load, const TreeNode *node, const struct ConfigReceiver *receiver) {
        static const char *const known[] = {"alerts", "runs", "deployments", "incidents"};
        for (const char *const *about = settings_list(receiver->settings, "about"); *about; about++) {
                bool found = false;
                for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                        found = found || strcmp(*about, known[i]) == 0;
                if (!found)
                        return config_refuse(load, tree_member(node, "about")->mark,
                                             "'about' holds '%.60s'; allowed are: alerts, runs, deployments, incidents",
                                             *about);
        }
        return 0;
}

/* What only one form has. */
static int check_secret(const ConfigLoad *load, const TreeNode *node, const struct ConfigReceiver *receiver) {
        if (!settings_string(receiver->settings, "secret_file")[0] || strcmp(receiver->driver, "webhook") == 0)
                return 0;
        return config_refuse(load, tree_member(node, "secret_file")->mark,
                             "'secret_file' signs webhooks; '%s' isn't signed", receiver->driver);
}

static int check_one(const ConfigLoad *load, const struct ConfigReceiver *receiver) {
        const TreeNode *node = tree_member(tree_member(load->root, "receivers"), receiver->name);
        int r = check_address(load, node, receiver);
        if (r == 0)
                r = check_about(load, node, receiver);
        return r < 0 ? r : check_secret(load, node, receiver);
}

int config_check_receivers(const ConfigLoad *load, const Config *config) {
        int r = 0;
        for (unsigned i = 0; i < config->receiver_count && r == 0; i++)
                r = check_one(load, &config->receivers[i]);
        return r;
}
