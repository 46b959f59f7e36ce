/* One invocation: what was typed, and how the verbs reach the controller, or do without it. */
#pragma once

#include "cli/client.h"
#include "cli/terminal.h"
#include "daemon/config.h"

#define PROGRAM "auto-rollback" /* where a line to type is shown; who we are is in verbs.h, Program */

#define SETS_MAX 32 /* more than there are rules to be set */

typedef struct Options {
        const char *config_path;
        bool config_given; /* on the command line */
        bool json, dry_run, yes, no_input, reference, act, allow_row_loss, help;
        bool all, markdown;
        const char *to;           /* NULL: not given */
        const char *from;         /* the same */
        const char *csv, *labels; /* of a backtest; NULL: not given */
        bool prometheus;
        unsigned set_count;
        const char *sets[SETS_MAX];
        const char *limit;    /* as typed; NULL: not given */
        const char *interval; /* the same */
} Options;

typedef struct Verb Verb;

typedef struct Command {
        const Verb *verb;
        Options options;
        Config *config;     /* NULL: it could not be read; only a running controller can help then */
        Error config_error; /* why */
        Client client;
        Terminal out, err;
        int argc; /* what was typed behind the verb */
        char **argv;
} Command;

/* One question to the controller. Without one the same is done in-process, if there is a way (daemon/breakglass.h). */
typedef struct Question {
        const char *path;
        const char *query;       /* "?limit=5" or "" */
        const json_t *body;      /* NULL: GET */
        const char *breakglass;  /* the operation's name there; NULL: only a controller can do it */
        const json_t *arguments; /* for it */
} Question;

/* 0 with a new reference, or an exit code: what went wrong was said already. `ret_alone` (may be NULL): it was done without a
 * controller, and for "rollback" the run has ended. */
int command_ask(Command *command, const Question *question, json_t **ret_answer, bool *ret_alone);

/* The same in silence, for what is merely good to know besides: false when there is no answer. */
bool command_peek(Command *command, const Question *question, json_t **ret_answer);

/* Says why not, on stderr (as JSON on stdout with --json); returns its exit code. */
int command_refused(const Command *command, Problem *problem);
/* "auto-rollback: ..." on stderr; returns `exit_code`. */
int command_error(const Command *command, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Follows a run that the controller has begun to its end and its validation, and says how it ended. Returns the exit code. */
int command_watch(Command *command, json_t *run);
/* The same for one that has ended already, without a controller. */
int command_ended(Command *command, const json_t *run);
