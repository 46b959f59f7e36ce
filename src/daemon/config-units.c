#include "daemon/config-load.h"

#include "core/version.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* What systemd allows in a unit's name, and nothing that could be taken for an option or a path. */
#define UNIT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\\@-"

static bool has_unit_suffix(const char *name) {
        static const char *const suffixes[] = {".service", ".socket", ".target", ".timer",
                                               ".path",    ".mount",  ".scope",  ".slice"};
        const char *dot = strrchr(name, '.');
        for (size_t i = 0; dot && i < ARRAY_SIZE(suffixes); i++)
                if (strcmp(dot, suffixes[i]) == 0)
                        return true;
        return false;
}

/* What a placeholder stands for: 0, or -EINVAL when there is no such placeholder. */
static int placeholder_text(const char *name, size_t length, const char *version, char *text, size_t size) {
        static const char *const parts[] = {"major", "minor", "patch"};
        if (length == strlen("version") && strncmp(name, "version", length) == 0) {
                snprintf(text, size, "%s", version);
                return 0;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
                if (length == strlen(parts[i]) && strncmp(name, parts[i], length) == 0) {
                        snprintf(text, size, "%" PRId64, version_part(version, i));
                        return 0;
                }
        return -EINVAL;
}

static int expand(const char *pattern, const char *version, char *ret_text, size_t size, Error *error) {
        size_t used = 0;
        for (const char *at = pattern; *at;) {
                char part[VERSION_MAX] = {*at, '\0'};
                const char *end = *at == '{' ? strchr(at, '}') : NULL;
                if (*at == '{' &&
                    (!end || placeholder_text(at + 1, (size_t)(end - at) - 1, version, part, sizeof part) < 0))
                        return error_set(
                                error, -EINVAL,
                                "'%.80s' has an unknown placeholder; allowed are {version} {major} {minor} {patch}",
                                pattern);
                if (used + strlen(part) >= size)
                        return error_set(error, -ENAMETOOLONG, "'%.80s' becomes too long for version %s", pattern,
                                         version);
                used += (size_t)snprintf(ret_text + used, size - used, "%s", part);
                at = end ? end + 1 : at + 1;
        }
        ret_text[used] = '\0';
        return 0;
}

static int expand_unit(const char *pattern, const char *version, char *ret_name, size_t size, Error *error) {
        int r = expand(pattern, version, ret_name, size, error);
        if (r < 0)
                return r;
        size_t length = strlen(ret_name);
        if (length == 0 || ret_name[0] == '-' || ret_name[0] == '.' ||
            ret_name[strspn(ret_name, UNIT_CHARACTERS)] != '\0')
                return error_set(
                        error, -EINVAL,
                        "'%.80s' is no unit's name; allowed are letters, digits and : _ . @ \\ -, not - or . in front",
                        ret_name);
        if (has_unit_suffix(ret_name))
                return 0;
        if (length + strlen(".service") >= size)
                return error_set(error, -ENAMETOOLONG, "the unit name '%.80s...' is too long", ret_name);
        strcpy(ret_name + length, ".service");
        return 0;
}

int config_expand_units(const char *const *patterns, const char *version, UnitSet *ret_units, Error *error) {
        UnitSet units = {0};
        if (!patterns[0])
                return error_set(error, -EINVAL, "no unit is named; allowed are 1 to %d", UNITS_MAX);
        for (; *patterns; patterns++) {
                if (units.count == UNITS_MAX)
                        return error_set(error, -EINVAL, "more than %d units; allowed are 1 to %d", UNITS_MAX,
                                         UNITS_MAX);
                int r = expand_unit(*patterns, version, units.names[units.count], sizeof units.names[0], error);
                if (r < 0)
                        return r;
                units.count++;
        }
        snprintf(units.version, sizeof units.version, "%s", version);
        *ret_units = units;
        return 0;
}

static int check_version(const char *version, Error *error) {
        if (version_valid(version))
                return 0;
        return error_set(error, -EINVAL, "'%.80s' is no version; allowed is for example v2.4.0",
                         version ? version : "");
}

int config_units(const Config *config, const char *version, UnitSet *ret_units, Error *error) {
        int r = check_version(version, error);
        if (r < 0)
                return r;
        const char *glob;
        const char *const *names;
        for (unsigned i = 0; settings_map_at(config->units_block, "releases", i, &glob, &names); i++)
                if (fnmatch(glob, version, 0) == 0)
                        return config_expand_units(names, version, ret_units, error);
        const char *const pattern[] = {config->unit_pattern, NULL};
        return config_expand_units(pattern, version, ret_units, error);
}

int config_unit(const char *name, UnitSet *ret_units, Error *error) {
        const char *const names[] = {name, NULL};
        if (strpbrk(name, "{}"))
                return error_set(error, -EINVAL, "'%.80s' is no unit's name; placeholders are not allowed here", name);
        return config_expand_units(names, "", ret_units, error);
}

int config_saved_path(const Config *config, const char *version, char *ret_path, size_t size, Error *error) {
        int r = check_version(version, error);
        return r < 0 ? r : expand(config->saved_config, version, ret_path, size, error);
}
