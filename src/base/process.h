/* Who a pid is. A pid alone means nothing after its process died; pid and start time together never lie. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Start time of the process in clock ticks since boot (/proc/PID/stat, field 22). -ESRCH: there is none. */
int process_start_ticks(pid_t pid, uint64_t *ret_ticks);

/* The process `pid` that was started at `ticks` still lives; a zombie does not. */
bool process_alive(pid_t pid, uint64_t ticks);
