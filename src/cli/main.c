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
        const char *backtest; /* the one of ALLOW_BACKTEST that was typed; NULL: none */
        bool version;
        const char *generate; /* NULL: not asked for */
} Typed;

/* What is only kept: a flag, or the text that was typed behind it. `name` is the long option's. False: `letter` is none of these. */
static bool keep_option(int letter, const char *name, Options *options, Typed *typed) {
        const struct {
                int letter;
                unsigned option; /* what the verb must allow; 0: nothing */
                bool *flag;
                const char **text;
        } rows[] = {
                {'n', ALLOW_DRY_RUN, &options->dry_run, NULL},
                {'y', ALLOW_YES, &options->yes, NULL},
                {'h', 0, &options->help, NULL},
                {'V', 0, &typed->version, NULL},
                {OPTION_JSON, ALLOW_JSON, &options->json, NULL},
                {OPTION_NO_INPUT, 0, &options->no_input, NULL}, /* harmless where nothing is asked */
                {OPTION_TO, ALLOW_TO, NULL, &options->to},
                {OPTION_LIMIT, ALLOW_LIMIT, NULL, &options->limit},
                {OPTION_REFERENCE, ALLOW_REFERENCE, &options->reference, NULL},
                {OPTION_INTERVAL, ALLOW_INTERVAL, NULL, &options->interval},
                {OPTION_ACT, ALLOW_ACT, &options->act, NULL},
                {OPTION_ROW_LOSS, ALLOW_ROW_LOSS, &options->allow_row_loss, NULL},
                {OPTION_FROM, ALLOW_PERIOD, NULL, &options->from},
                {OPTION_ALL, ALLOW_ALL, &options->all, NULL},
                {OPTION_MARKDOWN, ALLOW_MARKDOWN, &options->markdown, NULL},
                {OPTION_CSV, ALLOW_BACKTEST, NULL, &options->csv},
                {OPTION_PROMETHEUS, ALLOW_BACKTEST, &options->prometheus, NULL},
                {OPTION_LABELS, ALLOW_BACKTEST, NULL, &options->labels},
                {OPTION_GENERATE, 0, NULL, &typed->generate},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                if (rows[i].letter != letter)
                        continue;
                if (rows[i].flag)
                        *rows[i].flag = true;
                else
                        *rows[i].text = optarg;
                typed->options |= rows[i].option;
                if (rows[i].option == ALLOW_BACKTEST)
                        typed->backtest = name;
                return true;
        }
        return false;
}

static int add_set(Options *options) {
        if (options->set_count == SETS_MAX) {
                fprintf(stderr, "%s: --set: at most %d of them\n", program.name, SETS_MAX);
                return EXIT_USAGE_ERROR;
        }
        options->sets[options->set_count++] = optarg;
        return 0;
}

static int take_option(int letter, const char *name, Options *options, Typed *typed) {
        switch (letter) {
        case 'c':
                options->config_path = optarg;
                options->config_given = true;
                return 0;
        case OPTION_SET:
                typed->options |= ALLOW_BACKTEST;
                typed->backtest = name;
                return add_set(options);
        default:
                if (keep_option(letter, name, options, typed))
                        return 0;
                /* getopt has said what is wrong */
                if (optopt >= '0' && optopt <= '9')
                        fprintf(stderr, "%s: a run's id is a positive number\n", program.name);
                fprintf(stderr, "Try: %s --help\n", program.name);
                return EXIT_USAGE_ERROR;
        }
}

static int parse_options(int argc, char **argv, Options *options, Typed *typed) {
        static char name[32];
        snprintf(name, sizeof name, "%s", program.name);
        *options = (Options){.config_path = CONFIG_PATH_DEFAULT};
        if (argc > 0)
                argv[0] = name; /* how getopt begins its messages */
        int letter, index = 0, r = 0;
        while (r == 0 && (letter = getopt_long(argc, argv, "c:nyhV", long_options, &index)) != -1)
                r = take_option(letter, long_options[index].name, options, typed);
        return r;
}

static int unknown_verb(const Command *command, const char *name) {
        const char *near = verb_nearest(name);
        return near ? command_error(command, EXIT_USAGE_ERROR, "there is no verb '%s'; did you mean '%s'?", name, near)
                    : command_error(command, EXIT_USAGE_ERROR, "there is no verb '%s'; %s --help lists them", name,
                                    program.name);
}

/* As the help has it first. */
static const char *option_name(unsigned option) {
        for (const OptionHelp *row = option_helps; row->name; row++)
                if (row->allowed_by == option)
                        return row->name;
        return "";
}

/* An option a verb doesn't know is an error, never ignored: `status --dry-run` is harmless, but `deploy --to` isn't. */
static int check_usage(const Command *command, const Typed *typed) {
        const Verb *verb = command->verb;
        unsigned allowed = verb->options | (verb->options & ALLOW_PERIOD ? ALLOW_TO : 0U);
        for (unsigned option = 1; option <= ALLOW_MARKDOWN; option <<= 1)
                if (typed->options & option & ~allowed)
                        return command_error(command, EXIT_USAGE_ERROR, "'%s' has no option --%s; see: %s %s --help",
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
