#include "adapters/disk.h"

#include "base/macros.h"
#include "io/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#define WRITE_BYTES 4096
#define CHILD_PATIENCE_MS 100 /* one that is killed and waits for no disk is gone much sooner */

struct DiskProbe {
        sd_event *event;
        const char *const *paths;
        unsigned count;
        const char *write_directory;
        pid_t child;                                             /* 0: none */
        sd_event_source *exit_source, *answer_source, *deadline; /* the first two own the descriptors below */
        int pidfd, channel;    /* channel: our end; -1: the child was given up, and is only waited for */
        int64_t begun_us;      /* the newest look */
        DiskCallback callback; /* NULL: nobody waits */
        void *userdata;
};

static int64_t now_us(void) {
        struct timespec now;
        clock_gettime(CLOCK_BOOTTIME, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t disk_used_ppm(const DiskState *disk) {
        int64_t used = disk->used, usable = disk->used + disk->available;
        if (disk->code < 0 || usable <= 0)
                return -1;
        for (; usable > INT64_MAX / 1000000; usable /= 2) /* so that the product fits */
                used /= 2;
        return used * 1000000 / usable;
}

/* ---- in the child: only system calls ---- */

static void ask(const char *path, DiskState *ret_state) {
        struct statvfs space;
        struct stat place;
        *ret_state = (DiskState){0};
        if (statvfs(path, &space) < 0 || stat(path, &place) < 0) {
                ret_state->code = -errno;
                return;
        }
        int64_t unit = (int64_t)space.f_frsize;
        ret_state->device = place.st_dev;
        ret_state->read_only = space.f_flag & ST_RDONLY;
        ret_state->size = (int64_t)space.f_blocks * unit;
        ret_state->used = (int64_t)(space.f_blocks - space.f_bfree) * unit;
        ret_state->available = (int64_t)space.f_bavail * unit;
        ret_state->inodes = (int64_t)space.f_files;
        ret_state->inodes_free = (int64_t)space.f_ffree;
}

/* A file without a name where the file system can do that, so that nothing stays behind whatever happens. */
static int open_scratch(const char *directory) {
        static const char data_name[] = ".durable-write-test";
        int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
                return fd;
        int parent = open(directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (parent < 0)
                return -1;
        fd = openat(parent, data_name, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
                unlinkat(parent, data_name, 0);
        close(parent);
        return fd;
}

static int write_durably(const char *directory) {
        static const char data[WRITE_BYTES];
        int fd = open_scratch(directory);
        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, data, sizeof data);
        int code = n < 0 ? -errno : n < (ssize_t)sizeof data ? -ENOSPC : fsync(fd) < 0 ? -errno : 0;
        close(fd);
        return code;
}

static void look_around(const DiskProbe *probe, bool write, DiskView *ret_view) {
        *ret_view = (DiskView){.count = probe->count};
        for (unsigned i = 0; i < probe->count; i++)
                ask(probe->paths[i], &ret_view->disks[i]);
        if (!write)
                return;
        int64_t begun = now_us();
        ret_view->write_code = write_durably(probe->write_directory);
        ret_view->write_us = now_us() - begun;
        ret_view->written = true;
}

/* A byte is a request: whether to write. Ends with the other end of the channel. */
_Noreturn static void child_run(const DiskProbe *probe, int channel, pid_t parent) {
        worker_leave_all_behind(channel, parent, "disk-probe");
        for (;;) {
                char write;
                DiskView view;
                ssize_t n = recv(channel, &write, sizeof write, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n != sizeof write)
                        _exit(n == 0 ? 0 : 1);
                look_around(probe, write, &view);
                if (send(channel, &view, sizeof view, MSG_NOSIGNAL) != sizeof view)
                        _exit(1);
        }
}

/* ---- in the parent ---- */

/* `patience_ms`: for the child to be gone, in which it is found by whoever waits for it. */
static void reap(const DiskProbe *probe, int patience_ms) {
        struct pollfd gone = {.fd = probe->pidfd, .events = POLLIN};
        siginfo_t info = {0};
        (void)poll(&gone, 1, patience_ms);
        (void)waitid(P_PIDFD, (id_t)probe->pidfd, &info, WEXITED | WNOHANG);
}

static void close_channel(DiskProbe *probe) {
        probe->answer_source = sd_event_source_disable_unref(probe->answer_source);
        probe->channel = -1;
}

static void forget_child(DiskProbe *probe) {
        probe->exit_source = sd_event_source_disable_unref(probe->exit_source);
        probe->deadline = sd_event_source_disable_unref(probe->deadline);
        close_channel(probe);
        probe->pidfd = -1;
        probe->child = 0;
}

static void tell(DiskProbe *probe, const DiskView *view, const Error *error) {
        DiskCallback callback = probe->callback;
        probe->callback = NULL;
        probe->deadline = sd_event_source_disable_unref(probe->deadline);
        if (callback)
                callback(probe->userdata, view, error);
}

/* Without an answer it ends, which is told then. */
static int on_answer(sd_event_source *source, int fd, UNUSED uint32_t events, void *userdata) {
        DiskView view;
        Error error = {0};
        if (recv(fd, &view, sizeof view, MSG_DONTWAIT) == sizeof view)
                tell(userdata, &view, &error);
        else
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int on_exit_event(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        DiskProbe *probe = userdata;
        DiskView view;
        Error error = {0};
        bool whole = probe->channel >= 0 && recv(probe->channel, &view, sizeof view, MSG_DONTWAIT) == sizeof view;
        reap(probe, 0);
        forget_child(probe);
        if (!whole)
                error_set(&error, -EIO, "the process that asks the disks ended without an answer");
        tell(probe, whole ? &view : NULL, &error);
        return 0;
}

static int no_answer(const DiskProbe *probe, int code, Error *error) {
        return error_set(error, code, "the disk hangs: no answer for %.1f s",
                         (double)(now_us() - probe->begun_us) / 1000000.0);
}

/* Killed, it ends as soon as the disk lets go of it; until then it is remembered. */
static int on_deadline(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        DiskProbe *probe = userdata;
        Error error = {0};
        kill(probe->child, SIGKILL);
        close_channel(probe);
        no_answer(probe, -ETIMEDOUT, &error);
        tell(probe, NULL, &error);
        return 0;
}

static int watch_child(DiskProbe *probe) {
        int r = sd_event_add_io(probe->event, &probe->answer_source, probe->channel, EPOLLIN, on_answer, probe);
        if (r < 0)
                return r;
        sd_event_source_set_io_fd_own(probe->answer_source, true);
        int pidfd = pidfd_open(probe->child, 0);
        if (pidfd < 0)
                return -errno;
        r = sd_event_add_io(probe->event, &probe->exit_source, pidfd, EPOLLIN, on_exit_event, probe);
        if (r < 0) {
                close(pidfd);
                return r;
        }
        sd_event_source_set_io_fd_own(probe->exit_source, true);
        probe->pidfd = pidfd;
        return 0;
}

static void end_child(DiskProbe *probe) {
        if (probe->child > 0)
                kill(probe->child, SIGKILL);
        if (probe->pidfd >= 0)
                reap(probe, CHILD_PATIENCE_MS);
        forget_child(probe);
}

static int begin_child(DiskProbe *probe) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        pid_t parent = getpid(), child = fork();
        if (child == 0)
                child_run(probe, ends[1], parent);
        int r = child < 0 ? -errno : 0;
        close(ends[1]);
        if (r < 0) {
                close(ends[0]);
                return r;
        }
        probe->child = child;
        probe->channel = ends[0];
        r = watch_child(probe);
        if (r < 0) {
                if (!probe->answer_source) /* which would own it */
                        close(ends[0]);
                end_child(probe);
        }
        return r;
}

static int send_request(const DiskProbe *probe, bool write) {
        const char request = write;
        ssize_t n = send(probe->channel, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT);
        return n == sizeof request ? 0 : -errno;
}

/* The child may have been ended by somebody since the last look: then there is a new one, once. */
static int request_look(DiskProbe *probe, bool write) {
        if (probe->child > 0 && send_request(probe, write) == 0)
                return 0;
        end_child(probe);
        int r = begin_child(probe);
        return r < 0 ? r : send_request(probe, write);
}

int disk_probe_look(DiskProbe *probe, bool write, int64_t budget_us, DiskCallback callback, void *userdata,
                    Error *error) {
        if (probe->callback || (probe->child > 0 && probe->channel < 0))
                return no_answer(probe, -EBUSY, error);
        probe->begun_us = now_us();
        int r = request_look(probe, write);
        if (r >= 0)
                r = sd_event_add_time_relative(probe->event, &probe->deadline, CLOCK_BOOTTIME, (uint64_t)budget_us,
                                               10000, on_deadline, probe);
        if (r < 0) {
                end_child(probe);
                return error_set(error, r, "cannot ask the disks: %s", strerror(-r));
        }
        probe->callback = callback;
        probe->userdata = userdata;
        return 0;
}

int disk_probe_new(sd_event *event, const char *const *paths, unsigned count, const char *write_directory,
                   DiskProbe **ret_probe, Error *error) {
        DiskProbe *probe = calloc(1, sizeof *probe);
        if (!probe)
                return error_set(error, -ENOMEM, "out of memory");
        *probe = (DiskProbe){.event = sd_event_ref(event),
                             .paths = paths,
                             .count = count < DISK_PATHS_MAX ? count : DISK_PATHS_MAX,
                             .write_directory = write_directory,
                             .pidfd = -1,
                             .channel = -1};
        *ret_probe = probe;
        return 0;
}

DiskProbe *disk_probe_free(DiskProbe *probe) {
        if (!probe)
                return NULL;
        end_child(probe);
        sd_event_unref(probe->event);
        free(probe);
        return NULL;
}
