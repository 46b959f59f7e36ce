/* The verbs that only look. */
#include "base/exit-codes.h"
#include "cli/ask-plan.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "core/run-table.h"
#include "daemon/outbox-send.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_LOOKED_AT 100 /* runs */

/* One question, printed for people by `print`. */
/* Takes over `answer`. */
static int show_answer(Command *command, json_t *answer, void (*print)(const Terminal *out, const json_t *answer)) {
        if (command->options.json)
                print_json(stdout, answer);
        else
                print(&command->out, answer);
        json_decref(answer);
        return EXIT_OK;
}

static int show(Command *command, const Question *question, void (*print)(const Terminal *out, const json_t *answer)) {
        json_t *answer = NULL;
        int r = command_ask(command, question, &answer, NULL);
        return r != 0 ? r : show_answer(command, answer, print);
}

/* What a person would have to ask for besides; an answer that there isn't is left out. */
static void add_beside(Command *command, json_t *status) {
        static const struct {
                const char *path, *key;
        } questions[] = {{"/api/v3/incidents", "incidents"}, {"/api/v3/receivers", "receivers"}};
        for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
                const Question question = {.path = questions[i].path, .query = ""};
                json_t *answer = NULL;
                if (command_peek(command, &question, &answer))
                        json_object_set(status, questions[i].key, answer);
                json_decref(answer);
        }
}

int verb_status(Command *command) {
        const Question question = {.path = "/api/v3/status", .query = "", .breakglass = "status"};
        json_t *status = NULL;
        int r = command_ask(command, &question, &status, NULL);
        if (r != 0)
                return r;
        if (!command->options.json)
                add_beside(command, status);
        return show_answer(command, status, print_status);
}

/* Newest first: what touched nothing, or put everything back, is no rollback to be judged, and no reason to stop looking. */
static bool changed_nothing(const json_t *run) {
        return pick_is(run, "outcome", "refused") || pick_is(run, "outcome", "cancelled") ||
               pick_is(run, "outcome", "undone") ||
               (pick_is(run, "kind", "deployment") && pick_is(run, "outcome", "put_back"));
}

#define NO_ROLLBACK_YET "there has been no rollback yet"

/* Why there is nothing to validate; NULL: there is, or it can't be told. */
static const char *no_rollback_in(const json_t *run) {
        return pick_is(run, "kind", "deployment") ? "there has been no rollback since the last deployment" : NULL;
}

static const char *no_rollback_in_history(Command *command) {
        char query[32];
        json_t *arguments = json_pack("{s:i}", "limit", HISTORY_LOOKED_AT), *history = NULL, *run;
        snprintf(query, sizeof query, "?limit=%d", HISTORY_LOOKED_AT);
        const Question question = {
                .path = "/api/v3/history", .query = query, .breakglass = "history", .arguments = arguments};
        bool told = command_peek(command, &question, &history);
        json_t *runs = json_object_get(history, "runs");
        const char *why = told && json_array_size(runs) < HISTORY_LOOKED_AT ? NO_ROLLBACK_YET : NULL;
        size_t index;
        json_array_foreach(runs, index, run)
                if (!changed_nothing(run)) {
                        why = no_rollback_in(run);
                        break;
                }
        json_decref(history);
        json_decref(arguments);
        return why;
}

/* The newest run mostly tells, so that the history needn't be read. */
static const char *why_nothing_to_validate(Command *command) {
        const Question question = {.path = "/api/v3/status", .query = "", .breakglass = "status"};
        json_t *status = NULL;
        const char *why = NULL;
        if (command_peek(command, &question, &status) && !pick(status, "run")) {
                const json_t *last = pick(status, "last_run");
                why = !last                   ? NO_ROLLBACK_YET
                      : changed_nothing(last) ? no_rollback_in_history(command)
                                              : no_rollback_in(last);
        }
        json_decref(status);
        return why;
}

int verb_validate(Command *command) {
        const Question question = {.path = "/api/v3/validate", .query = "", .breakglass = "validate"};
        json_t *answer = NULL;
        int r = command_ask(command, &question, &answer, NULL);
        if (r != 0)
                return r;
        const char *why = why_nothing_to_validate(command);
        if (why) {
                if (command->options.json)
                        print_json(stdout, answer);
                else
                        print_present_metrics(&command->out, answer);
                json_decref(answer);
                return command_error(command, EXIT_NO_INPUT, "%s: nothing to validate", why);
        }
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
        json_t *plan = NULL;
        int r = ask_plan(command, &question, &plan);
        json_decref(arguments);
        return r != 0 ? r : show_answer(command, plan, print_plan);
}

/* A question that --limit is for. */
static int show_limited(Command *command, const char *path, const char *operation,
                        void (*print)(const Terminal *out, const json_t *answer)) {
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
        const Question question = {.path = path, .query = query, .breakglass = operation, .arguments = arguments};
        int r = show(command, &question, print);
        json_decref(arguments);
        return r;
}

int verb_history(Command *command) {
        return show_limited(command, "/api/v3/history", "history", print_history);
}

int verb_audit(Command *command) {
        return show_limited(command, "/api/v3/audit", "audit", print_audit);
}

static void warn_of_secrets(const Config *config, json_t *list) {
        static const char *const keys[] = {"secret_file", "token_file"};
        char secret[256];
        for (unsigned i = 0; i < config->receiver_count; i++)
                for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                        Error error = {0};
                        if (secret_read(settings_string(config->receivers[i].settings, keys[k]), secret, sizeof secret,
                                        &error) < 0)
                                json_array_append_new(list, json_sprintf("receiver %s can't be told: %s: %s",
                                                                         config->receivers[i].name, keys[k],
                                                                         error_text(&error)));
                        explicit_bzero(secret, sizeof secret);
                }
}

/* What is allowed, and yet not what most want: nobody should find that out in an outage. */
static json_t *config_warnings(const Config *config) {
        json_t *list = json_array();
        const char *map = config->traffic_driver && strcmp(config->traffic_driver->name, "haproxy") == 0
                                  ? settings_string(config->traffic_settings, "gate_map")
                                  : "";
        if (!config->alert_command[0] && config->receiver_count == 0)
                json_array_append_new(list,
                                      json_string("nobody is told: neither receivers nor alerts.command are set"));
        warn_of_secrets(config, list);
        if (!config->metrics_driver)
                json_array_append_new(
                        list,
                        json_string("nothing is decided on samples, only on a failed service: metrics.source is none"));
        if (!config->traffic_driver)
                json_array_append_new(
                        list,
                        json_string("traffic isn't drained before a switch, requests fail: traffic.driver is none"));
        if (map[0] && access(map, F_OK) < 0)
                json_array_append_new(list, json_sprintf("requests can't be parked: traffic.haproxy.gate_map: %s: %s",
                                                         map, strerror(errno)));
        if (config->rules.rollbacks_per_day == 0)
                json_array_append_new(
                        list, json_string("nothing is rolled back automatically: decision.rollbacks_per_day is 0"));
        return list;
}

static void say_good(const Command *command) {
        json_t *warnings = config_warnings(command->config), *warning;
        size_t index;
        printf("%s: good\n", command->options.config_path);
        fflush(stdout);
        json_array_foreach(warnings, index, warning)
                terminal_say(&command->err, TONE_DOUBT, "good, but: %s\n", json_string_value(warning));
        json_decref(warnings);
}

int verb_check_config(Command *command) {
        if (command->options.reference) {
                config_print_reference(stdout);
                return EXIT_OK;
        }
        Error error = {0};
        int r = config_load(command->options.config_path, &command->config, &error);
        if (command->options.json) {
                json_t *answer = json_pack("{s:s, s:b, s:s?, s:o}", "file", command->options.config_path, "good",
                                           r == 0, "problem", r < 0 ? error_text(&error) : NULL, "warnings",
                                           r == 0 ? config_warnings(command->config) : json_array());
                print_json(stdout, answer);
                json_decref(answer);
        } else if (r == 0)
                say_good(command);
        return r < 0 ? command_error(command, EXIT_CONFIG, "%s", error_text(&error)) : EXIT_OK;
}

int verb_diagram(Command *command) {
        run_table_print_diagram(command->out.file);
        return EXIT_OK;
}
