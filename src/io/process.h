/* Child processes on the event loop: hooks that do one thing and end, and services that outlive us. Who a pid is, is
 * base/process.h's matter.
 *
 * Every child gets: stdin from /dev/null, no descriptor of ours beyond its output, all signals unblocked and at their
 * defaults, our environment without what systemd meant for us alone (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*).
 *
 * A hook (the default) is the leader of its own process group, which is killed as a whole, and dies with us: after a crash the
 * journal's intent is probed and repeated, and a forgotten hook of the last life must not undo that behind our back. (The
 * kernel's parent-death signal reaches the hook itself, not what it has started in turn.)
 * A service is the leader of its own session and does not notice when we die. */
#pragma once

#include "base/error.h"
#include "io/op.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define PROCESS_OUTPUT_MAX 4096 /* the newest bytes of the captured output that are kept */

typedef struct Process Process;

typedef struct ProcessSpec {
        const char *const *argv; /* NULL-terminated; argv[0] a path, or a name looked up in PATH */
        const char *const *env;  /* NULL-terminated "NAME=value", added to our environment; may be NULL */
        bool only_env;           /* nothing of our environment, `env` alone */
        const char *directory;   /* NULL: ours */
        int output_fd; /* stdout and stderr; -1: captured, see process_output(). Remains the caller's. 0 is not allowed */
        int input_fd; /* stdin; 0: /dev/null. Remains the caller's, as the next */
        int data_fd;  /* stdout alone; 0: as output_fd says */
        bool service;
        bool held; /* nothing is run until process_release(): so that the pid can be made durable before. If we die first, so does the child */
} ProcessSpec;

typedef struct ProcessExit {
        bool known; /* false: somebody else has reaped it (SIGCHLD ignored) */
        int code;   /* exit status, 127: could not be run (the output says why); -1: killed by `signal` */
        int signal; /* 0 when it exited */
} ProcessExit;

/* Comes once, from the loop, when the child itself has ended; it is reaped by then. `process` may be freed in it. */
typedef void (*ProcessExited)(void *userdata, Process *process, const ProcessExit *exit);

int process_start(sd_event *event, const ProcessSpec *spec, ProcessExited exited, void *userdata, Process **ret_process,
                  Error *error);
int process_release(Process *process, Error *error); /* of a held one */

pid_t process_pid(const Process *process);
bool process_ended(const Process *process);
/* To its whole group. One that has ended is left alone: 0. */
int process_kill(Process *process, int signal);
/* The newest captured output, NUL-terminated. Never NULL. */
const char *process_output(const Process *process);

/* Gives up the handle; no callback any more. A hook that still runs is killed with its group, a service runs on. Either is
 * reaped from the loop when it ends, so that no zombie stays. NULL allowed; returns NULL. */
Process *process_free(Process *process);

/* "exited with status 3", "was killed by SIGKILL (Killed)". Returns `buffer`. */
char *process_exit_format(const ProcessExit *exit, char *buffer, size_t size);

/* Runs a hook to its end. OP_DONE iff it exits with 0: OpResult.detail is the last line of its output that isn't blank.
 * OP_FAILED names command, status and that line. It gets SIGTERM a little before the budget ends (a tenth of it, at most
 * 500 ms) and SIGKILL at the end, so that when OP_TIMED_OUT is told nothing of it acts any more; then the status doesn't count. */
int process_run(sd_event *event, const char *const *argv, const char *const *env, int64_t budget_us,
                OpCallback callback, void *userdata, Op **ret_op, Error *error);
