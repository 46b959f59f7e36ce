#include "base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

static int fail(Error *error, const char *doing, const char *path) {
        int code = errno;
        return error_set(error, -code, "%s %s: %s", doing, path, strerror(code));
}

int fs_directory_of(const char *path, char *buffer, size_t size, Error *error) {
        const char *slash = strrchr(path, '/');
        const char *directory = slash ? path : ".";
        size_t length = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
        if (length >= size)
                return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", path);
        memmove(buffer, directory, length);
        buffer[length] = '\0';
        return 0;
}

int fs_sync_directory(const char *directory, Error *error) {
        AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fail(error, "can't open directory", directory);
        if (fsync(fd) < 0)
                return fail(error, "can't sync directory", directory);
        return 0;
}

int fs_sync_directory_of(const char *path, Error *error) {
        char directory[PATH_MAX];
        int r = fs_directory_of(path, directory, sizeof directory, error);
        return r < 0 ? r : fs_sync_directory(directory, error);
}

/* ---- reading ---- */

static int open_regular(const char *path, struct stat *ret_stat, int *ret_fd, Error *error) {
        /* O_NONBLOCK: opening a FIFO must not wait for its writer */
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return fail(error, "can't open", path);
        if (fstat(fd, ret_stat) < 0)
                return fail(error, "can't read", path);
        if (!S_ISREG(ret_stat->st_mode))
                return error_set(error, -EINVAL, "%s is not a regular file", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Reads until the end, `capacity` bytes at most; a file may grow while it is read, and those of /proc say they are empty. */
static ssize_t read_up_to(int fd, char *buffer, size_t capacity) {
        size_t used = 0;
        while (used < capacity) {
                ssize_t got = read(fd, buffer + used, capacity - used);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        break;
                used += (size_t)got;
        }
        return (ssize_t)used;
}

int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size, Error *error) {
        AUTO_CLOSE int fd = -1;
        struct stat st = {0};
        int r = open_regular(path, &st, &fd, error);
        if (r < 0)
                return r;
        size_t capacity = st.st_size > 0 && (uintmax_t)st.st_size < max ? (size_t)st.st_size + 1 : max + 1;
        if ((uintmax_t)st.st_size > max)
                return error_set(error, -EFBIG, "%s is larger than the %zu bytes allowed", path, max);
        AUTO_FREE char *data = malloc(capacity + 1);
        if (!data)
                return error_set(error, -ENOMEM, "out of memory for %s", path);
        ssize_t got = read_up_to(fd, data, capacity);
        if (got < 0)
                return error_set(error, (int)got, "can't read %s: %s", path, strerror((int)-got));
        if ((size_t)got == capacity)
                return capacity > max ? error_set(error, -EFBIG, "%s is larger than the %zu bytes allowed", path, max)
                                      : error_set(error, -EAGAIN, "%s grew while it was read; try again", path);
        data[got] = '\0';
        if (ret_size)
                *ret_size = (size_t)got;
        *ret_data = TAKE_PTR(data);
        return 0;
}

/* ---- writing ---- */

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t written = write(fd, data, size);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return -errno;
                data += written;
                size -= (size_t)written;
        }
        return 0;
}

/* "/a/b" -> "/a/.b.123.tmp": our pid keeps two writers apart, and a process never leaves more than one behind. */
static int temporary_name(const char *path, char *buffer, size_t size, Error *error) {
        const char *slash = strrchr(path, '/');
        int directory = slash ? (int)(slash - path) + 1 : 0;
        int length = snprintf(buffer, size, "%.*s.%s.%d.tmp", directory, path, path + directory, (int)getpid());
        if (length < 0 || (size_t)length >= size)
                return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", path);
        return 0;
}

static int write_synced(const char *path, const void *data, size_t size, mode_t mode, Error *error) {
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0)
                return fail(error, "can't create", path);
        int r = write_all(fd, data, size);
        if (r < 0)
                return error_set(error, r, "can't write %s: %s", path, strerror(-r));
        if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
                return fail(error, "can't write", path);
        return 0;
}

int fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode, Error *error) {
        char temporary[PATH_MAX];
        int r = temporary_name(path, temporary, sizeof temporary, error);
        if (r < 0)
                return r;
        r = write_synced(temporary, data, size, mode, error);
        if (r < 0) {
                unlink(temporary);
                return r;
        }
        return fs_rename_durable(temporary, path, error);
}

int fs_reserve(const char *path, off_t size, mode_t mode, Error *error) {
        static const char zeros[64 * 1024];
        struct stat st;
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode);
        if (fd < 0)
                return fail(error, "can't open", path);
        if (fstat(fd, &st) < 0)
                return fail(error, "can't read", path);
        if (st.st_size >= size)
                return 0;
        /* written, not fallocate()d: overwriting needs no new metadata then, which a full disk could refuse */
        for (off_t at = st.st_size; at < size;) {
                size_t count = (size_t)(size - at) < sizeof zeros ? (size_t)(size - at) : sizeof zeros;
                int r = write_all(fd, zeros, count);
                if (r < 0)
                        return error_set(error, r, "can't reserve %lld bytes for %s: %s", (long long)(size - at), path,
                                         strerror(-r));
                at += (off_t)count;
        }
        if (fsync(fd) < 0)
                return fail(error, "can't sync", path);
        return st.st_size == 0 ? fs_sync_directory_of(path, error) : 0;
}

int fs_symlink_prepare(const char *target, const char *path, Error *error) {
        char found[PATH_MAX], temporary[PATH_MAX];
        ssize_t length = readlink(path, found, sizeof found);
        if (length < 0 && errno != ENOENT)
                return errno == EINVAL
                               ? error_set(error, -EEXIST, "%s is in the way: it isn't a symlink; move it away", path)
                               : fail(error, "can't read", path);
        if (length >= 0 && (size_t)length == strlen(target) && memcmp(found, target, (size_t)length) == 0)
                return 0;
        int r = temporary_name(path, temporary, sizeof temporary, error);
        if (r < 0)
                return r;
        if (unlink(temporary) < 0 && errno != ENOENT)
                return fail(error, "can't remove", temporary);
        if (symlink(target, temporary) < 0)
                return fail(error, "can't create symlink", temporary);
        return fs_rename_durable(temporary, path, error);
}

int fs_make_directories(const char *path, mode_t mode, Error *error) {
        char parent[PATH_MAX];
        struct stat st;
        if (stat(path, &st) == 0)
                return S_ISDIR(st.st_mode) ? 0 : error_set(error, -ENOTDIR, "%s is not a directory", path);
        if (errno != ENOENT)
                return fail(error, "can't look at", path);
        int r = fs_directory_of(path, parent, sizeof parent, error);
        if (r < 0)
                return r;
        if (strcmp(parent, path) != 0) {
                r = fs_make_directories(parent, mode, error);
                if (r < 0)
                        return r;
        }
        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return fail(error, "can't create directory", path);
        return fs_sync_directory(parent, error);
}

/* ---- trust ---- */

static int check_owner(const char *path, const char *why, Error *error) {
        struct stat st;
        if (stat(path, &st) < 0)
                return fail(error, "can't look at", path);
        if (st.st_uid != 0 && st.st_uid != geteuid())
                return error_set(error, -EPERM,
                                 "%s%s belongs to uid %u, who could change what we run; mend it with: chown root %s",
                                 why, path, (unsigned)st.st_uid, path);
        /* a sticky directory (/tmp) lets others add names, but not replace ours */
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
                return error_set(error, -EPERM,
                                 "%s%s may be written by others (mode %04o); mend it with: chmod go-w %s", why, path,
                                 (unsigned)(st.st_mode & 07777), path);
        return 0;
}

int fs_check_trusted(const char *path, Error *error) {
        char real[PATH_MAX], directory[PATH_MAX];
        if (!realpath(path, real))
                return fail(error, "can't look at", path);
        int r = check_owner(real, "", error);
        if (r == 0)
                r = fs_directory_of(real, directory, sizeof directory, error);
        if (r == 0)
                r = check_owner(directory, "the directory ", error);
        /* when `path` is a symlink, whoever may write beside it may point it elsewhere */
        if (r == 0)
                r = fs_directory_of(path, directory, sizeof directory, error);
        return r < 0 ? r : check_owner(directory, "the directory ", error);
}
