/* A program of ours: what was typed is understood here, and done by the verb. */
#include "base/exit-codes.h"
#include "cli/generate.h"
#include "cli/verbs.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#define SOCKET_DEFAULT "/run/novacron/rollback.sock"

enum {
        OPTION_JSON = 256,
        OPTION_NO_INPUT,
        OPTION_TO,
        OPTION_LIMIT,
        OPTION_REFERENCE,
        OPTION_INTERVAL,
        OPTION_ACT,
        OPTION_ROW_LOSS,
        OPTION_FROM,
        OPTION_ALL,
        OPTION_MARKDOWN,
        OPTION_CSV,
        OPTION_PROMETHEUS,
        OPTION_SET,
        OPTION_LABELS,
        OPTION_GENERATE
};

static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"dry-run", no_argument, NULL, 'n'},
        {"yes", no_argument, NULL, 'y'},
        {"no-input", no_argument, NULL, OPTION_NO_INPUT},
        {"to", required_argument, NULL, OPTION_TO},
        {"limit", required_argument, NULL, OPTION_LIMIT},
        {"reference", no_argument, NULL, OPTION_REFERENCE},
        {"interval", required_argument, NULL, OPTION_INTERVAL},
        {"act", no_argument, NULL, OPTION_ACT},
        {"allow-row-loss", no_argument, NULL, OPTION_ROW_LOSS},
        {"from", required_argument, NULL, OPTION_FROM},
        {"all", no_argument, NULL, OPTION_ALL},
        {"markdown", no_argument, NULL, OPTION_MARKDOWN},
        {"csv", required_argument, NULL, OPTION_CSV},
        {"prometheus", no_argument, NULL, OPTION_PROMETHEUS},
        {"set", required_argument, NULL, OPTION_SET},
        {"labels", required_argument, NULL, OPTION_LABELS},
        {"generate", required_argument, NULL, OPTION_GENERATE}, /* for packagers */
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
};

/* What was typed and not every verb understands. */
typedef struct Typed {
        unsigned options;     /* set of VerbOption */
        const char *backtest; /* the one of ALLOW_BACKTEST that was typed */
        bool version;
        const char *generate; /* NULL: not asked for */
} Typed;

static const char *options_name_of(int letter) {
        return letter == OPTION_CSV      ? "--csv"
               : letter == OPTION_LABELS ? "--labels"
               : letter == OPTION_SET    ? "--set"
                                         : "--prometheus";
}

/* What only a backtest understands. False: one --set too many. */
static bool take_backtest_option(int letter, Options *options) {
        switch (letter) {
        case OPTION_CSV:
                options->csv = optarg;
                return true;
        case OPTION_LABELS:
                options->labels = optarg;
                return true;
        case OPTION_PROMETHEUS:
                options->prometheus = true;
                return true;
        default:
                if (options->set_count == SETS_MAX) {
                        fprintf(stderr, "%s: --set: at most %d of them\n", program.name, SETS_MAX);
                        return false;
                }
                options->sets[options->set_count++] = optarg;
                return true;
        }
}

static int parse_options(int argc, char **argv, Options *options, Typed *typed) {
        static char name[32];
        snprintf(name, sizeof name, "%s", program.name);
        *options = (Options){.config_path = CONFIG_PATH_DEFAULT};
        if (argc > 0)
                argv[0] = name; /* how getopt begins its messages */
        for (int letter; (letter = getopt_long(argc, argv, "c:nyhV", long_options, NULL)) != -1;)
                switch (letter) {
                case 'c':
                        options->config_path = optarg;
                        options->config_given = true;
                        break;
                case 'n':
                        options->dry_run = true;
                        typed->options |= ALLOW_DRY_RUN;
                        break;
                case 'y':
                        options->yes = true;
                        typed->options |= ALLOW_YES;
                        break;
                case 'h':
                        options->help = true;
                        break;
                case 'V':
                        typed->version = true;
                        break;
                case OPTION_JSON:
                        options->json = true;
                        typed->options |= ALLOW_JSON;
                        break;
                case OPTION_NO_INPUT: /* harmless where nothing is asked */
                        options->no_input = true;
                        break;
                case OPTION_TO:
                        options->to = optarg;
                        typed->options |= ALLOW_TO;
                        break;
                case OPTION_FROM:
                        options->from = optarg;
                        typed->options |= ALLOW_PERIOD;
                        break;
                case OPTION_CSV:
                case OPTION_PROMETHEUS:
                case OPTION_SET:
                case OPTION_LABELS:
                        typed->options |= ALLOW_BACKTEST;
                        typed->backtest = options_name_of(letter);
                        if (!take_backtest_option(letter, options))
                                return EXIT_USAGE_ERROR;
                        break;
                case OPTION_MARKDOWN:
                        options->markdown = true;
                        typed->options |= ALLOW_MARKDOWN;
                        break;
                case OPTION_ALL:
                        options->all = true;
                        typed->options |= ALLOW_ALL;
                        break;
                case OPTION_LIMIT:
                        options->limit = optarg;
                        typed->options |= ALLOW_LIMIT;
                        break;
                case OPTION_REFERENCE:
                        options->reference = true;
                        typed->options |= ALLOW_REFERENCE;
                        break;
                case OPTION_INTERVAL:
                        options->interval = optarg;
                        typed->options |= ALLOW_INTERVAL;
                        break;
                case OPTION_GENERATE:
                        typed->generate = optarg;
                        break;
                case OPTION_ACT:
                        options->act = true;
                        typed->options |= ALLOW_ACT;
                        break;
                case OPTION_ROW_LOSS:
                        options->allow_row_loss = true;
                        typed->options |= ALLOW_ROW_LOSS;
                        break;
                default: /* getopt has said what is wrong */
                        if (optopt >= '0' && optopt <= '9')
                                fprintf(stderr, "%s: a run's id is a positive number\n", program.name);
                        fprintf(stderr, "Try: %s --help\n", program.name);
                        return EXIT_USAGE_ERROR;
                }
        return 0;
}

static int unknown_verb(const Command *command, const char *name) {
        const char *near = verb_nearest(name);
        return near ? command_error(command, EXIT_USAGE_ERROR, "there is no verb '%s'; did you mean '%s'?", name, near)
                    : command_error(command, EXIT_USAGE_ERROR, "there is no verb '%s'; %s --help lists them", name,
                                    program.name);
}

static const char *option_name(unsigned option) {
        return option == ALLOW_JSON       ? "--json"
               : option == ALLOW_DRY_RUN  ? "--dry-run"
               : option == ALLOW_YES      ? "--yes"
               : option == ALLOW_TO       ? "--to"
               : option == ALLOW_LIMIT    ? "--limit"
               : option == ALLOW_ACT      ? "--act"
               : option == ALLOW_INTERVAL ? "--interval"
               : option == ALLOW_ROW_LOSS ? "--allow-row-loss"
               : option == ALLOW_PERIOD   ? "--from"
               : option == ALLOW_ALL      ? "--all"
               : option == ALLOW_MARKDOWN ? "--markdown"
                                          : "--reference";
}

/* An option a verb doesn't know is an error, never ignored: `status --dry-run` is harmless, but `deploy --to` isn't. */
static int check_usage(const Command *command, const Typed *typed) {
        const Verb *verb = command->verb;
        unsigned allowed = verb->options | (verb->options & ALLOW_PERIOD ? ALLOW_TO : 0U);
        for (unsigned option = 1; option <= ALLOW_MARKDOWN; option <<= 1)
                if (typed->options & option & ~allowed)
                        return command_error(command, EXIT_USAGE_ERROR, "'%s' has no option %s; see: %s %s --help",
                                             verb->name,
                                             option == ALLOW_BACKTEST ? typed->backtest : option_name(option),
                                             program.name, verb->name);
        if (command->argc < verb->min_arguments)
                return command_error(command, EXIT_USAGE_ERROR, "%s is missing; usage: %s %s %s", verb->arguments,
                                     program.name, verb->name, verb->arguments);
        if (command->argc <= verb->max_arguments)
                return 0;
        const char *extra = command->argv[verb->max_arguments];
        if (strstr(verb->arguments, "REASON") || strstr(verb->arguments, "WHY"))
                return command_error(command, EXIT_USAGE_ERROR, "'%s' is one word too many: put the text in quotes",
                                     extra);
        return command_error(command, EXIT_USAGE_ERROR, "'%s' is one word too many; usage: %s %s%s%s", extra,
                             program.name, verb->name, verb->arguments[0] ? " " : "", verb->arguments);
}

/* A controller that runs has a good configuration, also when the file was spoilt since: it is asked where it listens by
 * default. But never for another file than the default one: that would be another controller. */
static int read_config(Command *command) {
        const Options *options = &command->options;
        command->client.socket = SOCKET_DEFAULT;
        if (command->verb->options & NO_CONFIG)
                return 0;
        int r = config_load(options->config_path, &command->config, &command->config_error);
        if (r == 0) {
                command->client.socket = command->config->socket;
                return 0;
        }
        bool denied = r == -EACCES;
        if (command->verb->options & NEEDS_CONFIG || options->config_given)
                return command_error(command, denied ? EXIT_PERMISSION : EXIT_CONFIG, "%s",
                                     error_text(&command->config_error));
        if (!denied) /* who may not read it still may ask */
                command_error(command, 0, "%s (going on with what the controller knows)",
                              error_text(&command->config_error));
        return 0;
}

static int run_verb(Command *command, const Typed *typed, int argc, char **argv) {
        if (argc == 0) {
                verbs_print_help(command->options.help ? stdout : stderr);
                return command->options.help ? EXIT_OK : EXIT_USAGE_ERROR;
        }
        command->verb = verb_find(argv[0]);
        command->argc = argc - 1;
        command->argv = argv + 1;
        if (!command->verb)
                return unknown_verb(command, argv[0]);
        if (command->options.help) {
                verb_print_help(stdout, command->verb);
                return EXIT_OK;
        }
        int r = check_usage(command, typed);
        if (r == 0)
                r = read_config(command);
        return r == 0 ? command->verb->run(command) : r;
}

int main(int argc, char **argv) {
        Command command = {0};
        Typed typed = {0};
        setlocale(LC_CTYPE, "");
        signal(SIGPIPE, SIG_IGN); /* a reader that went away must not end a run that this process carries out */
        terminal_init(&command.out, stdout);
        terminal_init(&command.err, stderr);
        int r = parse_options(argc, argv, &command.options, &typed);
        if (r == 0 && typed.version)
                printf("%s %s\n", program.name, PROJECT_VERSION);
        else if (r == 0 && typed.generate)
                r = generate(typed.generate, stdout);
        else if (r == 0) {
                curl_global_init(CURL_GLOBAL_DEFAULT);
                r = run_verb(&command, &typed, argc - optind, argv + optind);
                curl_global_cleanup();
        }
        config_free(command.config);
        if (fflush(stdout) != 0 && r == 0 && errno != EPIPE)
                r = EXIT_IO;
        return r;
}
