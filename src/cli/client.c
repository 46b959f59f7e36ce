#include "cli/client.h"

#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "base/macros.h"
#include "cli/pick.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TICK_MS 100
#define BUSY_TRIES 5
#define BUSY_PAUSE_US 300000
#define FULL_PAUSE_US 2000

typedef struct Buffer {
        char *data;
        size_t size;
} Buffer;

static void cleanup_buffer(Buffer *buffer) {
        free(buffer->data);
}
static void cleanup_easy(CURL **easy) {
        curl_easy_cleanup(*easy);
}
static void cleanup_multi(CURLM **multi) {
        curl_multi_cleanup(*multi);
}
static void cleanup_list(struct curl_slist **list) {
        curl_slist_free_all(*list);
}

static int append(Buffer *buffer, const char *data, size_t size) {
        if (buffer->size + size > CLIENT_ANSWER_MAX)
                return -EFBIG;
        char *larger = realloc(buffer->data, buffer->size + size + 1);
        if (!larger)
                return -ENOMEM;
        buffer->data = larger;
        memcpy(larger + buffer->size, data, size);
        buffer->size += size;
        larger[buffer->size] = '\0';
        return 0;
}

static size_t on_body(char *data, size_t one, size_t count, void *userdata) {
        return append(userdata, data, one * count) < 0 ? 0 : one * count;
}

static size_t on_header(char *data, size_t one, size_t count, void *userdata) {
        Client *client = userdata;
        size_t size = one * count, name = strlen("Last-Event-ID:");
        if (size > name && strncasecmp(data, "Last-Event-ID:", name) == 0) {
                size_t start = name + strspn(data + name, " "), length = strcspn(data + start, "\r\n");
                if (length < sizeof client->last_event)
                        snprintf(client->last_event, sizeof client->last_event, "%.*s", (int)length, data + start);
        }
        return size;
}

static CURL *prepare(Client *client, const char *path, const char *query, Error *error) {
        char url[512];
        snprintf(url, sizeof url, "http://localhost%s%s", path, query);
        CURL *easy = curl_easy_init();
        if (!easy) {
                error_set(error, -ENOMEM, "no memory left to ask the controller");
                return NULL;
        }
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CLIENT_TIMEOUT_MS);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, client);
        return easy;
}

/* ---- one question ---- */

/* To curl, a full queue before the socket looks like nobody listening. */
static bool somebody_listens(const Client *client) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || strlen(client->socket) >= sizeof address.sun_path)
                return false;
        snprintf(address.sun_path, sizeof address.sun_path, "%s", client->socket);
        return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
}

/* Others may fill the queue, whoever they are: a place in it is waited for as long as for an answer. */
static CURLcode perform(const Client *client, CURL *easy) {
        int64_t deadline = clock_mono_us() + INT64_C(1000) * CLIENT_TIMEOUT_MS;
        for (;;) {
                CURLcode code = curl_easy_perform(easy);
                if (code != CURLE_COULDNT_CONNECT || clock_mono_us() >= deadline || !somebody_listens(client))
                        return code;
                usleep(FULL_PAUSE_US);
        }
}

static ClientResult absent(const Client *client, CURLcode code, Error *error) {
        error_set(error, -ECONNREFUSED, "No controller answers on %s: %s", client->socket,
                  code == CURLE_OPERATION_TIMEDOUT ? client->patience_ms > 0
                                                             ? "it took the request, but did not answer in time"
                                                             : "it took the request, but said nothing for 2 s"
                  : code == CURLE_GOT_NOTHING      ? "it hung up"
                  : code != CURLE_COULDNT_CONNECT  ? curl_easy_strerror(code)
                  : somebody_listens(client)       ? "it is there, but others fill the queue before it"
                                                   : "nobody listens there");
        return CLIENT_ABSENT;
}

static ClientResult understand(const Buffer *buffer, long status, json_t **ret_answer, Problem *problem) {
        json_error_t json_error;
        json_t *answer = buffer->data ? json_loadb(buffer->data, buffer->size, JSON_DECODE_ANY, &json_error) : NULL;
        /* health that is unhealthy comes with 503, so that curl -f tells it, and is an answer all the same */
        if (answer && (status / 100 == 2 || (status == 503 && pick_text(answer, "status")[0] != '\0'))) {
                *ret_answer = answer;
                return CLIENT_ANSWERED;
        }
        if (!answer || problem_parse(answer, problem) < 0)
                problem_set(
                        problem, (int)status, EXIT_INTERNAL, "Not understood",
                        "the controller answered %ld with something this program can't read; are both of the same version?",
                        status);
        if (problem->exit_code == 0)
                problem->exit_code = EXIT_INTERNAL;
        json_decref(answer);
        return CLIENT_REFUSED;
}

static ClientResult call_once(Client *client, const char *path, const char *query, const char *body,
                              json_t **ret_answer, Problem *problem, Error *error) {
        CURL *easy CLEANUP(cleanup_easy) = prepare(client, path, query, error);
        struct curl_slist *headers CLEANUP(cleanup_list) = NULL;
        Buffer buffer CLEANUP(cleanup_buffer) = {0};
        if (!easy)
                return CLIENT_ABSENT;
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                         (long)(client->patience_ms > 0 ? client->patience_ms : CLIENT_TIMEOUT_MS));
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &buffer);
        if (body) {
                headers = curl_slist_append(NULL, "Content-Type: application/json");
                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        }
        CURLcode code = perform(client, easy);
        if (code != CURLE_OK)
                return absent(client, code, error);
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        return understand(&buffer, status, ret_answer, problem);
}

ClientResult client_call(Client *client, const char *path, const char *query, const json_t *body, json_t **ret_answer,
                         Problem *problem, Error *error) {
        AUTO_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        if (body && !text) {
                error_set(error, -ENOMEM, "no memory left to ask the controller");
                return CLIENT_ABSENT;
        }
        for (int tries = 1;; tries++) {
                ClientResult result = call_once(client, path, query, text, ret_answer, problem, error);
                /* turned away before anything was read, or begun */
                bool busy = result == CLIENT_REFUSED && problem->status == 503 &&
                            (strcmp(problem->title, "Too many connections") == 0 ||
                             strcmp(problem->title, "Controller ending") == 0);
                if (!busy || tries == BUSY_TRIES)
                        return result;
                problem_clear(problem);
                usleep(BUSY_PAUSE_US);
        }
}

/* ---- the event stream ---- */

typedef struct Stream {
        Client *client;
        const ClientListener *listener;
        CURL *easy;
        Buffer line;
        char type[32];
        Buffer event;
        char id[CLIENT_EVENT_ID_MAX];
        bool enough;
} Stream;

/* An empty line ends an event. */
static void dispatch(Stream *stream) {
        json_t *event = stream->event.data ? json_loadb(stream->event.data, stream->event.size, 0, NULL) : NULL;
        if (event && !stream->listener->on_event(stream->listener->userdata, stream->type, event))
                stream->enough = true;
        json_decref(event);
        if (stream->id[0] != '\0')
                memcpy(stream->client->last_event, stream->id, sizeof stream->id);
        stream->type[0] = '\0';
        stream->event.size = 0;
        if (stream->event.data)
                stream->event.data[0] = '\0';
}

static int take_line(Stream *stream, const char *line) {
        if (line[0] == '\0')
                dispatch(stream);
        else if (strncmp(line, "id: ", 4) == 0)
                snprintf(stream->id, sizeof stream->id, "%s", line + 4);
        else if (strncmp(line, "event: ", 7) == 0)
                snprintf(stream->type, sizeof stream->type, "%s", line + 7);
        else if (strncmp(line, "data: ", 6) == 0)
                return append(&stream->event, line + 6, strlen(line + 6));
        return 0;
}

static size_t on_stream(char *data, size_t one, size_t count, void *userdata) {
        Stream *stream = userdata;
        size_t size = one * count;
        long status = 0;
        curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
        for (size_t used = 0; status == 200 && used < size && !stream->enough;) {
                const char *end = memchr(data + used, '\n', size - used);
                size_t length = end ? (size_t)(end - data) - used : size - used;
                if (append(&stream->line, data + used, length) < 0)
                        return 0;
                used += length + (end != NULL);
                if (!end)
                        break;
                if (take_line(stream, stream->line.data) < 0)
                        return 0;
                stream->line.size = 0;
        }
        return stream->enough ? 0 : size;
}

static int loop(CURLM *multi, Stream *stream) {
        int running = 1;
        while (running > 0) {
                CURLMcode code = curl_multi_perform(multi, &running);
                if (stream->enough || !stream->listener->on_tick(stream->listener->userdata))
                        return 1;
                if (code == CURLM_OK && running > 0)
                        code = curl_multi_poll(multi, NULL, 0, TICK_MS, NULL);
                if (code != CURLM_OK)
                        return 0;
        }
        return 0;
}

int client_follow(Client *client, const ClientListener *listener, Error *error) {
        CURLM *multi CLEANUP(cleanup_multi) = curl_multi_init();
        CURL *easy CLEANUP(cleanup_easy) = prepare(client, "/api/v3/events", "", error);
        struct curl_slist *headers CLEANUP(cleanup_list) = NULL;
        if (!multi || !easy)
                return 0;
        Stream stream = {.client = client, .listener = listener, .easy = easy};
        char header[CLIENT_EVENT_ID_MAX + 32];
        snprintf(header, sizeof header, "Last-Event-ID: %s", client->last_event);
        headers = curl_slist_append(NULL, "Accept: text/event-stream");
        if (client->last_event[0] != '\0')
                headers = curl_slist_append(headers, header);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_stream);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &stream);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)CLIENT_SILENCE_S);
        curl_multi_add_handle(multi, easy);
        int r = loop(multi, &stream);
        curl_multi_remove_handle(multi, easy);
        free(stream.line.data);
        free(stream.event.data);
        return r;
}
