#include "cli/command.h"

#include "api/problem.h"
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "daemon/breakglass.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

int command_error(const Command *command, int exit_code, const char *format, ...) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        fprintf(command->err.file, "%s: ", program.name);
        terminal_say(&command->err, TONE_BAD, "%s", text);
        fputc('\n', command->err.file);
        return exit_code;
}

int command_refused(const Command *command, Problem *problem) {
        int exit_code = problem->exit_code ? problem->exit_code : EXIT_INTERNAL;
        if (command->options.json) {
                json_t *document = problem_document(problem, "");
                print_json(stdout, document);
                json_decref(document);
        }
        command_error(command, exit_code, "%s: %s", problem->title, problem->detail);
        problem_clear(problem);
        return exit_code;
}

static bool is_other_run(const Problem *problem) {
        return strcmp(problem->title, "Another run is under way") == 0;
}

static int refused_for_other_run(const Command *command, Problem *problem, bool alone) {
        int exit_code = command_refused(command, problem);
        fprintf(command->err.file, "To follow it:  " PROGRAM " status\n");
        if (!alone) /* only a controller can cancel */
                fprintf(command->err.file, "To undo it, while that is possible:  " PROGRAM " cancel\n");
        return exit_code;
}

/* ---- without a controller ---- */

/* A run that this process carries out itself must not die of a key pressed in an outage; it ends by itself within its budgets. */
static void on_signal(int number) {
        static const char text[] = "\nThe run goes on; it ends by itself within its budgets.\n";
        (void)number;
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
                return; /* nobody is there to read it */
}

static void refuse_to_die(void) {
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
                sigaction(numbers[i], &action, NULL);
}

static void on_event(void *userdata, const char *type, const json_t *event) {
        if (strcmp(type, "run") == 0)
                progress_update(userdata, event);
        else if (strcmp(type, "alert") == 0 && pick_text(event, "message")[0])
                progress_note(userdata, "%s", pick_text(event, "message"));
}

static int ask_alone(Command *command, const Question *question, const Error *why, json_t **ret_answer) {
        bool acts = strcmp(question->breakglass, "rollback") == 0;
        Problem problem = {0};
        Progress progress;
        if (!command->config && command->config_error.code == -EACCES)
                return command_error(command, EXIT_PERMISSION,
                                     "Not allowed: %s. No controller answers (%s): type the same line with sudo",
                                     error_text(&command->config_error), error_text(why));
        if (!command->config)
                return command_error(command, EXIT_CONFIG, "%s; and the configuration can't be read: %s",
                                     error_text(why), error_text(&command->config_error));
        if (breakglass_may(command->config, &problem) < 0)
                return command_refused(command, &problem);
        terminal_say(&command->err, TONE_DOUBT, "%s. Going on without it.\n", error_text(why));
        progress_init(&progress, command->err.file);
        if (acts)
                refuse_to_die();
        json_t *none = json_object();
        int r = breakglass_call(command->config, question->breakglass, question->arguments ? question->arguments : none,
                                on_event, &progress, ret_answer, &problem);
        json_decref(none);
        progress_end(&progress);
        if (r < 0 && is_other_run(&problem))
                return refused_for_other_run(command, &problem, true);
        return r < 0 ? command_refused(command, &problem) : 0;
}

/* ---- with or without ---- */

bool command_peek(Command *command, const Question *question, json_t **ret_answer) {
        Problem problem = {0};
        Error error = {0};
        ClientResult result = client_call(&command->client, question->path, question->query, question->body, ret_answer,
                                          &problem, &error);
        bool answered = result == CLIENT_ANSWERED;
        if (result == CLIENT_ABSENT && question->breakglass && command->config &&
            breakglass_may(command->config, &problem) >= 0) {
                json_t *none = json_object();
                answered = breakglass_call(command->config, question->breakglass,
                                           question->arguments ? question->arguments : none, NULL, NULL, ret_answer,
                                           &problem) >= 0;
                json_decref(none);
        }
        problem_clear(&problem);
        return answered;
}

int command_ask(Command *command, const Question *question, json_t **ret_answer, bool *ret_alone) {
        Problem problem = {0};
        Error error = {0};
        if (ret_alone)
                *ret_alone = false;
        switch (client_call(&command->client, question->path, question->query, question->body, ret_answer, &problem,
                            &error)) {
        case CLIENT_ANSWERED:
                return 0;
        case CLIENT_REFUSED:
                return is_other_run(&problem) ? refused_for_other_run(command, &problem, false)
                                              : command_refused(command, &problem);
        case CLIENT_ABSENT:
                break;
        }
        if (ret_alone)
                *ret_alone = true;
        if (question->breakglass)
                return ask_alone(command, question, &error, ret_answer);
        return command_error(command, EXIT_UNAVAILABLE, "%s. Start it: systemctl start novacron-auto-rollback",
                             error_text(&error));
}
