/* The event stream: a ring of the newest events, and the connections that read from it. Nobody is waited for: a reader that
 * fell behind the ring is dropped, and comes back with Last-Event-ID. Event ids go on growing over restarts of the controller,
 * so that an id from before is recognised as old. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define STREAM_EVENTS_MAX 256
#define STREAM_BYTES_MAX (512 * 1024) /* all events kept together; at least the newest is kept */
#define STREAM_HEARTBEAT_US INT64_C(15000000)

typedef struct StreamHub StreamHub;

int stream_hub_new(StreamHub **ret_hub, Error *error);
/* All readers must be gone: MHD_stop_daemon() first. NULL allowed; returns NULL */
StreamHub *stream_hub_free(StreamHub *hub);

/* Readers have something to read now; stream_wake() is due. 0 or -ENOMEM. */
int stream_publish(StreamHub *hub, const char *type, const json_t *event);
/* A comment to everybody: it keeps proxies from closing, and finds readers that have gone. stream_wake() is due. */
void stream_heartbeat(StreamHub *hub);
/* Lets so many of those who sleep and have something to read go on; MHD_run() is due. Returns whether there are more: a thousand
 * at once would hold the event loop up. */
bool stream_wake(StreamHub *hub, unsigned max);
/* Rights have changed: readers who have theirs anew from each request get the end, and are asked who they are when they come again.
 * MHD_run() is due. */
void stream_renew(StreamHub *hub);
/* Readers get what is left and then the end. MHD_run() is due; needed before MHD_stop_daemon(), suspended readers upset it. */
void stream_close(StreamHub *hub);

uint64_t stream_newest(const StreamHub *hub); /* id of the newest event; what an answer given now already contains */
unsigned stream_readers(const StreamHub *hub);
unsigned stream_behind(const StreamHub *hub); /* readers that haven't been sent everything yet */

/* A response that streams to `connection`, beginning behind the event `last_id` (NULL: with the next one). When what came after
 * `last_id` is no longer kept, the first event is of type "reset": ask for the status again. NULL: no memory, or the
 * hub is closing. `renewed`: it ends at stream_renew(). */
struct MHD_Response *stream_open(StreamHub *hub, struct MHD_Connection *connection, const char *last_id, bool renewed);
/* The same without the stream: for HEAD. NULL: no memory. */
struct MHD_Response *stream_head(void);
