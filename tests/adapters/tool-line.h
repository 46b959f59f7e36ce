/* What the tools that put a driver before real parts have in common: settings from the command line, then a command a line on stdin
 * and a line of JSON on stdout for each answer. */
#pragma once

#include "base/settings-build.h"
#include "io/op.h"

#include <jansson.h>

/* KEY=VALUE; a list: KEY=a,b; a map's entry: KEY.NAME=TEXT. Takes `argument` apart. */
int tool_set(Settings *settings, const SettingSpec *specs, char *argument, Error *error);

/* Runs the loop, and `act` for each line (without its end, at most 64 KiB), until stdin ends. */
int tool_serve(sd_event *event, void (*act)(const char *line));

/* Prints it as one line, and gives it up. */
void tool_tell(json_t *answer);

/* Answers; the caller's. */
json_t *tool_open(void);
json_t *tool_refused(const Error *error);
json_t *tool_result(const OpResult *result); /* status, error, detail */
