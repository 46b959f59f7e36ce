/* Between the files that load a configuration: the tree as it was written, and what became of it. */
#pragma once

#include "daemon/config-schema.h"
#include "daemon/config.h"
#include "daemon/yaml-tree.h"

typedef struct ConfigDocument {
        Settings *blocks[CONFIG_BLOCKS_MAX]; /* in the order of config_blocks */
        Settings *drivers[FAMILY_COUNT];     /* of the chosen ones; NULL: none */
        Settings *components[COMPONENTS_MAX];
        Settings *receivers[RECEIVERS_MAX];
} ConfigDocument;

typedef struct ConfigLoad {
        const char *name; /* what messages call the file */
        const TreeNode *root;
        ConfigDocument *document;
        Error *error;
} ConfigLoad;

/* Where a setting was written; the block when it wasn't, the file's beginning when that wasn't either. */
TreeMark config_mark(const ConfigLoad *load, const char *block, const char *key);

/* "file:line:column: ..." */
int config_refuse(const ConfigLoad *load, TreeMark mark, const char *format, ...) PRINTF_LIKE(3, 4);

/* Fills the document's blocks with what is written, and the defaults. */
int config_load_blocks(const ConfigLoad *load);
/* The driver that the block at `index` of config_blocks chooses; *ret_driver NULL: none. */
int config_load_family(const ConfigLoad *load, size_t index, const void **ret_driver);
/* The blocks below `components:`: the built-in ones, written down or not, then the operator's own. */
int config_load_components(const ConfigLoad *load, Config *config);
/* The blocks below `receivers:`. */
int config_load_receivers(const ConfigLoad *load, Config *config);
/* One value, or the refusal of a key that there isn't in a block. For whoever else reads a block of settings. */
int config_load_value(const ConfigLoad *load, Settings *settings, const SettingSpec *spec, const TreeNode *node);
int config_refuse_key(const ConfigLoad *load, const TreeNode *node, const char *block, const SettingSpec *specs,
                      DriverFamily family);
int config_check_block_kind(const ConfigLoad *load, const TreeNode *node);
/* Everything that is required is there; of drivers only the chosen one's. */
int config_check_required(const ConfigLoad *load);

/* What no row can say alone: settings that must fit each other, names that must be expandable. */
int config_check(const ConfigLoad *load, const Config *config);
/* The same for components: what each may, must and must not have. */
int config_check_components(const ConfigLoad *load, const Config *config);
/* The same for receivers. */
int config_check_receivers(const ConfigLoad *load, const Config *config);
/* The same for network.peers, cache.clear and api: */
int config_check_addresses(const ConfigLoad *load, const Config *config);

/* The patterns, NULL-terminated, as unit names of a valid version. */
int config_expand_units(const char *const *patterns, const char *version, UnitSet *ret_units, Error *error);
