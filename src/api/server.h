/* Inside the API room: who is connected, and one request of theirs. */
#pragma once

#include "api/api.h"
#include "api/stream.h"

#include <microhttpd.h>
#include <sys/stat.h>

#define BODY_MAX (64 * 1024)
#define BODY_REFUSED_MAX                                                                                               \
        (1024 * 1024) /* of a body that is too large this much is read, so that the answer can be read */
#define CONNECTIONS_MAX 64
#define READERS_MAX 40      /* of these, those who may only read can have this many: an operator always gets through */
#define READERS_EACH_MAX 16 /* and one user of them this many */
#define IDLE_TIMEOUT_S 10   /* without a byte */
#define REQUEST_TIMEOUT_US INT64_C(30000000) /* from connecting, or from the last answer, to the whole next request */

/* A connection. */
typedef struct Peer Peer;
struct Peer {
        ApiServer *server;
        Caller caller;
        int fd;
        int64_t deadline_mono; /* 0: an event stream, which has none */
        Peer *next, **link;
};

struct ApiServer {
        sd_event *event;
        const ApiOps *ops;
        void *self;
        ApiSettings settings;
        gid_t act_group;
        char *path;
        struct stat socket_stat;
        int listen_fd;
        struct MHD_Daemon *daemon;
        StreamHub *hub;
        Peer *peers;
        Peer *arriving;    /* handed to MHD right now */
        unsigned requests; /* under way */
        sd_event_source *accept_source, *io_source, *timer_source, *pump_source, *tick_source, *retry_source;
        int64_t next_heartbeat_mono;
};

/* MHD's handlers (request.c). */
enum MHD_Result request_handle(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                               const char *version, const char *data, size_t *data_size, void **request);
void request_done(void *userdata, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode why);

/* Asks for MHD_run() from the event loop; never runs it itself, as callers may be inside of it. */
void server_pump_soon(ApiServer *server);
