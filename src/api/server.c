#include "api/server.h"

#include "api/auth.h"
#include "api/listen.h"
#include "api/problem.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TICK_US INT64_C(1000000)
#define RETRY_ACCEPT_US UINT64_C(500000)
#define RUNS_AT_ONCE 8
#define SOCKET_MODE 0666 /* everybody may read; who may act is asked of the peer */

/* ---- MHD in the event loop: its epoll descriptor, its time-out, and a deferred run after a resume ---- */

/* MHD takes one step for each connection a run. A few at once, but the rest of the controller wants its turn, too. */
static void pump(ApiServer *server) {
        MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
        bool wanted = true;
        for (int i = 0; i < RUNS_AT_ONCE && wanted && timeout_ms == 0; i++) {
                MHD_run(server->daemon);
                wanted = MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES;
        }
        if (wanted)
                sd_event_source_set_time_relative(server->timer_source, timeout_ms * 1000);
        sd_event_source_set_enabled(server->timer_source, wanted ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_io(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        pump(userdata);
        return 0;
}

static int on_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        pump(userdata);
        return 0;
}

static int on_pump(UNUSED sd_event_source *source, void *userdata) {
        pump(userdata);
        return 0;
}

void server_pump_soon(ApiServer *server) {
        sd_event_source_set_enabled(server->pump_source, SD_EVENT_ONESHOT);
}

/* ---- connections ---- */

static bool peer_welcome(const ApiServer *server, const Caller *caller) {
        if (caller->may_act)
                return true;
        unsigned readers = 0, same = 0;
        for (const Peer *peer = server->peers; peer; peer = peer->next) {
                readers += !peer->caller.may_act;
                same += peer->caller.uid == caller->uid;
        }
        return readers < READERS_MAX && same < READERS_EACH_MAX;
}

static void peer_free(Peer *peer) {
        if (peer->link) {
                *peer->link = peer->next;
                if (peer->next)
                        peer->next->link = peer->link;
        }
        free(peer);
}

static void turn_away(int fd) {
        static const char body[] = "{\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,"
                                   "\"detail\":\"try again in a second\",\"exit_code\":75}\n";
        char answer[512];
        int length = snprintf(
                answer, sizeof answer,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
                "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                sizeof body - 1, body);
        (void)send(fd, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
}

/* Peers are known before MHD sees them: it could not tell an operator from somebody who only takes up room. */
static void welcome(ApiServer *server, int fd) {
        Caller caller;
        Error error = {0};
        Peer *peer = NULL;
        if (auth_caller(fd, server->act_group, &caller, &error) < 0) {
                close(fd);
                return;
        }
        if (!peer_welcome(server, &caller) || !(peer = calloc(1, sizeof *peer))) {
                turn_away(fd);
                return;
        }
        *peer = (Peer){
                .server = server, .caller = caller, .fd = fd, .deadline_mono = clock_mono_us() + REQUEST_TIMEOUT_US};
        server->arriving = peer;
        const struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)MHD_add_connection(server->daemon, fd, (const struct sockaddr *)&address,
                                 sizeof address); /* closes fd if it can't */
        if (server->arriving)
                peer_free(TAKE_PTR(server->arriving));
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
        (void)connection;
        ApiServer *server = userdata;
        if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
                if (*socket_context)
                        peer_free(*socket_context);
                *socket_context = NULL;
                return;
        }
        Peer *peer = TAKE_PTR(server->arriving);
        peer->next = server->peers;
        peer->link = &server->peers;
        if (server->peers)
                server->peers->link = &peer->next;
        else {
                sd_event_source_set_time_relative(server->tick_source, TICK_US);
                sd_event_source_set_enabled(server->tick_source, SD_EVENT_ONESHOT);
        }
        server->peers = peer;
        *socket_context = peer;
}

static int on_retry_accept(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ApiServer *server = userdata;
        sd_event_source_set_enabled(server->accept_source, SD_EVENT_ON);
        return 0;
}

/* Out of descriptors the listener stays readable: without a pause the loop would spin. */
static void pause_accepting(ApiServer *server, int why) {
        log_warn("cannot accept a connection on %s: %s; trying again soon", server->path, strerror(why));
        sd_event_source_set_enabled(server->accept_source, SD_EVENT_OFF);
        sd_event_source_set_time_relative(server->retry_source, RETRY_ACCEPT_US);
        sd_event_source_set_enabled(server->retry_source, SD_EVENT_ONESHOT);
}

static int on_accept(UNUSED sd_event_source *source, int listen_fd, UNUSED uint32_t events, void *userdata) {
        ApiServer *server = userdata;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
                welcome(server, fd);
                pump(server);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                pause_accepting(server, errno);
        return 0;
}

/* Once a second: a request that doesn't get finished is cut (MHD's own time-out is satisfied by a byte now and then), and
 * streams get their heartbeat. */
static int on_tick(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ApiServer *server = userdata;
        int64_t now = clock_mono_us();
        for (Peer *peer = server->peers; peer; peer = peer->next)
                if (peer->deadline_mono != 0 && now >= peer->deadline_mono)
                        shutdown(peer->fd, SHUT_RDWR); /* MHD notices, and closes */
        if (now >= server->next_heartbeat_mono) {
                stream_heartbeat(server->hub);
                server->next_heartbeat_mono = now + STREAM_HEARTBEAT_US;
        }
        server_pump_soon(server);
        if (!server->peers)
                return 0; /* nobody there: an idle controller isn't woken */
        sd_event_source_set_time_relative(source, TICK_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- the socket's file ---- */

static int listen_again(ApiServer *server, Error *error) {
        struct stat made;
        AUTO_CLOSE int fd = listen_unix(server->path, SOCKET_MODE, &made, error);
        if (fd < 0)
                return fd;
        sd_event_source *source;
        int r = sd_event_add_io(server->event, &source, fd, EPOLLIN, on_accept, server);
        if (r < 0) {
                listen_remove(server->path, &made);
                return error_set(error, r, "cannot watch the control socket: %s", strerror(-r));
        }
        sd_event_source_disable_unref(server->accept_source);
        close(server->listen_fd);
        server->accept_source = source;
        server->listen_fd = TAKE_FD(fd);
        server->socket_stat = made;
        return 0;
}

void api_server_look(ApiServer *server, void (*problem)(void *userdata, const char *source, const char *message),
                     void *userdata) {
        Error error = {0};
        int r = 0;
        if (!listen_in_place(server->path, &server->socket_stat)) {
                r = listen_again(server, &error);
                if (r >= 0)
                        log_warn("the control socket %s was removed or replaced: it is made anew", server->path);
        }
        problem(userdata, "socket", r < 0 ? error_text(&error) : NULL);
}

void api_server_calm(ApiServer *server, bool calm) {
        (void)server;
        (void)calm;
}

void api_reply(ApiReply *reply, int status, json_t *answer, Problem *problem) {
        (void)reply;
        (void)status;
        json_decref(answer);
        if (problem)
                problem_clear(problem);
}

/* ---- beginning and end ---- */

static int start_daemon(ApiServer *server, Error *error) {
        server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
                                          NULL, request_handle, server, MHD_OPTION_CONNECTION_LIMIT,
                                          (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                          (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                          (size_t)(32 * 1024), MHD_OPTION_NOTIFY_COMPLETED, request_done, server,
                                          MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
        return server->daemon
                       ? 0
                       : error_set(error, -ENOMEM, "cannot start the HTTP server: no memory or no descriptors left");
}

static int add_sources(ApiServer *server, Error *error) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        sd_event *event = server->event;
        int r = info ? sd_event_add_io(event, &server->io_source, info->epoll_fd, EPOLLIN, on_io, server) : -EOPNOTSUPP;
        if (r >= 0)
                r = sd_event_add_io(event, &server->accept_source, server->listen_fd, EPOLLIN, on_accept, server);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &server->timer_source, CLOCK_BOOTTIME, 0, 1000, on_timer, server);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &server->tick_source, CLOCK_BOOTTIME, TICK_US, TICK_US / 4,
                                               on_tick, server);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &server->retry_source, CLOCK_BOOTTIME, 0, 1000, on_retry_accept,
                                               server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->retry_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &server->pump_source, on_pump, server);
        return r < 0 ? error_set(error, r, "cannot watch the control socket: %s", strerror(-r)) : 0;
}

int api_server_new(sd_event *event, const ApiSettings *settings, const ApiOps *ops, void *self, ApiServer **ret_server,
                   Error *error) {
        const char *path = settings->socket_path;
        const struct group *group = settings->group && settings->group[0] ? getgrnam(settings->group) : NULL;
        ApiServer *server = calloc(1, sizeof *server);
        if (!server || !(server->path = strdup(path))) {
                free(server);
                return error_set(error, -ENOMEM, "no memory left for the control socket");
        }
        server->event = sd_event_ref(event);
        server->ops = ops;
        server->self = self;
        server->settings = *settings;
        server->act_group = group ? group->gr_gid : (gid_t)-1;
        server->next_heartbeat_mono = clock_mono_us() + STREAM_HEARTBEAT_US;
        int r = server->listen_fd = listen_unix(path, SOCKET_MODE, &server->socket_stat, error);
        if (r >= 0)
                r = stream_hub_new(&server->hub, error);
        if (r >= 0)
                r = start_daemon(server, error);
        if (r >= 0)
                r = add_sources(server, error);
        if (r < 0) {
                api_server_free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

ApiServer *api_server_free(ApiServer *server) {
        if (!server)
                return NULL;
        sd_event_source **sources[] = {&server->accept_source, &server->io_source,   &server->timer_source,
                                       &server->pump_source,   &server->tick_source, &server->retry_source};
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
                *sources[i] = sd_event_source_disable_unref(*sources[i]);
        if (server->listen_fd >= 0) {
                listen_remove(server->path, &server->socket_stat);
                close(server->listen_fd);
        }
        if (server->daemon) {
                stream_close(server->hub);
                MHD_run(server->daemon); /* what fits into the sockets is sent */
                MHD_stop_daemon(server->daemon);
        }
        stream_hub_free(server->hub);
        sd_event_unref(server->event);
        free(server->path);
        free(server);
        return NULL;
}

void api_server_publish(ApiServer *server, const char *type, const json_t *event) {
        if (!server)
                return;
        if (stream_publish(server->hub, type, event) < 0)
                log_warn("an event of type %s is not shown to those who watch: no memory left", type);
        server_pump_soon(server);
}

unsigned api_server_pending(const ApiServer *server) {
        return server ? server->requests - stream_readers(server->hub) + stream_behind(server->hub) : 0;
}
