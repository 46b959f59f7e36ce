#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_TIMEOUT_S 30

/* What is known of one write: by its acknowledgement, and from the service. */
typedef struct Write {
        int64_t acknowledged; /* number; 0: not acknowledged */
        int64_t stored;       /* number of the first copy */
        unsigned copies;
} Write;

static int connect_to(const struct sockaddr_in *address, const char *host, Error *error) {
        AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
        if (fd < 0)
                return error_set(error, -errno, "cannot open a socket: %s", strerror(errno));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        char request[160];
        int size = snprintf(request, sizeof request, "GET /writes HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                            host);
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
            send(fd, request, (size_t)size, MSG_NOSIGNAL) != size)
                return error_set(error, -errno, "cannot ask http://%s/writes: %s", host, strerror(errno));
        return TAKE_FD(fd);
}

/* Reads the head; returns the length of the body. */
static int64_t read_head(FILE *stream, const char *host, Error *error) {
        char line[512];
        int status = 0;
        int64_t length = -1;
        if (!fgets(line, sizeof line, stream) || sscanf(line, "HTTP/1.%*d %d", &status) != 1 || status != 200)
                return error_set(error, -EPROTO, "http://%s/writes answered %d, not 200", host, status);
        while (fgets(line, sizeof line, stream) && strcmp(line, "\r\n") != 0)
                if (strncasecmp(line, "Content-Length:", 15) == 0)
                        length = strtoll(line + 15, NULL, 10);
        if (length < 0)
                return error_set(error, -EPROTO, "http://%s/writes does not say how long its answer is", host);
        return length;
}

static void note_stored(const char *line, const char *client, Write *writes, size_t count) {
        int64_t number;
        char name[80];
        uint32_t write;
        if (sscanf(line, "%" SCNd64 " %79s %" SCNu32, &number, name, &write) != 3 || strcmp(name, client) != 0)
                return;
        if (write == 0 || write > count)
                return;
        if (writes[write - 1].copies++ == 0)
                writes[write - 1].stored = number;
}

static int read_stored(const struct sockaddr_in *address, const char *host, const char *client, Write *writes,
                       size_t count, Error *error) {
        int fd = connect_to(address, host, error);
        if (fd < 0)
                return fd;
        AUTO_FCLOSE FILE *stream = fdopen(fd, "r");
        if (!stream) {
                close(fd);
                return error_set(error, -ENOMEM, "out of memory");
        }
        int64_t left = read_head(stream, host, error);
        char line[256];
        while (left > 0 && fgets(line, sizeof line, stream)) {
                left -= (int64_t)strlen(line);
                note_stored(line, client, writes, count);
        }
        /* half a list would show writes as lost that are not */
        return left > 0 ? error_set(error, -EPROTO, "http://%s/writes ended early", host) : (int)(left < 0 ? left : 0);
}

static void compare(const Write *write, Verification *verification) {
        verification->stored += write->copies > 0;
        verification->acknowledged += write->acknowledged > 0;
        verification->lost += write->acknowledged > 0 && write->copies == 0;
        verification->duplicated += write->copies > 1;
        verification->misnumbered +=
                write->acknowledged > 0 && write->copies == 1 && write->stored != write->acknowledged;
        verification->unacknowledged_stored += write->acknowledged == 0 && write->copies > 0;
}

int verify_ledger(const struct sockaddr_in *address, const char *host, const char *client, const Tally *tally,
                  Verification *ret_verification, Error *error) {
        size_t count = 0;
        for (size_t i = 0; i < tally->count; i++)
                count = tally->rows[i].write > count ? tally->rows[i].write : count;
        AUTO_FREE Write *writes = calloc(count + 1, sizeof *writes);
        if (!writes)
                return error_set(error, -ENOMEM, "out of memory");
        for (size_t i = 0; i < tally->count; i++) {
                const Row *row = &tally->rows[i];
                if (row->write == 0 || row->outcome != OUTCOME_ANSWERED)
                        continue;
                /* a 200 without a number is a promise too: it will not match what is stored */
                writes[row->write - 1].acknowledged = row->number > 0 ? row->number : INT64_MAX;
        }
        int r = read_stored(address, host, client, writes, count, error);
        if (r < 0)
                return r;
        *ret_verification = (Verification){0};
        for (size_t i = 0; i < count; i++)
                compare(&writes[i], ret_verification);
        return 0;
}
