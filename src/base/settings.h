/* Settings: one block of the configuration, checked against a table of SettingSpec rows. The daemon declares its own rows and
 * every driver declares its own, so a new driver is one new file. All values arrive here already valid: the loader has
 * refused unknown keys, wrong units and values out of range, with file:line:column. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum SettingType {
        SETTING_STRING,
        SETTING_PATH,     /* absolute path */
        SETTING_URL,      /* http:// or https:// */
        SETTING_ENDPOINT, /* ADDRESS:PORT, numeric address */
        SETTING_DURATION, /* "100ms" "120s" "24h" "0"; value in microseconds */
        SETTING_RATIO,    /* "1.0%"; value in parts per million */
        SETTING_COUNT,    /* whole number */
        SETTING_BOOL,     /* true, false */
        SETTING_CHOICE,   /* one word of `choices` */
        SETTING_LIST,     /* sequence of strings (a command's argument vector, server names) */
        SETTING_MAP,      /* mapping of string to list of strings, in the file's order */
} SettingType;

typedef struct SettingSpec {
        const char *key;
        SettingType type;
        const char *
                fallback; /* the default in the file's own syntax ("[first, second]"); NULL: required; "": absent is allowed */
        int64_t min, max;    /* of the value's unit; both 0: not bounded (durations and counts are never negative) */
        const char *choices; /* SETTING_CHOICE: "auto system private" */
        const char *help;    /* one line, shown by check-config and in the manual */
} SettingSpec;               /* tables end with a row whose key is NULL */

typedef struct Settings Settings;

/* The key must be in the block's table; asking for another is a programming error (assert). */
const char *settings_string(const Settings *settings,
                            const char *key); /* "" when absent; string, path, URL, endpoint, choice */
int64_t settings_int(const Settings *settings, const char *key); /* duration us, ratio ppm, count */
bool settings_bool(const Settings *settings, const char *key);
const char *const *settings_list(const Settings *settings, const char *key); /* NULL-terminated; empty when absent */
/* The entry at `index` of a map: its key, and its NULL-terminated list; false behind the last one. */
bool settings_map_at(const Settings *settings, const char *key, unsigned index, const char **ret_key,
                     const char *const **ret_list);
