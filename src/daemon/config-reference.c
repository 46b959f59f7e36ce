#include "daemon/config-schema.h"
#include "daemon/config.h"

#include "base/settings-build.h"

#include <string.h>

static void print_key(FILE *file, const char *indent, const SettingSpec *spec, const char *allowed) {
        const char *fallback = spec->fallback;
        char described[256];
        fprintf(file, "%s# %s: %s%s\n", indent, spec->help ? spec->help : spec->key,
                allowed ? allowed : settings_describe(spec, described, sizeof described),
                !fallback             ? " (required)"
                : fallback[0] == '\0' ? " (none by default)"
                                      : "");
        if (!fallback || fallback[0] == '\0')
                fprintf(file, "%s# %s:\n", indent, spec->key);
        else if (strpbrk(fallback, "{}[]#&*!|>'\"%@`") && spec->type == SETTING_STRING)
                fprintf(file, "%s%s: '%s'\n", indent, spec->key, fallback);
        else
                fprintf(file, "%s%s: %s\n", indent, spec->key, fallback);
}

static void print_driver(FILE *file, const char *name, const SettingSpec *specs) {
        if (!specs || !specs->key) {
                fprintf(file, "\n  # %s has no settings\n", name);
                return;
        }
        fprintf(file, "\n  %s:\n", name);
        for (const SettingSpec *spec = specs; spec->key; spec++)
                print_key(file, "    ", spec, NULL);
}

static const char *built_in_default(const BuiltIn *built_in, const SettingSpec *spec) {
        const char *own = strcmp(spec->key, "weight") == 0     ? built_in->weight
                          : strcmp(spec->key, "critical") == 0 ? built_in->critical
                          : strcmp(spec->key, "interval") == 0 ? built_in->interval
                                                               : NULL;
        return own ? own : spec->fallback;
}

static void print_named_keys(FILE *file, const SettingSpec *specs) {
        char described[256];
        fprintf(file, "  # Keys of each:\n");
        for (const SettingSpec *spec = specs; spec->key; spec++)
                fprintf(file, "  #   %s: %s: %s%s%s\n", spec->key, spec->help,
                        settings_describe(spec, described, sizeof described),
                        spec->fallback[0] ? "; default " : " (none by default)", spec->fallback);
}

static void print_receivers(FILE *file, const SettingSpec *specs) {
        print_named_keys(file, specs);
        fprintf(file, "\n  # Each has exactly one of alertmanager, notify, webhook and otlp:\n"
                      "  # oncall:\n  #   alertmanager: http://127.0.0.1:9093\n"
                      "  # team:\n  #   notify: http://alerting\n  #   severity: P1\n");
}

/* What each key means is said once; then the built-in ones with what differs, and how one of the operator's own is written. */
static void print_components(FILE *file, const SettingSpec *specs) {
        print_named_keys(file, specs);
        for (const BuiltIn *built_in = config_built_ins; built_in->name; built_in++) {
                fprintf(file, "\n  %s:\n", built_in->name);
                for (const SettingSpec *spec = specs; spec->key; spec++) {
                        const char *fallback = built_in_default(built_in, spec);
                        if (config_built_in_has(built_in, spec->key) && fallback != spec->fallback)
                                fprintf(file, "    %s: %s\n", spec->key, fallback);
                }
        }
        fprintf(file, "\n  # One of your own, with exactly one of http, tcp, command and unit:\n"
                      "  # payments:\n  #   http: http://127.0.0.1:9100/health\n  #   weight: 2\n");
}

void config_print_reference(FILE *file) {
        fprintf(file, "# Every key with its default. Once health.url is set, this is a configuration.\n\n");
        for (const BlockSpec *block = config_blocks; block->name; block++) {
                fprintf(file, "%s# %s\n%s:\n", block == config_blocks ? "" : "\n", block->help, block->name);
                for (const SettingSpec *spec = block->specs; spec->key; spec++) {
                        char names[160], allowed[200];
                        bool driver = block->driver_key && strcmp(block->driver_key, spec->key) == 0;
                        if (driver)
                                snprintf(allowed, sizeof allowed, "one of: %s",
                                         config_driver_names(block, names, sizeof names));
                        print_key(file, "  ", spec, driver ? allowed : NULL);
                }
                const char *name;
                const SettingSpec *specs;
                const void *driver;
                for (unsigned i = 0; config_driver_at(block->family, i, &name, &specs, &driver); i++)
                        print_driver(file, name, specs);
                if (block->named && strcmp(block->name, "components") == 0)
                        print_components(file, block->named);
                else if (block->named)
                        print_receivers(file, block->named);
        }
}
