/* `runbook`: the specification's runbooks and common issues, with the real state, the next line to type, and ticks on what has been
 * done. It only looks; a tick is a fact, never what somebody says. */
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/runbook-facts.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <string.h>

#define INDENT 9 /* "  [x] 1. " */

static const struct {
        const char *mark;
        Tone tone;
        const char *how; /* before how it shows */
} marks[] = {
        [RUNBOOK_DONE] = {"[x]", TONE_GOOD, "Done: "},
        [RUNBOOK_NEXT] = {"[>]", TONE_STRONG, "Done when "},
        [RUNBOOK_OPEN] = {"[ ]", TONE_PLAIN, "Done when "},
        [RUNBOOK_UNKNOWN] = {"[?]", TONE_DOUBT, "Not known now; done when "},
        [RUNBOOK_YOURS] = {"[-]", TONE_PLAIN, ""}, /* nothing shows it */
        [RUNBOOK_NOT_APPLICABLE] = {"[-]", TONE_FAINT, ""},
};

/* ---- for people ---- */

static void print_text(const Terminal *out, Tone tone, const char *before, const char *text) {
        if (!text[0])
                return;
        fprintf(out->file, "%*s", INDENT, "");
        int column = terminal_wrap(out, TONE_FAINT, before, INDENT, INDENT);
        terminal_wrap(out, tone, text, column, INDENT);
        fputc('\n', out->file);
}

/* Each line in one piece, so that it can be copied. */
static void print_commands(const Terminal *out, Tone tone, const char *lines) {
        while (*lines) {
                int length = (int)strcspn(lines, "\n");
                char line[RUNBOOK_TEXT_MAX];
                snprintf(line, sizeof line, "%.*s", length, lines);
                fprintf(out->file, "%*s", INDENT, "");
                terminal_say(out, tone, "$ %s", line);
                fputc('\n', out->file);
                lines += length + (lines[length] == '\n');
        }
}

static void print_step(const Terminal *out, unsigned number, const RunbookStep *step, const RunbookTick *tick) {
        Tone tone = marks[tick->state].tone;
        fputs("\n  ", out->file);
        terminal_text(out, tone, marks[tick->state].mark, 0, false);
        fprintf(out->file, " %u. ", number);
        terminal_say(out, tone, "%s%s", step->title, tick->state == RUNBOOK_NEXT ? " (next)" : "");
        fputc('\n', out->file);
        print_text(out, TONE_PLAIN, "", tick->look);
        if (tick->state == RUNBOOK_NOT_APPLICABLE) {
                print_text(out, TONE_FAINT, "", "Not applicable.");
                return;
        }
        if (tick->state != RUNBOOK_DONE)
                print_commands(out, tick->state == RUNBOOK_NEXT ? TONE_STRONG : TONE_PLAIN, tick->command);
        print_text(out, TONE_PLAIN, "Yours: ", tick->yours);
        print_text(out, TONE_PLAIN, marks[tick->state].how, tick->how);
}

static void print_runbook(const Terminal *out, const Runbook *runbook, const RunbookMatter *matter,
                          const RunbookTick *ticks, unsigned count) {
        terminal_say(out, TONE_STRONG, "%s", runbook->section);
        fputs("\nScenario: ", out->file);
        terminal_wrap(out, TONE_PLAIN, runbook->scenario, (int)strlen("Scenario: "), (int)strlen("Scenario: "));
        fputc('\n', out->file);
        if (matter->facts.concerned == KNOWN_FALSE)
                terminal_say(out, TONE_GOOD, "This is not the situation now: nothing has to be done.\n");
        else if (matter->facts.concerned == KNOWN_NOT)
                terminal_say(out, TONE_DOUBT, "Whether this is the situation now is not known.\n");
        for (unsigned i = 0; i < count; i++)
                print_step(out, i + 1, &runbook->steps[i], &ticks[i]);
}

/* ---- for programs ---- */

static json_t *text_or_null(const char *text) {
        return text && text[0] ? json_string(text) : json_null();
}

static json_t *steps_json(const Runbook *runbook, const RunbookTick *ticks, unsigned count) {
        json_t *steps = json_array();
        for (unsigned i = 0; i < count; i++)
                json_array_append_new(
                        steps, json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o}", "number", (int)i + 1, "title",
                                         runbook->steps[i].title, "state", runbook_state_name(ticks[i].state), "look",
                                         text_or_null(ticks[i].look), "command", text_or_null(ticks[i].command), "how",
                                         text_or_null(ticks[i].how), "yours", text_or_null(ticks[i].yours)));
        return steps;
}

static json_t *id_or_null(const json_t *document) {
        int64_t id = pick_int(document, "id", 0);
        return id > 0 ? json_integer(id) : json_null();
}

static void print_as_json(const Runbook *runbook, const RunbookMatter *matter, const RunbookTick *ticks,
                          unsigned count) {
        Tristate concerned = matter->facts.concerned;
        json_t *answer =
                json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "key", runbook->key, "title", runbook->title,
                          "section", runbook->section, "scenario", runbook->scenario, "concerned",
                          concerned == KNOWN_NOT ? json_null() : json_boolean(concerned == KNOWN_TRUE), "run",
                          id_or_null(matter->run), "incident", id_or_null(matter->incident), "steps",
                          steps_json(runbook, ticks, count));
        print_json(stdout, answer);
        json_decref(answer);
}

static int list_all(const Command *command) {
        json_t *list = json_array();
        for (const Runbook *runbook = runbooks; runbook->key; runbook++) {
                if (!command->options.json) {
                        fputs("  ", command->out.file);
                        terminal_text(&command->out, TONE_STRONG, runbook->key, 9, true);
                        fprintf(command->out.file, "%s\n", runbook->title);
                }
                json_array_append_new(list,
                                      json_pack("{s:s, s:s, s:s, s:s}", "key", runbook->key, "title", runbook->title,
                                                "section", runbook->section, "scenario", runbook->scenario));
        }
        json_t *answer = json_pack("{s:o}", "runbooks", list);
        if (command->options.json)
                print_json(stdout, answer);
        json_decref(answer);
        return EXIT_OK;
}

/* ---- the verb ---- */

static const Runbook *find(const Command *command, char key[32]) {
        snprintf(key, 32, "%.12s%s%.12s", command->argv[0], command->argc > 1 ? "-" : "",
                 command->argc > 1 ? command->argv[1] : "");
        return runbook_find(key);
}

int verb_runbook(Command *command) {
        char key[32];
        if (command->argc == 0)
                return list_all(command);
        const Runbook *runbook = find(command, key);
        if (!runbook)
                return command_error(command, EXIT_DATA,
                                     "there is no runbook '%s'; allowed are 1 to 3 and issue-1 to issue-5", key);
        RunbookSources sources;
        AUTO_FREE RunbookMatter *matter = calloc(1, sizeof *matter);
        AUTO_FREE RunbookTick *ticks = calloc(RUNBOOK_STEPS_MAX, sizeof *ticks);
        if (!matter || !ticks)
                return command_error(command, EXIT_INTERNAL, "no memory left");
        runbook_ask(command, &sources);
        if (!sources.status)
                command_error(
                        command, 0,
                        "no controller answers, and without it nothing can be told: what isn't known is in capitals. Start it: systemctl start novacron-auto-rollback");
        runbook_read(runbook, &sources, command->config, matter);
        unsigned count = runbook_tick(runbook, &matter->facts, ticks);
        if (command->options.json)
                print_as_json(runbook, matter, ticks, count);
        else
                print_runbook(&command->out, runbook, matter, ticks, count);
        runbook_release(&sources);
        return EXIT_OK;
}
