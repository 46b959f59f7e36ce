/* components: what the operator says of the built-in ones, and those that are his own. */
#include "base/nearest.h"
#include "base/settings-build.h"
#include "daemon/config-load.h"

#include <errno.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

static const SettingSpec *component_rows(void) {
        size_t index;
        return config_block_find("components", &index)->named;
}

static const TreeNode *component_node(const ConfigLoad *load, const char *name) {
        return tree_member(tree_member(load->root, "components"), name);
}

/* ---- loading ---- */

static int set_default(Settings *settings, const char *key, const char *text, Error *error) {
        return text ? settings_set(settings, key, text, error) : 0;
}

/* A new component with its defaults. */
static int add(const ConfigLoad *load, Config *config, const char *name) {
        Settings *settings = NULL;
        Error inner = {0};
        const BuiltIn *built_in = config_built_in_find(name);
        int r = settings_new(component_rows(), &settings, &inner);
        if (r == 0)
                load->document->components[config->component_count] = settings;
        if (r == 0 && built_in)
                r = set_default(settings, "weight", built_in->weight, &inner);
        if (r == 0 && built_in)
                r = set_default(settings, "critical", built_in->critical, &inner);
        if (r == 0 && built_in)
                r = set_default(settings, "interval", built_in->interval, &inner);
        if (r < 0)
                return error_set(load->error, r, "%s: %s", load->name, error_text(&inner));
        struct ConfigComponent *component = &config->components[config->component_count++];
        snprintf(component->name, sizeof component->name, "%s", name);
        component->settings = settings;
        return 0;
}

static int refuse_name(const ConfigLoad *load, const TreeNode *node) {
        return config_refuse(load, node->key_mark,
                             "'%.60s' is no component's name; allowed are 1 to %d of a-z, 0-9, _ and -", node->key,
                             COMPONENT_NAME_MAX - 1);
}

/* A name that is nearly a built-in one, and has no check: then that was meant. */
static int refuse_without_check(const ConfigLoad *load, const TreeNode *node) {
        const char *near = NULL;
        for (const BuiltIn *built_in = config_built_ins; built_in->name; built_in++)
                near = nearer_word(node->key, near, built_in->name);
        if (near)
                return config_refuse(
                        load, node->key_mark,
                        "'%s' has no check; did you mean '%s'? A component of your own has exactly one of: "
                        "http, tcp, command, unit",
                        node->key, near);
        return config_refuse(load, node->key_mark,
                             "'%s' has no check; it must have exactly one of: http, tcp, command, unit", node->key);
}

static int refuse_row(const ConfigLoad *load, const char *name, const TreeNode *child) {
        if (config_is_check(child->key))
                return config_refuse(
                        load, child->key_mark,
                        "'%s' is built in and measured by itself; a check such as '%s' belongs to a component "
                        "of another name",
                        name, child->key);
        const char *elsewhere = config_built_in_find(name)->elsewhere;
        if (elsewhere)
                return config_refuse(load, child->key_mark, "'%s' of '%s' is set as '%s.%s'", child->key, name,
                                     elsewhere, child->key);
        return config_refuse(load, child->key_mark,
                             "'%s' has no effect on '%s', which is built in; a component of another name may have one "
                             "of: http, tcp, command, unit",
                             child->key, name);
}

static int load_rows(const ConfigLoad *load, const TreeNode *node, Settings *settings) {
        const BuiltIn *built_in = config_built_in_find(node->key);
        for (const TreeNode *child = node->children; child; child = child->next) {
                const SettingSpec *spec = settings_spec(component_rows(), child->key);
                int r = !spec ? config_refuse_key(load, child, node->key, component_rows(), FAMILY_NONE)
                        : !config_built_in_has(built_in, child->key) ? refuse_row(load, node->key, child)
                                                                     : config_load_value(load, settings, spec, child);
                if (r < 0)
                        return r;
        }
        return 0;
}

static struct ConfigComponent *find(Config *config, const char *name) {
        for (unsigned i = 0; i < config->component_count; i++)
                if (strcmp(config->components[i].name, name) == 0)
                        return &config->components[i];
        return NULL;
}

static bool given(const Settings *settings, const SettingSpec *spec) {
        return spec->type == SETTING_LIST ? settings_list(settings, spec->key)[0] != NULL
                                          : settings_string(settings, spec->key)[0] != '\0';
}

static int find_check(const ConfigLoad *load, const TreeNode *node, struct ConfigComponent *component) {
        component->check = NULL;
        for (const SettingSpec *spec = component_rows(); spec->key; spec++) {
                if (!config_is_check(spec->key) || !given(component->settings, spec))
                        continue;
                if (component->check)
                        return config_refuse(
                                load, node->key_mark,
                                "'%s' has two checks, '%s' and '%s'; it must have exactly one of: http, tcp, "
                                "command, unit",
                                component->name, component->check, spec->key);
                component->check = spec->key;
        }
        return component->check || config_built_in_find(component->name) ? 0 : refuse_without_check(load, node);
}

static int load_one(const ConfigLoad *load, const TreeNode *node, Config *config) {
        size_t length = strlen(node->key);
        if (length == 0 || length >= COMPONENT_NAME_MAX || strspn(node->key, NAME_CHARACTERS) != length)
                return refuse_name(load, node);
        int r = config_check_block_kind(load, node);
        if (r < 0)
                return r;
        if (!find(config, node->key)) {
                if (config->component_count == COMPONENTS_MAX)
                        return config_refuse(load, node->key_mark,
                                             "more than %d components, the built-in ones included", COMPONENTS_MAX);
                r = add(load, config, node->key);
        }
        struct ConfigComponent *component = find(config, node->key);
        if (r == 0)
                r = load_rows(load, node, component->settings);
        return r < 0 ? r : find_check(load, node, component);
}

int config_load_components(const ConfigLoad *load, Config *config) {
        const TreeNode *block = tree_member(load->root, "components");
        int r = 0;
        for (const BuiltIn *built_in = config_built_ins; built_in->name && r == 0; built_in++)
                r = add(load, config, built_in->name);
        for (const TreeNode *node = block ? block->children : NULL; node && r == 0; node = node->next)
                r = load_one(load, node, config);
        return r;
}

/* ---- checking ---- */

static int check_unit_name(const ConfigLoad *load, const Config *config, const TreeNode *node, const Settings *settings,
                           const char *key) {
        UnitSet units;
        Error inner = {0};
        const char *name = settings_string(settings, key);
        if (!name[0])
                return 0;
        if (config_unit(name, &units, &inner) < 0)
                return config_refuse(load, tree_member(node, key)->mark, "%s", error_text(&inner));
        if (!config->units_driver->any_unit)
                return config_refuse(load, tree_member(node, key)->mark,
                                     "'%s' needs 'units.driver: systemd'; %s knows the service's own units alone", key,
                                     config->units_driver->name);
        return 0;
}

static int check_program(const ConfigLoad *load, const TreeNode *node, const Settings *settings, const char *key) {
        const char *const *command = settings_list(settings, key);
        if (!command[0] || command[0][0] == '/')
                return 0;
        return config_refuse(load, tree_member(node, key)->mark,
                             "'%s' begins with '%.80s'; allowed is a program's absolute path", key, command[0]);
}

static int check_healing(const ConfigLoad *load, const TreeNode *node, const Settings *settings) {
        if (settings_int(settings, "heal_after") == 0 || settings_string(settings, "restart")[0] ||
            settings_list(settings, "clear")[0])
                return 0;
        return config_refuse(
                load, tree_member(node, "heal_after")->mark,
                "'heal_after' is set, but not what heals '%s': 'restart' (a unit), 'clear' (a command) or both",
                node->key);
}

int config_check_components(const ConfigLoad *load, const Config *config) {
        for (unsigned i = 0; i < config->component_count; i++) {
                const struct ConfigComponent *component = &config->components[i];
                const TreeNode *node = component_node(load, component->name);
                if (!node)
                        continue;
                int r = check_unit_name(load, config, node, component->settings, "unit");
                if (r == 0)
                        r = check_unit_name(load, config, node, component->settings, "restart");
                if (r == 0)
                        r = check_program(load, node, component->settings, "command");
                if (r == 0)
                        r = check_program(load, node, component->settings, "clear");
                if (r == 0)
                        r = check_healing(load, node, component->settings);
                if (r < 0)
                        return r;
        }
        return 0;
}
