#include "base/process.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* Fills the state letter and the start time. The name (field 2) may hold spaces and brackets: fields are counted from its last ')'. */
static int read_stat(pid_t pid, char *ret_state, uint64_t *ret_ticks) {
        char path[48], text[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        ssize_t got = read(fd, text, sizeof text - 1);
        if (got < 0)
                return -errno; /* ESRCH when it died between the two calls */
        text[got] = '\0';
        const char *at = strrchr(text, ')');
        if (!at || sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                          ret_state, ret_ticks) != 2)
                return -EPROTO;
        return 0;
}

int process_start_ticks(pid_t pid, uint64_t *ret_ticks) {
        char state;
        return read_stat(pid, &state, ret_ticks);
}

bool process_alive(pid_t pid, uint64_t ticks) {
        char state = 'X';
        uint64_t found = 0;
        return pid > 0 && read_stat(pid, &state, &found) == 0 && found == ticks && state != 'Z' && state != 'X';
}
