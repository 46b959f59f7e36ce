/* What may stand in the configuration, as data: the loader, the checks and the printed reference all read these tables. */
#pragma once

#include "base/settings.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum DriverFamily {
        FAMILY_UNITS,
        FAMILY_TRAFFIC,
        FAMILY_METRICS,
        FAMILY_CONSENSUS,
        FAMILY_DATA,
        FAMILY_COUNT,
        FAMILY_NONE = FAMILY_COUNT
} DriverFamily;

/* A block at the top of the file. One with a family also holds a block for each driver, named like it. */
typedef struct BlockSpec {
        const char *name;
        const SettingSpec *specs;
        DriverFamily family;
        const char *driver_key; /* the key that chooses the driver */
        bool driver_optional;   /* "none" is allowed */
        const char *help;
        const SettingSpec
                *named; /* what else stands in it are blocks that the operator names, each of these; may be NULL */
} BlockSpec;

extern const BlockSpec config_blocks[]; /* ends with a row whose name is NULL */
#define CONFIG_BLOCKS_MAX 24

const BlockSpec *config_block_find(const char *name, size_t *ret_index); /* NULL: no such block */

/* A component that is built in (`components:`), and where its settings' defaults differ from the rows'. */
typedef struct BuiltIn {
        const char *name;
        bool checkable;        /* may have one of the checks that declare a component */
        const char *without;   /* the rows that would have no effect; NULL: all have */
        const char *elsewhere; /* the block in which these are set; NULL: nowhere, nothing measures it yet */
        const char *weight, *critical, *interval; /* NULL: the row's default */
} BuiltIn;

extern const BuiltIn config_built_ins[];               /* ends with a row whose name is NULL */
const BuiltIn *config_built_in_find(const char *name); /* NULL: the operator's own */
/* Whether a row makes sense for it; NULL: for a component of the operator's own. */
bool config_built_in_has(const BuiltIn *built_in, const char *key);
bool config_is_check(const char *key);    /* "http", "tcp", "command", "unit" */
bool config_is_receiver(const char *key); /* "alertmanager", "notify", "webhook", "otlp" */

/* The driver at `index` of a family as the registry lists them; false behind the last one. `ret_driver` is the UnitsDriver,
 * TrafficDriver, MetricsDriver, ConsensusDriver or DataDriver. */
bool config_driver_at(DriverFamily family, unsigned index, const char **ret_name, const SettingSpec **ret_specs,
                      const void **ret_driver);
bool config_driver_find(DriverFamily family, const char *name, const SettingSpec **ret_specs, const void **ret_driver);
/* "systemd, supervisor", with "none" in front where that is allowed. Returns `buffer`. */
char *config_driver_names(const BlockSpec *block, char *buffer, size_t size);

/* Where a value goes in Config: text is copied to a char *, numbers to an int64_t. */
typedef struct ConfigBinding {
        const char *block, *key;
        size_t offset;
        bool text;
} ConfigBinding;

extern const ConfigBinding config_bindings[]; /* ends with a row whose block is NULL */
