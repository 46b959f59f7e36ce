/* incidents: what was opened, one of them in full or as a report, and what people do with it. */
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "daemon/incident-report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 64

static int take_id(const Command *command, int64_t *ret_id) {
        const char *typed = command->argc > 1 ? command->argv[1] : "";
        char *end;
        long long id = strtoll(typed, &end, 10);
        if (command->argc < 2)
                return command_error(command, EXIT_USAGE_ERROR,
                                     "which incident? " PROGRAM " incidents lists them; then: " PROGRAM
                                     " incidents %s ID",
                                     command->argv[0]);
        if (*end != '\0' || end == typed || id < 1)
                return command_error(command, EXIT_DATA, "an incident's ID is a positive number, not '%s'", typed);
        *ret_id = id;
        return 0;
}

static int list(Command *command) {
        char query[32] = "";
        const char *limit = command->options.limit;
        json_t *arguments = json_object(), *answer = NULL;
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
                .path = "/api/v3/incidents", .query = query, .breakglass = "incidents", .arguments = arguments};
        int r = command_ask(command, &question, &answer, NULL);
        if (r == 0 && command->options.json)
                print_json(stdout, answer);
        else if (r == 0)
                print_incidents(&command->out, answer);
        json_decref(answer);
        json_decref(arguments);
        return r;
}

static int print_markdown(const Command *command, const json_t *details) {
        char *text = incident_report(details, PICTURES_EMBEDDED);
        if (!text)
                return command_error(command, EXIT_INTERNAL, "out of memory");
        fputs(text, stdout);
        free(text);
        return EXIT_OK;
}

static int show(Command *command) {
        char path[PATH_SIZE];
        int64_t id;
        json_t *answer = NULL;
        int r = take_id(command, &id);
        if (r != 0)
                return r;
        snprintf(path, sizeof path, "/api/v3/incidents/%" PRId64, id);
        json_t *arguments = json_pack("{s:I}", "id", (json_int_t)id);
        const Question question = {.path = path, .query = "", .breakglass = "incident", .arguments = arguments};
        r = command_ask(command, &question, &answer, NULL);
        if (r == 0 && command->options.json)
                print_json(stdout, answer);
        else if (r == 0 && command->options.markdown)
                r = print_markdown(command, answer);
        else if (r == 0)
                print_incident(&command->out, answer);
        json_decref(answer);
        json_decref(arguments);
        return r;
}

static int change(Command *command, const char *act, const char *done) {
        char path[PATH_SIZE];
        int64_t id;
        json_t *answer = NULL;
        int r = take_id(command, &id);
        if (r != 0)
                return r;
        const char *note = command->argc > 2 ? command->argv[2] : NULL;
        snprintf(path, sizeof path, "/api/v3/incidents/%" PRId64 "/%s", id, act);
        json_t *body = note ? json_pack("{s:s}", "note", note) : json_object();
        const Question question = {.path = path, .query = "", .body = body};
        r = command_ask(command, &question, &answer, NULL);
        if (r == 0 && command->options.json)
                print_json(stdout, answer);
        else if (r == 0)
                print_incident_change(&command->out, answer, done);
        json_decref(answer);
        json_decref(body);
        return r;
}

int verb_incidents(Command *command) {
        const char *word = command->argc > 0 ? command->argv[0] : "list";
        if (strcmp(word, "resolve") != 0 && command->argc > 2)
                return command_error(command, EXIT_USAGE_ERROR, "'%s' is one word too many", command->argv[2]);
        if (command->options.markdown && strcmp(word, "show") != 0)
                return command_error(command, EXIT_USAGE_ERROR, "--markdown is for: " PROGRAM " incidents show ID");
        if (command->argc == 0)
                return list(command);
        if (strcmp(word, "show") == 0)
                return show(command);
        if (strcmp(word, "ack") == 0 || strcmp(word, "acknowledge") == 0)
                return change(command, "acknowledge", "acknowledged");
        if (strcmp(word, "resolve") == 0)
                return change(command, "resolve", "resolved");
        return command_error(command, EXIT_USAGE_ERROR,
                             "'%s' can't be done with incidents; there are: show ID, ack ID, resolve ID [NOTE]", word);
}
