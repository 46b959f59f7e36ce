/* What a program needs before its own code runs: read from its first bytes, never by running it. */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>

typedef enum ProgramKind {
        PROGRAM_OTHER,   /* neither of the two: data, or for another kind of machine's loader */
        PROGRAM_SCRIPT,  /* #!: `interpreter` reads it */
        PROGRAM_STATIC,  /* ELF that needs no loader */
        PROGRAM_DYNAMIC, /* ELF: `interpreter` is its loader */
} ProgramKind;

typedef struct ProgramNeeds {
        ProgramKind kind;
        char interpreter[PATH_MAX]; /* "": none */
        char argument[256];         /* of a script's interpreter: "python3" behind /usr/bin/env */
        bool audited;               /* it names a module that its loader would run (DT_AUDIT, DT_DEPAUDIT) */
} ProgramNeeds;

/* -EBADMSG: it is cut off or contradicts itself. */
int program_needs(const char *path, ProgramNeeds *ret_needs, Error *error);
