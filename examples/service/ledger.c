#include "ledger.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int sync_directory(const char *directory, Error *error) {
        AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return error_set(error, -errno, "cannot sync %s: %s", directory, strerror(errno));
        return 0;
}

static int read_tail(int fd, off_t from, char *tail, size_t size) {
        for (size_t at = 0; at < size;) {
                ssize_t n = pread(fd, tail + at, size - at, from + (off_t)at);
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                at += (size_t)n;
        }
        return 0;
}

/* Finds the end of the last whole line and its number, dropping what a kill left behind it. */
static int repair(Ledger *ledger, const char *path, Error *error) {
        struct stat st;
        if (fstat(ledger->fd, &st) < 0)
                return error_set(error, -errno, "%s: %s", path, strerror(errno));
        char tail[2 * LEDGER_LINE_MAX + 1];
        size_t size = st.st_size < 2 * LEDGER_LINE_MAX ? (size_t)st.st_size : 2 * LEDGER_LINE_MAX;
        off_t from = st.st_size - (off_t)size;
        int r = read_tail(ledger->fd, from, tail, size);
        if (r < 0)
                return error_set(error, r, "cannot read %s: %s", path, strerror(-r));

        const char *end = memrchr(tail, '\n', size);
        if (!end && (from > 0 || size >= LEDGER_LINE_MAX))
                return error_set(error, -EBADMSG,
                                 "%s: its last %zu bytes hold no whole line; move it away or restore it", path, size);
        size_t whole = end ? (size_t)(end + 1 - tail) : 0;
        if (whole > 0) {
                const char *before = memrchr(tail, '\n', whole - 1);
                const char *line = before ? before + 1 : tail;
                tail[whole - 1] = '\0';
                char *number_end;
                errno = 0;
                ledger->last_committed = strtoll(line, &number_end, 10);
                if (errno != 0 || number_end == line || *number_end != ' ' || ledger->last_committed <= 0)
                        return error_set(error, -EBADMSG,
                                         "%s: the last whole line is no numbered write; move it away or "
                                         "restore it",
                                         path);
        }
        ledger->last_appended = ledger->last_committed;
        ledger->committed = from + (off_t)whole;
        if (ledger->committed == st.st_size)
                return 0;
        if (ftruncate(ledger->fd, ledger->committed) < 0 || fdatasync(ledger->fd) < 0)
                return error_set(error, -errno, "cannot drop the incomplete last line of %s: %s", path,
                                 strerror(errno));
        return 0;
}

int ledger_open(const char *directory, Ledger **ret_ledger, Error *error) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/ledger", directory) >= (int)sizeof path)
                return error_set(error, -ENAMETOOLONG, "data directory %s: the path is too long", directory);
        Ledger *ledger = calloc(1, sizeof *ledger);
        if (!ledger)
                return error_set(error, -ENOMEM, "out of memory");
        ledger->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        int r = 0;
        if (ledger->fd < 0)
                r = error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
        else if (flock(ledger->fd, LOCK_EX | LOCK_NB) < 0)
                r = error_set(error, errno == EWOULDBLOCK ? -EBUSY : -errno, "%s: %s", path,
                              errno == EWOULDBLOCK ? "another instance of the service is using it" : strerror(errno));
        if (r == 0)
                r = repair(ledger, path, error);
        if (r == 0)
                r = sync_directory(directory, error);
        if (r < 0) {
                ledger_close(ledger);
                return r;
        }
        *ret_ledger = ledger;
        return 0;
}

Ledger *ledger_close(Ledger *ledger) {
        if (!ledger)
                return NULL;
        if (ledger->fd >= 0)
                close(ledger->fd);
        free(ledger);
        return NULL;
}

/* "<client> <sequence>": letters, digits, dot, dash and underscore; then digits. */
static bool id_valid(const char *id, size_t size) {
        size_t i = 0;
        while (i < size && (isalnum((unsigned char)id[i]) || (id[i] != '\0' && strchr("._-", id[i]))))
                i++;
        if (i == 0 || i == size || id[i] != ' ')
                return false;
        size_t digits = ++i;
        while (i < size && isdigit((unsigned char)id[i]))
                i++;
        return i == size && i > digits;
}

int ledger_append(Ledger *ledger, const char *id, size_t size, int64_t *ret_number, Error *error) {
        if (size > LEDGER_ID_MAX || !id_valid(id, size))
                return error_set(error, -EINVAL, "a write's body is \"<client> <sequence>\" of at most %d characters",
                                 LEDGER_ID_MAX);
        if (ledger->pending + LEDGER_LINE_MAX > sizeof ledger->batch)
                return error_set(error, -ENOBUFS, "too many writes at once");
        int64_t number = ledger->last_appended + 1;
        int length =
                snprintf(ledger->batch + ledger->pending, LEDGER_LINE_MAX, "%" PRId64 " %.*s\n", number, (int)size, id);
        ledger->pending += (size_t)length;
        ledger->last_appended = number;
        *ret_number = number;
        return 0;
}

static int write_batch(Ledger *ledger) {
        for (size_t at = 0; at < ledger->pending;) {
                ssize_t n = pwrite(ledger->fd, ledger->batch + at, ledger->pending - at, ledger->committed + (off_t)at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -ENOSPC;
                at += (size_t)n;
        }
        return 0;
}

int ledger_commit(Ledger *ledger, Error *error) {
        if (ledger->pending == 0)
                return 0;
        int r = write_batch(ledger);
        if (r < 0) {
                ledger->pending = 0;
                ledger->last_appended = ledger->last_committed;
                if (ftruncate(ledger->fd, ledger->committed) < 0)
                        return error_set(error, -EIO, "cannot undo an incomplete write: %s", strerror(errno));
                return error_set(error, r == -EIO ? -ENOSPC : r, "cannot write: %s", strerror(-r));
        }
        /* after a failed sync the kernel may forget what it could not write: nothing can be known without a new start */
        if (fdatasync(ledger->fd) < 0)
                return error_set(error, -EIO, "cannot sync: %s", strerror(errno));
        ledger->committed += (off_t)ledger->pending;
        ledger->last_committed = ledger->last_appended;
        ledger->pending = 0;
        return 0;
}
