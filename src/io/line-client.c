#include "io/line-client.h"

#include "core/types.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX_DEFAULT ((size_t)256 * 1024)
#define READ_CHUNK 4096
#define CONNECT_RETRY_US (10 * USEC_PER_MSEC)

struct LineCall {
        sd_event *event;
        sd_event_source *io, *deadline, *attempt;
        int fd;
        struct sockaddr_un address;
        char *command; /* with its newline */
        size_t command_size, sent;
        char *answer;
        size_t answer_size, answer_room, answer_max;
        int64_t begun_us, budget_us;
        LineCallback callback;
        void *userdata;
};

LineCall *line_cancel(LineCall *call) {
        if (!call)
                return NULL;
        sd_event_source_disable_unref(call->io);
        sd_event_source_disable_unref(call->deadline);
        sd_event_source_disable_unref(call->attempt);
        cleanup_close(&call->fd);
        sd_event_unref(call->event);
        free(call->command);
        free(call->answer);
        free(call);
        return NULL;
}

static int64_t now_us(sd_event *event) {
        uint64_t now = 0;
        (void)sd_event_now(event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

/* The call is gone before the caller hears of it: whatever it does in the callback, begin another one included, is safe. */
static void finish(LineCall *call, LineAnswer *answer) {
        LineCallback callback = call->callback;
        void *userdata = call->userdata;
        AUTO_FREE char *text = TAKE_PTR(call->answer);
        answer->text = answer->error.code == 0 && text ? text : "";
        answer->size = answer->error.code == 0 ? call->answer_size : 0;
        answer->elapsed_us = now_us(call->event) - call->begun_us;
        line_cancel(call);
        callback(userdata, answer);
}

static const char *path_of(const LineCall *call) {
        return call->address.sun_path;
}

static void finish_errno(LineCall *call, int code) {
        LineAnswer answer = {0};
        const char *hint = "";
        if (code == -ENOENT)
                hint = " (no such socket: is it running, and is this its path?)";
        else if (code == -ECONNREFUSED)
                hint = " (nobody listens there: is it running?)";
        else if (code == -EACCES || code == -EPERM)
                hint = " (the socket's mode, user and group decide who may)";
        error_set(&answer.error, code, "%s: %s%s", path_of(call), strerror(-code), hint);
        finish(call, &answer);
}

static int on_deadline(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        LineCall *call = userdata;
        LineAnswer answer = {0};
        error_set(&answer.error, -ETIMEDOUT, "%s: no %s within %" PRId64 " ms", path_of(call),
                  call->answer_size > 0 ? "end of the answer" : "answer", call->budget_us / USEC_PER_MSEC);
        finish(call, &answer);
        return 0;
}

/* Returns 1 when everything is sent, 0 when the socket is full. */
static int send_command(LineCall *call) {
        while (call->sent < call->command_size) {
                ssize_t n = send(call->fd, call->command + call->sent, call->command_size - call->sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                call->sent += (size_t)n;
        }
        return 1;
}

static int make_room(LineCall *call) {
        if (call->answer_room - call->answer_size > READ_CHUNK)
                return 0;
        size_t room = call->answer_room ? call->answer_room * 2 : (size_t)2 * READ_CHUNK;
        char *answer = realloc(call->answer, room);
        if (!answer)
                return -ENOMEM;
        call->answer = answer;
        call->answer_room = room;
        return 0;
}

/* Returns 1 at the end of the answer, 0 when more may come. */
static int read_answer(LineCall *call) {
        for (;;) {
                int r = make_room(call);
                if (r < 0)
                        return r;
                ssize_t n = recv(call->fd, call->answer + call->answer_size, READ_CHUNK, MSG_DONTWAIT);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                if (n == 0)
                        break;
                call->answer_size += (size_t)n;
                if (call->answer_size > call->answer_max)
                        return -EMSGSIZE;
        }
        call->answer[call->answer_size] = '\0';
        return 1;
}

static void finish_read(LineCall *call, int r) {
        LineAnswer answer = {0};
        if (r == -EMSGSIZE)
                error_set(&answer.error, r, "%s: the answer is longer than %zu bytes", path_of(call), call->answer_max);
        else if (r < 0) {
                finish_errno(call, r);
                return;
        } else if (call->answer_size == 0)
                error_set(&answer.error, -ECONNRESET, "%s: closed without an answer", path_of(call));
        finish(call, &answer);
}

static int on_io(sd_event_source *source, UNUSED int fd, uint32_t events, void *userdata) {
        LineCall *call = userdata;
        if (call->sent < call->command_size) {
                int r = send_command(call);
                /* A peer that refuses a command may have said why before it closed: then the answer is worth more than EPIPE. */
                if (r < 0 && !(events & EPOLLIN)) {
                        finish_errno(call, r);
                        return 0;
                }
                if (r > 0)
                        (void)sd_event_source_set_io_events(source, EPOLLIN);
        }
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                int r = read_answer(call);
                if (r != 0)
                        finish_read(call, r);
        }
        return 0;
}

/* A Unix socket's connect() doesn't wait: it is refused with EAGAIN while the listener's backlog is full, and no event tells when
 * there is room again. A hung HAProxy looks so after a while: we try again until the deadline. */
static int on_attempt(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        LineCall *call = userdata;
        cleanup_close(&call->fd);
        call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (call->fd < 0) {
                finish_errno(call, -errno);
                return 0;
        }
        if (connect(call->fd, (const struct sockaddr *)&call->address, sizeof call->address) < 0) {
                if (errno != EAGAIN) {
                        finish_errno(call, -errno);
                        return 0;
                }
                (void)sd_event_source_set_time_relative(source, (uint64_t)CONNECT_RETRY_US);
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }
        int r = send_command(call);
        if (r >= 0)
                r = sd_event_add_io(call->event, &call->io, call->fd, r > 0 ? EPOLLIN : EPOLLIN | EPOLLOUT, on_io,
                                    call);
        if (r < 0)
                finish_errno(call, r);
        return 0;
}

static int arm(LineCall *call) {
        int r = sd_event_add_time_relative(call->event, &call->deadline, CLOCK_BOOTTIME, (uint64_t)call->budget_us,
                                           1000, on_deadline, call);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(call->event, &call->attempt, CLOCK_MONOTONIC, 0, 1, on_attempt, call);
}

int line_begin(sd_event *event, const char *socket_path, const char *command, size_t answer_max, int64_t budget_us,
               LineCallback callback, void *userdata, LineCall **ret_call, Error *error) {
        if (strlen(socket_path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
                return error_set(error, -ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", socket_path,
                                 sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
        LineCall *call = calloc(1, sizeof *call);
        if (!call)
                return error_set(error, -ENOMEM, "%s: out of memory", socket_path);
        *call = (LineCall){
                .fd = -1,
                .event = sd_event_ref(event),
                .address.sun_family = AF_UNIX,
                .answer_max = answer_max ? answer_max : ANSWER_MAX_DEFAULT,
                .begun_us = now_us(event),
                .budget_us = budget_us,
                .callback = callback,
                .userdata = userdata,
        };
        strcpy(call->address.sun_path, socket_path);
        int length = asprintf(&call->command, "%s\n", command);
        if (length < 0)
                call->command = NULL;
        call->command_size = length < 0 ? 0 : (size_t)length;
        int r = length < 0 ? -ENOMEM : arm(call);
        if (r < 0) {
                line_cancel(call);
                return error_set(error, r, "%s: cannot begin a command: %s", socket_path, strerror(-r));
        }
        *ret_call = call;
        return 0;
}
