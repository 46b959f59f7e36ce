/* `ready`: could the rollback target be started right now? */
#include "base/exit-codes.h"
#include "base/macros.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/verbs.h"

#include <string.h>

#define TITLE_WIDTH 26 /* "Release as it was taken in" is the longest */
#define MEASURED_COLUMN (6 + TITLE_WIDTH + 1)

static const struct Mark {
        const char *verdict, *mark;
        Tone tone;
} marks[] = {
        {"ok", "[x]", TONE_GOOD},
        {"failed", "[!]", TONE_BAD},
        {"unknown", "[?]", TONE_DOUBT},
        {"not_applicable", "[-]", TONE_FAINT},
};

static const struct Mark *mark_of(const json_t *check) {
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                if (pick_is(check, "verdict", marks[i].verdict))
                        return &marks[i];
        return &marks[2];
}

static void print_check(const Terminal *out, const json_t *check) {
        const struct Mark *mark = mark_of(check);
        Tone tone = mark->tone == TONE_FAINT ? TONE_FAINT : TONE_PLAIN;
        fputs("  ", out->file);
        terminal_text(out, mark->tone, mark->mark, 0, false);
        fputc(' ', out->file);
        terminal_text(out, tone, pick_text(check, "title"), TITLE_WIDTH, true);
        fputc(' ', out->file);
        terminal_wrap(out, tone, pick_text(check, "measured"), MEASURED_COLUMN, MEASURED_COLUMN);
        fputc('\n', out->file);
        if (!pick_text(check, "next")[0] || pick_is(check, "verdict", "ok"))
                return;
        fprintf(out->file, "%*s", MEASURED_COLUMN, "");
        terminal_wrap(out, TONE_STRONG, pick_text(check, "next"), MEASURED_COLUMN, MEASURED_COLUMN);
        fputc('\n', out->file);
}

static void print_checks(const Terminal *out, const json_t *checks) {
        const json_t *check;
        size_t index;
        json_array_foreach((json_t *)checks, index, check)
                print_check(out, check);
}

/* Of the release that is current only what speaks against it: it runs. */
static void print_current(const Terminal *out, const json_t *current) {
        const json_t *checks = pick(current, "checks"), *check;
        size_t index;
        if (!current || json_is_true(pick(current, "ready")) || json_array_size(checks) == 0)
                return;
        fputc('\n', out->file);
        terminal_say(out, TONE_DOUBT, "After the next deployment %s would be the target; it is not proven ready:",
                     pick_text(current, "version"));
        fputc('\n', out->file);
        json_array_foreach((json_t *)checks, index, check)
                if (pick_is(check, "verdict", "failed") || pick_is(check, "verdict", "unknown"))
                        print_check(out, check);
}

static void print_ready(const Terminal *out, const json_t *answer) {
        const json_t *ready = pick(answer, "ready");
        const char *version = pick_text(answer, "version");
        bool good = json_is_true(ready), bad = json_is_false(ready);
        char words[160];
        const char *how = good ? " is ready" : bad ? " is NOT ready" : " is not known to be ready";
        snprintf(words, sizeof words, "%.80s%s", version[0] ? version : "No target", version[0] ? how : "");
        int column = terminal_wrap(out, good ? TONE_GOOD : bad ? TONE_BAD : TONE_DOUBT, words, 0, 2);
        column = terminal_wrap(out, TONE_PLAIN, ": ", column, 2);
        terminal_wrap(out, TONE_PLAIN, pick_text(answer, "detail"), column, 2);
        fputc('\n', out->file);
        if (pick_text(answer, "checked")[0])
                fprintf(out->file, "Looked at: %s\n", pick_text(answer, "checked"));
        print_checks(out, pick(answer, "checks"));
        if (!good && !bad && json_array_size(pick(answer, "checks")) == 0)
                terminal_say(out, TONE_STRONG, "It is looked at after each deployment: ask again in a moment.\n");
        print_current(out, pick(answer, "current"));
}

int verb_ready(Command *command) {
        const Question question = {.path = "/api/v3/ready", .query = ""};
        json_t *answer = NULL;
        int r = command_ask(command, &question, &answer, NULL);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_ready(&command->out, answer);
        const json_t *ready = pick(answer, "ready");
        r = json_is_true(ready) ? EXIT_OK : json_is_false(ready) ? EXIT_REFUSED : EXIT_NOT_VERIFIED;
        json_decref(answer);
        return r;
}
