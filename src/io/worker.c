#include "io/worker.h"

#include "base/macros.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICENESS 10
#define GONE_MS 200 /* for a killed child to be gone, in which whoever waits for it finds it */

struct Worker {
        const char *what;
        int64_t budget_us;
        size_t output_max;
        WorkerDone done; /* NULL: told already */
        void *userdata;
        pid_t pid;
        int pidfd, output;
        sd_event_source *exit_source, *deadline;
};

void worker_leave_all_behind(int kept, int parent_pid, const char *name) {
        sigset_t none;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent_pid)
                _exit(1);
        if (kept > 0)
                close_range(0, (unsigned)kept - 1, 0);
        close_range((unsigned)kept + 1, ~0U, 0);
        for (int number = 1; number < NSIG; number++)
                (void)signal(number, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_NAME, name);
}

/* ---- in the parent ---- */

static void release(Worker *worker) {
        sd_event_source_disable_unref(worker->exit_source);
        sd_event_source_disable_unref(worker->deadline);
        if (worker->pidfd >= 0)
                close(worker->pidfd);
        if (worker->output >= 0)
                close(worker->output);
        free(worker);
}

static void tell(Worker *worker, const char *output, size_t size, const Error *error) {
        WorkerDone done = worker->done;
        worker->done = NULL;
        if (done)
                done(worker->userdata, output, size, error);
}

static char *read_output(const Worker *worker, size_t *ret_size, Error *error) {
        struct stat status;
        if (fstat(worker->output, &status) < 0) {
                error_set(error, -errno, "%s: its answer can't be read: %s", worker->what, strerror(errno));
                return NULL;
        }
        size_t size = (size_t)status.st_size;
        char *text = size <= worker->output_max ? malloc(size + 1) : NULL;
        if (!text) {
                error_set(error, size > worker->output_max ? -EMSGSIZE : -ENOMEM,
                          "%s: an answer of %zu bytes is too long", worker->what, size);
                return NULL;
        }
        for (size_t used = 0; used < size;) {
                ssize_t n = pread(worker->output, text + used, size - used, (off_t)used);
                if (n <= 0) {
                        error_set(error, n < 0 ? -errno : -EIO, "%s: its answer can't be read", worker->what);
                        free(text);
                        return NULL;
                }
                used += (size_t)n;
        }
        text[size] = '\0';
        *ret_size = size;
        return text;
}

static int on_exit_event(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        Worker *worker = userdata;
        AUTO_FREE char *output = NULL;
        size_t size = 0;
        Error error = {0};
        siginfo_t info = {0};
        (void)waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED | WNOHANG);
        if (info.si_code != CLD_EXITED)
                error_set(&error, -EIO, "%s: its process was killed by signal %d", worker->what, info.si_status);
        else if (info.si_status != 0)
                error_set(&error, -EIO, "%s: its process ended with status %d", worker->what, info.si_status);
        else
                output = read_output(worker, &size, &error);
        tell(worker, output, size, &error);
        release(worker);
        return 0;
}

/* Killed, it ends as soon as what it hangs on lets go of it; until then it is remembered. */
static int on_deadline(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Worker *worker = userdata;
        Error error = {0};
        kill(worker->pid, SIGKILL);
        error_set(&error, -ETIMEDOUT, "%s took longer than %.1f s", worker->what,
                  (double)worker->budget_us / 1000000.0);
        tell(worker, NULL, 0, &error);
        return 0;
}

static int watch(Worker *worker, sd_event *event) {
        worker->pidfd = pidfd_open(worker->pid, 0);
        int r = worker->pidfd < 0
                        ? -errno
                        : sd_event_add_io(event, &worker->exit_source, worker->pidfd, POLLIN, on_exit_event, worker);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &worker->deadline, CLOCK_BOOTTIME, (uint64_t)worker->budget_us, 0,
                                               on_deadline, worker);
        return r;
}

int worker_begin(sd_event *event, const char *what, WorkerJob job, void *argument, size_t output_max, int64_t budget_us,
                 WorkerDone done, void *userdata, Worker **ret_worker, Error *error) {
        pid_t parent = getpid();
        Worker *worker = calloc(1, sizeof *worker);
        if (!worker)
                return error_set(error, -ENOMEM, "%s: out of memory", what);
        *worker = (Worker){.what = what,
                           .budget_us = budget_us,
                           .output_max = output_max,
                           .done = done,
                           .userdata = userdata,
                           .pidfd = -1};
        worker->output = memfd_create("worker", MFD_CLOEXEC);
        worker->pid = worker->output < 0 ? -1 : fork();
        if (worker->pid == 0) {
                worker_leave_all_behind(worker->output, parent, "rollback-worker");
                (void)setpriority(PRIO_PROCESS, 0, NICENESS);
                _exit(job(argument, worker->output) & 0x7f);
        }
        int r = worker->pid < 0 ? -errno : watch(worker, event);
        if (r < 0) {
                worker_cancel(worker);
                return error_set(error, r, "%s: no process can be made for it: %s", what, strerror(-r));
        }
        *ret_worker = worker;
        return 0;
}

Worker *worker_cancel(Worker *worker) {
        if (!worker)
                return NULL;
        if (worker->pid > 0) {
                struct pollfd gone = {.fd = worker->pidfd, .events = POLLIN};
                kill(worker->pid, SIGKILL);
                (void)poll(&gone, 1, GONE_MS);
                (void)waitpid(worker->pid, NULL, WNOHANG);
        }
        release(worker);
        return NULL;
}
