/* A job in a process of its own: for what may block or takes long, and what is bounded by nothing but a budget. One fork without exec:
 * the job sees our memory as it was at that moment and leaves nothing behind in it; what it has to say it writes. It has none
 * of our descriptors (a lock must not outlive us in it), a lower priority, and dies with us. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Worker Worker;

/* In the other process: no log, no event loop, no journal. What is written to `output` is the answer; the return value, 0 to 100,
 * its exit status. */
typedef int (*WorkerJob)(void *argument, int output);

/* Comes once, from the loop; the worker is gone after it. `error` code 0: it ended with status 0, and `output` (NUL-terminated, not
 * counted in `size`) is whole. */
typedef void (*WorkerDone)(void *userdata, const char *output, size_t size, const Error *error);

/* `what`: static text for messages, "comparing two releases". An answer longer than `output_max` is an error. */
int worker_begin(sd_event *event, const char *what, WorkerJob job, void *argument, size_t output_max, int64_t budget_us,
                 WorkerDone done, void *userdata, Worker **ret_worker, Error *error);

/* Killed; no callback any more. NULL allowed; returns NULL. */
Worker *worker_cancel(Worker *worker);

/* In a child of fork(): gives up every descriptor but `kept` and what we do with signals; dies with its parent. */
void worker_leave_all_behind(int kept, int parent_pid, const char *name);
