/* The verbs that only look. */
#include "base/exit-codes.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "core/run-table.h"

#include <string.h>

/* One question, printed for people by `print`. */
static int show(Command *command, const Question *question, void (*print)(const Terminal *out, const json_t *answer)) {
        json_t *answer = NULL;
        int r = command_ask(command, question, &answer, NULL);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, answer);
        else
                print(&command->out, answer);
        json_decref(answer);
        return EXIT_OK;
}

int verb_status(Command *command) {
        const Question question = {.path = "/api/v3/status", .query = "", .breakglass = "status"};
        return show(command, &question, print_status);
}

int verb_validate(Command *command) {
        const Question question = {.path = "/api/v3/validate", .query = "", .breakglass = "validate"};
        json_t *answer = NULL;
        int r = command_ask(command, &question, &answer, NULL);
        if (r != 0)
                return r;
        /* printed for people in any case: it knows the exit code */
        Terminal nowhere = {.file = fopen("/dev/null", "we")};
        r = print_validation(command->options.json && nowhere.file ? &nowhere : &command->out, answer);
        if (nowhere.file)
                fclose(nowhere.file);
        if (command->options.json)
                print_json(stdout, answer);
        json_decref(answer);
        return r;
}

int verb_plan(Command *command) {
        const char *to = command->options.to;
        char query[128] = "";
        json_t *arguments = json_object();
        if (to) {
                snprintf(query, sizeof query, "?to=%s", to);
                json_object_set_new(arguments, "to", json_string(to));
        }
        const Question question = {
                .path = "/api/v3/plan", .query = query, .breakglass = "plan", .arguments = arguments};
        int r = show(command, &question, print_plan);
        json_decref(arguments);
        return r;
}

int verb_history(Command *command) {
        char query[64] = "";
        json_t *arguments = json_object();
        const char *limit = command->options.limit;
        if (limit) {
                char *end;
                long number = strtol(limit, &end, 10);
                if (*end != '\0' || end == limit || number < 1 || number > 1000) {
                        json_decref(arguments);
                        return command_error(command, EXIT_USAGE_ERROR,
                                             "--limit is '%s'; allowed is a whole number from 1 to 1000", limit);
                }
                snprintf(query, sizeof query, "?limit=%ld", number);
                json_object_set_new(arguments, "limit", json_integer(number));
        }
        const Question question = {
                .path = "/api/v3/history", .query = query, .breakglass = "history", .arguments = arguments};
        int r = show(command, &question, print_history);
        json_decref(arguments);
        return r;
}

int verb_check_config(Command *command) {
        if (command->options.reference) {
                config_print_reference(stdout);
                return EXIT_OK;
        }
        Error error = {0};
        int r = config_load(command->options.config_path, &command->config, &error);
        if (command->options.json) {
                json_t *answer = json_pack("{s:s, s:b, s:s?}", "file", command->options.config_path, "good", r == 0,
                                           "problem", r < 0 ? error_text(&error) : NULL);
                print_json(stdout, answer);
                json_decref(answer);
        } else if (r == 0)
                printf("%s: good\n", command->options.config_path);
        return r < 0 ? command_error(command, EXIT_CONFIG, "%s", error_text(&error)) : EXIT_OK;
}

int verb_diagram(Command *command) {
        run_table_print_diagram(command->out.file);
        return EXIT_OK;
}
