#include "adapters/supervisor-notify.h"

#include "base/macros.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FDS_MAX 16 /* a message with more is cut by the kernel, which closes the rest */

struct NotifySocket {
        sd_event_source *source; /* owns the descriptor */
        char address[108];
        pid_t session;
        void (*ready)(void *userdata);
        void *userdata;
};

static bool has_line(const char *text, const char *line) {
        size_t length = strlen(line);
        for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
                if (strncmp(text, line, length) == 0 && (text[length] == '\0' || text[length] == '\n'))
                        return true;
        return false;
}

static bool is_from_session(const NotifySocket *self, pid_t sender) {
        return self->session > 0 && sender > 0 && (sender == self->session || getsid(sender) == self->session);
}

/* Descriptors are only taken to be closed: sd_notify_barrier() waits for that. */
static pid_t read_control(struct msghdr *header) {
        pid_t sender = 0;
        for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
                if (part->cmsg_level != SOL_SOCKET)
                        continue;
                if (part->cmsg_type == SCM_CREDENTIALS) {
                        struct ucred peer;
                        memcpy(&peer, CMSG_DATA(part), sizeof peer);
                        sender = peer.pid;
                } else if (part->cmsg_type == SCM_RIGHTS) {
                        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        for (size_t i = 0; i < count; i++) {
                                int fd;
                                memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
                                close(fd);
                        }
                }
        }
        return sender;
}

static int on_message(UNUSED sd_event_source *source, int fd, UNUSED uint32_t events, void *userdata) {
        NotifySocket *self = userdata;
        char text[4096];
        union {
                struct cmsghdr align;
                char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * FDS_MAX)];
        } control;
        struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
        struct msghdr header = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return 0;
        text[n] = '\0';
        if (is_from_session(self, read_control(&header)) && has_line(text, "READY=1"))
                self->ready(self->userdata);
        return 0;
}

int notify_socket_new(sd_event *event, const char *id, void (*ready)(void *userdata), void *userdata,
                      NotifySocket **ret_socket, Error *error) {
        NotifySocket *self = calloc(1, sizeof *self);
        if (!self)
                return error_set(error, -ENOMEM, "cannot listen for readiness: out of memory");
        snprintf(self->address, sizeof self->address, "@novacron-rollback/%s", id);
        self->ready = ready;
        self->userdata = userdata;

        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = strlen(self->address);
        memcpy(address.sun_path, self->address, length);
        address.sun_path[0] = '\0';
        AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
            bind(fd, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) <
                    0) {
                int code = -errno;
                free(self);
                return error_set(error, code, "cannot listen for readiness: %s", strerror(-code));
        }
        int r = sd_event_add_io(event, &self->source, fd, EPOLLIN, on_message, self);
        if (r < 0) {
                free(self);
                return error_set(error, r, "cannot listen for readiness: %s", strerror(-r));
        }
        sd_event_source_set_io_fd_own(self->source, true);
        (void)TAKE_FD(fd);
        *ret_socket = self;
        return 0;
}

NotifySocket *notify_socket_free(NotifySocket *self) {
        if (!self)
                return NULL;
        sd_event_source_disable_unref(self->source);
        free(self);
        return NULL;
}

const char *notify_socket_address(const NotifySocket *self) {
        return self->address;
}

void notify_socket_expect(NotifySocket *self, pid_t session) {
        self->session = session;
}
