#include "daemon/config.h"

#include "base/fsio.h"
#include "base/settings-build.h"
#include "daemon/config-load.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* ---- messages ---- */

TreeMark config_mark(const ConfigLoad *load, const char *block, const char *key) {
        const TreeNode *parent = tree_member(load->root, block), *node = tree_member(parent, key);
        return node ? node->mark : parent ? parent->key_mark : (TreeMark){.line = 1, .column = 1};
}

int config_refuse(const ConfigLoad *load, TreeMark mark, const char *format, ...) {
        char text[ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        return error_set(load->error, -EINVAL, "%s:%u:%u: %s", load->name, mark.line, mark.column, text);
}

/* ---- the whole ---- */

static int bind_values(const ConfigLoad *load, Config *config) {
        for (const ConfigBinding *binding = config_bindings; binding->block; binding++) {
                size_t index;
                config_block_find(binding->block, &index);
                void *member = (char *)config + binding->offset;
                if (!binding->text)
                        *(int64_t *)member = settings_int(load->document->blocks[index], binding->key);
                else if (!(*(char **)member = strdup(settings_string(load->document->blocks[index], binding->key))))
                        return error_set(load->error, -ENOMEM, "%s: no memory left to read it", load->name);
        }
        return 0;
}

static Settings *block_settings(const ConfigLoad *load, const char *name) {
        size_t index;
        config_block_find(name, &index);
        return load->document->blocks[index];
}

static int load_drivers(const ConfigLoad *load, Config *config) {
        for (size_t i = 0; config_blocks[i].name; i++) {
                const void *driver;
                DriverFamily family = config_blocks[i].family;
                int r = family == FAMILY_NONE ? 0 : config_load_family(load, i, &driver);
                if (r < 0)
                        return r;
                if (family == FAMILY_UNITS)
                        config->units_driver = driver;
                else if (family == FAMILY_TRAFFIC)
                        config->traffic_driver = driver;
                else if (family == FAMILY_METRICS)
                        config->metrics_driver = driver;
                else if (family == FAMILY_CONSENSUS)
                        config->consensus_driver = driver;
                else if (family == FAMILY_DATA)
                        config->data_driver = driver;
        }
        config->units_settings = load->document->drivers[FAMILY_UNITS];
        config->traffic_settings = load->document->drivers[FAMILY_TRAFFIC];
        config->metrics_settings = load->document->drivers[FAMILY_METRICS];
        config->consensus_settings = load->document->drivers[FAMILY_CONSENSUS];
        config->data_settings = load->document->drivers[FAMILY_DATA];
        config->units_block = block_settings(load, "units");
        config->cache_block = block_settings(load, "cache");
        config->api_block = block_settings(load, "api");
        config->trial_command = settings_list(block_settings(load, "readiness"), "trial_command");
        config->network_peers = settings_list(block_settings(load, "network"), "peers");
        config->alerts_block = block_settings(load, "alerts");
        config->alert_command = settings_list(config->alerts_block, "command");
        return 0;
}

static int load_tree(ConfigLoad *load, Config *config) {
        int r = config_load_blocks(load);
        if (r == 0)
                r = load_drivers(load, config);
        if (r == 0)
                r = config_load_components(load, config);
        if (r == 0)
                r = config_load_receivers(load, config);
        if (r == 0)
                r = config_check_required(load);
        if (r == 0)
                r = bind_values(load, config);
        return r < 0 ? r : config_check(load, config);
}

int config_load_text(const char *name, const char *text, size_t size, Config **ret_config, Error *error) {
        TreeNode *root = NULL;
        int r = tree_parse(name, text, size, &root, error);
        if (r < 0)
                return r;
        Config *config = calloc(1, sizeof *config);
        ConfigLoad load = {.name = name, .root = root, .error = error};
        if (config)
                config->document = load.document = calloc(1, sizeof *load.document);
        if (!config || !load.document || !(config->file = strdup(name)))
                r = error_set(error, -ENOMEM, "%s: no memory left to read it", name);
        else
                r = load_tree(&load, config);
        tree_free(root);
        if (r < 0) {
                config_free(config);
                return r;
        }
        *ret_config = config;
        return 0;
}

/* `block`, `name`, `key`: where it was written, for people. */
static int check_command(const char *const *command, const char *block, const char *name, const char *key,
                         Error *error) {
        assert(command); /* a list is never absent, only empty */
        int r = command[0] && command[0][0] == '/' ? fs_check_trusted(command[0], error) : 0;
        return r < 0 ? error_prefix(error, "'%s.%s%s%s'", block, name, name[0] && key[0] ? "." : "", key) : 0;
}

static int check_component(const struct ConfigComponent *component, Error *error) {
        static const char *const keys[] = {"command", "clear"};
        int r = 0;
        for (size_t i = 0; i < ARRAY_SIZE(keys) && r == 0; i++)
                r = check_command(settings_list(component->settings, keys[i]), "components", component->name, keys[i],
                                  error);
        return r;
}

/* What a root process runs must not be somebody else's to change. */
static int check_trust(const Config *config, const char *path, Error *error) {
        const char *name;
        const char *const *command;
        int r = fs_check_trusted(path, error);
        if (r == 0)
                r = check_command(config->alert_command, "alerts", "", "command", error);
        for (unsigned i = 0; i < config->component_count && r == 0; i++)
                r = check_component(&config->components[i], error);
        for (unsigned i = 0; r == 0 && settings_map_at(config->cache_block, "clear", i, &name, &command); i++)
                r = check_command(command, "cache", "clear", name, error);
        return r;
}

int config_load(const char *path, Config **ret_config, Error *error) {
        AUTO_FREE char *text = NULL;
        size_t size;
        int r = fs_read_file(path, TREE_SIZE_MAX, &text, &size, error);
        if (r == -EFBIG)
                return error_set(error, r, "%s:1:1: larger than %d KiB: that is no configuration", path,
                                 TREE_SIZE_MAX / 1024);
        if (r == -ENOENT)
                return error_set(
                        error, r,
                        "%s: there is no such file; 'auto-rollback check-config --reference' prints one to begin with",
                        path);
        if (r < 0)
                return r;
        Config *config = NULL;
        r = config_load_text(path, text, size, &config, error);
        if (r == 0 && geteuid() == 0)
                r = check_trust(config, path, error);
        if (r < 0) {
                config_free(config);
                return r;
        }
        *ret_config = config;
        return 0;
}

Config *config_free(Config *config) {
        if (!config)
                return NULL;
        ConfigDocument *document = config->document;
        for (size_t i = 0; document && i < CONFIG_BLOCKS_MAX; i++)
                settings_free(document->blocks[i]);
        for (size_t i = 0; document && i < FAMILY_COUNT; i++)
                settings_free(document->drivers[i]);
        for (size_t i = 0; document && i < COMPONENTS_MAX; i++)
                settings_free(document->components[i]);
        for (size_t i = 0; document && i < RECEIVERS_MAX; i++)
                settings_free(document->receivers[i]);
        free(document);
        for (const ConfigBinding *binding = config_bindings; binding->block; binding++)
                if (binding->text)
                        free(*(char **)((char *)config + binding->offset));
        free(config->file);
        free(config);
        return NULL;
}

bool config_shadow(const Config *config) {
        return strcmp(config->decision_mode, "shadow") == 0;
}
