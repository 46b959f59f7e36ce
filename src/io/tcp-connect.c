#include "io/tcp-connect.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define ENDPOINT_MAX 64

typedef struct Connecting {
        Op op;
        sd_event_source *source; /* on the socket, which it owns */
        int64_t begun_us;
        char endpoint[ENDPOINT_MAX];
} Connecting;

static int64_t now_us(void) {
        struct timespec now;
        clock_gettime(CLOCK_BOOTTIME, &now);
        return (int64_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static void destroy(Op *op) {
        Connecting *connecting = (Connecting *)op;
        op_finish_base(op);
        connecting->source = sd_event_source_disable_unref(connecting->source);
        free(connecting);
}

static int refused(const Connecting *connecting, int code, Error *error) {
        return error_set(error, -code, "%s: %s", connecting->endpoint, strerror(code));
}

static OpResult result_of(const Connecting *connecting, int code) {
        OpResult result = {.status = code == 0 ? OP_DONE : OP_FAILED};
        if (code == 0)
                result.number = now_us() - connecting->begun_us;
        else
                (void)refused(connecting, code, &result.error);
        return result;
}

static int on_socket(UNUSED sd_event_source *source, int fd, UNUSED uint32_t events, void *userdata) {
        Connecting *connecting = userdata;
        int code = 0;
        socklen_t size = sizeof code;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
                code = errno;
        const OpResult result = result_of(connecting, code);
        op_complete(&connecting->op, &result);
        return 0;
}

/* No name is looked up: that would block. */
static int resolve(const char *endpoint, struct addrinfo **ret_list, Error *error) {
        char host[ENDPOINT_MAX];
        const char *colon = strrchr(endpoint, ':');
        bool bracket = endpoint[0] == '[' && colon && colon > endpoint && colon[-1] == ']';
        size_t length = colon ? (size_t)(colon - endpoint) - (bracket ? 2 : 0) : 0;
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        if (colon && length < sizeof host) {
                memcpy(host, endpoint + (bracket ? 1 : 0), length);
                host[length] = '\0';
                if (getaddrinfo(host, colon + 1, &hints, ret_list) == 0 && *ret_list)
                        return 0;
        }
        error_set(error, -EINVAL, "'%.80s' is no numeric address and port", endpoint);
        return -EINVAL;
}

/* 0: under way or decided already. */
static int begin(Connecting *connecting, const struct addrinfo *address) {
        int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        connecting->begun_us = now_us();
        int code = connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? errno : 0;
        if (code != EINPROGRESS) {
                const OpResult result = result_of(connecting, code);
                close(fd);
                return op_complete_soon(&connecting->op, &result);
        }
        int r = sd_event_add_io(connecting->op.event, &connecting->source, fd, EPOLLOUT, on_socket, connecting);
        if (r < 0) {
                close(fd);
                return r;
        }
        sd_event_source_set_io_fd_own(connecting->source, true);
        return 0;
}

int tcp_connect_begin(sd_event *event, const char *endpoint, int64_t budget_us, OpCallback callback, void *userdata,
                      Op **ret_op, Error *error) {
        struct addrinfo *list = NULL;
        int r = resolve(endpoint, &list, error);
        if (r < 0)
                return r;
        Connecting *connecting = calloc(1, sizeof *connecting);
        if (!connecting) {
                freeaddrinfo(list);
                return error_set(error, -ENOMEM, "%s: out of memory", endpoint);
        }
        snprintf(connecting->endpoint, sizeof connecting->endpoint, "%s", endpoint);
        r = op_begin(&connecting->op, event, connecting->endpoint, budget_us, callback, userdata, destroy);
        if (r >= 0)
                r = begin(connecting, list);
        freeaddrinfo(list);
        if (r < 0) {
                op_cancel(&connecting->op);
                return error_set(error, r, "%s: cannot connect: %s", endpoint, strerror(-r));
        }
        *ret_op = &connecting->op;
        return 0;
}
