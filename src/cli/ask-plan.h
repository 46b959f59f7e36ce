/* A plan, with what the database says of the target. */
#pragma once

#include "cli/command.h"

/* As command_ask(); while the controller is still asking the database, asks again, for a few seconds at most. */
int ask_plan(Command *command, const Question *question, json_t **ret_plan);
