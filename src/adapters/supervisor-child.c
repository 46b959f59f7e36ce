#include "adapters/supervisor-child.h"

#include "adapters/supervisor-notify.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/random.h>

struct Child {
        sd_event *event;
        char unit[UNIT_NAME_MAX];
        char path[4096]; /* of the record */
        ChildRecord record;
        ChildChanged changed;
        void *userdata;

        /* alive: one of the two */
        Process *process;       /* ours */
        sd_event_source *found; /* on the pidfd of one that an earlier controller started; owns it */
        int found_fd;
        bool ready;
        NotifySocket *notify;
};

/* ---- finding ---- */

static int on_found_ended(sd_event_source *source, int fd, uint32_t events, void *userdata);

static int find_again(Child *child, Error *error) {
        AUTO_CLOSE int fd = child_record_find(&child->record);
        if (fd < 0)
                return 0;
        int r = sd_event_add_io(child->event, &child->found, fd, EPOLLIN, on_found_ended, child);
        if (r < 0)
                return error_set(error, r, "cannot watch pid %d of %s: %s", child->record.pid, child->unit,
                                 strerror(-r));
        sd_event_source_set_io_fd_own(child->found, true);
        child->found_fd = TAKE_FD(fd);
        /* A READY=1 sent while no controller listened is lost. It lived long enough to be found: that counts as ready here, and
         * the health verification has the last word. */
        child->ready = true;
        return 0;
}

/* A record without a start in it is nobody's: it was removed, and what we watch is still ours. */
static bool others_acted(const ChildRecord *found, const ChildRecord *known) {
        if (found->invocation[0] == '\0')
                return false;
        return strcmp(found->invocation, known->invocation) != 0 || (found->stopping && !known->stopping);
}

bool child_look_again(Child *child) {
        ChildRecord record;
        /* One that can't be read says nothing about what we know. */
        if (child_record_read(child->path, &record, NULL) < 0 || !others_acted(&record, &child->record))
                return false;
        child->record = record;
        child->process = process_free(child->process);
        child->found = sd_event_source_disable_unref(child->found);
        child->notify = notify_socket_free(child->notify);
        child->ready = false;
        (void)find_again(child, NULL); /* without a watch it is taken for dead, which the next look tells */
        return true;
}

/* ---- its end ---- */

/* What the main process has left behind in its session goes too, as under systemd. When nobody has the leader's pid any more, a
 * group of that number can only be what is left of ours. */
static void sweep_session(pid_t pid) {
        if (kill(pid, 0) < 0 && errno == ESRCH)
                kill(-pid, SIGKILL);
}

static void note_end(Child *child, const char *how) {
        sweep_session(child->record.pid);
        if (child_look_again(child)) { /* somebody else ended it, and may have started another: theirs is the record */
                child->changed(child->userdata, child);
                return;
        }
        child->ready = false;
        child->notify = notify_socket_free(child->notify);
        if (child->record.stopping)
                child->record.pid = 0;
        else
                snprintf(child->record.how, sizeof child->record.how, "%s", how);
        /* If it can't be written: the pid is dead, which says as much; only the words are lost. */
        (void)child_record_write(child->path, &child->record, NULL);
        child->changed(child->userdata, child);
}

static void on_exited(void *userdata, Process *process, const ProcessExit *exit) {
        Child *child = userdata;
        char how[96];
        process_exit_format(exit, how, sizeof how);
        child->process = process_free(process);
        note_end(child, how);
}

static int on_found_ended(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        Child *child = userdata;
        child->found = sd_event_source_disable_unref(child->found);
        note_end(child, "ended; its status is not known, an earlier controller had started it");
        return 0;
}

int child_new(sd_event *event, const char *directory, const char *unit, ChildChanged changed, void *userdata,
              Child **ret_child, Error *error) {
        if (unit[0] == '.' || strchr(unit, '/') || strlen(unit) >= UNIT_NAME_MAX)
                return error_set(error, -EINVAL, "'%s' can't be the name of a unit", unit);
        Child *child = calloc(1, sizeof *child);
        if (!child)
                return error_set(error, -ENOMEM, "cannot look after %s: out of memory", unit);
        child->event = sd_event_ref(event);
        child->changed = changed;
        child->userdata = userdata;
        snprintf(child->unit, sizeof child->unit, "%s", unit);
        int n = snprintf(child->path, sizeof child->path, "%s/%s", directory, unit);
        int r = n < 0 || (size_t)n >= sizeof child->path
                        ? error_set(error, -ENAMETOOLONG, "the path of the record of %s is too long", unit)
                        : 0;
        if (r == 0)
                r = child_record_read(child->path, &child->record, error);
        if (r == 0)
                r = find_again(child, error);
        if (r < 0) {
                child_free(child);
                return r;
        }
        (void)child_record_reserve(child->path, NULL); /* on a full disk: the write that needs it tells */
        *ret_child = child;
        return 0;
}

Child *child_free(Child *child) {
        if (!child)
                return NULL;
        process_free(child->process);
        sd_event_source_disable_unref(child->found);
        notify_socket_free(child->notify);
        sd_event_unref(child->event);
        free(child);
        return NULL;
}

/* ---- acting ---- */

static void on_notified(void *userdata) {
        Child *child = userdata;
        if (child->ready)
                return;
        child->ready = true;
        child->changed(child->userdata, child);
}

static int new_invocation(char buffer[40]) {
        uint8_t bytes[16];
        if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
                return -errno;
        for (size_t i = 0; i < sizeof bytes; i++)
                snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

/* Intent before act: the process waits, without having run anything of the service, until its pid is durable. If we die before
 * that it ends by itself; afterwards the next controller finds it. */
static int record_and_release(Child *child, const char *version, Error *error) {
        ChildRecord record = {.pid = process_pid(child->process), .start_wall = clock_wall_us()};
        snprintf(record.version, sizeof record.version, "%s", version);
        memcpy(record.invocation, child->record.invocation, sizeof record.invocation);
        child_record_boot(record.boot);
        int r = process_start_ticks(record.pid, &record.ticks);
        if (r < 0)
                return error_set(error, r, "%s ended at once", child->unit);
        r = child_record_write(child->path, &record, error);
        if (r < 0)
                return r;
        child->record = record;
        return process_release(child->process, error);
}

static int spawn(Child *child, const ChildStart *start, Error *error) {
        char notify[160], invocation[64];
        const char *env[3] = {invocation, notify, NULL};
        int r = new_invocation(child->record.invocation);
        if (r < 0)
                return error_set(error, r, "cannot make an id for the start of %s: %s", child->unit, strerror(-r));
        snprintf(invocation, sizeof invocation, "INVOCATION_ID=%s", child->record.invocation);
        env[1] = NULL;
        if (start->notifies) {
                r = notify_socket_new(child->event, child->record.invocation, on_notified, child, &child->notify,
                                      error);
                if (r < 0)
                        return r;
                snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", notify_socket_address(child->notify));
                env[1] = notify;
        }
        const ProcessSpec spec = {.argv = start->argv,
                                  .env = env,
                                  .directory = start->directory,
                                  .output_fd = start->log_fd,
                                  .service = true,
                                  .held = true};
        r = process_start(child->event, &spec, on_exited, child, &child->process, error);
        if (r < 0)
                return r;
        if (child->notify)
                notify_socket_expect(child->notify, process_pid(child->process));
        return record_and_release(child, start->version, error);
}

int child_start(Child *child, const ChildStart *start, Error *error) {
        child->notify = notify_socket_free(child->notify);
        int r = spawn(child, start, error);
        if (r < 0) { /* not let go yet: it ends by itself when its gate closes */
                child->process = process_free(child->process);
                child->notify = notify_socket_free(child->notify);
                return r;
        }
        child->ready = !start->notifies;
        return 0;
}

static int signal_session(Child *child, int signal) {
        if (child->process)
                return process_kill(child->process, signal);
        /* As long as the leader lives its number can't mean another session. */
        if (pidfd_send_signal(child->found_fd, 0, NULL, 0) < 0 || kill(-child->record.pid, signal) < 0)
                return errno == ESRCH ? 0 : -errno;
        return 0;
}

int child_stop(Child *child, int signal, Error *error) {
        if (!child_is_alive(child))
                return 0;
        if (!child->record.stopping) {
                child->record.stopping = true;
                /* Not written only on a broken disk; then a controller that dies right now takes this end for a failure. */
                (void)child_record_write(child->path, &child->record, NULL);
        }
        int r = signal_session(child, signal);
        return r < 0 ? error_set(error, r, "cannot send %s to %s (pid %d): %s",
                                 signal == SIGKILL ? "SIGKILL" : "SIGTERM", child->unit, child->record.pid,
                                 strerror(-r))
                     : 0;
}

/* ---- telling ---- */

const char *child_unit(const Child *child) {
        return child->unit;
}

const ChildRecord *child_record(const Child *child) {
        return &child->record;
}

bool child_is_alive(const Child *child) {
        return child->process || child->found;
}

bool child_is_ready(const Child *child) {
        return child_is_alive(child) && child->ready;
}

bool child_has_failed(const Child *child) {
        char boot[40];
        child_record_boot(boot);
        return !child_is_alive(child) && child->record.pid != 0 && !child->record.stopping &&
               strcmp(boot, child->record.boot) == 0;
}

char *child_describe(const Child *child, char *buffer, size_t size) {
        const ChildRecord *record = &child->record;
        if (child_is_alive(child))
                snprintf(buffer, size, "%s: %s %s, pid %d", child->unit, record->version,
                         record->stopping ? "stopping"
                         : child->ready   ? "running"
                                          : "starting, not ready yet",
                         record->pid);
        else if (child_has_failed(child))
                snprintf(buffer, size, "%s: failed (%s)", child->unit,
                         record->how[0] ? record->how : "ended while no controller watched");
        else
                snprintf(buffer, size, "%s: stopped", child->unit);
        return buffer;
}
