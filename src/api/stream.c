#include "api/stream.h"

#include "base/clock.h"
#include "base/macros.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* Readers lie in one of three rings: asleep with nothing to read, asleep and to be woken, awake. */
typedef struct Ring Ring;
struct Ring {
        Ring *next, *previous;
};

typedef struct Reader {
        Ring ring; /* the first member */
        StreamHub *hub;
        struct MHD_Connection *connection;
        uint64_t next;     /* id of the event it reads next */
        size_t offset;     /* how much of that it has */
        const char *aside; /* something that isn't an event goes first: the rest of a comment or a reset */
        bool heartbeat_due;
        bool renewed; /* ends at stream_renew() */
        bool ending;
} Reader;

struct StreamHub {
        char *events[STREAM_EVENTS_MAX]; /* of id: [id % STREAM_EVENTS_MAX] */
        size_t bytes;
        uint64_t first, end; /* ids kept: [first, end) */
        bool closing;
        unsigned reader_count;
        Ring asleep, due, awake;
};

/* ---- rings ---- */

static void ring_init(Ring *ring) {
        ring->next = ring->previous = ring;
}

static void ring_remove(Ring *member) {
        member->previous->next = member->next;
        member->next->previous = member->previous;
}

static void ring_append(Ring *ring, Ring *member) {
        member->previous = ring->previous;
        member->next = ring;
        ring->previous->next = member;
        ring->previous = member;
}

static void ring_move_all(Ring *to, Ring *from) {
        if (from->next == from)
                return;
        from->next->previous = to->previous;
        to->previous->next = from->next;
        from->previous->next = to;
        to->previous = from->previous;
        ring_init(from);
}

/* ---- beginning and end ---- */

int stream_hub_new(StreamHub **ret_hub, Error *error) {
        StreamHub *hub = calloc(1, sizeof *hub);
        if (!hub)
                return error_set(error, -ENOMEM, "no memory left for the event stream");
        /* milliseconds: a controller makes fewer events than one each, so its successor begins higher */
        hub->first = hub->end = (uint64_t)(clock_wall_us() / 1000);
        ring_init(&hub->asleep);
        ring_init(&hub->due);
        ring_init(&hub->awake);
        *ret_hub = hub;
        return 0;
}

static void drop_oldest(StreamHub *hub) {
        char **slot = &hub->events[hub->first++ % STREAM_EVENTS_MAX];
        hub->bytes -= strlen(*slot);
        free(*slot);
        *slot = NULL;
}

StreamHub *stream_hub_free(StreamHub *hub) {
        while (hub && hub->first < hub->end)
                drop_oldest(hub);
        free(hub);
        return NULL;
}

/* ---- writing ---- */

int stream_publish(StreamHub *hub, const char *type, const json_t *event) {
        AUTO_FREE char *data = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(9));
        char *text;
        if (!data || asprintf(&text, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", hub->end, type, data) < 0)
                return -ENOMEM;
        if (hub->end - hub->first == STREAM_EVENTS_MAX)
                drop_oldest(hub);
        hub->events[hub->end++ % STREAM_EVENTS_MAX] = text;
        hub->bytes += strlen(text);
        while (hub->bytes > STREAM_BYTES_MAX && hub->end - hub->first > 1)
                drop_oldest(hub);
        ring_move_all(&hub->due, &hub->asleep);
        return 0;
}

void stream_heartbeat(StreamHub *hub) {
        for (Ring *member = hub->asleep.next; member != &hub->asleep; member = member->next)
                ((Reader *)member)->heartbeat_due = true;
        ring_move_all(&hub->due, &hub->asleep);
}

bool stream_wake(StreamHub *hub, unsigned max) {
        while (max-- > 0 && hub->due.next != &hub->due) {
                Reader *reader = (Reader *)hub->due.next;
                ring_remove(&reader->ring);
                ring_append(&hub->awake, &reader->ring);
                MHD_resume_connection(reader->connection);
        }
        return hub->due.next != &hub->due;
}

void stream_renew(StreamHub *hub) {
        Ring *const rings[] = {&hub->asleep, &hub->due, &hub->awake};
        for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
                for (Ring *member = rings[i]->next; member != rings[i]; member = member->next)
                        ((Reader *)member)->ending = ((Reader *)member)->renewed;
        ring_move_all(&hub->due, &hub->asleep);
}

void stream_close(StreamHub *hub) {
        hub->closing = true;
        ring_move_all(&hub->due, &hub->asleep);
        (void)stream_wake(hub, UINT_MAX);
}

uint64_t stream_newest(const StreamHub *hub) {
        return hub->end - 1;
}

unsigned stream_readers(const StreamHub *hub) {
        return hub->reader_count;
}

/* Those who sleep with nothing to read have been sent everything. */
unsigned stream_behind(const StreamHub *hub) {
        unsigned behind = 0;
        const Ring *const rings[] = {&hub->due, &hub->awake};
        for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
                for (const Ring *member = rings[i]->next; member != rings[i]; member = member->next) {
                        const Reader *reader = (const Reader *)member;
                        behind += reader->next < hub->end || reader->aside;
                }
        return behind;
}

/* ---- reading: called by MHD when a connection can take more ---- */

static ssize_t give(const char *text, size_t offset, char *buffer, size_t max, bool *ret_all) {
        size_t left = strlen(text + offset), taken = left < max ? left : max;
        memcpy(buffer, text + offset, taken);
        *ret_all = taken == left;
        return (ssize_t)taken;
}

static ssize_t give_aside(Reader *reader, char *buffer, size_t max) {
        bool all;
        ssize_t taken = give(reader->aside, 0, buffer, max, &all);
        reader->aside = all ? NULL : reader->aside + taken;
        return taken;
}

/* As many events as fit: MHD sends one answer of ours a turn, and a burst must not leave a quick reader behind. */
static ssize_t give_events(Reader *reader, char *buffer, size_t max) {
        const StreamHub *hub = reader->hub;
        size_t used = 0;
        while (reader->next < hub->end && used < max) {
                bool all;
                const char *event = hub->events[reader->next % STREAM_EVENTS_MAX];
                ssize_t taken = give(event, reader->offset, buffer + used, max - used, &all);
                used += (size_t)taken;
                reader->offset = all ? 0 : reader->offset + (size_t)taken;
                reader->next += all;
        }
        return (ssize_t)used;
}

static ssize_t on_read(void *userdata, UNUSED uint64_t position, char *buffer, size_t max) {
        Reader *reader = userdata;
        StreamHub *hub = reader->hub;
        if (reader->ending)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (reader->aside)
                return give_aside(reader, buffer, max);
        if (reader->next < hub->first)
                return MHD_CONTENT_READER_END_WITH_ERROR; /* too slow */
        if (reader->next < hub->end)
                return give_events(reader, buffer, max);
        if (hub->closing)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (reader->heartbeat_due) {
                reader->heartbeat_due = false;
                reader->aside = ": still here\n\n";
                return give_aside(reader, buffer, max);
        }
        ring_remove(&reader->ring); /* returning 0 without being suspended would spin */
        ring_append(&hub->asleep, &reader->ring);
        MHD_suspend_connection(reader->connection);
        return 0;
}

static void on_reader_gone(void *userdata) {
        Reader *reader = userdata;
        ring_remove(&reader->ring);
        reader->hub->reader_count--;
        free(reader);
}

/* Where a reader begins that has seen `last_id`. */
static void place_reader(Reader *reader, const char *last_id) {
        const StreamHub *hub = reader->hub;
        reader->next = hub->end;
        reader->aside = ": connected\n\n"; /* so that the client knows at once */
        if (!last_id)
                return;
        char *end;
        errno = 0;
        uint64_t seen = strtoull(last_id, &end, 10);
        bool known = errno == 0 && *end == '\0' && last_id[0] >= '0' && last_id[0] <= '9' && seen + 1 >= hub->first &&
                     seen < hub->end;
        if (known)
                reader->next = seen + 1;
        else
                reader->aside = "event: reset\ndata: {\"detail\":\"events were missed: ask for the status\"}\n\n";
}

static void add_headers(struct MHD_Response *response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

struct MHD_Response *stream_open(StreamHub *hub, struct MHD_Connection *connection, const char *last_id, bool renewed) {
        Reader *reader = !hub->closing ? calloc(1, sizeof *reader) : NULL;
        if (!reader)
                return NULL;
        *reader = (Reader){.hub = hub, .connection = connection, .renewed = renewed};
        place_reader(reader, last_id);
        struct MHD_Response *response =
                MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, on_read, reader, on_reader_gone);
        if (!response) {
                free(reader);
                return NULL;
        }
        ring_append(&hub->awake, &reader->ring);
        hub->reader_count++;
        add_headers(response);
        return response;
}

struct MHD_Response *stream_head(void) {
        struct MHD_Response *response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
        if (response)
                add_headers(response);
        return response;
}
