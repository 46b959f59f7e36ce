#include "cli/verbs.h"

#include "base/exit-codes.h"
#include "base/nearest.h"

#include <string.h>

const Verb verbs[] = {
        {"auto", "", 0, 0, NEEDS_CONFIG, verb_auto, "Run the controller: watch, decide, roll back",
         "This is what novacron-auto-rollback.service starts. SIGHUP reads the\n"
         "configuration again and keeps the old one when the new is bad.",
         "auto-rollback auto\nauto-rollback --config ./rollback.yaml auto\n"},
        {"status", "", 0, 0, ALLOW_JSON, verb_status, "What runs, how it does, and what to do about it", NULL,
         "auto-rollback status\nauto-rollback status --json | jq .health.state\n"},
        {"manual", "REASON", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO, verb_manual,
         "Roll back, after asking", "Shows what would be done and asks; only \"yes\" confirms.",
         "auto-rollback manual \"Performance degradation observed after deployment\"\nauto-rollback manual --to v2.3.1 \"v2.4.0 loses sessions, too\"\n"
         "auto-rollback manual --dry-run \"just looking\"\n"},
        {"emergency", "REASON", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES | ALLOW_TO, verb_emergency,
         "Roll back at once, without asking",
         "Also works when no controller answers: then as root or the service's user.",
         "auto-rollback emergency \"Critical: Total service outage\"\n"},
        {"validate", "", 0, 0, ALLOW_JSON, verb_validate, "Did the last rollback help?", NULL,
         "auto-rollback validate\n"},
        {"plan", "", 0, 0, ALLOW_JSON | ALLOW_TO, verb_plan, "What a rollback would do now", NULL,
         "auto-rollback plan\nauto-rollback plan --to v2.3.1\n"},
        {"deploy", "VERSION", 1, 1, ALLOW_JSON | ALLOW_DRY_RUN | ALLOW_YES, verb_deploy,
         "Make a release current, in the same safe steps", NULL,
         "auto-rollback deploy v3.0.0\nauto-rollback deploy --dry-run v3.0.0\n"},
        {"pause", "[WHY]", 0, 1, ALLOW_JSON, verb_pause, "Forbid deployments", NULL,
         "auto-rollback pause \"schema migration until noon\"\n"},
        {"resume", "", 0, 0, ALLOW_JSON, verb_resume, "Allow deployments again", NULL, "auto-rollback resume\n"},
        {"history", "", 0, 0, ALLOW_JSON | ALLOW_LIMIT, verb_history, "Past runs and deployments", NULL,
         "auto-rollback history --limit 5\n"},
        {"cancel", "[ID]", 0, 1, ALLOW_JSON, verb_cancel, "Cancel the run under way",
         "Before the old version is stopped everything is undone; after that the run is\nfinished. The answer says which.",
         "auto-rollback cancel\n"},
        {"adopt", "", 0, 0, ALLOW_JSON, verb_adopt, "Take in the releases found on this machine", NULL,
         "auto-rollback adopt\n"},
        {"check-config", "", 0, 0, ALLOW_JSON | ALLOW_REFERENCE | NO_CONFIG, verb_check_config,
         "Check the configuration",
         "--reference prints every key with its default and range. With health.url filled\nin, that is itself a configuration.",
         "auto-rollback check-config\nauto-rollback --config ./rollback.yaml check-config\nauto-rollback check-config --reference\n"},
        {"diagram", "", 0, 0, NO_CONFIG, verb_diagram, "Print the phases and steps of a run (Markdown)", NULL,
         "auto-rollback diagram\n"},
        {0},
};

const Verb *verb_find(const char *name) {
        for (const Verb *verb = verbs; verb->name; verb++)
                if (strcmp(verb->name, name) == 0)
                        return verb;
        return NULL;
}

const char *verb_nearest(const char *name) {
        const char *best = NULL;
        for (const Verb *verb = verbs; verb->name; verb++)
                best = nearer_word(name, best, verb->name);
        return best;
}

/* ---- help ---- */

typedef struct OptionHelp {
        unsigned allowed_by; /* 0: everywhere */
        const char *text;
} OptionHelp;

static const OptionHelp option_helps[] = {
        {0, "-c, --config FILE    the configuration (default " CONFIG_PATH_DEFAULT ")"},
        {ALLOW_JSON, "    --json           the answer as JSON"},
        {ALLOW_DRY_RUN, "-n, --dry-run        show the plan, do nothing"},
        {ALLOW_YES, "-y, --yes            don't ask"},
        {ALLOW_YES, "    --no-input       never ask: fail instead"},
        {ALLOW_TO, "    --to VERSION     this release instead of the one that would be chosen"},
        {ALLOW_LIMIT, "    --limit N        at most so many, the newest (default 20)"},
        {ALLOW_REFERENCE, "    --reference      print every key instead"},
        {0, "-h, --help           this help; behind a verb, the verb's"},
        {0, "-V, --version        the program's version"},
};

typedef struct ExitHelp {
        int code;
        const char *text;
} ExitHelp;

static const ExitHelp exit_helps[] = {
        {EXIT_OK, "done; a rollback: succeeded and validated"},
        {EXIT_VALIDATION_FAILED, "rolled back, but it did not help"},
        {EXIT_REFUSED, "refused before anything was touched"},
        {EXIT_PUT_BACK, "failed; the original release serves"},
        {EXIT_HELD, "held: nothing safe left to do, a person is needed"},
        {EXIT_CANCELLED, "cancelled"},
        {EXIT_NOT_VERIFIED, "rolled back, but what should be measured could not be"},
        {EXIT_USAGE_ERROR, "wrong usage"},
        {EXIT_DATA, "an argument isn't valid"},
        {EXIT_NO_INPUT, "there is no such run or file, or nothing to cancel or validate"},
        {EXIT_UNAVAILABLE, "no controller answers"},
        {EXIT_INTERNAL, "an error inside the program"},
        {EXIT_CANT_CREATE, "a file could not be made"},
        {EXIT_IO, "reading or writing failed"},
        {EXIT_TRY_LATER, "another run is under way, or deployments are paused"},
        {EXIT_PERMISSION, "not allowed; the message has the line to type"},
        {EXIT_CONFIG, "the configuration is wrong"},
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
        for (size_t i = 0; i < ARRAY_SIZE(option_helps); i++)
                if (option_helps[i].allowed_by == 0 || option_helps[i].allowed_by & options)
                        fprintf(file, "  %s\n", option_helps[i].text);
}

void verb_print_help(FILE *file, const Verb *verb) {
        bool question = verb->summary[strlen(verb->summary) - 1] == '?';
        fprintf(file, "%s%s\n\nUsage: " PROGRAM " %s%s%s [OPTION]...\n", verb->summary, question ? "" : ".", verb->name,
                verb->arguments[0] ? " " : "", verb->arguments);
        if (verb->more)
                fprintf(file, "\n%s\n", verb->more);
        fprintf(file, "\nExamples:\n");
        print_lines(file, verb->examples);
        print_options(file, verb->options);
}

void verbs_print_help(FILE *file) {
        fprintf(file, "Puts the last good release back when a new one misbehaves, and shows why.\n\nUsage: " PROGRAM
                      " VERB [OPTION]...\n\nVerbs:\n");
        for (const Verb *verb = verbs; verb->name; verb++) {
                char usage[64];
                snprintf(usage, sizeof usage, "%s %s", verb->name, verb->arguments);
                fprintf(file, "  %-18s %s\n", usage, verb->summary);
        }
        print_options(file, ~0U);
        fprintf(file, "\nExamples:\n");
        print_lines(file,
                    "auto-rollback status\nauto-rollback manual \"Performance degradation observed after deployment\"\n"
                    "auto-rollback emergency \"Critical: Total service outage\"\nauto-rollback validate\n");
        fprintf(file, "\nExit codes:\n");
        for (size_t i = 0; i < ARRAY_SIZE(exit_helps); i++)
                fprintf(file, "  %3d  %s\n", exit_helps[i].code, exit_helps[i].text);
        fprintf(file, "\nTimes are UTC. NO_COLOR=1 prints without colours. When no controller answers,\n"
                      "status, plan, validate, history, manual and emergency work without it, as root\n"
                      "or the service's user.\n");
}
