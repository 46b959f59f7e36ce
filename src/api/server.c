#include "api/server.h"

#include "api/access.h"
#include "api/groups.h"
#include "api/kept.h"
#include "api/later.h"
#include "api/listener.h"
#include "api/peers.h"
#include "api/tls.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>

#define TICK_US INT64_C(1000000)
#define RUNS_AT_ONCE 8
#define RUNS_AT_END 8
#define STREAMS_AT_ONCE 64 /* woken, before everything else has its turn again */
#define HANDSHAKES_AGAIN_MS 20
#define CALM_SHARE 4 /* calm, at most one part in so many of a core goes to requests */

int64_t server_now(const ApiServer *server) {
        uint64_t now;
        return sd_event_now(server->event, CLOCK_BOOTTIME, &now) < 0 ? clock_mono_us() : (int64_t)now;
}

/* ---- MHD in the event loop: its epoll descriptors, its time-outs, and a deferred run after a resume ---- */

/* MHD takes one step for each connection a run. A few at once, but the rest of the controller wants its turn, too. Returns the time
 * until it wants to be run again, in milliseconds; negative: only when something comes in. */
static int64_t run(const Engine *engine, int times) {
        MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
        bool wanted = engine->daemon != NULL;
        engine->server->handshakes_waiting = 0;
        for (int i = 0; i < times && wanted && timeout_ms == 0 && engine->server->handshakes_waiting == 0; i++) {
                MHD_run(engine->daemon);
                wanted = MHD_get_timeout(engine->daemon, &timeout_ms) == MHD_YES;
        }
        if (wanted && timeout_ms == 0 && engine->server->handshakes_waiting > 0)
                return HANDSHAKES_AGAIN_MS; /* what they wait for wakes us */
        return wanted ? (int64_t)timeout_ms : -1;
}

/* One that is set earlier than needed is left alone: setting it at each turn would cost more than it firing in vain. */
static void set_timer(ApiServer *server, int64_t in_ms) {
        uint64_t at = (uint64_t)(server_now(server) + in_ms * 1000);
        if (server->timer_at != 0 && server->timer_at <= at)
                return;
        server->timer_at = at;
        sd_event_source_set_time(server->timer_source, at);
        sd_event_source_set_enabled(server->timer_source, SD_EVENT_ONESHOT);
}

/* Returns whether it should go on at once. */
static bool pump(const Engine *engine) {
        ApiServer *server = engine->server;
        int64_t in_ms = run(engine, server->calm ? 1 : RUNS_AT_ONCE);
        if (in_ms > 0)
                set_timer(server, in_ms);
        return in_ms == 0;
}

void server_pump(ApiServer *server) {
        bool soon = stream_wake(server->hub, STREAMS_AT_ONCE);
        soon |= pump(&server->plain);
        soon |= pump(&server->secure);
        if (soon)
                server_pump_soon(server);
}

static int on_io(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        const Engine *engine = userdata;
        if (pump(engine))
                server_pump_soon(engine->server);
        return 0;
}

static int on_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ApiServer *server = userdata;
        server->timer_at = 0;
        if (!server->calm)
                server_pump(server);
        return 0;
}

static int on_pump(UNUSED sd_event_source *source, void *userdata) {
        ApiServer *server = userdata;
        server->pump_source = sd_event_source_disable_unref(server->pump_source);
        server_pump(server);
        return 0;
}

/* Made anew each time: one that is enabled again would still stand before all others of its priority, and those who keep it busy
 * would keep new connections and deadlines from their turn. */
void server_pump_soon(ApiServer *server) {
        if (server->calm || server->pump_source) /* calm, it is pumped anyhow */
                return;
        int r = sd_event_add_defer(server->event, &server->pump_source, on_pump, server);
        if (r >= 0)
                r = sd_event_source_set_priority(server->pump_source, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                set_timer(server, 1);
}

/* ---- calm ---- */

static int on_calm(sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ApiServer *server = userdata;
        int64_t start = clock_mono_us();
        listeners_accept(server);
        server_pump(server);
        int64_t rest = (clock_mono_us() - start) * (CALM_SHARE - 1);
        sd_event_source_set_time_relative(source, (uint64_t)(rest > API_CALM_US ? rest : API_CALM_US));
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void api_server_calm(ApiServer *server, bool calm) {
        if (!server || server->calm == calm)
                return;
        server->calm = calm;
        listeners_watch(server, !calm);
        sd_event_source *const sources[] = {server->plain.io_source, server->secure.io_source};
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
                if (sources[i])
                        sd_event_source_set_enabled(sources[i], calm ? SD_EVENT_OFF : SD_EVENT_ON);
        sd_event_source_set_time_relative(server->calm_source, API_CALM_US);
        sd_event_source_set_enabled(server->calm_source, calm ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        server->pump_source = sd_event_source_disable_unref(server->pump_source);
        server_pump_soon(server);
}

/* ---- connections ---- */

static void tick_by(ApiServer *server, int64_t at) {
        if (server->tick_at != 0 && server->tick_at <= at)
                return;
        server->tick_at = at;
        sd_event_source_set_time(server->tick_source, (uint64_t)at);
        sd_event_source_set_enabled(server->tick_source, SD_EVENT_ONESHOT);
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
        ApiServer *server = userdata;
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                Peer *peer = *socket_context = TAKE_PTR(server->arriving);
                if (peer->kind == PEER_TLS) {
                        peer->credentials = tls_ref(server->credentials);
                        tls_begin(peer, connection);
                }
                peers_expect(peer);
                tick_by(server, server_now(server) + TICK_US);
                return;
        }
        Peer *peer = TAKE_PTR(*socket_context);
        if (!peer)
                return;
        peers_leave(peer);
        tls_unref(peer->credentials);
        free(peer);
}

void server_adopt(ApiServer *server, Peer *peer) {
        static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
        bool local = peer->kind == PEER_UNIX;
        const Engine *engine = peer->kind == PEER_TLS ? &server->secure : &server->plain;
        server->arriving = peer;
        (void)MHD_add_connection(engine->daemon, peer->fd,
                                 local ? (const struct sockaddr *)&nowhere : (struct sockaddr *)&peer->remote,
                                 local ? sizeof nowhere : sizeof peer->remote); /* closes the descriptor if it can't */
        if (server->arriving) {
                server->arriving = NULL;
                peers_leave(peer);
                free(peer);
        }
}

/* Once a second while somebody has a deadline: a request that doesn't get finished is cut (MHD's own time-out is satisfied by a
 * byte now and then). And streams get their heartbeat. */
static int on_tick(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        ApiServer *server = userdata;
        int64_t now = server_now(server);
        server->tick_at = 0;
        peers_cut(server, now);
        if (now >= server->next_heartbeat_mono) {
                stream_heartbeat(server->hub);
                server->next_heartbeat_mono = now + STREAM_HEARTBEAT_US;
        }
        server_pump_soon(server);
        if (server->first_late)
                tick_by(server, now + TICK_US);
        else if (stream_readers(server->hub) > 0)
                tick_by(server, server->next_heartbeat_mono);
        return 0; /* nobody there: an idle controller isn't woken */
}

/* ---- a look at what may have changed ---- */

static void look_at_credentials(ApiServer *server) {
        TlsCredentials *next;
        Error error = {0};
        if (server->credentials && !tls_changed(server->credentials, &server->settings)) {
                server->credentials_problem = error;
                return;
        }
        if (tls_load(&server->settings, &next, &error) >= 0) {
                tls_unref(server->credentials);
                server->credentials = next;
                server->credentials_problem = (Error){0};
                return;
        }
        if (server->credentials)
                error_prefix(&error, "the certificate from before stays in force");
        server->credentials_problem = error;
}

static int watch_engine(ApiServer *server, Engine *engine, Error *error) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(engine->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        int r = info ? sd_event_add_io(server->event, &engine->io_source, info->epoll_fd, EPOLLIN, on_io, engine)
                     : -EOPNOTSUPP;
        if (r >= 0)
                r = sd_event_source_set_priority(engine->io_source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0 && server->calm)
                r = sd_event_source_set_enabled(engine->io_source, SD_EVENT_OFF);
        if (r < 0)
                engine->io_source = sd_event_source_disable_unref(engine->io_source);
        return r < 0 ? error_set(error, r, "cannot watch the HTTP server: %s", strerror(-r)) : 0;
}

static int open_secure(ApiServer *server, Error *error) {
        look_at_credentials(server);
        if (!server->credentials) {
                *error = server->credentials_problem;
                return error->code;
        }
        if (server->secure.daemon)
                return 0;
        server->secure.daemon = tls_daemon(server, server->connections, on_connection);
        if (!server->secure.daemon)
                return error_set(error, -ENOMEM, "cannot start the TLS server: no memory or no descriptors left");
        int r = watch_engine(server, &server->secure, error);
        if (r < 0)
                MHD_stop_daemon(TAKE_PTR(server->secure.daemon));
        return r;
}

static int open_listener(ApiServer *server, Listener *listener) {
        Error error = {0};
        if (listener->kind == PEER_TLS && open_secure(server, &error) < 0) {
                listener->problem = error;
                return error.code;
        }
        return listener_open(listener);
}

static void add_message(char *message, size_t size, const Error *problem) {
        size_t used = strlen(message);
        if (problem->code != 0)
                snprintf(message + used, size - used, "%s%s", used > 0 ? "; " : "", error_text(problem));
}

void api_server_look(ApiServer *server, void (*problem)(void *userdata, const char *source, const char *message),
                     void *userdata) {
        for (int kind = PEER_UNIX; kind <= PEER_TLS; kind++) {
                char message[ERROR_MESSAGE_MAX] = "";
                for (unsigned i = 0; i < server->listener_count; i++)
                        if (server->listeners[i].kind == (PeerKind)kind) {
                                (void)open_listener(server, &server->listeners[i]);
                                add_message(message, sizeof message, &server->listeners[i].problem);
                        }
                if (kind == PEER_TLS && message[0] == '\0')
                        add_message(message, sizeof message, &server->credentials_problem);
                problem(userdata, listener_source((PeerKind)kind), message[0] != '\0' ? message : NULL);
        }
        const char *tokens = access_tokens_problem(server->access);
        unsigned changes = access_changes(server->access);
        if (changes != server->access_changes) { /* who watches by a token that is no more, watches no more */
                server->access_changes = changes;
                stream_renew(server->hub);
                server_pump_soon(server);
        }
        problem(userdata, "tokens", tokens[0] != '\0' ? tokens : NULL);
}

/* ---- beginning and end ---- */

static int start_plain(ApiServer *server, Error *error) {
        server->plain.daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, request_handle,
                server, MHD_OPTION_CONNECTION_LIMIT, server->connections + HEALTH_CONNECTIONS_MAX,
                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, request_done, server,
                MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
        if (!server->plain.daemon)
                return error_set(error, -ENOMEM, "cannot start the HTTP server: no memory or no descriptors left");
        return watch_engine(server, &server->plain, error);
}

static int add_timer(ApiServer *server, sd_event_source **ret_source, uint64_t accuracy_us,
                     sd_event_time_handler_t handler) {
        int r = sd_event_add_time_relative(server->event, ret_source, CLOCK_BOOTTIME, 0, accuracy_us, handler, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
        return r < 0 ? r : sd_event_source_set_priority(*ret_source, SD_EVENT_PRIORITY_IDLE);
}

/* All below everything else in the process: nothing of the controller's own waits for a request. */
static int add_sources(ApiServer *server, Error *error) {
        int r = add_timer(server, &server->timer_source, 1000, on_timer);
        if (r >= 0)
                r = add_timer(server, &server->tick_source, TICK_US / 4, on_tick);
        if (r >= 0)
                r = add_timer(server, &server->calm_source, 1000, on_calm);
        return r < 0 ? error_set(error, r, "cannot watch the control socket: %s", strerror(-r)) : 0;
}

/* The Unix socket is needed; why another isn't listening is told by api_server_look(). */
static int open_listeners(ApiServer *server, Error *error) {
        for (unsigned i = 0; i < server->listener_count; i++) {
                Listener *listener = &server->listeners[i];
                if (open_listener(server, listener) < 0 && listener->kind == PEER_UNIX) {
                        *error = listener->problem;
                        return error->code;
                }
        }
        return 0;
}

int api_server_new(sd_event *event, const ApiSettings *settings, const ApiOps *ops, void *self, ApiServer **ret_server,
                   Error *error) {
        Error ignored;
        error = error ? error : &ignored;
        gid_t group = (gid_t)-1;
        if (settings->group && settings->group[0])
                (void)groups_find(settings->group, &group, NULL); /* one that isn't there has no members */
        ApiServer *server = calloc(1, sizeof *server);
        if (!server)
                return error_set(error, -ENOMEM, "no memory left for the control socket");
        server->event = sd_event_ref(event);
        server->plain.server = server->secure.server = server;
        server->ops = ops;
        server->self = self;
        server->settings = *settings;
        server->act_group = group;
        server->next_heartbeat_mono = clock_mono_us() + STREAM_HEARTBEAT_US;
        peers_make_room(server);
        int r = stream_hub_new(&server->hub, error);
        if (r >= 0)
                r = kept_new(&server->kept, error);
        if (r >= 0)
                r = access_new(&server->settings, server->act_group, &server->access, error);
        if (r >= 0)
                server->access_changes = access_changes(server->access);
        if (r >= 0)
                r = add_sources(server, error);
        if (r >= 0)
                r = start_plain(server, error);
        if (r >= 0)
                r = listeners_new(server, error);
        if (r >= 0)
                r = open_listeners(server, error);
        if (r < 0) {
                api_server_free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

/* Streams end, and who waits for a reply is told; what fits into the sockets is sent. */
static void stop(const Engine *engine) {
        if (!engine->daemon)
                return;
        for (int i = 0; i < RUNS_AT_END; i++)
                MHD_run(engine->daemon);
        MHD_stop_daemon(engine->daemon);
}

ApiServer *api_server_free(ApiServer *server) {
        if (!server)
                return NULL;
        server->ending = true;
        listeners_free(server);
        later_end(server);
        if (server->hub)
                stream_close(server->hub);
        server->plain.io_source = sd_event_source_disable_unref(server->plain.io_source);
        server->secure.io_source = sd_event_source_disable_unref(server->secure.io_source);
        stop(&server->plain);
        stop(&server->secure);
        sd_event_source_disable_unref(server->timer_source);
        server->pump_source = sd_event_source_disable_unref(server->pump_source);
        sd_event_source_disable_unref(server->tick_source);
        sd_event_source_disable_unref(server->calm_source);
        tls_unref(server->credentials);
        server->access = access_free(server->access);
        server->kept = kept_free(server->kept);
        stream_hub_free(server->hub);
        sd_event_unref(server->event);
        free(server);
        return NULL;
}

void api_server_publish(ApiServer *server, const char *type, const json_t *event) {
        if (!server)
                return;
        server->happened++;
        if (stream_publish(server->hub, type, event) < 0)
                log_warn("an event of type %s is not shown to those who watch: no memory left", type);
        server_pump_soon(server);
}

unsigned api_server_pending(const ApiServer *server) {
        return server ? server->requests - stream_readers(server->hub) + stream_behind(server->hub) : 0;
}
