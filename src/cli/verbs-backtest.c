/* The rules over what was recorded: no controller is asked. */
#include "base/clock.h"
#include "base/exit-codes.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "daemon/backtesting.h"
#include "daemon/moment.h"

#include <errno.h>
#include <string.h>

#define LAST_DAY_US (24 * 3600 * USEC_PER_SEC)

static int exit_code_of(int r) {
        switch (r) {
        case -ENOENT:
        case -EISDIR:
                return EXIT_NO_INPUT;
        case -EACCES:
        case -EPERM:
                return EXIT_PERMISSION;
        case -EBADMSG:
        case -EINVAL:
                return EXIT_DATA;
        case -ENOMEM:
                return EXIT_INTERNAL;
        default:
                return EXIT_IO;
        }
}

/* A file needs no configuration: without one it is judged by the defaults. */
static int read_rules(Command *command, Rules *rules) {
        const Options *options = &command->options;
        Error error = {0};
        int r = config_load(options->config_path, &command->config, &command->config_error);
        if (r == 0)
                *rules = command->config->rules;
        else if (!options->csv || options->config_given || r != -ENOENT)
                return command_error(command, r == -EACCES ? EXIT_PERMISSION : EXIT_CONFIG, "%s",
                                     error_text(&command->config_error));
        else
                r = backtesting_default_rules(rules, &error);
        for (unsigned i = 0; r >= 0 && i < options->set_count; i++)
                r = backtesting_set(rules, options->sets[i], &error);
        if (r >= 0)
                r = backtesting_check_rules(rules, &error);
        return r < 0 ? command_error(command, EXIT_DATA, "--set: %s", error_text(&error)) : 0;
}

static int read_times(const Command *command, BacktestWish *wish) {
        const Options *options = &command->options;
        int64_t now = clock_wall_us();
        Error error = {0};
        wish->to_wall = wish->csv ? INT64_MAX : now;
        wish->from_wall = wish->csv ? 0 : now - LAST_DAY_US;
        if (options->to && moment_parse(options->to, now, &wish->to_wall, &error) < 0)
                return command_error(command, EXIT_DATA, "--to: %s", error_text(&error));
        if (options->from && moment_parse(options->from, now, &wish->from_wall, &error) < 0)
                return command_error(command, EXIT_DATA, "--from: %s", error_text(&error));
        if (wish->from_wall > wish->to_wall)
                return command_error(command, EXIT_DATA, "--from is later than --to");
        return 0;
}

static int report(const Command *command, const BacktestWish *wish) {
        BacktestReport found;
        Error error = {0};
        int r = backtesting_run(command->config, wish, &found, &error);
        if (r < 0)
                return command_error(command, exit_code_of(r), "%s", error_text(&error));
        json_t *answer = backtesting_wire(wish, &found);
        backtesting_free(&found);
        if (!answer)
                return command_error(command, EXIT_INTERNAL, "out of memory");
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_backtest(&command->out, answer);
        json_decref(answer);
        return EXIT_OK;
}

int verb_backtest(Command *command) {
        const Options *options = &command->options;
        BacktestWish wish = {.csv = options->csv, .prometheus = options->prometheus};
        AUTO_FREE BacktestLabel *labels = NULL;
        Error error = {0};
        if (wish.csv && wish.prometheus)
                return command_error(command, EXIT_USAGE_ERROR, "--csv and --prometheus: take one of them");
        int r = read_rules(command, &wish.rules);
        if (r == 0)
                r = read_times(command, &wish);
        if (r != 0)
                return r;
        if (options->labels) {
                r = backtesting_read_labels(options->labels, &labels, &wish.label_count, &error);
                if (r < 0)
                        return command_error(command, exit_code_of(r), "%s", error_text(&error));
                wish.labels = labels;
        }
        return report(command, &wish);
}
