/* Making a block of settings, value by value: the configuration's loader does it from a file, tests from code. Every message
 * names the key, what is wrong and what is allowed; the loader puts file:line:column before it. */
#pragma once

#include "base/error.h"
#include "base/settings.h"

/* A new block with the defaults of `specs` in place; `specs` must outlive it. A default that breaks its own row's rules is an
 * error, too. */
int settings_new(const SettingSpec *specs, Settings **ret_settings, Error *error);
Settings *settings_free(Settings *settings); /* NULL allowed; returns NULL */

const SettingSpec *settings_spec(const SettingSpec *specs, const char *key); /* NULL: not in the table */
const char *settings_nearest_key(const SettingSpec *specs, const char *key); /* NULL: nothing is near */

/* The key must be in the table and of a matching type, else -EINVAL. Setting again replaces. */
int settings_set(Settings *settings, const char *key, const char *text, Error *error);
int settings_set_list(Settings *settings, const char *key, const char *const *items,
                      Error *error); /* NULL-terminated */
int settings_add_entry(Settings *settings, const char *key, const char *name, const char *const *items,
                       Error *error); /* of a map */

/* The first row that is required and has no value; NULL when the block is complete. */
const SettingSpec *settings_missing(const Settings *settings);

/* What a row allows, in words: "a duration such as 100ms, 30s or 24h, from 1s to 1h". Returns `buffer`. */
char *settings_describe(const SettingSpec *spec, char *buffer, size_t size);
