/* What every program does with its table of verbs: finding one, and printing the help. */
#include "base/nearest.h"
#include "cli/verbs.h"

#include <string.h>

const Verb *verb_find(const char *name) {
        for (const Verb *verb = program.verbs; verb->name; verb++)
                if (strcmp(verb->name, name) == 0)
                        return verb;
        return NULL;
}

const char *verb_nearest(const char *name) {
        const char *best = NULL;
        for (const Verb *verb = program.verbs; verb->name; verb++)
                best = nearer_word(name, best, verb->name);
        return best;
}

/* ---- help ---- */

const OptionHelp option_helps[] = {
        {0, 'c', "config", "FILE", "instead of " CONFIG_PATH_DEFAULT},
        {ALLOW_JSON, 0, "json", NULL, "the answer as JSON"},
        {ALLOW_DRY_RUN, 'n', "dry-run", NULL, "show the plan, do nothing"},
        {ALLOW_YES, 'y', "yes", NULL, "don't ask"},
        {ALLOW_YES, 0, "no-input", NULL, "never ask: fail instead"},
        {ALLOW_TO, 0, "to", "VERSION", "this release instead of the one that would be chosen"},
        {ALLOW_ROW_LOSS, 0, "allow-row-loss", NULL, "rows that the way back can't keep may go"},
        {ALLOW_PERIOD, 0, "from", "TIME", "from then on: 2026-11-22, or 2026-11-22T15:40:00Z"},
        {ALLOW_PERIOD, 0, "to", "TIME", "until then (default: now)"},
        {ALLOW_ALL, 0, "all", NULL, "all of them"},
        {ALLOW_MARKDOWN, 0, "markdown", NULL, "the report as Markdown, with its pictures"},
        {ALLOW_LIMIT, 0, "limit", "N", "at most so many, the newest (default 20)"},
        {ALLOW_ACT, 0, "act", NULL, "it may act, not only look"},
        {ALLOW_REFERENCE, 0, "reference", NULL, "print every key instead"},
        {ALLOW_INTERVAL, 0, "interval", "TIME", "looks again at least this often, such as 2s (default 5s)"},
        {ALLOW_BACKTEST, 0, "csv", "FILE", "samples from a file, - for stdin, instead of history"},
        {ALLOW_BACKTEST, 0, "prometheus", NULL, "samples from metrics.prometheus instead"},
        {ALLOW_BACKTEST, 0, "set", "KEY=VALUE", "another rule than the configuration's; may be repeated"},
        {ALLOW_BACKTEST, 0, "labels", "FILE", "the incidents there really were: from,to[,kind] a line"},
        {0, 'h', "help", NULL, "this help; behind a verb, the verb's"},
        {0, 'V', "version", NULL, "the program's version"},
        {0},
};

static void print_lines(FILE *file, const char *lines) {
        for (const char *line = lines; *line;) {
                size_t length = strcspn(line, "\n");
                fprintf(file, "  %.*s\n", (int)length, line);
                line += length + (line[length] == '\n');
        }
}

static void print_options(FILE *file, unsigned options) {
        fprintf(file, "\nOptions:\n");
        for (const OptionHelp *option = option_helps; option->name; option++) {
                char letter[] = {'-', option->letter, ',', '\0'}, usage[32];
                if (option->allowed_by != 0 && !(option->allowed_by & options))
                        continue;
                snprintf(usage, sizeof usage, "--%s%s%s", option->name, option->argument ? " " : "",
                         option->argument ? option->argument : "");
                fprintf(file, "  %3s %-16s %s\n", option->letter ? letter : "", usage, option->help);
        }
}

void verb_print_help(FILE *file, const Verb *verb) {
        bool question = verb->summary[strlen(verb->summary) - 1] == '?';
        fprintf(file, "%s%s\n\nUsage: %s %s%s%s [OPTION]...\n", verb->summary, question ? "" : ".", program.name,
                verb->name, verb->arguments[0] ? " " : "", verb->arguments);
        if (verb->more)
                fprintf(file, "\n%s\n", verb->more);
        fprintf(file, "\nExamples:\n");
        print_lines(file, verb->examples);
        print_options(file, verb->options);
}

void verbs_print_help(FILE *file) {
        unsigned options = 0;
        fprintf(file, "%s\n\nUsage: %s VERB [OPTION]...\n\nVerbs:\n", program.summary, program.name);
        for (const Verb *verb = program.verbs; verb->name; verb++) {
                char usage[64];
                snprintf(usage, sizeof usage, "%s %s", verb->name, verb->arguments);
                fprintf(file, "  %-18s %s\n", usage, verb->summary);
                options |= verb->options;
        }
        print_options(file, options);
        fprintf(file, "\nExamples:\n");
        print_lines(file, program.examples);
        fprintf(file, "\nExit codes:\n");
        for (const ExitHelp *row = program.exits; row->text; row++)
                fprintf(file, "  %3d  %s\n", row->code, row->text);
        fprintf(file, "\n%s\n", program.notes);
}
