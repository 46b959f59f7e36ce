/* The supervisor's `command` and the placeholders in it. */
#pragma once

#include "adapters/adapter.h"

/* Refuses an empty command and placeholders nobody knows. */
int supervisor_command_check(const char *const *template, Error *error);

/* The argument vector for `unit`; free it with supervisor_command_free(). */
int supervisor_command_expand(const char *const *template, const DriverContext *context, const char *version,
                              const char *unit, char ***ret_argv, Error *error);
char **supervisor_command_free(char **argv);
