#include "base/settings-rules.h"

#include "base/nearest.h"
#include "base/settings-build.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

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

int settings_refuse(const SettingSpec *spec, const char *text, const char *wrong, Error *error) {
        char allowed[256];
        settings_describe(spec, allowed, sizeof allowed);
        return error_set(error, -EINVAL, "'%s' is '%.80s'%s%s; allowed is %s", spec->key, text, wrong[0] ? ": " : "",
                         wrong, allowed);
}

bool settings_printable(const char *text) {
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
                return settings_refuse(spec, text, "", error);
        if (bounded(spec) && (number < spec->min || number > spec->max))
                return settings_refuse(spec, text, number < spec->min ? "too small" : "too large", error);
        *ret_number = number;
        return 0;
}

int settings_parse(const SettingSpec *spec, const char *text, int64_t *ret_number, Error *error) {
        *ret_number = 0;
        if (!settings_printable(text))
                return settings_refuse(spec, "...", "it holds a line break or another control character", error);
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
        return valid ? 0 : settings_refuse(spec, text, "", error);
}
