#include "api/listener.h"

#include "api/access.h"
#include "api/auth.h"
#include "api/listen-tcp.h"
#include "api/listen.h"
#include "api/peers.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

#define RETRY_ACCEPT_US UINT64_C(500000)
#define ACCEPT_AT_ONCE 32
#define LOOK_AT_STREAMS_US INT64_C(1000000)
#define SOCKET_MODE 0666 /* everybody may connect; who may do what is asked of the peer */

static const char *const sources[] = {"socket", "api", "api-health", "api-tls"};
static const char *const setting_names[] = {"paths.socket", "api.listen", "api.health_listen", "api.tls_listen"};

const char *listener_source(PeerKind kind) {
        return sources[kind];
}

const char *listener_setting(PeerKind kind) {
        return setting_names[kind];
}

/* ---- accepting ---- */

static void turn_away(PeerKind kind, int fd) {
        static const char body[] = "{\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,"
                                   "\"detail\":\"try again in a second\",\"exit_code\":75}\n";
        char answer[512];
        int length = snprintf(
                answer, sizeof answer,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
                "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                sizeof body - 1, body);
        if (kind != PEER_TLS) /* there the handshake comes first, and is what costs most */
                (void)send(fd, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
}

/* Whom the kernel says it is. False: the connection isn't one for this listener. */
static bool identify(const ApiServer *server, Peer *peer) {
        if (peer->kind == PEER_UNIX) {
                if (auth_caller(peer->fd, server->act_group, &peer->caller, NULL) < 0)
                        return false;
        } else {
                socklen_t size = sizeof peer->local;
                if (getsockname(peer->fd, (struct sockaddr *)&peer->local, &size) < 0)
                        return false;
                if (peer->kind == PEER_LOOPBACK && !listen_is_loopback(&peer->remote))
                        return false;
                peer->caller = (Caller){.uid = (uid_t)-1, .gid = (gid_t)-1, .name = "anonymous"};
        }
        access_greet(server->access, peer);
        return true;
}

/* That a stream which sleeps was left shows only when something is sent to it. */
static void look_at_streams(ApiServer *server) {
        int64_t now = server_now(server);
        if (now < server->streams_looked_mono + LOOK_AT_STREAMS_US)
                return;
        server->streams_looked_mono = now;
        stream_heartbeat(server->hub);
        (void)stream_wake(server->hub, UINT_MAX);
}

/* Places of those who have hung up are free only when MHD has noticed: once for all that are accepted together, it gets to. */
static bool find_place(ApiServer *server, Peer *peer, bool *pumped) {
        if (peers_enter(server, peer))
                return true;
        if (*pumped)
                return false;
        *pumped = true;
        look_at_streams(server);
        server_pump(server);
        return peers_enter(server, peer);
}

/* Peers are known before MHD sees them: it could not tell an operator from somebody who only takes up room. */
static void welcome(Listener *listener, int fd, const struct sockaddr_storage *remote, bool *pumped) {
        ApiServer *server = listener->server;
        Peer *peer = calloc(1, sizeof *peer);
        if (!peer) {
                turn_away(listener->kind, fd);
                return;
        }
        peer->server = server;
        peer->kind = listener->kind;
        peer->fd = fd;
        peer->remote = *remote;
        if (!identify(server, peer)) {
                close(fd);
                free(peer);
        } else if (!find_place(server, peer, pumped)) {
                turn_away(listener->kind, fd);
                free(peer);
        } else
                server_adopt(server, peer);
}

static int on_retry_accept(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        Listener *listener = userdata;
        return listener->accept_source ? sd_event_source_set_enabled(listener->accept_source, SD_EVENT_ON) : 0;
}

/* Out of descriptors the listener stays readable: without a pause the loop would spin. */
static void pause_accepting(Listener *listener, int why) {
        log_warn("cannot accept a connection on %s: %s; trying again soon", listener->address, strerror(why));
        sd_event_source_set_enabled(listener->accept_source, SD_EVENT_OFF);
        sd_event_source_set_time_relative(listener->retry_source, RETRY_ACCEPT_US);
        sd_event_source_set_enabled(listener->retry_source, SD_EVENT_ONESHOT);
}

static bool paused(const Listener *listener) {
        int enabled = SD_EVENT_OFF;
        return sd_event_source_get_enabled(listener->retry_source, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

static void accept_some(Listener *listener) {
        bool pumped = false;
        for (int i = 0; i < ACCEPT_AT_ONCE && listener->fd >= 0 && !paused(listener); i++) {
                struct sockaddr_storage remote = {0};
                socklen_t size = sizeof remote;
                int fd = accept4(listener->fd, (struct sockaddr *)&remote, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0)
                        welcome(listener, fd, &remote, &pumped);
                else if (errno == EAGAIN)
                        return;
                else if (errno != EINTR && errno != ECONNABORTED)
                        pause_accepting(listener, errno);
        }
}

static int on_accept(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        Listener *listener = userdata;
        accept_some(listener);
        server_pump(listener->server);
        return 0;
}

void listeners_accept(ApiServer *server) {
        for (unsigned i = 0; i < server->listener_count; i++)
                accept_some(&server->listeners[i]);
}

void listeners_watch(ApiServer *server, bool watch) {
        for (unsigned i = 0; i < server->listener_count; i++) {
                Listener *listener = &server->listeners[i];
                if (listener->accept_source && !(watch && paused(listener)))
                        sd_event_source_set_enabled(listener->accept_source, watch ? SD_EVENT_ON : SD_EVENT_OFF);
        }
}

/* ---- opening ---- */

static int watch_socket(Listener *listener, int fd, sd_event_source **ret_source, Error *error) {
        ApiServer *server = listener->server;
        sd_event_source *source = NULL;
        int r = 0;
        if (!listener->retry_source) {
                r = sd_event_add_time_relative(server->event, &listener->retry_source, CLOCK_BOOTTIME, 0, 1000,
                                               on_retry_accept, listener);
                if (r >= 0)
                        r = sd_event_source_set_enabled(listener->retry_source, SD_EVENT_OFF);
        }
        if (r >= 0)
                r = sd_event_add_io(server->event, &source, fd, EPOLLIN, on_accept, listener);
        if (r >= 0)
                r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0 && server->calm)
                r = sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (r < 0) {
                sd_event_source_disable_unref(source);
                return error_set(error, r, "cannot watch %s: %s", listener->address, strerror(-r));
        }
        *ret_source = source;
        return 0;
}

/* Who has a port that is taken is looked up once, not at each look. */
static int open_socket(const Listener *listener, struct stat *ret_file, Error *error) {
        if (listener->kind == PEER_UNIX)
                return listen_unix(listener->address, SOCKET_MODE, ret_file, error);
        return listen_tcp(listener_setting(listener->kind), listener->address, listener->kind == PEER_LOOPBACK,
                          listener->problem.code != -EADDRINUSE, error);
}

static bool in_place(const Listener *listener) {
        return listener->fd >= 0 &&
               (listener->kind != PEER_UNIX || listen_in_place(listener->address, &listener->file));
}

int listener_open(Listener *listener) {
        struct stat file = {0};
        Error error = {0};
        sd_event_source *source = NULL;
        if (in_place(listener)) {
                listener->problem = error;
                return 0;
        }
        AUTO_CLOSE int fd = open_socket(listener, &file, &error);
        int r = fd < 0 ? fd : watch_socket(listener, fd, &source, &error);
        if (r != -EADDRINUSE || listener->problem.code != r)
                listener->problem = error;
        if (r < 0) {
                if (fd >= 0 && listener->kind == PEER_UNIX)
                        listen_remove(listener->address, &file);
                return r;
        }
        if (listener->fd >= 0)
                log_warn("the control socket %s was removed or replaced: it is made anew", listener->address);
        sd_event_source_disable_unref(listener->accept_source);
        if (listener->fd >= 0)
                close(listener->fd);
        listener->accept_source = source;
        listener->fd = TAKE_FD(fd);
        listener->file = file;
        return 0;
}

/* ---- all of them ---- */

static void add(ApiServer *server, PeerKind kind, const char *address) {
        if (address && address[0] != '\0')
                server->listeners[server->listener_count++] =
                        (Listener){.server = server, .kind = kind, .address = address, .fd = -1};
}

int listeners_new(ApiServer *server, Error *error) {
        const ApiSettings *settings = &server->settings;
        unsigned health_count = 0;
        while (settings->health_listen && settings->health_listen[health_count])
                health_count++;
        server->listeners = calloc(health_count + 3, sizeof *server->listeners);
        if (!server->listeners)
                return error_set(error, -ENOMEM, "no memory left for the control socket");
        add(server, PEER_UNIX, settings->socket_path);
        add(server, PEER_LOOPBACK, settings->listen);
        for (unsigned i = 0; i < health_count; i++)
                add(server, PEER_HEALTH, settings->health_listen[i]);
        add(server, PEER_TLS, settings->tls_listen);
        return 0;
}

void listeners_free(ApiServer *server) {
        for (unsigned i = 0; i < server->listener_count; i++) {
                Listener *listener = &server->listeners[i];
                sd_event_source_disable_unref(listener->accept_source);
                sd_event_source_disable_unref(listener->retry_source);
                if (listener->fd < 0)
                        continue;
                if (listener->kind == PEER_UNIX)
                        listen_remove(listener->address, &listener->file);
                close(listener->fd);
        }
        free(server->listeners);
        server->listeners = NULL;
        server->listener_count = 0;
}
