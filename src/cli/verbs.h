/* A program's verbs: one table, from which the command line is checked and the help is printed. */
#pragma once

#include "cli/command.h"

typedef enum VerbOption {
        ALLOW_JSON = 1 << 0,
        ALLOW_DRY_RUN = 1 << 1,
        ALLOW_YES = 1 << 2,
        ALLOW_TO = 1 << 3,
        ALLOW_LIMIT = 1 << 4,
        ALLOW_REFERENCE = 1 << 5,
        ALLOW_ACT = 1 << 6,
        NEEDS_CONFIG = 1 << 7, /* can't do anything without a configuration, not even ask a controller */
        NO_CONFIG = 1 << 8,    /* doesn't read it */
        ALLOW_INTERVAL = 1 << 9,
        ALLOW_ROW_LOSS = 1 << 10,
        ALLOW_PERIOD = 1 << 11, /* --from and --to are moments */
        ALLOW_ALL = 1 << 12,
        ALLOW_MARKDOWN = 1 << 14,
        ALLOW_BACKTEST = 1 << 13, /* --csv, --prometheus, --set, --labels */
} VerbOption;

struct Verb {
        const char *name;
        const char *arguments; /* "REASON" */
        int min_arguments, max_arguments;
        unsigned options; /* set of VerbOption */
        int (*run)(Command *command);
        const char *summary;
        const char *more;     /* for its own --help; NULL: nothing */
        const char *examples; /* lines */
};

typedef struct OptionHelp {
        unsigned allowed_by; /* 0: everywhere */
        char letter;         /* 0: none */
        const char *name;
        const char *argument; /* NULL: none */
        const char *help;
} OptionHelp;

extern const OptionHelp option_helps[]; /* ends with a row whose name is NULL */

typedef struct ExitHelp {
        int code;
        const char *text;
} ExitHelp;

/* One of our programs; each defines `program`. */
typedef struct Program {
        const char *name;
        const char *summary;   /* one line */
        const Verb *verbs;     /* end with a row whose name is NULL */
        const ExitHelp *exits; /* end with a row whose text is NULL */
        const char *examples;  /* lines */
        const char *notes;     /* the help's last paragraph */
} Program;

extern const Program program;

const Verb *verb_find(const char *name);
const char *verb_nearest(const char *name); /* NULL: nothing is near */

void verbs_print_help(FILE *file);
void verb_print_help(FILE *file, const Verb *verb);

int verb_auto(Command *command);
int verb_status(Command *command);
int verb_manual(Command *command);
int verb_emergency(Command *command);
int verb_validate(Command *command);
int verb_plan(Command *command);
int verb_deploy(Command *command);
int verb_ready(Command *command);
int verb_runbook(Command *command);
int verb_pause(Command *command);
int verb_resume(Command *command);
int verb_drain(Command *command);
int verb_restore(Command *command);
int verb_history(Command *command);
int verb_cancel(Command *command);
int verb_audit(Command *command);
int verb_incidents(Command *command);
int verb_explain(Command *command);
int verb_replay(Command *command);
int verb_verify(Command *command);
int verb_shadow_report(Command *command);
int verb_receivers(Command *command);
int verb_token(Command *command);
int verb_adopt(Command *command);
int verb_backtest(Command *command);
int verb_check_config(Command *command);
int verb_consistency_check(Command *command);
int verb_diagram(Command *command);
