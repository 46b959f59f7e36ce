#include "adapters/host.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_MAX 8192

/* The file's beginning, in one read: what is wanted stands there, and the kernel makes it anew for each read. */
static int read_beginning(const char *proc, const char *name, char *ret_text, size_t size, char *ret_path,
                          size_t path_size, Error *error) {
        snprintf(ret_path, path_size, "%s/%s", proc, name);
        AUTO_CLOSE int fd = open(ret_path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, ret_text, size - 1);
        if (length < 0)
                return error_set(error, -errno, "cannot read %s: %s", ret_path, strerror(errno));
        ret_text[length] = '\0';
        return 0;
}

static int odd(const char *path, const char *what, Error *error) {
        return error_set(error, -EBADMSG, "%s has no %s that can be understood", path, what);
}

/* The next number of a line, blanks before it skipped; false: there is none before the line's end. */
static bool next_number(const char **text, int64_t *ret_number) {
        const char *start = *text + strspn(*text, " \t");
        if (*start < '0' || *start > '9')
                return false;
        char *end;
        errno = 0;
        long long number = strtoll(start, &end, 10);
        if (errno != 0)
                return false;
        *text = end;
        *ret_number = number;
        return true;
}

/* ---- processors ---- */

/* cpu user nice system idle iowait irq softirq steal; guests are in user and nice already. Older kernels have fewer. */
int host_cpu(const char *proc, HostCpu *ret_cpu, Error *error) {
        enum { IDLE = 3, IOWAIT = 4, FIELDS = 8 };
        char text[512], path[PATH_MAX]; /* the first line alone */
        int r = read_beginning(proc, "stat", text, sizeof text, path, sizeof path, error);
        if (r < 0)
                return r;
        const char *at = text + 3;
        int64_t number, total = 0, idle = 0;
        int fields = 0;
        if (strncmp(text, "cpu ", 4) != 0)
                return odd(path, "line 'cpu'", error);
        for (; fields < FIELDS && next_number(&at, &number); fields++) {
                total += number;
                if (fields == IDLE || fields == IOWAIT)
                        idle += number;
        }
        if (fields <= IDLE)
                return odd(path, "line 'cpu'", error);
        *ret_cpu = (HostCpu){.busy = total - idle, .total = total};
        return 0;
}

/* ---- memory ---- */

static bool find_kib(const char *text, const char *key, int64_t *ret_bytes) {
        const char *line = strstr(text, key);
        if (!line || (line != text && line[-1] != '\n'))
                return false;
        line += strlen(key);
        int64_t kib;
        if (!next_number(&line, &kib) || strncmp(line, " kB", 3) != 0 || kib > INT64_MAX / 1024)
                return false;
        *ret_bytes = kib * 1024;
        return true;
}

int host_memory(const char *proc, HostMemory *ret_memory, Error *error) {
        char text[TEXT_MAX], path[PATH_MAX];
        HostMemory memory;
        int r = read_beginning(proc, "meminfo", text, sizeof text, path, sizeof path, error);
        if (r < 0)
                return r;
        if (!find_kib(text, "MemTotal:", &memory.total) || memory.total <= 0)
                return odd(path, "MemTotal", error);
        if (!find_kib(text, "MemAvailable:", &memory.available))
                return odd(path, "MemAvailable", error);
        if (memory.available > memory.total)
                memory.available = memory.total;
        *ret_memory = memory;
        return 0;
}

/* ---- network ---- */

/* /proc/net/snmp has two lines for each protocol: names, then numbers in the same order. */
static bool find_column(const char *names, const char *numbers, const char *wanted, int64_t *ret_number) {
        for (; *names && *names != '\n'; names += strcspn(names, " \n")) {
                names += strspn(names, " ");
                size_t length = strcspn(names, " \n");
                numbers += strspn(numbers, " ");
                if (length == strlen(wanted) && strncmp(names, wanted, length) == 0)
                        return next_number(&numbers, ret_number);
                if (*numbers == '\n' || *numbers == '\0')
                        return false;
                numbers += strcspn(numbers, " \n");
        }
        return false;
}

int host_segments(const char *proc, HostSegments *ret_segments, Error *error) {
        char text[TEXT_MAX], path[PATH_MAX];
        HostSegments segments;
        int r = read_beginning(proc, "net/snmp", text, sizeof text, path, sizeof path, error);
        if (r < 0)
                return r;
        const char *names = strstr(text, "Tcp:"), *numbers = names ? strstr(names + 1, "\nTcp:") : NULL;
        if (!numbers || !find_column(names + 4, numbers + 5, "OutSegs", &segments.sent) ||
            !find_column(names + 4, numbers + 5, "RetransSegs", &segments.again))
                return odd(path, "OutSegs and RetransSegs of TCP", error);
        *ret_segments = segments;
        return 0;
}
