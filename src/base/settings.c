#include "base/settings.h"

#include "base/nearest.h"
#include "base/settings-build.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

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

static bool bounded(const SettingSpec *spec) {
        return spec->min != 0 || spec->max != 0;
}

static char *format_quantity(SettingType type, int64_t number, char *buffer, size_t size) {
        if (type == SETTING_DURATION)
                return units_format_duration(number, buffer, size);
        if (type == SETTING_RATIO)
                return units_format_ratio(number, buffer, size);
        snprintf(buffer, size, "%" PRId64, number);
        return buffer;
}

static const char *const type_words[] = {
        [SETTING_STRING] = "a text",
        [SETTING_PATH] = "an absolute path such as /var/lib/novacron",
        [SETTING_URL] = "a URL that begins with http:// or https://",
        [SETTING_ENDPOINT] = "a numeric address and port such as 127.0.0.1:8080 or [::1]:8080",
        [SETTING_DURATION] = "a duration such as 100ms, 30s or 24h",
        [SETTING_RATIO] = "a percentage such as 1.0%",
        [SETTING_COUNT] = "a whole number",
        [SETTING_BOOL] = "true or false",
        [SETTING_CHOICE] = "one of",
        [SETTING_LIST] = "a list of texts such as [first, second]",
        [SETTING_MAP] = "a mapping of names to lists such as {name: [first, second]}",
};

char *settings_describe(const SettingSpec *spec, char *buffer, size_t size) {
        const char *words = type_words[spec->type];
        char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];
        if (spec->type == SETTING_CHOICE) {
                int used = snprintf(buffer, size, "%s: ", words);
                for (const char *at = spec->choices; *at && used >= 0 && (size_t)used + 3 < size; at++)
                        used += snprintf(buffer + used, size - (size_t)used, "%s",
                                         *at == ' ' ? ", " : (char[]){*at, '\0'});
        } else if (bounded(spec) &&
                   (spec->type == SETTING_DURATION || spec->type == SETTING_RATIO || spec->type == SETTING_COUNT))
                snprintf(buffer, size, "%s, from %s to %s", words,
                         format_quantity(spec->type, spec->min, low, sizeof low),
                         format_quantity(spec->type, spec->max, high, sizeof high));
        else
                snprintf(buffer, size, "%s", words);
        return buffer;
}

/* "'latency_p99' is '100': <what is wrong>; allowed is <what>" */
static int refuse(const SettingSpec *spec, const char *text, const char *wrong, Error *error) {
        char allowed[256];
        settings_describe(spec, allowed, sizeof allowed);
        return error_set(error, -EINVAL, "'%s' is '%.80s'%s%s; allowed is %s", spec->key, text, wrong[0] ? ": " : "",
                         wrong, allowed);
}

/* ---- the rules of each type ---- */

static bool printable(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7F)
                        return false;
        return true;
}

static bool valid_path(const char *text) {
        return text[0] == '/' && strlen(text) < PATH_MAX;
}

static bool valid_url(const char *text) {
        size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
        return scheme > 0 && text[scheme] != '\0' && text[scheme] != '/' && text[scheme] != ':' &&
               !strpbrk(text, " \"<>\\^`{|}");
}

/* Numeric only: a name would need a resolver, and in an outage that may hang. */
static bool valid_endpoint(const char *text) {
        const char *colon = strrchr(text, ':');
        if (!colon || colon - text >= INET6_ADDRSTRLEN + 2)
                return false;
        char address[INET6_ADDRSTRLEN + 2];
        size_t length = (size_t)(colon - text);
        memcpy(address, text, length);
        address[length] = '\0';
        unsigned char binary[sizeof(struct in6_addr)];
        bool v6 = length > 2 && address[0] == '[' && address[length - 1] == ']';
        if (v6)
                address[length - 1] = '\0';
        if (v6 ? inet_pton(AF_INET6, address + 1, binary) != 1 : inet_pton(AF_INET, address, binary) != 1)
                return false;
        int64_t port;
        return units_parse_count(colon + 1, &port, NULL) == 0 && port >= 1 && port <= 65535;
}

static int parse_quantity(const SettingSpec *spec, const char *text, int64_t *ret_number, Error *error) {
        int64_t number = 0;
        int r = spec->type == SETTING_DURATION ? units_parse_duration(text, &number, NULL)
                : spec->type == SETTING_RATIO  ? units_parse_ratio(text, &number, NULL)
                                               : units_parse_count(text, &number, NULL);
        if (r < 0)
                return refuse(spec, text, "", error);
        if (bounded(spec) && (number < spec->min || number > spec->max))
                return refuse(spec, text, number < spec->min ? "too small" : "too large", error);
        *ret_number = number;
        return 0;
}

static int parse_scalar(const SettingSpec *spec, const char *text, int64_t *ret_number, Error *error) {
        *ret_number = 0;
        if (!printable(text))
                return refuse(spec, "...", "it holds a line break or another control character", error);
        bool valid = true;
        switch (spec->type) {
        case SETTING_STRING:
                break;
        case SETTING_PATH:
                valid = valid_path(text);
                break;
        case SETTING_URL:
                valid = valid_url(text);
                break;
        case SETTING_ENDPOINT:
                valid = valid_endpoint(text);
                break;
        case SETTING_BOOL:
                *ret_number = strcmp(text, "true") == 0;
                valid = *ret_number || strcmp(text, "false") == 0;
                break;
        case SETTING_CHOICE:
                valid = word_listed(spec->choices, text);
                break;
        case SETTING_DURATION:
        case SETTING_RATIO:
        case SETTING_COUNT:
                return parse_quantity(spec, text, ret_number, error);
        case SETTING_LIST:
        case SETTING_MAP:
                valid = false;
                break;
        }
        return valid ? 0 : refuse(spec, text, "", error);
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
        int r = absent ? 0 : parse_scalar(spec, text, &number, error);
        if (r < 0)
                return r;
        if (text[0] == '\0' && spec->type == SETTING_STRING && !spec->fallback)
                return refuse(spec, text, "it must not be empty", error);
        char *copy = strdup(text);
        if (!copy)
                return no_memory(error);
        value_clear(value);
        *value = (Value){.set = true, .text = copy, .number = number};
        return 0;
}

static int check_items(const SettingSpec *spec, const char *const *items, Error *error) {
        for (; *items; items++)
                if (items[0][0] == '\0' || !printable(*items))
                        return refuse(spec, *items, "an item is empty or holds a control character", error);
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
                int r = settings_set(settings, spec->key, spec->fallback, error);
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
