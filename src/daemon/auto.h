/* The controller: `auto-rollback auto`, what novacron-auto-rollback.service starts. */
#pragma once

#include "daemon/config.h"

/* Runs until it is told to stop (SIGTERM, SIGINT). `config` is borrowed; `config_path` is read again at SIGHUP, and the old
 * configuration is kept when the new one is bad. Returns the process's exit code. */
int auto_main(const Config *config, const char *config_path);
