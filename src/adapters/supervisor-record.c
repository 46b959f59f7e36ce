#include "adapters/supervisor-record.h"

#include "base/fsio.h"
#include "base/macros.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/pidfd.h>

/* One sector: the disk writes it as a whole or not at all. */
#define RECORD_SIZE 512

static const char format_write[] = "version %s\npid %d\nticks %" PRIu64 "\nboot %s\ninvocation %s\nstarted %" PRId64
                                   "\nstopping %d\nhow %s\nend\n";
static const char format_read[] = "version %63s\npid %d\nticks %" SCNu64
                                  "\nboot %39s\ninvocation %39s\nstarted %" SCNd64 "\nstopping %d\nhow %95[^\n]\nend%n";

/* An empty word would be none for the reader. */
static const char *or_dash(const char *text) {
        return *text ? text : "-";
}

static void dash_to_empty(char *text) {
        if (strcmp(text, "-") == 0)
                text[0] = '\0';
}

int child_record_read(const char *path, ChildRecord *ret_record, Error *error) {
        AUTO_FREE char *text = NULL;
        Error unread = {0};
        int r = fs_read_file(path, RECORD_SIZE, &text, NULL, &unread);
        if (r == -ENOENT || (r == 0 && text[0] == '\0')) {
                *ret_record = (ChildRecord){0};
                return 0;
        }
        if (r < 0)
                return error_set(error, r, "%s", error_text(&unread));
        ChildRecord record = {0};
        int stopping = 0, end = 0;
        if (sscanf(text, format_read, record.version, &record.pid, &record.ticks, record.boot, record.invocation,
                   &record.start_wall, &stopping, record.how, &end) != 8 ||
            end == 0 || record.pid < 0)
                return error_set(
                        error, -EBADMSG,
                        "%s is damaged, so nobody knows whether the service runs; see that it doesn't, then: rm %s",
                        path, path);
        record.stopping = stopping != 0;
        dash_to_empty(record.version);
        dash_to_empty(record.boot);
        dash_to_empty(record.invocation);
        dash_to_empty(record.how);
        *ret_record = record;
        return 0;
}

int child_record_write(const char *path, const ChildRecord *record, Error *error) {
        char text[RECORD_SIZE + 1];
        int n = snprintf(text, sizeof text, format_write, or_dash(record->version), record->pid, record->ticks,
                         or_dash(record->boot), or_dash(record->invocation), record->start_wall, record->stopping,
                         or_dash(record->how));
        if (n < 0 || n > RECORD_SIZE)
                return error_set(error, -EMSGSIZE, "cannot write %s: too long", path);
        memset(text + n, '\n', sizeof text - (size_t)n); /* over what an earlier, longer record left */
        bool is_new = access(path, F_OK) < 0;
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        ssize_t written = fd < 0 ? -1 : pwrite(fd, text, RECORD_SIZE, 0);
        if (written != RECORD_SIZE || fdatasync(fd) < 0) {
                int code = written >= 0 && written != RECORD_SIZE ? -ENOSPC : -errno;
                return error_set(error, code, "cannot write %s: %s", path, strerror(-code));
        }
        return is_new ? fs_sync_directory_of(path, error) : 0;
}

int child_record_reserve(const char *path, Error *error) {
        return fs_reserve(path, RECORD_SIZE, 0600, error);
}

void child_record_boot(char ret_boot[40]) {
        AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret_boot, 36);
        ret_boot[n == 36 ? 36 : 0] = '\0';
}

int child_record_find(const ChildRecord *record) {
        char boot[40];
        child_record_boot(boot);
        if (record->pid == 0 || strcmp(boot, record->boot) != 0)
                return -ESRCH;
        AUTO_CLOSE int fd = pidfd_open(record->pid, 0);
        /* Who it is, is asked after the descriptor is held: from here on the number can't change hands unseen. */
        if (fd < 0 || !process_alive(record->pid, record->ticks))
                return -ESRCH;
        return TAKE_FD(fd);
}
