#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#define CONNECTIONS_MAX 4000 /* fewer than LEDGER_BATCH_MAX: a batch holds a write of each */
#define ANSWER_MAX 8192
#define STOP_PATIENCE_US INT64_C(5000000) /* for a client that does not read its answer */

typedef enum ConnectionState {
        CONNECTION_READING,
        CONNECTION_HANDLING, /* the owner has the request */
        CONNECTION_DELAYED,
        CONNECTION_HUNG,
        CONNECTION_WRITING,
        CONNECTION_CLOSED, /* freed when the batch ends, because the owner may still hold it */
} ConnectionState;

struct Connection {
        Server *server;
        Connection *next, *previous;
        int fd;
        ConnectionState state;
        uint32_t interest; /* what epoll is asked for */
        Request request;
        int64_t began_us, due_us, note;
        int status;
        int file; /* of the answer; -1: none */
        off_t file_at, file_end;
        size_t in_size, out_at, out_size;
        char in[REQUEST_MAX], out[ANSWER_MAX];
};

struct Server {
        const ServerHooks *hooks;
        void *userdata;
        const char *version;
        int epoll, listener, timer, signals;
        bool stopping, accepting;
        bool unread; /* a connection that was answered has more in its buffer */
        unsigned count;
        int64_t alarm_us, give_up_us, armed_us;
        Connection *connections, *closed;
};

int64_t server_now_us(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- timers: one timerfd at the earliest of what is due ---- */

static void arm(Server *server, int64_t at_us) {
        if (at_us == 0 || (server->armed_us != 0 && server->armed_us <= at_us))
                return;
        server->armed_us = at_us;
        struct itimerspec when = {.it_value = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000}};
        timerfd_settime(server->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void server_alarm(Server *server, int64_t at_us) {
        server->alarm_us = at_us;
        arm(server, at_us);
}

/* ---- connections ---- */

/* Just what the state can do something about; more would wake us again and again. */
static void set_interest(Connection *connection, uint32_t interest) {
        if (connection->interest == interest)
                return;
        connection->interest = interest;
        struct epoll_event event = {.events = interest, .data.ptr = connection};
        epoll_ctl(connection->server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void set_accepting(Server *server, bool accepting) {
        if (server->listener < 0 || server->accepting == accepting)
                return;
        server->accepting = accepting;
        struct epoll_event event = {.events = accepting ? EPOLLIN : 0, .data.ptr = &server->listener};
        epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener, &event);
}

static void connection_close(Connection *connection) {
        Server *server = connection->server;
        if (connection->state == CONNECTION_CLOSED)
                return;
        connection->state = CONNECTION_CLOSED;
        close(connection->fd);
        *(connection->previous ? &connection->previous->next : &server->connections) = connection->next;
        if (connection->next)
                connection->next->previous = connection->previous;
        connection->next = server->closed;
        server->closed = connection;
        server->count--;
        set_accepting(server, true);
}

static void answer_complete(Connection *connection) {
        Server *server = connection->server;
        server->hooks->answered(server->userdata, connection, connection->status,
                                server_now_us() - connection->began_us);
        if (!connection->request.keep_alive || server->stopping) {
                connection_close(connection);
                return;
        }
        connection->in_size -= connection->request.size;
        memmove(connection->in, connection->in + connection->request.size, connection->in_size);
        connection->state = CONNECTION_READING;
        server->unread = server->unread || connection->in_size > 0;
        set_interest(connection, EPOLLIN);
}

/* Returns 1 when all of it is written, 0 when the socket is full, negative when it is gone. */
static int write_some(Connection *connection) {
        while (connection->out_at < connection->out_size) {
                int more = connection->file >= 0 ? MSG_MORE : 0;
                ssize_t n = send(connection->fd, connection->out + connection->out_at,
                                 connection->out_size - connection->out_at, MSG_NOSIGNAL | more);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                connection->out_at += (size_t)n;
        }
        while (connection->file >= 0 && connection->file_at < connection->file_end) {
                size_t left = (size_t)(connection->file_end - connection->file_at);
                ssize_t n = sendfile(connection->fd, connection->file, &connection->file_at, left);
                if (n <= 0)
                        return n < 0 && errno == EAGAIN ? 0 : -EIO;
        }
        return 1;
}

static void connection_write(Connection *connection) {
        int r = write_some(connection);
        if (r > 0)
                answer_complete(connection);
        else if (r < 0)
                connection_close(connection);
        else
                set_interest(connection, EPOLLOUT);
}

static void begin_answer(Connection *connection, int status, const char *type, size_t size) {
        Server *server = connection->server;
        connection->status = status;
        connection->state = CONNECTION_WRITING;
        connection->out_at = 0;
        connection->out_size = response_head(connection->out, sizeof connection->out, status, type, size,
                                             server->version, connection->request.keep_alive && !server->stopping);
}

void connection_answer(Connection *connection, int status, const char *type, const char *body, size_t size) {
        if (connection->state == CONNECTION_CLOSED)
                return;
        if (size > ANSWER_MAX - RESPONSE_HEAD_MAX)
                size = ANSWER_MAX - RESPONSE_HEAD_MAX;
        begin_answer(connection, status, type, size);
        connection->file = -1;
        memcpy(connection->out + connection->out_size, body, size);
        connection->out_size += size;
        connection_write(connection);
}

void connection_answer_file(Connection *connection, int fd, off_t size) {
        begin_answer(connection, 200, "text/plain", (size_t)size);
        connection->file = fd;
        connection->file_at = 0;
        connection->file_end = size;
        connection_write(connection);
}

void connection_delay(Connection *connection, int64_t delay_us) {
        connection->state = CONNECTION_DELAYED;
        connection->due_us = server_now_us() + delay_us;
        set_interest(connection, EPOLLRDHUP);
        arm(connection->server, connection->due_us);
}

void connection_wait(Connection *connection) {
        connection->state = CONNECTION_HANDLING;
}

void connection_hang(Connection *connection) {
        connection->state = CONNECTION_HUNG;
        set_interest(connection, EPOLLRDHUP);
        if (connection->server->stopping)
                connection_close(connection);
}

void connection_note(Connection *connection, int64_t note) {
        connection->note = note;
}

int64_t connection_noted(const Connection *connection) {
        return connection->note;
}

/* Hands what has been read to the owner, as often as there is a whole request (a client may send several at once). */
static void handle_requests(Connection *connection) {
        Server *server = connection->server;
        while (connection->state == CONNECTION_READING && connection->in_size > 0) {
                int r = request_parse(connection->in, connection->in_size, &connection->request);
                if (r == 0)
                        return;
                connection->began_us = server_now_us();
                connection->note = 0;
                connection->state = CONNECTION_HANDLING;
                if (r > 1) {
                        connection->request = (Request){.size = connection->in_size, .keep_alive = false};
                        connection_answer(connection, r, "text/plain", "", 0);
                        return;
                }
                server->hooks->request(server->userdata, connection, &connection->request);
        }
}

static void connection_read(Connection *connection) {
        while (connection->state == CONNECTION_READING && connection->in_size < REQUEST_MAX) {
                size_t room = REQUEST_MAX - connection->in_size;
                ssize_t n = recv(connection->fd, connection->in + connection->in_size, room, 0);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        connection_close(connection);
                        return;
                }
                connection->in_size += (size_t)n;
                handle_requests(connection);
        }
}

static void on_connection(Connection *connection, uint32_t events) {
        if (connection->state == CONNECTION_CLOSED)
                return;
        if (connection->state == CONNECTION_WRITING && (events & EPOLLOUT))
                connection_write(connection);
        if (connection->state == CONNECTION_READING && (events & EPOLLIN))
                connection_read(connection);
        /* nobody is there any more to be answered */
        if ((events & (EPOLLERR | EPOLLHUP)) || ((events & EPOLLRDHUP) && (connection->state == CONNECTION_DELAYED ||
                                                                           connection->state == CONNECTION_HUNG)))
                connection_close(connection);
}

static void adopt(Server *server, int fd) {
        Connection *connection = malloc(sizeof *connection);
        if (!connection) {
                close(fd);
                return;
        }
        *connection =
                (Connection){.server = server, .fd = fd, .file = -1, .next = server->connections, .interest = EPOLLIN};
        if (server->connections)
                server->connections->previous = connection;
        server->connections = connection;
        server->count++;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
        connection_read(connection); /* mostly the request is there already */
}

static void on_listener(Server *server) {
        while (server->count < CONNECTIONS_MAX) {
                int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
                        continue;
                if (fd < 0 && errno == EAGAIN)
                        return;
                if (fd < 0)
                        break; /* no descriptor left: wait until a connection is closed */
                adopt(server, fd);
        }
        if (server->count > 0)
                set_accepting(server, false);
}

static void on_timer(Server *server) {
        uint64_t expirations;
        if (read(server->timer, &expirations, sizeof expirations) < 0)
                return;
        int64_t now = server_now_us();
        server->armed_us = 0;
        if (server->alarm_us != 0 && server->alarm_us <= now) {
                server->alarm_us = 0;
                server->hooks->alarm(server->userdata);
        }
        for (Connection *next, *connection = server->connections; connection; connection = next) {
                next = connection->next;
                if (connection->state != CONNECTION_DELAYED)
                        continue;
                if (connection->due_us <= now) {
                        connection->state = CONNECTION_HANDLING;
                        server->hooks->resumed(server->userdata, connection, &connection->request);
                } else
                        arm(server, connection->due_us);
        }
        arm(server, server->alarm_us);
        arm(server, server->give_up_us);
}

static void on_signal(Server *server) {
        struct signalfd_siginfo info;
        while (read(server->signals, &info, sizeof info) == sizeof info)
                server->hooks->signalled(server->userdata, (int)info.ssi_signo);
}

void server_stop(Server *server) {
        if (server->stopping)
                return;
        on_listener(server); /* who has connected is served, not reset */
        server->stopping = true;
        close(TAKE_FD(server->listener));
        server->give_up_us = server_now_us() + STOP_PATIENCE_US;
        arm(server, server->give_up_us);
        for (Connection *next, *connection = server->connections; connection; connection = next) {
                next = connection->next;
                if (connection->state == CONNECTION_READING)
                        connection_read(connection); /* a request that has arrived is answered still */
                if (connection->state == CONNECTION_HUNG ||
                    (connection->state == CONNECTION_READING && connection->in_size == 0))
                        connection_close(connection);
        }
}

static void free_closed(Server *server) {
        while (server->closed) {
                Connection *connection = server->closed;
                server->closed = connection->next;
                free(connection);
        }
}

static void end_batch(Server *server) {
        server->hooks->batch_end(server->userdata);
        while (server->unread) { /* a client that sends several requests at once */
                server->unread = false;
                for (Connection *next, *connection = server->connections; connection; connection = next) {
                        next = connection->next;
                        handle_requests(connection);
                }
                server->hooks->batch_end(server->userdata);
        }
        free_closed(server);
}

static void dispatch(Server *server, const struct epoll_event *event) {
        if (event->data.ptr == &server->listener) {
                if (server->listener >= 0)
                        on_listener(server);
        } else if (event->data.ptr == &server->timer)
                on_timer(server);
        else if (event->data.ptr == &server->signals)
                on_signal(server);
        else
                on_connection(event->data.ptr, event->events);
}

static bool stopped(const Server *server) {
        return server->stopping && (server->count == 0 || server_now_us() >= server->give_up_us);
}

int server_run(Server *server, Error *error) {
        struct epoll_event events[256];
        while (!stopped(server)) {
                int n = epoll_wait(server->epoll, events, ARRAY_SIZE(events), -1);
                if (n < 0 && errno != EINTR)
                        return error_set(error, -errno, "cannot wait for events: %s", strerror(errno));
                for (int i = 0; i < n; i++)
                        dispatch(server, &events[i]);
                end_batch(server);
        }
        return 0;
}

/* ---- beginning and end ---- */

static int parse_address(const char *text, struct sockaddr_in *ret_address, Error *error) {
        char host[64];
        unsigned port;
        int end = 0;
        *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
        if (sscanf(text, "%63[0-9.]:%5u%n", host, &port, &end) != 2 || text[end] != '\0' || port == 0 || port > 65535 ||
            inet_pton(AF_INET, host, &ret_address->sin_addr) != 1)
                return error_set(error, -EINVAL, "listen is '%s'; allowed is ADDRESS:PORT, such as 127.0.0.1:9001",
                                 text);
        ret_address->sin_port = htons((uint16_t)port);
        return 0;
}

static int listen_at(const char *text, Error *error) {
        struct sockaddr_in address;
        int r = parse_address(text, &address, error);
        if (r < 0)
                return r;
        AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_set(error, -errno, "cannot open a socket: %s", strerror(errno));
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0)
                return error_set(error, -errno, "cannot listen at %s: %s", text, strerror(errno));
        return TAKE_FD(fd);
}

static int watch(Server *server, int *fd) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
        return *fd < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, *fd, &event) < 0 ? -errno : 0;
}

static int open_descriptors(Server *server, Error *error) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        server->epoll = epoll_create1(EPOLL_CLOEXEC);
        server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        server->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        int *fds[] = {&server->listener, &server->timer, &server->signals};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                int r = watch(server, fds[i]);
                if (r < 0)
                        return error_set(error, r, "cannot watch events: %s", strerror(-r));
        }
        return 0;
}

int server_new(const char *listen, const char *version, const ServerHooks *hooks, void *userdata, Server **ret_server,
               Error *error) {
        int listener = listen_at(listen, error);
        if (listener < 0)
                return listener;
        Server *server = malloc(sizeof *server);
        if (!server) {
                close(listener);
                return error_set(error, -ENOMEM, "out of memory");
        }
        *server = (Server){.hooks = hooks,
                           .userdata = userdata,
                           .version = version,
                           .epoll = -1,
                           .listener = listener,
                           .timer = -1,
                           .signals = -1,
                           .accepting = true};
        int r = open_descriptors(server, error);
        if (r < 0) {
                server_free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

Server *server_free(Server *server) {
        if (!server)
                return NULL;
        while (server->connections)
                connection_close(server->connections);
        free_closed(server);
        int fds[] = {server->listener, server->timer, server->signals, server->epoll};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                cleanup_close(&fds[i]);
        free(server);
        return NULL;
}
