/* MetricsDriver "edge": hears HAProxy's log over its TCP ring and counts what each request really got. The balancer is the
 * witness: it sees what clients see, the refused connection and the cut answer included, which no service can tell of itself.
 * A ring keeps its lines while nobody listens, so a controller that restarts is told the past first; that is skipped. */
#include "adapters/adapter.h"
#include "adapters/edge-peer.h"
#include "adapters/edge-tally.h"
#include "adapters/haproxy-text.h"
#include "io/line-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 16
#define BUFFER_SIZE (EDGE_FRAME_MAX * 2)
#define READS_PER_TURN 256 /* 4 MiB: a flood mustn't keep the loop from its other duties */
#define STALE_GRACE_MS 1000
#define ASK_BUDGET_US (1000 * USEC_PER_MSEC)
#define WARN_AGAIN_US (INT64_C(600) * USEC_PER_SEC) /* whoever is refused may try again as often as it likes */

typedef struct Edge Edge;

typedef struct Connection {
        Edge *edge;
        sd_event_source *source;
        int fd;        /* -1: this place is free */
        bool backlog;  /* still telling what happened before we were opened */
        bool sensible; /* has said something we understood */
        size_t filled;
        char *buffer;
} Connection;

struct Edge {
        DriverContext context;
        EdgeTally tally;
        char listen[64];
        const char *socket; /* HAProxy's runtime socket; "": not asked */
        EdgePeers peers;
        sd_event_source *listener;
        int listen_fd;
        int64_t opened_wall_ms, sample_start_mono;
        int64_t dropped_before;     /* DroppedLogs when we asked last; -1: never */
        char refused[EDGE_WHO_MAX]; /* the newest that wasn't believed; "": nobody yet */
        int64_t warned_mono, refused_unsaid;
        Connection connections[CONNECTIONS_MAX];
};

static const SettingSpec edge_settings[] = {
        {"listen", SETTING_ENDPOINT, "127.0.0.1:5140", 0, 0, NULL, "where HAProxy's log ring connects to"},
        {"backend", SETTING_STRING, NULL, 0, 0, NULL, "the backend whose requests are counted"},
        {"haproxy_socket", SETTING_PATH, "", 0, 0, NULL,
         "HAProxy's runtime socket, to ask how many log lines were dropped"},
        {"from", SETTING_LIST, "[" EDGE_DEFAULT_USER "]", 0, 0, NULL,
         "users whose connections are believed, besides root and the controller's own; `" EDGE_ANYONE
         "`: whoever connects from an address of `peers`, for where no user can be told (another machine)"},
        {"peers", SETTING_LIST, "", 0, 0, NULL,
         "numeric addresses, besides loopback, that may connect; from another machine only with `" EDGE_ANYONE
         "` in `from`"},
        {0},
};

static int64_t now_us(const Edge *edge, clockid_t clock) {
        uint64_t now = 0;
        (void)sd_event_now(edge->context.event, clock, &now);
        return (int64_t)now;
}

/* ---- one connection ---- */

static void connection_close(Connection *connection) {
        connection->source = sd_event_source_disable_unref(connection->source);
        cleanup_close(&connection->fd);
        free(connection->buffer);
        *connection = (Connection){.edge = connection->edge, .fd = -1};
}

static void take_line(Connection *connection, const char *line, size_t size, int64_t now_mono) {
        Edge *edge = connection->edge;
        EdgeRecord record;
        switch (edge_log_parse(line, size, &record)) {
        case EDGE_LINE_REQUEST:
                connection->sensible = true;
                if (connection->backlog && record.end_ms < edge->opened_wall_ms - STALE_GRACE_MS)
                        return;
                connection->backlog = false; /* once only: a clock that is set back must not deafen us */
                edge_tally_request(&edge->tally, &record, now_mono);
                return;
        case EDGE_LINE_NOTICE:
                return;
        case EDGE_LINE_NONSENSE:
                edge_tally_nonsense(&edge->tally);
                return;
        }
}

/* Takes all whole frames from the buffer; false when the stream can't be followed any more. */
static bool take_frames(Connection *connection, int64_t now_mono) {
        size_t at = 0;
        for (;;) {
                const char *line;
                size_t size, used;
                EdgeFrame frame =
                        edge_frame_next(connection->buffer + at, connection->filled - at, &line, &size, &used);
                if (frame == EDGE_FRAME_BROKEN)
                        return false;
                at += used;
                if (frame == EDGE_FRAME_PARTIAL)
                        break;
                take_line(connection, line, size, now_mono);
        }
        memmove(connection->buffer, connection->buffer + at, connection->filled - at);
        connection->filled -= at;
        return true;
}

/* Reads until nothing is left, so that HAProxy is never made to wait. A stream we can't follow is closed: HAProxy connects again
 * and begins with a whole frame. */
static void connection_pump(Connection *connection) {
        int64_t now_mono = now_us(connection->edge, CLOCK_BOOTTIME);
        for (unsigned reads = 0; reads < READS_PER_TURN; reads++) {
                ssize_t n = recv(connection->fd, connection->buffer + connection->filled,
                                 BUFFER_SIZE - connection->filled, MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        if (connection->filled > 0) /* cut in the middle of a frame */
                                edge_tally_nonsense(&connection->edge->tally);
                        connection_close(connection);
                        return;
                }
                connection->filled += (size_t)n;
                if (!take_frames(connection, now_mono)) {
                        edge_tally_nonsense(&connection->edge->tally);
                        connection_close(connection);
                        return;
                }
        }
}

static int on_readable(UNUSED sd_event_source *source, UNUSED int fd, UNUSED uint32_t events, void *userdata) {
        connection_pump(userdata);
        return 0;
}

/* ---- accepting ---- */

typedef union Address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
} Address;

/* ADDRESS:PORT or [ADDRESS]:PORT; the address is numeric: the settings' loader has seen to that. */
static int parse_endpoint(const char *text, Address *ret_address, socklen_t *ret_size) {
        const char *colon = strrchr(text, ':');
        char host[INET6_ADDRSTRLEN];
        if (!colon)
                return -EINVAL;
        bool v6 = text[0] == '[';
        size_t length = (size_t)(colon - text) - (v6 ? 2 : 0);
        if (colon - text < (v6 ? 2 : 1) || length >= sizeof host)
                return -EINVAL;
        memcpy(host, text + (v6 ? 1 : 0), length);
        host[length] = '\0';
        in_port_t port = htons((uint16_t)atoi(colon + 1));
        memset(ret_address, 0, sizeof *ret_address);
        if (v6)
                ret_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        else
                ret_address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        *ret_size = v6 ? sizeof ret_address->v6 : sizeof ret_address->v4;
        void *number = v6 ? (void *)&ret_address->v6.sin6_addr : (void *)&ret_address->v4.sin_addr;
        return inet_pton(v6 ? AF_INET6 : AF_INET, host, number) == 1 ? 0 : -EINVAL;
}

/* A free place; else one of a connection that never said anything sensible: strangers can't keep HAProxy out. */
static Connection *find_place(Edge *edge) {
        Connection *senseless = NULL;
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
                Connection *connection = &edge->connections[i];
                if (connection->fd < 0)
                        return connection;
                if (!connection->sensible && !senseless)
                        senseless = connection;
        }
        if (senseless)
                connection_close(senseless);
        return senseless;
}

static void admit(Edge *edge, int fd_given) {
        AUTO_CLOSE int fd = fd_given;
        Connection *place = find_place(edge);
        char *buffer = place ? malloc(BUFFER_SIZE) : NULL;
        if (!buffer)
                return;
        *place = (Connection){.edge = edge, .fd = fd, .backlog = true, .buffer = buffer};
        if (sd_event_add_io(edge->context.event, &place->source, fd, EPOLLIN, on_readable, place) < 0) {
                place->fd = -1; /* `fd` is closed here */
                connection_close(place);
                return;
        }
        (void)TAKE_FD(fd);
        edge->refused[0] = '\0';
}

#define UNSAID_MAX 48

/* Said at once, and then not before WARN_AGAIN_US. */
static void refuse(Edge *edge, EdgeBelief belief, const char *who) {
        int64_t now_mono = now_us(edge, CLOCK_BOOTTIME);
        char message[512];
        snprintf(edge->refused, sizeof edge->refused, "%s", who);
        if (edge->warned_mono != 0 && now_mono - edge->warned_mono < WARN_AGAIN_US) {
                edge->refused_unsaid++;
                return;
        }
        edge_peers_explain(&edge->peers, belief, who, message, sizeof message - UNSAID_MAX);
        if (edge->refused_unsaid > 0)
                snprintf(message + strlen(message), UNSAID_MAX, " (and %" PRId64 " before it)", edge->refused_unsaid);
        edge->warned_mono = now_mono;
        edge->refused_unsaid = 0;
        if (edge->context.warn)
                edge->context.warn(edge->context.userdata, "edge", message);
}

static int on_accept(UNUSED sd_event_source *source, int listen_fd, UNUSED uint32_t events, void *userdata) {
        Edge *edge = userdata;
        Address peer = {.room = {0}};
        socklen_t size = sizeof peer;
        AUTO_CLOSE int fd = accept4(listen_fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0;
        char who[EDGE_WHO_MAX];
        EdgeBelief belief = edge_peers_believe(&edge->peers, fd, &peer.any, who);
        if (belief == EDGE_BELIEVED)
                admit(edge, TAKE_FD(fd));
        else
                refuse(edge, belief, who);
        return 0;
}

static bool connected(const Edge *edge) {
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
                if (edge->connections[i].fd >= 0)
                        return true;
        return false;
}

static int start_listening(Edge *edge, Error *error) {
        Address address;
        socklen_t size;
        int r = parse_endpoint(edge->listen, &address, &size);
        if (r < 0)
                return error_set(error, r, "edge: %s isn't ADDRESS:PORT", edge->listen);
        edge->listen_fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (edge->listen_fd < 0 || setsockopt(edge->listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
            bind(edge->listen_fd, &address.any, size) < 0 || listen(edge->listen_fd, CONNECTIONS_MAX) < 0)
                return error_set(error, -errno, "edge: cannot listen on %s for HAProxy's log: %s%s", edge->listen,
                                 strerror(errno),
                                 errno == EADDRINUSE ? " (another controller? `ss -ltnp` names the process)" : "");
        r = sd_event_add_io(edge->context.event, &edge->listener, edge->listen_fd, EPOLLIN, on_accept, edge);
        if (r >= 0) /* out of descriptors, or knocked at by somebody without end: neither may take the loop */
                r = sd_event_source_set_ratelimit(edge->listener, 1 * USEC_PER_SEC, 64);
        return r < 0 ? error_set(error, r, "edge: cannot watch %s: %s", edge->listen, strerror(-r)) : 0;
}

/* ---- the driver ---- */

static void edge_close(void *self) {
        Edge *edge = self;
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
                connection_close(&edge->connections[i]);
        sd_event_source_disable_unref(edge->listener);
        cleanup_close(&edge->listen_fd);
        free(edge);
}

static int edge_open(const DriverContext *context, const Settings *settings, const Rules *rules, void **ret_self,
                     Error *error) {
        if (strlen(settings_string(settings, "backend")) >= EDGE_NAME_MAX)
                return error_set(error, -ENAMETOOLONG, "edge: backend: a name has at most %d letters",
                                 EDGE_NAME_MAX - 1);
        const EdgePeers peers = {.addresses = settings_list(settings, "peers"),
                                 .users = settings_list(settings, "from")};
        int r = edge_peers_check(&peers, error);
        if (r < 0)
                return r;
        Edge *edge = calloc(1, sizeof *edge);
        if (!edge)
                return error_set(error, -ENOMEM, "edge: out of memory");
        edge->context = *context;
        edge->listen_fd = -1;
        edge->dropped_before = -1;
        edge->socket = settings_string(settings, "haproxy_socket");
        edge->peers = peers;
        edge->opened_wall_ms = now_us(edge, CLOCK_REALTIME) / USEC_PER_MSEC;
        edge->sample_start_mono = now_us(edge, CLOCK_BOOTTIME);
        snprintf(edge->listen, sizeof edge->listen, "%s", settings_string(settings, "listen"));
        edge_tally_init(&edge->tally, settings_string(settings, "backend"), rules->latency_p99_us);
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
                edge->connections[i] = (Connection){.edge = edge, .fd = -1};
        r = start_listening(edge, error);
        if (r < 0) {
                edge_close(edge);
                return r;
        }
        *ret_self = edge;
        return 0;
}

static void describe_silence(const Edge *edge, char *text, size_t size) {
        if (edge->refused[0])
                snprintf(
                        text, size,
                        "HAProxy's log isn't connected to %s; a connection of %s was refused (metrics.edge.from, peers)",
                        edge->listen, edge->refused);
        else
                snprintf(
                        text, size,
                        "HAProxy's log isn't connected to %s: is HAProxy running, and does its ring point there (haproxy.cfg.example)?",
                        edge->listen);
}

static void edge_pulse(void *self, MetricsPulse *ret_pulse) {
        Edge *edge = self;
        *ret_pulse = edge->tally.pulse;
        ret_pulse->connected = connected(edge);
        if (!ret_pulse->connected)
                describe_silence(edge, ret_pulse->detail, sizeof ret_pulse->detail);
}

/* ---- collecting ---- */

typedef struct Collect {
        Op op;
        Edge *edge;
        Sample sample;
        LineCall *call;
} Collect;

static void collect_destroy(Op *op) {
        Collect *collect = (Collect *)op;
        line_cancel(collect->call);
        op_finish_base(op);
        free(collect);
}

static void add_note(Sample *sample, const char *text) {
        size_t used = strlen(sample->note);
        snprintf(sample->note + used, sizeof sample->note - used, "%s%s", used ? "; " : "", text);
}

static void on_info(void *userdata, const LineAnswer *answer) {
        Collect *collect = userdata;
        Edge *edge = collect->edge;
        Sample *sample = &collect->sample;
        int64_t dropped = 0;
        collect->call = NULL;
        if (answer->error.code < 0)
                add_note(sample, error_text(&answer->error));
        else if (haproxy_info_number(answer->text, "DroppedLogs", &dropped) < 0)
                add_note(sample, "HAProxy doesn't tell DroppedLogs");
        else {
                /* less than before: HAProxy was restarted and counts from 0 */
                if (edge->dropped_before >= 0)
                        sample->dropped = dropped >= edge->dropped_before ? dropped - edge->dropped_before : dropped;
                edge->dropped_before = dropped;
        }
        if (sample->dropped > 0) {
                char text[96];
                snprintf(text, sizeof text, "HAProxy dropped %" PRId64 " log lines: the evidence is incomplete",
                         sample->dropped);
                add_note(sample, text);
        }
        OpResult result = {.status = OP_DONE, .sample = *sample};
        op_complete(&collect->op, &result);
}

static void take_sample(Edge *edge, Sample *ret_sample) {
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
                if (edge->connections[i].fd >= 0)
                        connection_pump(&edge->connections[i]); /* what has arrived already belongs to this sample */
        edge_tally_take(&edge->tally, ret_sample);
        ret_sample->start_mono = edge->sample_start_mono;
        ret_sample->end_mono = now_us(edge, CLOCK_BOOTTIME);
        ret_sample->end_wall = now_us(edge, CLOCK_REALTIME);
        edge->sample_start_mono = ret_sample->end_mono;
        if (!connected(edge)) {
                ret_sample->measured = false;
                describe_silence(edge, ret_sample->note, sizeof ret_sample->note);
        }
}

static int edge_collect(void *self, int64_t budget_us, OpCallback callback, void *userdata, Op **ret_op, Error *error) {
        Edge *edge = self;
        Collect *collect = calloc(1, sizeof *collect);
        if (!collect)
                return error_set(error, -ENOMEM, "edge: out of memory");
        collect->edge = edge;
        int r = op_begin(&collect->op, edge->context.event, "metrics from HAProxy's log", budget_us, callback, userdata,
                         collect_destroy);
        if (r >= 0) {
                take_sample(edge, &collect->sample);
                /* The question has less time than the Op: if HAProxy hangs, the sample is told all the same. */
                int64_t ask_us = budget_us / 2 < ASK_BUDGET_US ? budget_us / 2 : ASK_BUDGET_US;
                OpResult result = {.status = OP_DONE, .sample = collect->sample};
                r = edge->socket[0] ? line_begin(edge->context.event, edge->socket, "show info", 0, ask_us, on_info,
                                                 collect, &collect->call, error)
                                    : op_complete_soon(&collect->op, &result);
        }
        if (r < 0) {
                op_cancel(&collect->op);
                return error_set(error, r, "edge: cannot collect: %s", strerror(-r));
        }
        *ret_op = &collect->op;
        return 0;
}

const MetricsDriver edge_metrics_driver = {
        .name = "edge",
        .settings = edge_settings,
        .open = edge_open,
        .close = edge_close,
        .collect = edge_collect,
        .pulse = edge_pulse,
};
