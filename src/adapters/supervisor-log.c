#include "adapters/supervisor-log.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_BYTES (256 * 1024)

static ssize_t read_tail(int fd, char *buffer, size_t size) {
        struct stat status;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode))
                return -EINVAL;
        off_t from = status.st_size > (off_t)size ? status.st_size - (off_t)size : 0;
        size_t used = 0;
        for (ssize_t n; used < size && (n = pread(fd, buffer + used, size - used, from + (off_t)used)) != 0;
             used += (size_t)n)
                if (n < 0)
                        return -errno;
        return (ssize_t)used;
}

/* The beginning of the last `max` lines. */
static char *last_lines(char *text, size_t length, unsigned max) {
        char *at = text + length;
        if (at > text && at[-1] == '\n')
                *--at = '\0';
        for (; at > text; at--)
                if (at[-1] == '\n' && --max == 0)
                        break;
        return at;
}

/* The lines have no time of their own: which release wrote them can't be told. */
int supervisor_last_lines(const Settings *settings, UNUSED const UnitSet *units, UNUSED int64_t since_wall,
                          UNUSED int64_t until_wall, unsigned max, UnitsLine visit, void *userdata, Error *error) {
        const char *path = settings_string(settings, "log");
        AUTO_FREE char *text = malloc(TAIL_BYTES + 1);
        if (!text)
                return error_set(error, -ENOMEM, "out of memory");
        if (path[0] == '\0')
                return error_set(error, -ENOENT, "the service's output is discarded: set units.supervisor.log");
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t length = fd < 0 ? -errno : read_tail(fd, text, TAIL_BYTES);
        if (length < 0)
                return error_set(error, (int)length, "%s can't be read: %s", path, strerror((int)-length));
        text[length] = '\0';
        for (char *line = last_lines(text, (size_t)length, max), *next; *line; line = next) {
                next = line + strcspn(line, "\n");
                if (*next)
                        *next++ = '\0';
                visit(userdata, 0, line);
        }
        return 0;
}
