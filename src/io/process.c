#include "io/process.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct Process {
        pid_t pid;
        sd_event_source *exit_source; /* on the pidfd, which it owns */
        int pidfd;
        int gate; /* write end of the pipe a held child waits at; -1: released */
        bool service, ended;
        ProcessExited exited; /* NULL: nobody cares any more, only to be reaped */
        void *userdata;
        sd_event_source *output_source; /* on the read end of the output pipe, which it owns */
        int output_fd;
        size_t output_size;
        char output[PROCESS_OUTPUT_MAX + 1];
};

/* ---- what the child is given ---- */

static bool is_ours_alone(const char *variable) {
        static const char *const names[] = {
                "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES="};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strncmp(variable, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

static bool is_replaced(const char *variable, const char *const *env) {
        size_t name = strcspn(variable, "=") + 1;
        for (; env && *env; env++)
                if (strncmp(variable, *env, name) == 0)
                        return true;
        return false;
}

/* The strings stay whose they are; only the array is new. */
static const char **environment_build(const char *const *env, bool only) {
        char **ours = only ? NULL : environ;
        size_t count = 0;
        for (char **variable = ours; variable && *variable; variable++)
                count++;
        for (const char *const *variable = env; variable && *variable; variable++)
                count++;
        const char **list = calloc(count + 1, sizeof *list);
        if (!list)
                return NULL;
        size_t used = 0;
        for (char **variable = ours; variable && *variable; variable++)
                if (!is_ours_alone(*variable) && !is_replaced(*variable, env))
                        list[used++] = *variable;
        for (; env && *env; env++)
                list[used++] = *env;
        return list;
}

/* ---- in the child: only what is safe between fork and exec of a program that may have threads ---- */

_Noreturn static void child_die(const char *what, const char *name) {
        const char *const parts[] = {"cannot ", what, " ", name, ": ", strerrordesc_np(errno), "\n"};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                if (parts[i] && write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
                        break;
        _exit(127);
}

static void child_reset_signals(void) {
        for (int signal_number = 1; signal_number < NSIG; signal_number++)
                signal(signal_number, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_leave_our_group(const ProcessSpec *spec, pid_t parent) {
        if (spec->service) {
                setsid();
                return;
        }
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before prctl */
                _exit(127);
}

_Noreturn static void child_run(const ProcessSpec *spec, const char **environment, int output, const int gate[2],
                                pid_t parent) {
        child_leave_our_group(spec, parent);
        child_reset_signals();
        int input = spec->input_fd > 0 ? spec->input_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (input < 0 || dup2(input, STDIN_FILENO) < 0 ||
            dup2(spec->data_fd > 0 ? spec->data_fd : output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
                _exit(127);
        if (spec->held) {
                char go;
                close(gate[1]); /* else our own copy would keep the end of the pipe from ever coming */
                if (read(gate[0], &go, 1) != 1)
                        _exit(127);
        }
        if (spec->directory && chdir(spec->directory) < 0)
                child_die("change to directory", spec->directory);
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* what a library forgot to mark */
        execvpe(spec->argv[0], (char *const *)spec->argv, (char *const *)environment);
        child_die("run", spec->argv[0]);
}

/* ---- in the parent ---- */

static void output_append(Process *process, const char *data, size_t size) {
        if (process->output_size + size > PROCESS_OUTPUT_MAX) {
                size_t drop = process->output_size + size - PROCESS_OUTPUT_MAX;
                memmove(process->output, process->output + drop, process->output_size - drop);
                process->output_size -= drop;
        }
        memcpy(process->output + process->output_size, data, size);
        process->output_size += size;
        process->output[process->output_size] = '\0';
}

/* At most `rounds` reads, so that a child that never stops talking can't hold the loop. */
static void output_read(Process *process, unsigned rounds) {
        char data[1024];
        while (process->output_source && rounds-- > 0) {
                ssize_t n = read(process->output_fd, data, sizeof data);
                if (n > 0) {
                        output_append(process, data, (size_t)n);
                        continue;
                }
                if (n == 0 || (errno != EAGAIN && errno != EINTR))
                        process->output_source = sd_event_source_disable_unref(process->output_source);
                return;
        }
}

static int on_output(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        output_read(userdata, 16);
        return 0;
}

static void reap(Process *process, ProcessExit *ret_exit) {
        siginfo_t info = {0};
        *ret_exit = (ProcessExit){.code = -1};
        if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) < 0)
                return;
        ret_exit->known = true;
        if (info.si_code == CLD_EXITED)
                ret_exit->code = info.si_status;
        else
                ret_exit->signal = info.si_status;
}

static int on_exit_event(sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        Process *process = userdata;
        ProcessExit exit;
        /* The pipe holds 64 KiB at most; what a grandchild goes on writing is not waited for. */
        output_read(process, 64);
        reap(process, &exit);
        process->ended = true;
        if (!process->exited) {
                sd_event_source_set_floating(source,
                                             false); /* the last reference: frees the process behind this dispatch */
                return 0;
        }
        sd_event_source_set_enabled(process->exit_source, SD_EVENT_OFF);
        process->exited(process->userdata, process, &exit);
        return 0;
}

static int watch_exit(sd_event *event, Process *process) {
        process->pidfd = pidfd_open(process->pid, 0);
        if (process->pidfd < 0)
                return -errno;
        int r = sd_event_add_io(event, &process->exit_source, process->pidfd, EPOLLIN, on_exit_event, process);
        if (r < 0) {
                close(process->pidfd);
                return r;
        }
        sd_event_source_set_io_fd_own(process->exit_source, true);
        return 0;
}

/* Makes the pipe the child writes to; *ret_child_end is its end. */
static int capture_output(sd_event *event, Process *process, int *ret_child_end) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        int r = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0
                        ? -errno
                        : sd_event_add_io(event, &process->output_source, ends[0], EPOLLIN, on_output, process);
        if (r < 0) {
                close(ends[0]);
                close(ends[1]);
                return r;
        }
        sd_event_source_set_io_fd_own(process->output_source, true);
        process->output_fd = ends[0];
        *ret_child_end = ends[1];
        return 0;
}

static int start_child(sd_event *event, const ProcessSpec *spec, const char **environment, int output,
                       Process *process) {
        AUTO_CLOSE int gate_child = -1;
        int gate[2] = {-1, -1};
        if (spec->held) {
                if (pipe2(gate, O_CLOEXEC) < 0)
                        return -errno;
                gate_child = gate[0]; /* NOLINT(clang-analyzer-deadcode.DeadStores): read by its cleanup */
                process->gate = gate[1];
        }
        pid_t parent = getpid();
        process->pid = fork();
        if (process->pid < 0)
                return -errno;
        if (process->pid == 0)
                child_run(spec, environment, output, gate, parent);
        if (!spec->service)
                setpgid(process->pid, process->pid); /* here too, so that the group exists before anybody signals it */
        int r = watch_exit(event, process);
        if (r < 0) { /* out of descriptors: a child nobody watches must not run */
                kill(process->pid, SIGKILL);
                waitpid(process->pid, NULL, 0);
                process->ended = true;
        }
        return r;
}

int process_start(sd_event *event, const ProcessSpec *spec, ProcessExited exited, void *userdata, Process **ret_process,
                  Error *error) {
        const char *name = spec->argv && spec->argv[0] ? spec->argv[0] : "";
        if (!*name)
                return error_set(error, -EINVAL, "cannot start a child process: the command is empty");
        AUTO_FREE const char **environment = environment_build(spec->env, spec->only_env);
        Process *process = calloc(1, sizeof *process);
        if (!environment || !process) {
                free(process);
                return error_set(error, -ENOMEM, "cannot start %s: out of memory", name);
        }
        process->pidfd = process->output_fd = process->gate = -1;
        process->service = spec->service;

        AUTO_CLOSE int child_end = -1;
        int r = spec->output_fd < 0 ? capture_output(event, process, &child_end) : 0;
        if (r == 0)
                r = start_child(event, spec, environment, spec->output_fd < 0 ? child_end : spec->output_fd, process);
        if (r < 0) {
                process->ended = true;
                process_free(process);
                return error_set(error, r, "cannot start %s: %s", name, strerror(-r));
        }
        process->exited = exited;
        process->userdata = userdata;
        *ret_process = process;
        return 0;
}

int process_release(Process *process, Error *error) {
        ssize_t n = write(process->gate, "", 1);
        int r = n == 1 ? 0 : -errno;
        close(process->gate);
        process->gate = -1;
        return r < 0 ? error_set(error, r, "process %d ended before it could be let go: %s", process->pid, strerror(-r))
                     : 0;
}

pid_t process_pid(const Process *process) {
        return process->pid;
}

bool process_ended(const Process *process) {
        return process->ended;
}

const char *process_output(const Process *process) {
        return process->output;
}

int process_kill(Process *process, int signal) {
        if (process->ended) /* reaped: the number may be somebody else's by now */
                return 0;
        if (kill(-process->pid, signal) == 0)
                return 0;
        /* not the leader of a group yet: it was forked a moment ago */
        return errno == ESRCH && kill(process->pid, signal) == 0 ? 0 : -errno;
}

static void process_destroy(void *userdata) {
        free(userdata);
}

/* The loop alone keeps the source, and the source the struct: both go when the child has ended, or with the loop. */
static void leave_to_reaper(Process *process) {
        process->exited = NULL;
        sd_event_source_set_destroy_callback(process->exit_source, process_destroy);
        sd_event_source_set_floating(process->exit_source, true);
        process->exit_source = sd_event_source_unref(process->exit_source);
}

Process *process_free(Process *process) {
        if (!process)
                return NULL;
        process->output_source = sd_event_source_disable_unref(process->output_source);
        if (process->gate >= 0)
                close(TAKE_FD(process->gate));
        if (process->ended) {
                process->exit_source = sd_event_source_disable_unref(process->exit_source);
                free(process);
                return NULL;
        }
        if (!process->service)
                process_kill(process, SIGKILL);
        leave_to_reaper(process);
        return NULL;
}

char *process_exit_format(const ProcessExit *exit, char *buffer, size_t size) {
        if (!exit->known)
                snprintf(buffer, size, "ended, nobody knows how (SIGCHLD is ignored)");
        else if (exit->signal)
                snprintf(buffer, size, "was killed by SIG%s (%s)",
                         sigabbrev_np(exit->signal) ? sigabbrev_np(exit->signal) : "?",
                         sigdescr_np(exit->signal) ? sigdescr_np(exit->signal) : "unknown signal");
        else
                snprintf(buffer, size, "exited with status %d", exit->code);
        return buffer;
}
