/* From the tree to settings: every key, block and driver that is written down must be one there is. */
#include "base/nearest.h"
#include "base/settings-build.h"
#include "daemon/config-load.h"

#include <errno.h>
#include <string.h>

static const SettingSpec no_specs[] = {{0}};

static int refuse_at(const ConfigLoad *load, TreeMark mark, const Error *inner) {
        if (inner->code != -EINVAL)
                return error_set(load->error, inner->code, "%s: %s", load->name, error_text(inner));
        return config_refuse(load, mark, "%s", error_text(inner));
}

static int refuse_kind(const ConfigLoad *load, const TreeNode *node, const SettingSpec *spec) {
        static const char *const kinds[] = {
                [TREE_SCALAR] = "a single value", [TREE_SEQUENCE] = "a list", [TREE_MAPPING] = "a mapping"};
        char allowed[256];
        return config_refuse(load, node->mark, "'%s' is %s; allowed is %s", spec->key, kinds[node->kind],
                             settings_describe(spec, allowed, sizeof allowed));
}

/* ---- values ---- */

/* The scalars of a sequence, or the one scalar, borrowed from the tree. NULL with *ret_odd set: something else was found. */
static const char **collect_items(const TreeNode *node, const TreeNode **ret_odd) {
        const TreeNode *first = node->kind == TREE_SCALAR ? node : node->children;
        size_t count = 0;
        *ret_odd = NULL;
        for (const TreeNode *item = first; item; item = item == node ? NULL : item->next, count++)
                if (item->kind != TREE_SCALAR) {
                        *ret_odd = item;
                        return NULL;
                }
        const char **items = calloc(count + 1, sizeof *items);
        if (!items)
                return NULL;
        count = 0;
        for (const TreeNode *item = first; item; item = item == node ? NULL : item->next)
                items[count++] = item->text;
        return items;
}

static int load_list(const ConfigLoad *load, Settings *settings, const SettingSpec *spec, const TreeNode *node) {
        const TreeNode *odd;
        AUTO_FREE const char **items = collect_items(node, &odd);
        if (odd)
                return config_refuse(load, odd->mark, "an item of '%s' is no single value; allowed is a text",
                                     spec->key);
        if (!items)
                return error_set(load->error, -ENOMEM, "%s: no memory left to read it", load->name);
        Error inner = {0};
        int r = settings_set_list(settings, spec->key, items, &inner);
        return r < 0 ? refuse_at(load, node->mark, &inner) : 0;
}

/* A map's value may be a single name: {v2.*: novacron} means {v2.*: [novacron]}. */
static int load_map(const ConfigLoad *load, Settings *settings, const SettingSpec *spec, const TreeNode *node) {
        for (const TreeNode *entry = node->children; entry; entry = entry->next) {
                const TreeNode *odd;
                AUTO_FREE const char **items = entry->kind == TREE_MAPPING ? NULL : collect_items(entry, &odd);
                if (entry->kind == TREE_MAPPING || odd)
                        return config_refuse(load, entry->mark,
                                             "'%s' under '%s' is no list; allowed is a list of texts", entry->key,
                                             spec->key);
                if (!items)
                        return error_set(load->error, -ENOMEM, "%s: no memory left to read it", load->name);
                Error inner = {0};
                int r = settings_add_entry(settings, spec->key, entry->key, items, &inner);
                if (r < 0)
                        return refuse_at(load, entry->mark, &inner);
        }
        return 0;
}

static bool left_empty(const TreeNode *node) {
        return node->kind == TREE_SCALAR && node->text[0] == '\0';
}

int config_load_value(const ConfigLoad *load, Settings *settings, const SettingSpec *spec, const TreeNode *node) {
        TreeKind wanted = spec->type == SETTING_LIST  ? TREE_SEQUENCE
                          : spec->type == SETTING_MAP ? TREE_MAPPING
                                                      : TREE_SCALAR;
        if (wanted != TREE_SCALAR && left_empty(node))
                return 0; /* everything below it is commented out */
        if (node->kind != wanted)
                return refuse_kind(load, node, spec);
        if (wanted == TREE_SEQUENCE)
                return load_list(load, settings, spec, node);
        if (wanted == TREE_MAPPING)
                return load_map(load, settings, spec, node);
        Error inner = {0};
        int r = settings_set(settings, spec->key, node->text, &inner);
        return r < 0 ? refuse_at(load, node->mark, &inner) : 0;
}

/* ---- blocks ---- */

/* A key that is neither a setting nor (where there are drivers) a driver's block. */
int config_refuse_key(const ConfigLoad *load, const TreeNode *node, const char *block, const SettingSpec *specs,
                      DriverFamily family) {
        const char *near = settings_nearest_key(specs, node->key), *name;
        const SettingSpec *ignored_specs;
        const void *ignored;
        for (unsigned i = 0; config_driver_at(family, i, &name, &ignored_specs, &ignored); i++)
                near = nearer_word(node->key, near, name);
        if (near)
                return config_refuse(load, node->key_mark, "'%s' has no key '%.60s'; did you mean '%s'?", block,
                                     node->key, near);
        char allowed[256] = "";
        size_t used = 0;
        for (const SettingSpec *spec = specs; spec->key && used < sizeof allowed; spec++)
                used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", used ? ", " : "", spec->key);
        for (unsigned i = 0; used < sizeof allowed && config_driver_at(family, i, &name, &ignored_specs, &ignored); i++)
                used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", used ? ", " : "", name);
        return config_refuse(load, node->key_mark, "'%s' has no key '%.60s'; allowed: %s", block, node->key,
                             used ? allowed : "none");
}

int config_check_block_kind(const ConfigLoad *load, const TreeNode *node) {
        if (node->kind == TREE_MAPPING || left_empty(node))
                return 0;
        return config_refuse(load, node->mark, "'%s' must hold keys, each on its own line below it", node->key);
}

static int load_driver_block(const ConfigLoad *load, const TreeNode *node, const SettingSpec *specs, bool chosen,
                             DriverFamily family) {
        Settings *settings = NULL;
        Error inner = {0};
        int r = settings_new(specs, &settings, &inner);
        if (r < 0)
                return refuse_at(load, (TreeMark){1, 1}, &inner);
        r = node ? config_check_block_kind(load, node) : 0;
        for (const TreeNode *child = node && r == 0 ? node->children : NULL; child && r == 0; child = child->next) {
                const SettingSpec *spec = settings_spec(specs, child->key);
                r = spec ? config_load_value(load, settings, spec, child)
                         : config_refuse_key(load, child, node->key, specs, FAMILY_NONE);
        }
        if (r == 0 && chosen)
                load->document->drivers[family] = TAKE_PTR(settings);
        settings_free(settings);
        return r;
}

static int load_block(const ConfigLoad *load, const BlockSpec *block, const TreeNode *node, Settings *settings) {
        int r = config_check_block_kind(load, node);
        if (block->named)
                return r; /* config_load_components() reads it */
        for (const TreeNode *child = r == 0 ? node->children : NULL; child && r == 0; child = child->next) {
                const SettingSpec *spec = settings_spec(block->specs, child->key), *driver_specs;
                const void *driver;
                if (spec)
                        r = config_load_value(load, settings, spec, child);
                else if (!config_driver_find(block->family, child->key, &driver_specs, &driver))
                        r = config_refuse_key(load, child, block->name, block->specs, block->family);
        }
        return r;
}

static int refuse_block(const ConfigLoad *load, const TreeNode *node) {
        const char *near = NULL;
        for (const BlockSpec *block = config_blocks; block->name; block++)
                near = nearer_word(node->key, near, block->name);
        if (near)
                return config_refuse(load, node->key_mark, "there is no '%.60s'; did you mean '%s'?", node->key, near);
        char allowed[256] = "";
        size_t used = 0;
        for (const BlockSpec *block = config_blocks; block->name; block++)
                used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s", used ? ", " : "", block->name);
        return config_refuse(load, node->key_mark, "there is no '%.60s'; allowed: %s", node->key, allowed);
}

int config_load_blocks(const ConfigLoad *load) {
        if (load->root->kind != TREE_MAPPING)
                return config_refuse(load, load->root->mark,
                                     "the file must hold blocks such as 'health:', with keys below them");
        for (size_t i = 0; config_blocks[i].name; i++) {
                Error inner = {0};
                int r = settings_new(config_blocks[i].specs, &load->document->blocks[i], &inner);
                if (r < 0)
                        return refuse_at(load, (TreeMark){1, 1}, &inner);
        }
        for (const TreeNode *node = load->root->children; node; node = node->next) {
                size_t index;
                const BlockSpec *block = config_block_find(node->key, &index);
                int r = block ? load_block(load, block, node, load->document->blocks[index]) : refuse_block(load, node);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- drivers ---- */

/* Finds the chosen driver, and reads every driver's block of the family: also what isn't chosen must make sense. */
int config_load_family(const ConfigLoad *load, size_t index, const void **ret_driver) {
        const BlockSpec *block = &config_blocks[index];
        const char *chosen = settings_string(load->document->blocks[index], block->driver_key), *name;
        bool none = block->driver_optional && strcmp(chosen, "none") == 0, found = none;
        const SettingSpec *specs;
        const void *driver;
        *ret_driver = NULL;
        for (unsigned i = 0; config_driver_at(block->family, i, &name, &specs, &driver); i++) {
                bool is_chosen = !none && strcmp(name, chosen) == 0;
                const TreeNode *node = tree_member(tree_member(load->root, block->name), name);
                if (is_chosen) {
                        *ret_driver = driver;
                        found = true;
                }
                int r = node || is_chosen
                                ? load_driver_block(load, node, specs ? specs : no_specs, is_chosen, block->family)
                                : 0;
                if (r < 0)
                        return r;
        }
        char allowed[256];
        return found ? 0
                     : config_refuse(load, config_mark(load, block->name, block->driver_key),
                                     "'%s' is '%.60s'; allowed is one of: %s", block->driver_key, chosen,
                                     config_driver_names(block, allowed, sizeof allowed));
}

/* `driver`: "" for a block of our own. */
static int check_complete(const ConfigLoad *load, const Settings *settings, TreeMark mark, const char *block,
                          const char *driver) {
        const SettingSpec *missing = settings ? settings_missing(settings) : NULL;
        char allowed[256];
        if (!missing)
                return 0;
        return config_refuse(load, mark, "'%s%s%s.%s' is missing (%s); allowed is %s", block, driver[0] ? "." : "",
                             driver, missing->key, missing->help ? missing->help : "required",
                             settings_describe(missing, allowed, sizeof allowed));
}

int config_check_required(const ConfigLoad *load) {
        for (size_t i = 0; config_blocks[i].name; i++) {
                const BlockSpec *block = &config_blocks[i];
                int r = check_complete(load, load->document->blocks[i], config_mark(load, block->name, ""), block->name,
                                       "");
                if (r < 0)
                        return r;
                if (block->family == FAMILY_NONE)
                        continue;
                const char *driver = settings_string(load->document->blocks[i], block->driver_key);
                const TreeNode *node = tree_member(tree_member(load->root, block->name), driver);
                TreeMark mark = node ? node->key_mark : config_mark(load, block->name, block->driver_key);
                r = check_complete(load, load->document->drivers[block->family], mark, block->name, driver);
                if (r < 0)
                        return r;
        }
        return 0;
}
