#include "daemon/hung-holder.h"

#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#define HUNG_AFTER_US (5 * USEC_PER_SEC) /* beyond the step's budget: then the run's holder is hung */
#define HOLDER_POLL_US (100 * USEC_PER_MSEC)

/* How long the step that the holder is at may take. */
static int64_t step_budget(const Controller *controller) {
        Error error = {0};
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        int64_t longest = 0;
        if (!run || !controller->journal || journal_open_run(controller->journal, run, &error) != 1)
                return 10 * USEC_PER_SEC; /* nothing is under way: it holds the lock without using it */
        for (unsigned i = 0; i < run->plan.count; i++)
                if (run->plan.steps[i].id == run->cursor)
                        longest = run->plan.steps[i].budget_us;
        return longest;
}

/* Its pid may have been given to another process meanwhile: the start time is compared after the pidfd pins the process. */
static int kill_holder(const LockHolder *holder, Error *error) {
        AUTO_CLOSE int fd = pidfd_open(holder->pid, 0);
        if (fd < 0 && errno == ESRCH)
                return 0;
        if (fd < 0)
                return error_set(error, -errno, "cannot get hold of process %d: %s", (int)holder->pid, strerror(errno));
        if (!process_alive(holder->pid, holder->start_ticks))
                return 0;
        if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
                return error_set(error, -errno,
                                 "process %d holds the run lock and makes no progress, but can't be killed: %s",
                                 (int)holder->pid, strerror(errno));
        struct pollfd ended = {.fd = fd, .events = POLLIN};
        if (poll(&ended, 1, 5000) <= 0)
                return error_set(error, -ETIMEDOUT, "process %d was killed but does not end (stuck in the kernel?)",
                                 (int)holder->pid);
        return 0;
}

static void say_waiting(Controller *controller, const Error *busy) {
        char message[ERROR_MESSAGE_MAX + 64];
        snprintf(message, sizeof message, "waiting for it to end, or to be found hung: %s", error_text(busy));
        controller_tell(controller, "alert", json_pack("{s:s, s:o}", "source", "lock", "message", wire_text(message)));
}

int hung_holder_wait(Controller *controller, int64_t *waiting_since, const LockHolder *holder, Error *error) {
        int64_t now = clock_mono_us(), allowed = step_budget(controller) + HUNG_AFTER_US;
        if (*waiting_since == 0) {
                *waiting_since = now;
                say_waiting(controller, error);
        }
        int64_t got_on = holder->progress_mono > *waiting_since ? holder->progress_mono : *waiting_since;
        if (!holder->known && now - got_on > allowed)
                return error_set(
                        error, -EBUSY,
                        "the run lock is held by a process that can't be told from here, which makes no progress: find it with 'fuser -v %s/run.lock', end it, and type the same line again",
                        controller->config->state);
        if (!holder->known || now - holder->progress_mono < allowed) {
                usleep((useconds_t)HOLDER_POLL_US); /* no event tells when another process's lock is freed */
                return 0;
        }
        log_alert(
                "process %d holds the run lock since it got to '%s' and makes no progress: it is killed, its run is taken over",
                (int)holder->pid, holder->progress);
        return kill_holder(holder, error);
}
