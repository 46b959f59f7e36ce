/* The verbs that prove: they ask the journal itself, whether a controller runs or not. Who may not read it asks the controller, as far
 * as that can tell. */
#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "daemon/proof.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* 0, or an exit code that was said; -EACCES: it may not be read, which isn't said yet. */
static int open_journal(Command *command, Journal **ret_journal) {
        char path[PATH_MAX];
        Error error = {0};
        if (!command->config)
                return -EACCES;
        snprintf(path, sizeof path, "%s/journal.db", command->config->state);
        int r = journal_open_reader(path, ret_journal, &error);
        if (r == -EACCES || r == -EPERM)
                return -EACCES;
        if (r < 0)
                return command_error(command, r == -ENOENT ? EXIT_NO_INPUT : EXIT_IO, "%s", error_text(&error));
        return 0;
}

static int not_readable(const Command *command) {
        if (!command->config)
                return command_error(command, EXIT_CONFIG, "%s", error_text(&command->config_error));
        return command_error(command, EXIT_PERMISSION,
                             "%s/journal.db can't be read by you: type the same line with sudo",
                             command->config->state);
}

/* "12", "run 12", or nothing. 0, or an exit code that was said. */
static int read_id(const Command *command, int64_t *ret_id, bool *ret_of_run) {
        *ret_of_run = command->argc > 0 && strcmp(command->argv[0], "run") == 0;
        *ret_id = 0;
        if (command->argc == 0)
                return 0;
        const char *text = command->argv[command->argc - 1];
        char *end;
        errno = 0;
        long long id = strtoll(text, &end, 10);
        if (*end != '\0' || errno != 0 || id < 1 || (command->argc == 2) != *ret_of_run)
                return command_error(command, EXIT_USAGE_ERROR,
                                     "'%s' is not the id of a decision: a positive number, or 'run' and a run's", text);
        *ret_id = id;
        return 0;
}

/* ---- explain and replay ---- */

static int exit_of_replay(const json_t *replay) {
        if (pick_is(replay, "verdict", "identical"))
                return EXIT_OK;
        return pick_is(replay, "verdict", "differs") ? EXIT_NOT_AS_RECORDED : EXIT_NOT_VERIFIED;
}

/* From who may not read the journal. */
static int ask_controller(Command *command, int64_t id, bool of_run, json_t **ret_answer) {
        json_t *found = NULL;
        char path[96];
        int r = 0;
        if (of_run || id == 0) {
                snprintf(path, sizeof path, of_run ? "/api/v3/rollback/%lld" : "/api/v3/decisions", (long long)id);
                const Question question = {.path = path, .query = of_run ? "" : "?limit=1"};
                r = command_ask(command, &question, &found, NULL);
                id = of_run ? pick_int(found, "decision", 0)
                            : pick_int(json_array_get(pick(found, "decisions"), 0), "id", 0);
                json_decref(found);
                if (r == 0 && id == 0)
                        return command_error(command, EXIT_NO_INPUT, "there is no such decision");
        }
        if (r != 0)
                return r;
        snprintf(path, sizeof path, "/api/v3/decisions/%lld/explain", (long long)id);
        const Question question = {.path = path, .query = ""};
        return command_ask(command, &question, ret_answer, NULL);
}

typedef int Ask(Journal *journal, int64_t id, json_t **ret_answer, Problem *problem);

static int ask_about(Command *command, Ask *ask, json_t **ret_answer) {
        Journal *journal = NULL;
        Problem problem = {0};
        int64_t id;
        bool of_run;
        int r = read_id(command, &id, &of_run);
        if (r == 0)
                r = open_journal(command, &journal);
        if (r == -EACCES)
                return ask_controller(command, id, of_run, ret_answer);
        if (r != 0)
                return r;
        if (proof_find(journal, id, of_run, &id, &problem) < 0 || ask(journal, id, ret_answer, &problem) < 0)
                r = command_refused(command, &problem);
        journal_close(journal);
        return r;
}

int verb_explain(Command *command) {
        json_t *answer = NULL;
        int r = ask_about(command, proof_explain, &answer);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_explanation(&command->out, answer);
        json_decref(answer);
        return EXIT_OK;
}

/* From the controller it comes as a part of the explanation. */
static const json_t *replay_in(const json_t *answer) {
        const json_t *part = pick(answer, "replay");
        return part ? part : answer;
}

static int exit_of_chain(const json_t *chain) {
        return pick_true(chain, "whole") ? EXIT_OK : EXIT_NOT_AS_RECORDED;
}

static int print_all(const Command *command, const json_t *answer) {
        const json_t *one;
        size_t index;
        int worst = exit_of_chain(pick(answer, "chain"));
        json_array_foreach((json_t *)pick(answer, "decisions"), index, one) {
                int r = exit_of_replay(one);
                if (r == EXIT_NOT_AS_RECORDED || worst == EXIT_OK)
                        worst = r;
                if (!command->options.json)
                        print_replay(&command->out, one);
        }
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_chain(&command->out, pick(answer, "chain"));
        return worst;
}

static int prove_all(Command *command, bool replay, const char *known) {
        Journal *journal = NULL;
        Problem problem = {0};
        json_t *answer = NULL;
        int r = open_journal(command, &journal);
        if (r == -EACCES)
                return not_readable(command);
        if (r != 0)
                return r;
        r = proof_all(journal, replay, known, &answer, &problem) < 0 ? command_refused(command, &problem)
                                                                     : print_all(command, answer);
        json_decref(answer);
        journal_close(journal);
        return r;
}

int verb_replay(Command *command) {
        json_t *answer = NULL;
        if (command->options.all)
                return command->argc == 0 ? prove_all(command, true, NULL)
                                          : command_error(command, EXIT_USAGE_ERROR, "either an id or --all");
        int r = ask_about(command, proof_replay, &answer);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, replay_in(answer));
        else
                print_replay(&command->out, replay_in(answer));
        r = exit_of_replay(replay_in(answer));
        json_decref(answer);
        return r;
}

/* ---- verify ---- */

#define LINK_LEAST 8 /* digits; fewer could be there by chance */

int verb_verify(Command *command) {
        const char *known = command->argc > 0 ? command->argv[0] : NULL;
        size_t length = known ? strspn(known, "0123456789abcdef") : 0;
        if (known && (known[length] != '\0' || length < LINK_LEAST || length >= JOURNAL_LINK_MAX))
                return command_error(command, EXIT_USAGE_ERROR,
                                     "'%s' is not a link: at least its first %d hexadecimal digits are needed", known,
                                     LINK_LEAST);
        return prove_all(command, false, known);
}

/* ---- shadow mode ---- */

/* 0, or an exit code that was said. A day alone is its first moment. */
static int read_time(const Command *command, const char *option, const char *text, int64_t *ret_wall) {
        char whole[64];
        Error error = {0};
        *ret_wall = 0;
        if (!text)
                return 0;
        snprintf(whole, sizeof whole, "%s%s", text, strlen(text) == strlen("2026-11-22") ? "T00:00:00Z" : "");
        if (clock_parse_rfc3339(whole, ret_wall, &error) == 0)
                return 0;
        return command_error(command, EXIT_USAGE_ERROR, "--%s: %s", option, error_text(&error));
}

int verb_shadow_report(Command *command) {
        Journal *journal = NULL;
        Problem problem = {0};
        json_t *answer = NULL;
        int64_t from, to;
        int r = read_time(command, "from", command->options.from, &from);
        if (r == 0)
                r = read_time(command, "to", command->options.to, &to);
        if (r == 0)
                r = open_journal(command, &journal);
        if (r == -EACCES)
                return not_readable(command);
        if (r != 0)
                return r;
        if (proof_shadow(journal, from, to, clock_wall_us(), &answer, &problem) < 0)
                r = command_refused(command, &problem);
        else if (command->options.json)
                print_json(stdout, answer);
        else
                print_shadow(&command->out, answer);
        json_decref(answer);
        journal_close(journal);
        return r;
}
