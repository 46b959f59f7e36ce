/* Inside the API room: who is connected, and one request of theirs. */
#pragma once

#include "api/api.h"
#include "api/stream.h"
#include "base/error.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BODY_MAX (64 * 1024)
#define BODY_REFUSED_MAX                                                                                               \
        (1024 * 1024) /* of a body that is too large this much is read, so that the answer can be read */
#define CONNECTIONS_DEFAULT 1200
#define HEALTH_CONNECTIONS_MAX 64      /* of all health listeners; not among the settings' connections */
#define HEALTH_CONNECTIONS_EACH_MAX 16 /* of one address */
/* Of MHD for each; headers must fit in. It is wiped after each request, so more of it is slower. */
#define CONNECTION_MEMORY (16 * 1024)
#define IDLE_TIMEOUT_S 10                    /* without a byte */
#define REQUEST_TIMEOUT_US INT64_C(30000000) /* from connecting, or from the last answer, to the whole next request */

/* The listener it came in by decides what is asked of it (access.h). */
typedef enum PeerKind { PEER_UNIX, PEER_LOOPBACK, PEER_HEALTH, PEER_TLS } PeerKind;

typedef struct Listener Listener;
typedef struct TlsCredentials TlsCredentials;
typedef struct PeerGroup PeerGroup;
typedef struct Kept Kept;

/* The request of a connection; there is one at a time. */
typedef struct Request {
        char *body;
        size_t size, room;
        size_t refused; /* bytes of a body that is too large, or that nobody wants */
        bool takes_body;
        bool out_of_memory;
        ApiReply *reply; /* outstanding: the connection is suspended */
        bool replied;
        struct MHD_Response *late; /* what the reply was; NULL: no memory for it */
        unsigned late_status;
} Request;

/* A connection. */
typedef struct Peer Peer;
struct Peer {
        ApiServer *server;
        PeerKind kind;
        struct sockaddr_storage local, remote; /* of the TCP kinds */
        char address[46];                      /* `local` as text, without the port */
        unsigned port;
        Caller caller;
        int fd;
        Request request;
        PeerGroup *group;            /* whom it is counted with */
        TlsCredentials *credentials; /* of PEER_TLS: what its session was begun with */
        bool shaking_hands;          /* and the other side hasn't finished that yet */
        int64_t deadline_mono;       /* of the request; 0: none, it streams or waits for a reply */
        Peer *next, *previous;       /* those with a deadline, the earliest first */
};

/* An MHD daemon in the event loop. */
typedef struct Engine {
        ApiServer *server;
        struct MHD_Daemon *daemon;
        sd_event_source *io_source;
} Engine;

struct ApiServer {
        sd_event *event;
        const ApiOps *ops;
        void *self;
        ApiSettings settings;
        gid_t act_group;
        struct Access *access;
        unsigned access_changes; /* as the streams were told of it */
        StreamHub *hub;
        Kept *kept;
        uint64_t happened; /* grows with all that is published or acted: what was kept from before is old */

        Listener *listeners;
        unsigned listener_count;
        TlsCredentials *credentials; /* for new connections; NULL: none could be loaded */
        Error credentials_problem;

        Engine plain, secure;
        unsigned handshakes_waiting; /* seen since it was last set to 0 */
        sd_event_source *timer_source, *pump_source, *tick_source, *calm_source;
        uint64_t timer_at; /* when timer_source fires; 0: not set */
        int64_t tick_at;   /* the same of tick_source */
        int64_t next_heartbeat_mono;
        int64_t streams_looked_mono; /* when it was last tried whether the readers of the streams are still there */
        bool calm;
        bool ending; /* nothing is begun any more: the event loop is over */

        unsigned connections;   /* that may be open, after a look at the limit of descriptors */
        unsigned peer_count[4]; /* by kind */
        unsigned reader_count;  /* those of whom it isn't known that they may act, without PEER_HEALTH */
        PeerGroup *groups;
        Peer *first_late, *last_late; /* see Peer.next */
        Peer *arriving;               /* handed to MHD right now */
        unsigned requests;            /* under way */
        ApiReply *replies;            /* outstanding */
};

/* MHD's handlers (request.c). */
enum MHD_Result request_handle(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                               const char *version, const char *data, size_t *data_size, void **request);
void request_done(void *userdata, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode why);

/* The time of this turn of the event loop. */
int64_t server_now(const ApiServer *server);

/* Hands a connection over to the engine that its kind needs. Frees `peer` and closes its descriptor when that can't be. */
void server_adopt(ApiServer *server, Peer *peer);

/* One pump of both engines, now. Never from inside of a handler. */
void server_pump(ApiServer *server);

/* Asks for MHD_run() from the event loop; never runs it itself, as callers may be inside of it. */
void server_pump_soon(ApiServer *server);
