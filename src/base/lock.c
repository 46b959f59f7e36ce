#include "base/lock.h"

#include "base/clock.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* The text is one line of fixed length, written by one pwrite() into space that exists since the file was made: a full disk can't
 * refuse it, and nobody reads half of it. */
#define LINE_SIZE 1024
#define RETRY_US 10000
#define PRINT_FORMAT "pid=%d start=%" PRIu64 " since=%" PRId64 " progress=%" PRId64 " mono=%" PRId64
#define SCAN_FORMAT "pid=%d start=%" SCNu64 " since=%" SCNd64 " progress=%" SCNd64 " mono=%" SCNd64

static bool is_busy(int code) {
        return code == EAGAIN || code == EACCES;
}

static int set_lock(int fd, short type) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* ---- the text ---- */

static void copy_plain(char *to, size_t size, const char *from) {
        size_t i = 0;
        for (; from[i] != '\0' && i + 1 < size; i++)
                to[i] = (char)((unsigned char)from[i] < 0x20 || from[i] == 0x7f ? ' ' : from[i]);
        to[i] = '\0';
}

static void write_holder(int fd, const LockHolder *holder) {
        char line[LINE_SIZE + 1];
        int used = snprintf(line, sizeof line, PRINT_FORMAT "\twhy=%s\tat=%s", (int)holder->pid, holder->start_ticks,
                            holder->since_wall, holder->progress_wall, holder->progress_mono, holder->why,
                            holder->progress);
        memset(line + used, ' ', (size_t)(LINE_SIZE - used));
        line[LINE_SIZE - 1] = '\n';
        ssize_t ignored UNUSED = pwrite(fd, line, LINE_SIZE, 0);
}

static void copy_part(const char *from, const char *until, char *to, size_t size) {
        size_t length = until && until > from ? (size_t)(until - from) : 0;
        if (length >= size)
                length = size - 1;
        memcpy(to, from, length);
        to[length] = '\0';
}

static bool read_holder(int fd, LockHolder *ret) {
        char line[LINE_SIZE + 1];
        LockHolder holder = {0};
        ssize_t got = pread(fd, line, LINE_SIZE, 0);
        if (got <= 0)
                return false;
        while (got > 0 && (line[got - 1] == ' ' || line[got - 1] == '\n'))
                got--;
        line[got] = '\0';
        int pid;
        if (sscanf(line, SCAN_FORMAT, &pid, &holder.start_ticks, &holder.since_wall, &holder.progress_wall,
                   &holder.progress_mono) != 5)
                return false;
        const char *why = strstr(line, "\twhy="), *at = strstr(line, "\tat=");
        if (!why || !at)
                return false;
        copy_part(why + 5, at, holder.why, sizeof holder.why);
        copy_part(at + 4, line + got, holder.progress, sizeof holder.progress);
        holder.pid = (pid_t)pid;
        holder.known = process_alive(holder.pid, holder.start_ticks);
        *ret = holder;
        return true;
}

static void describe_us(const char *why, LockHolder *ret) {
        LockHolder holder = {.pid = getpid(), .since_wall = clock_wall_us(), .progress_mono = clock_mono_us()};
        holder.progress_wall = holder.since_wall;
        process_start_ticks(holder.pid, &holder.start_ticks);
        copy_plain(holder.why, sizeof holder.why, why);
        *ret = holder;
}

/* ---- the lock ---- */

/* On a file system that has become read-only nobody can take a write lock anew. A read lock still keeps out whoever holds or
 * wants one since before; flock(), which knows nothing of the other kind, keeps out those who come by this way. */
static int set_lock_read_only(int fd) {
        int r = set_lock(fd, F_RDLCK);
        return r < 0 ? r : flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

/* 0: the lock is ours and the file still is the one of that name; -EAGAIN: held by somebody else; -ESTALE: try again. */
static int try_lock(const char *path, int *ret_fd) {
        struct stat opened, named;
        AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        bool read_only = fd < 0 && errno == EROFS;
        if (read_only)
                fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        int r = read_only ? set_lock_read_only(fd) : set_lock(fd, F_WRLCK);
        if (r < 0)
                return is_busy(-r) ? -EAGAIN : r;
        if (fstat(fd, &opened) < 0)
                return -errno;
        if (stat(path, &named) < 0 || opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
                return -ESTALE; /* somebody removed the file meanwhile: this lock would exclude nobody */
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int refuse_busy(const char *path, LockHolder *ret_holder, Error *error) {
        LockHolder holder = {0};
        char since[CLOCK_TEXT_MAX];
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && !read_holder(fd, &holder))
                holder = (LockHolder){0};
        if (ret_holder)
                *ret_holder = holder;
        if (!holder.known)
                return error_set(error, -EBUSY, "%s is held by another process; try again later", path);
        return error_set(error, -EBUSY, "%s is held by process %d since %s: %s; try again later", path, (int)holder.pid,
                         clock_format_rfc3339(holder.since_wall, since, sizeof since), holder.why);
}

int lock_take(const char *path, const char *why, int64_t wait_us, LockHolder *ret_holder, int *ret_fd, Error *error) {
        int64_t deadline = clock_mono_us() + wait_us;
        int fd = -1, r;
        while ((r = try_lock(path, &fd)) < 0) {
                if (r != -EAGAIN && r != -ESTALE)
                        return error_set(error, r, "can't lock %s: %s", path, strerror(-r));
                if (r == -EAGAIN && clock_mono_us() >= deadline)
                        return refuse_busy(path, ret_holder, error);
                if (r == -EAGAIN) /* no call waits for such a lock with a time limit */
                        nanosleep(&(struct timespec){.tv_nsec = RETRY_US * 1000}, NULL);
        }
        LockHolder holder;
        describe_us(why, &holder);
        write_holder(fd, &holder);
        *ret_fd = fd;
        return 0;
}

void lock_update_progress(int fd, const char *text) {
        LockHolder holder;
        if (fd < 0 || !read_holder(fd, &holder))
                return;
        holder.progress_wall = clock_wall_us();
        holder.progress_mono = clock_mono_us();
        copy_plain(holder.progress, sizeof holder.progress, text);
        write_holder(fd, &holder);
}

int lock_release(int fd) {
        if (fd < 0)
                return -1;
        set_lock(fd, F_UNLCK); /* not close() alone: a child between fork and exec may share the description */
        flock(fd, LOCK_UN);
        close(fd);
        return -1;
}

int lock_holder_read(const char *path, LockHolder *ret_holder, Error *error) {
        LockHolder holder = {0};
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0)
                return error_set(error, -errno, "can't look at the lock %s: %s", path, strerror(errno));
        if (lock.l_type == F_UNLCK)
                return 0;
        if (!read_holder(fd, &holder))
                holder = (LockHolder){0};
        *ret_holder = holder;
        return 1;
}
