#include "cli/pick.h"

#include <string.h>

const json_t *pick(const json_t *document, const char *path) {
        while (document && *path) {
                size_t length = strcspn(path, ".");
                document = json_object_getn(document, path, length);
                path += length + (path[length] == '.');
        }
        return json_is_null(document) ? NULL : document;
}

const char *pick_text(const json_t *document, const char *path) {
        const char *text = json_string_value(pick(document, path));
        return text ? text : "";
}

bool pick_is(const json_t *document, const char *path, const char *text) {
        return strcmp(pick_text(document, path), text) == 0;
}

bool pick_true(const json_t *document, const char *path) {
        return json_is_true(pick(document, path));
}

int64_t pick_int(const json_t *document, const char *path, int64_t fallback) {
        const json_t *value = pick(document, path);
        return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool pick_number(const json_t *document, const char *path, double *ret_number) {
        const json_t *value = pick(document, path);
        if (json_is_number(value))
                *ret_number = json_number_value(value);
        return json_is_number(value);
}
