/* What goes with a program, made from its tables: the manual page and the shells' completions. */
#pragma once

#include "cli/verbs.h"

/* `kind` is "man", "man5" (the configuration's), "bash", "zsh" or "fish". Returns an exit code. */
int generate(const char *kind, FILE *file);
