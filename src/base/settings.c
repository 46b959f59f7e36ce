#include "base/settings.h"

#include "base/macros.h"
#include "base/nearest.h"
#include "base/settings-build.h"
#include "base/settings-rules.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DEFAULT_ITEMS_MAX 8

typedef struct MapEntry {
        char *name;
        char **list;
} MapEntry;

typedef struct Value {
        bool set;
        char *text;     /* of a scalar, as written */
        int64_t number; /* duration, ratio, count, bool */
        char **list;    /* NULL-terminated */
        MapEntry *entries;
        unsigned entry_count;
} Value;

struct Settings {
        const SettingSpec *specs;
        size_t count;
        Value values[];
};

/* ---- memory ---- */

static char **list_free(char **list) {
        for (char **item = list; item && *item; item++)
                free(*item);
        free(list);
        return NULL;
}

static char **list_copy(const char *const *items) {
        size_t count = 0;
        while (items[count])
                count++;
        char **list = calloc(count + 1, sizeof *list);
        for (size_t i = 0; list && i < count; i++)
                if (!(list[i] = strdup(items[i])))
                        return list_free(list);
        return list;
}

static void value_clear(Value *value) {
        free(value->text);
        list_free(value->list);
        for (unsigned i = 0; i < value->entry_count; i++) {
                free(value->entries[i].name);
                list_free(value->entries[i].list);
        }
        free(value->entries);
        *value = (Value){0};
}

Settings *settings_free(Settings *settings) {
        for (size_t i = 0; settings && i < settings->count; i++)
                value_clear(&settings->values[i]);
        free(settings);
        return NULL;
}

static int no_memory(Error *error) {
        return error_set(error, -ENOMEM, "no memory left for the settings");
}

/* ---- rows ---- */

const SettingSpec *settings_spec(const SettingSpec *specs, const char *key) {
        for (const SettingSpec *spec = specs; spec->key; spec++)
                if (strcmp(spec->key, key) == 0)
                        return spec;
        return NULL;
}

const char *settings_nearest_key(const SettingSpec *specs, const char *key) {
        const char *best = NULL;
        for (const SettingSpec *spec = specs; spec->key; spec++)
                best = nearer_word(key, best, spec->key);
        return best;
}

static Value *value_of(const Settings *settings, const char *key) {
        const SettingSpec *spec = settings_spec(settings->specs, key);
        return spec ? (Value *)&settings->values[spec - settings->specs] : NULL;
}

static const Value *value_at(const Settings *settings, const char *key, UNUSED unsigned types) {
        const Value *value = value_of(settings, key);
        assert(value);
        assert((1U << settings->specs[value - settings->values].type) & types);
        return value;
}

/* ---- setting ---- */

int settings_set(Settings *settings, const char *key, const char *text, Error *error) {
        Value *value = value_of(settings, key);
        if (!value)
                return error_set(error, -EINVAL, "there is no '%s'", key);
        const SettingSpec *spec = &settings->specs[value - settings->values];
        int64_t number = 0;
        /* "" stands for absent where the row says so: it can then be said in the file, too */
        bool absent = text[0] == '\0' && spec->fallback && spec->fallback[0] == '\0' && spec->type <= SETTING_ENDPOINT;
        int r = absent ? 0 : settings_parse(spec, text, &number, error);
        if (r < 0)
                return r;
        if (text[0] == '\0' && spec->type == SETTING_STRING && !spec->fallback)
                return settings_refuse(spec, text, "it must not be empty", error);
        char *copy = strdup(text);
        if (!copy)
                return no_memory(error);
        value_clear(value);
        *value = (Value){.set = true, .text = copy, .number = number};
        return 0;
}

static int check_items(const SettingSpec *spec, const char *const *items, Error *error) {
        for (; *items; items++)
                if (items[0][0] == '\0' || !settings_printable(*items))
                        return settings_refuse(spec, *items, "an item is empty or holds a control character", error);
        return 0;
}

int settings_set_list(Settings *settings, const char *key, const char *const *items, Error *error) {
        Value *value = value_of(settings, key);
        if (!value || settings->specs[value - settings->values].type != SETTING_LIST)
                return error_set(error, -EINVAL, "'%s' is no list", key);
        int r = check_items(&settings->specs[value - settings->values], items, error);
        if (r < 0)
                return r;
        char **list = list_copy(items);
        if (!list)
                return no_memory(error);
        value_clear(value);
        *value = (Value){.set = true, .list = list};
        return 0;
}

int settings_add_entry(Settings *settings, const char *key, const char *name, const char *const *items, Error *error) {
        Value *value = value_of(settings, key);
        if (!value || settings->specs[value - settings->values].type != SETTING_MAP)
                return error_set(error, -EINVAL, "'%s' is no mapping", key);
        int r = check_items(&settings->specs[value - settings->values], items, error);
        if (r < 0)
                return r;
        MapEntry *entries = reallocarray(value->entries, value->entry_count + 1, sizeof *entries);
        if (!entries)
                return no_memory(error);
        value->entries = entries;
        MapEntry entry = {.name = strdup(name), .list = list_copy(items)};
        if (!entry.name || !entry.list) {
                free(entry.name);
                list_free(entry.list);
                return no_memory(error);
        }
        entries[value->entry_count++] = entry;
        value->set = true;
        return 0;
}

/* "[first, second]" */
static int set_default_list(Settings *settings, const SettingSpec *spec, Error *error) {
        const char *items[DEFAULT_ITEMS_MAX + 1] = {0};
        AUTO_FREE char *text = strdup(spec->fallback);
        size_t count = 0;
        char *rest;
        if (!text)
                return no_memory(error);
        for (char *item = strtok_r(text, "[], ", &rest); item; item = strtok_r(NULL, "[], ", &rest)) {
                assert(count < DEFAULT_ITEMS_MAX);
                items[count++] = item;
        }
        return settings_set_list(settings, spec->key, items, error);
}

int settings_new(const SettingSpec *specs, Settings **ret_settings, Error *error) {
        size_t count = 0;
        while (specs[count].key)
                count++;
        Settings *settings = calloc(1, sizeof *settings + count * sizeof(Value));
        if (!settings)
                return no_memory(error);
        settings->specs = specs;
        settings->count = count;
        for (const SettingSpec *spec = specs; spec->key; spec++) {
                if (!spec->fallback || spec->fallback[0] == '\0')
                        continue;
                int r = spec->type == SETTING_LIST ? set_default_list(settings, spec, error)
                                                   : settings_set(settings, spec->key, spec->fallback, error);
                if (r < 0) {
                        settings_free(settings);
                        return r;
                }
        }
        *ret_settings = settings;
        return 0;
}

const SettingSpec *settings_missing(const Settings *settings) {
        for (size_t i = 0; i < settings->count; i++)
                if (!settings->specs[i].fallback && !settings->values[i].set)
                        return &settings->specs[i];
        return NULL;
}

/* ---- reading ---- */

#define BIT(type) (1U << (type))
#define TEXT_TYPES                                                                                                     \
        (BIT(SETTING_STRING) | BIT(SETTING_PATH) | BIT(SETTING_URL) | BIT(SETTING_ENDPOINT) | BIT(SETTING_CHOICE))

const char *settings_string(const Settings *settings, const char *key) {
        const Value *value = value_at(settings, key, TEXT_TYPES);
        return value->text ? value->text : "";
}

int64_t settings_int(const Settings *settings, const char *key) {
        return value_at(settings, key, BIT(SETTING_DURATION) | BIT(SETTING_RATIO) | BIT(SETTING_COUNT))->number;
}

bool settings_bool(const Settings *settings, const char *key) {
        return value_at(settings, key, BIT(SETTING_BOOL))->number != 0;
}

const char *const *settings_list(const Settings *settings, const char *key) {
        static const char *const empty[] = {NULL};
        const Value *value = value_at(settings, key, BIT(SETTING_LIST));
        return value->list ? (const char *const *)value->list : empty;
}

bool settings_map_at(const Settings *settings, const char *key, unsigned index, const char **ret_key,
                     const char *const **ret_list) {
        const Value *value = value_at(settings, key, BIT(SETTING_MAP));
        if (index >= value->entry_count)
                return false;
        *ret_key = value->entries[index].name;
        *ret_list = (const char *const *)value->entries[index].list;
        return true;
}
