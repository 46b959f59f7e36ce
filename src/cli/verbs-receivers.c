/* Who is told: auto-rollback receivers [test NAME]. */
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <string.h>

static Tone tone_of(const json_t *receiver) {
        return pick_is(receiver, "state", "delivering") ? TONE_GOOD
               : pick_is(receiver, "state", "unused")   ? TONE_PLAIN
                                                        : TONE_BAD;
}

static void print_receiver(const Terminal *out, const json_t *receiver) {
        char at[QUANTITY_MAX];
        int64_t waiting = pick_int(receiver, "waiting", -1);
        fputs("  ", out->file);
        terminal_text(out, TONE_PLAIN, pick_text(receiver, "name"), 16, true);
        fputs("  ", out->file);
        terminal_text(out, TONE_PLAIN, pick_text(receiver, "form"), 13, true);
        terminal_text(out, tone_of(receiver), pick_text(receiver, "state"), 11, true);
        terminal_text(out, TONE_FAINT, pick_text(receiver, "address"), 0, false);
        if (waiting > 0) {
                terminal_say(out, TONE_DOUBT, "\n      %" PRId64 " waiting, the oldest since ", waiting);
                fputs(quantity_time(pick(receiver, "oldest"), at, sizeof at), out->file);
        }
        if (pick_text(receiver, "error")[0]) {
                fputs("\n      ", out->file);
                terminal_text(out, TONE_BAD, pick_text(receiver, "error"), 0, false);
        }
        fputc('\n', out->file);
}

static void print_receivers(const Terminal *out, const json_t *answer) {
        const json_t *list = pick(answer, "receivers"), *receiver;
        size_t index;
        if (json_array_size(list) == 0)
                fprintf(out->file, "No receivers are configured; name them below receivers: in the configuration.\n");
        json_array_foreach((json_t *)list, index, receiver)
                print_receiver(out, receiver);
}

static int test_one(Command *command, const char *name) {
        char path[96];
        if (name[0] == '\0' || strlen(name) > 31 ||
            name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] != '\0')
                return command_error(command, EXIT_DATA, "'%.60s' is no receiver's name", name);
        snprintf(path, sizeof path, "/api/v3/receivers/%s/test", name);
        json_t *answer = NULL, *nothing = json_object();
        const Question question = {.path = path, .query = "", .body = nothing};
        int r = command_ask(command, &question, &answer, NULL);
        json_decref(nothing);
        if (r != 0)
                return r;
        bool delivered = pick_true(answer, "delivered");
        if (command->options.json)
                print_json(stdout, answer);
        else {
                terminal_say(&command->out, delivered ? TONE_GOOD : TONE_BAD,
                             "%s: ", delivered ? "Delivered" : "Not delivered");
                terminal_text(&command->out, TONE_PLAIN, pick_text(answer, "detail"), 0, false);
                fputc('\n', command->out.file);
        }
        json_decref(answer);
        return delivered ? EXIT_OK : EXIT_UNAVAILABLE;
}

int verb_receivers(Command *command) {
        const Question question = {.path = "/api/v3/receivers", .query = ""};
        json_t *answer = NULL;
        if (command->argc > 0 && strcmp(command->argv[0], "test") != 0)
                return command_error(command, EXIT_USAGE_ERROR,
                                     "'%s' is nothing that can be done; allowed is: test NAME", command->argv[0]);
        if (command->argc == 1)
                return command_error(command, EXIT_USAGE_ERROR, "which one? auto-rollback receivers test NAME");
        if (command->argc == 2)
                return test_one(command, command->argv[1]);
        int r = command_ask(command, &question, &answer, NULL);
        if (r != 0)
                return r;
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_receivers(&command->out, answer);
        json_decref(answer);
        return EXIT_OK;
}
