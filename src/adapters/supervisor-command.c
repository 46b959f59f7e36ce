#include "adapters/supervisor-command.h"

#include "base/macros.h"

#include <errno.h>
#include <string.h>

enum { PLACE_CURRENT, PLACE_CONFIG, PLACE_VERSION, PLACE_UNIT, PLACE_COUNT };
static const char *const places[PLACE_COUNT] = {"{current}", "{config}", "{version}", "{unit}"};

/* Which placeholder `text` begins with; -1: none. */
static int place_at(const char *text) {
        for (int i = 0; i < PLACE_COUNT; i++)
                if (strncmp(text, places[i], strlen(places[i])) == 0)
                        return i;
        return -1;
}

/* "{word}": looks like a placeholder. Other braces are the command's own business. */
static size_t word_in_braces(const char *text) {
        size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz");
        return text[0] == '{' && length > 0 && text[length + 1] == '}' ? length + 2 : 0;
}

int supervisor_command_check(const char *const *template, Error *error) {
        if (!template[0] || !template[0][0])
                return error_set(error, -EINVAL,
                                 "units.supervisor.command is empty: it needs the program and its arguments");
        for (; *template; template ++)
                for (const char *at = strchr(*template, '{'); at; at = strchr(at + 1, '{')) {
                        size_t length = word_in_braces(at);
                        if (length > 0 && place_at(at) < 0)
                                return error_set(
                                        error, -EINVAL,
                                        "units.supervisor.command: unknown placeholder %.*s; allowed are {current} {config} {version} {unit}",
                                        (int)length, at);
                }
        return 0;
}

static char *expand_word(const char *word, const char *const values[PLACE_COUNT]) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        while (*word) {
                int place = place_at(word);
                if (place >= 0) {
                        fputs(values[place], out);
                        word += strlen(places[place]);
                } else
                        fputc(*word++, out);
        }
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

char **supervisor_command_free(char **argv) {
        for (char **word = argv; word && *word; word++)
                free(*word);
        free(argv);
        return NULL;
}

int supervisor_command_expand(const char *const *template, const DriverContext *context, const char *version,
                              const char *unit, char ***ret_argv, Error *error) {
        const char *const values[PLACE_COUNT] = {context->current_path, context->config_path, version, unit};
        size_t count = 0;
        while (template[count])
                count++;
        char **argv = calloc(count + 1, sizeof *argv);
        for (size_t i = 0; argv && i < count; i++) {
                argv[i] = expand_word(template[i], values);
                if (!argv[i])
                        argv = supervisor_command_free(argv);
        }
        if (!argv)
                return error_set(error, -ENOMEM, "cannot prepare the command of %s: out of memory", unit);
        *ret_argv = argv;
        return 0;
}
