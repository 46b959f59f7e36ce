#include "cli/generate.h"

#include "base/exit-codes.h"

#include <ctype.h>
#include <string.h>

static bool offered(const OptionHelp *option, unsigned options) {
        return option->allowed_by == 0 || option->allowed_by & options;
}

static unsigned all_options(void) {
        unsigned options = 0;
        for (const Verb *verb = program.verbs; verb->name; verb++)
                options |= verb->options;
        return options;
}

/* ---- the manual page (man(7)) ---- */

/* A backslash, and a point or quote at a line's start, mean something to roff; a plain "-" would become a hyphen. */
static void roff(FILE *file, const char *text) {
        bool at_start = true;
        for (; *text; text++) {
                if (at_start && (*text == '.' || *text == '\''))
                        fputs("\\&", file);
                if (*text == '\\')
                        fputs("\\e", file);
                else if (*text == '-')
                        fputs("\\-", file);
                else
                        putc(*text, file);
                at_start = *text == '\n';
        }
}

static void roff_lines(FILE *file, const char *lines) {
        fputs(".PP\n.RS 4\n.EX\n", file);
        roff(file, lines);
        fprintf(file, "%s.EE\n.RE\n", lines[strlen(lines) - 1] == '\n' ? "" : "\n");
}

static void roff_option(FILE *file, const OptionHelp *option) {
        fputs(".TP\n", file);
        if (option->letter)
                fprintf(file, "\\fB\\-%c\\fR, ", option->letter);
        fputs("\\fB\\-\\-", file);
        roff(file, option->name);
        fputs("\\fR", file);
        if (option->argument)
                fprintf(file, " \\fI%s\\fR", option->argument);
        putc('\n', file);
        roff(file, option->help);
        putc('\n', file);
}

static void roff_verb(FILE *file, const Verb *verb) {
        fputs(".SS ", file);
        roff(file, verb->name);
        fprintf(file, " %s\n", verb->arguments);
        roff(file, verb->summary);
        fputs(verb->summary[strlen(verb->summary) - 1] == '?' ? "\n" : ".\n", file);
        if (verb->more) {
                fputs(".PP\n", file);
                roff(file, verb->more);
                putc('\n', file);
        }
        bool any = false;
        for (const OptionHelp *option = option_helps; option->name; option++)
                if (option->allowed_by & verb->options) {
                        fprintf(file, "%s\\fB\\-\\-", any ? ", " : ".PP\nOptions: ");
                        roff(file, option->name);
                        fputs("\\fR", file);
                        any = true;
                }
        fputs(any ? "\n" : "", file);
        roff_lines(file, verb->examples);
}

static void manual(FILE *file) {
        char title[64];
        snprintf(title, sizeof title, "%s", program.name);
        for (char *at = title; *at; at++)
                *at = (char)toupper((unsigned char)*at);
        fputs(".TH \"", file);
        roff(file, title);
        fprintf(file, "\" 1 \"\" \"%s\" \"NovaCron Rollback\"\n.SH NAME\n", PROJECT_VERSION);
        roff(file, program.name);
        fputs(" \\- ", file);
        roff(file, program.summary);
        fputs("\n.SH SYNOPSIS\n.B ", file);
        roff(file, program.name);
        fputs("\n\\fIVERB\\fR [\\fIOPTION\\fR]...\n.SH VERBS\n", file);
        for (const Verb *verb = program.verbs; verb->name; verb++)
                roff_verb(file, verb);
        fputs(".SH OPTIONS\n", file);
        for (const OptionHelp *option = option_helps; option->name; option++)
                if (offered(option, all_options()))
                        roff_option(file, option);
        fputs(".SH EXIT STATUS\n", file);
        for (const ExitHelp *row = program.exits; row->text; row++) {
                fprintf(file, ".TP\n.B %d\n", row->code);
                roff(file, row->text);
                putc('\n', file);
        }
        fputs(".SH EXAMPLES\n", file);
        roff_lines(file, program.examples);
        fputs(".SH NOTES\n", file);
        roff(file, program.notes);
        fputs("\n.SH FILES\n.I " CONFIG_PATH_DEFAULT "\n.SH SEE ALSO\n.BR rollback.yaml (5)\n", file);
}

/* The configuration's page holds what check-config prints. */
static void manual_of_configuration(FILE *file) {
        AUTO_FREE char *text = NULL;
        size_t size;
        FILE *memory = open_memstream(&text, &size);
        if (!memory)
                return;
        config_print_reference(memory);
        if (fclose(memory) != 0)
                return;
        fprintf(file,
                ".TH \"ROLLBACK.YAML\" 5 \"\" \"%s\" \"NovaCron Rollback\"\n.SH NAME\nrollback.yaml \\- "
                "configuration of auto\\-rollback(1)\n.SH DESCRIPTION\n"
                "Everything has a default, shown here, except what only you can know. What stands below is itself a configuration "
                "once that is filled in.\n",
                PROJECT_VERSION);
        roff_lines(file, text);
        fputs(".SH FILES\n.I " CONFIG_PATH_DEFAULT "\n", file);
}

/* ---- completions ---- */

/* In single quotes, for every shell: '\'' stands for a quote. */
static void quoted(FILE *file, const char *text) {
        putc('\'', file);
        for (; *text; text++)
                if (*text == '\'')
                        fputs("'\\''", file);
                else
                        putc(*text, file);
        putc('\'', file);
}

static void option_words(FILE *file, unsigned options) {
        for (const OptionHelp *option = option_helps; option->name; option++)
                if (offered(option, options))
                        fprintf(file, " --%s", option->name);
}

/* A function's name: no hyphens. */
static const char *function_name(void) {
        static char name[64];
        snprintf(name, sizeof name, "_%s", program.name);
        for (char *at = name; *at; at++)
                if (*at == '-')
                        *at = '_';
        return name;
}

static void bash(FILE *file) {
        fprintf(file,
                "# bash completion for %s\n%s() {\n"
                "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb='' each\n"
                "  for each in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $each in\n",
                program.name, function_name());
        for (const Verb *verb = program.verbs; verb->name; verb++)
                fprintf(file, "      %s) verb=$each ;;\n", verb->name);
        fputs("    esac\n  done\n  case $before in -c|--config) COMPREPLY=($(compgen -f -- \"$word\")); return ;; esac\n"
              "  case $verb in\n    '') COMPREPLY=($(compgen -W '",
              file);
        for (const Verb *verb = program.verbs; verb->name; verb++)
                fprintf(file, "%s ", verb->name);
        option_words(file, 0);
        fputs("' -- \"$word\")) ;;\n", file);
        for (const Verb *verb = program.verbs; verb->name; verb++) {
                fprintf(file, "    %s) COMPREPLY=($(compgen -W '", verb->name);
                option_words(file, verb->options);
                fputs("' -- \"$word\")) ;;\n", file);
        }
        fprintf(file, "  esac\n}\ncomplete -F %s %s %s.sh\n", function_name(), program.name, program.name);
}

static void zsh_options(FILE *file, unsigned options) {
        for (const OptionHelp *option = option_helps; option->name; option++) {
                if (!offered(option, options))
                        continue;
                char row[160];
                snprintf(row, sizeof row, "--%s[%s]%s%s%s", option->name, option->help, option->argument ? ":" : "",
                         option->argument ? option->argument : "",
                         option->argument && strcmp(option->argument, "FILE") == 0 ? ":_files"
                         : option->argument                                        ? ": "
                                                                                   : "");
                fputs(" \\\n        ", file);
                quoted(file, row);
        }
        putc('\n', file);
}

static void zsh(FILE *file) {
        fprintf(file,
                "#compdef %s %s.sh\n%s() {\n  local -a verbs\n  local verb=''\n"
                "  (( CURRENT > 2 )) && verb=${${words[2,CURRENT-1]}[(r)[a-z]*]}\n  verbs=(\n",
                program.name, program.name, function_name());
        for (const Verb *verb = program.verbs; verb->name; verb++) {
                char row[160];
                snprintf(row, sizeof row, "%s:%s", verb->name, verb->summary);
                fputs("    ", file);
                quoted(file, row);
                putc('\n', file);
        }
        fputs("  )\n  case $verb in\n", file);
        for (const Verb *verb = program.verbs; verb->name; verb++) {
                fprintf(file, "    %s) _arguments -s", verb->name);
                zsh_options(file, verb->options);
                fputs("      ;;\n", file);
        }
        fputs("    *) _describe verb verbs; _arguments -s", file);
        zsh_options(file, 0);
        fprintf(file, "      ;;\n  esac\n}\n%s \"$@\"\n", function_name());
}

static void fish(FILE *file) {
        fprintf(file, "# fish completion for %s\ncomplete -c %s -f\n", program.name, program.name);
        for (const Verb *verb = program.verbs; verb->name; verb++) {
                fprintf(file, "complete -c %s -n __fish_use_subcommand -a %s -d ", program.name, verb->name);
                quoted(file, verb->summary);
                putc('\n', file);
        }
        for (const OptionHelp *option = option_helps; option->name; option++) {
                if (!offered(option, all_options()))
                        continue;
                fprintf(file, "complete -c %s", program.name);
                if (option->allowed_by != 0) {
                        fputs(" -n '__fish_seen_subcommand_from", file);
                        for (const Verb *verb = program.verbs; verb->name; verb++)
                                if (option->allowed_by & verb->options)
                                        fprintf(file, " %s", verb->name);
                        putc('\'', file);
                }
                if (option->letter)
                        fprintf(file, " -s %c", option->letter);
                fprintf(file, " -l %s%s -d ", option->name,
                        option->argument ? strcmp(option->argument, "FILE") == 0 ? " -r -F" : " -x" : "");
                quoted(file, option->help);
                putc('\n', file);
        }
}

int generate(const char *kind, FILE *file) {
        static const struct {
                const char *kind;
                void (*print)(FILE *file);
        } kinds[] = {{"man", manual}, {"man5", manual_of_configuration}, {"bash", bash}, {"zsh", zsh}, {"fish", fish}};
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].kind, kind) == 0) {
                        kinds[i].print(file);
                        return EXIT_OK;
                }
        fprintf(stderr, "%s: --generate makes man, man5, bash, zsh or fish, not '%s'\n", program.name, kind);
        return EXIT_USAGE_ERROR;
}
