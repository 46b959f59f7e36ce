#include "api/problem.h"

#include "api/wire.h"

#include <stdarg.h>
#include <string.h>

int problem_set(Problem *problem, int status, int exit_code, const char *title, const char *format, ...) {
        problem->status = status;
        problem->exit_code = exit_code;
        snprintf(problem->title, sizeof problem->title, "%s", title);
        char detail[sizeof problem->detail]; /* an argument may point into problem->detail */
        va_list args;
        va_start(args, format);
        vsnprintf(detail, sizeof detail, format, args);
        va_end(args);
        memcpy(problem->detail, detail, sizeof detail);
        return -1;
}

void problem_add(Problem *problem, const char *key, json_t *value) {
        if (!problem->extra)
                problem->extra = json_object();
        json_object_set_new(problem->extra, key, value); /* without memory the problem merely says less */
}

void problem_clear(Problem *problem) {
        json_decref(problem->extra);
        problem->extra = NULL;
}

json_t *problem_document(const Problem *problem, const char *instance) {
        json_t *document =
                json_pack("{s:s, s:o, s:i, s:o, s:o, s:i}", "type", "about:blank", "title", wire_text(problem->title),
                          "status", problem->status, "detail", wire_text(problem->detail), "instance",
                          wire_text(instance), "exit_code", problem->exit_code);
        if (document && problem->extra)
                json_object_update_missing(document, problem->extra);
        return document;
}

int problem_parse(const json_t *document, Problem *ret_problem) {
        const json_t *status = json_object_get(document, "status"), *exit_code = json_object_get(document, "exit_code");
        const char *title = json_string_value(json_object_get(document, "title"));
        const char *detail = json_string_value(json_object_get(document, "detail"));
        if (!json_is_integer(status) || !title)
                return -1;
        problem_set(ret_problem, (int)json_integer_value(status), (int)json_integer_value(exit_code), title, "%s",
                    detail ? detail : "");
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)document, key, value)
                if (strcmp(key, "type") != 0 && strcmp(key, "title") != 0 && strcmp(key, "status") != 0 &&
                    strcmp(key, "detail") != 0 && strcmp(key, "instance") != 0 && strcmp(key, "exit_code") != 0)
                        problem_add(ret_problem, key, json_incref(value));
        return 0;
}
