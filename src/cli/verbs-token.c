/* The verb that makes a token: without a controller, as there may be none yet. */
#include "api/tokens.h"
#include "base/exit-codes.h"
#include "cli/print.h"
#include "cli/verbs.h"

/* "" when it isn't set, or nobody can say. */
static const char *tokens_file(Command *command) {
        Error error = {0};
        if (config_load(command->options.config_path, &command->config, &error) < 0)
                return "";
        return settings_string(command->config->api_block, "tokens");
}

/* On stdout is what a script wants; what a person has to do with it is on stderr. */
static void print_token(const Command *command, const char *token, const char *line, const char *file) {
        printf("%s\n", token);
        fflush(stdout);
        fprintf(command->err.file, "It is shown this once. Add this line to %s (it is read again at once):\n",
                file[0] ? file : "the file that api.tokens in the configuration names");
        fprintf(command->err.file, "%s\n", line);
}

int verb_token(Command *command) {
        char token[TOKEN_TEXT_MAX], line[TOKEN_LINE_MAX];
        Error error = {0};
        if (token_make(command->argv[0], command->options.act, token, line, &error) < 0)
                return command_error(command, EXIT_DATA, "%s", error_text(&error));
        const char *file = tokens_file(command);
        if (!command->options.json) {
                print_token(command, token, line, file);
                return EXIT_OK;
        }
        json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:s?}", "name", command->argv[0], "right",
                                   command->options.act ? "act" : "read", "token", token, "line", line, "file",
                                   file[0] ? file : NULL);
        print_json(stdout, answer);
        json_decref(answer);
        return EXIT_OK;
}
