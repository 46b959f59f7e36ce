#include "io/http-client.h"

#include "base/mask.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#define SHOWN_URL_MAX 2048
#define ANSWER_MAX_DEFAULT ((size_t)64 * 1024)
#define HEADERS_MAX ((size_t)64 * 1024)
#define IDLE_CONNECTIONS_MAX 16L /* a cluster's members are asked each second, each over its own */

/* libcurl tells which descriptors to watch and when to wake; the event loop does the waiting. curl may never be called from
 * inside its own callbacks: they only arm event sources. */
struct HttpClient {
        unsigned
                refs; /* one is the owner's; another while a call's end is told, so that a callback may free the client */
        bool closed;
        sd_event *event;
        CURLM *multi;
        sd_event_source *timer;
        HttpCall *calls;
};

struct HttpCall {
        HttpClient *client;
        HttpCall *previous, *next;
        CURL *easy;
        struct curl_slist *headers;
        sd_event_source *deadline;
        char *url, *shown_url; /* shown: without user and password */
        char *body, *answer;
        size_t answer_size, answer_max, header_bytes;
        bool too_long;
        int64_t begun_us, budget_us;
        HttpCallback callback;
        void *userdata;
        char curl_error[CURL_ERROR_SIZE];
};

static void client_unref(HttpClient *client) {
        if (--client->refs > 0)
                return;
        if (client->multi) {
                (void)curl_multi_cleanup(client->multi);
                curl_global_cleanup();
        }
        sd_event_source_disable_unref(client->timer);
        sd_event_unref(client->event);
        free(client);
}

static int64_t now_us(HttpClient *client) {
        uint64_t now = 0;
        (void)sd_event_now(client->event, CLOCK_BOOTTIME, &now);
        return (int64_t)now;
}

/* ---- ending a call ---- */

static void unlink_call(HttpCall *call) {
        if (call->previous)
                call->previous->next = call->next;
        else if (call->client->calls == call)
                call->client->calls = call->next;
        if (call->next)
                call->next->previous = call->previous;
        call->previous = call->next = NULL;
}

HttpCall *http_cancel(HttpCall *call) {
        if (!call)
                return NULL;
        unlink_call(call);
        if (call->easy) {
                (void)curl_multi_remove_handle(call->client->multi, call->easy);
                curl_easy_cleanup(call->easy);
        }
        curl_slist_free_all(call->headers);
        sd_event_source_disable_unref(call->deadline);
        free(call->url);
        free(call->shown_url);
        free(call->body);
        free(call->answer);
        free(call);
        return NULL;
}

/* Tells the caller and frees the call; the text it is told lives until the callback returns. */
static void finish(HttpCall *call, HttpAnswer *answer) {
        long said = 0;
        curl_off_t retry_after = 0;
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &said);
        (void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
        answer->said = (int)said;
        answer->retry_after_us = retry_after > 0 ? (int64_t)retry_after * USEC_PER_SEC : -1;
        answer->elapsed_us = now_us(call->client) - call->begun_us;
        answer->body = answer->code && call->answer ? call->answer : "";
        answer->size = answer->code ? call->answer_size : 0;
        if (!answer->content_type)
                answer->content_type = "";
        unlink_call(call); /* not the client's any more: a callback may free the client */
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
        CURL *easy = TAKE_PTR(call->easy); /* owns content_type */
        call->callback(call->userdata, answer);
        curl_easy_cleanup(easy);
        http_cancel(call);
}

static int on_deadline(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        HttpCall *call = userdata;
        HttpClient *client = call->client;
        HttpAnswer answer = {0};
        error_set(&answer.error, -ETIMEDOUT, "%s: no %s within %" PRId64 " ms", call->shown_url,
                  call->answer_size > 0 || call->header_bytes > 0 ? "end of the answer" : "answer",
                  call->budget_us / USEC_PER_MSEC);
        client->refs++;
        finish(call, &answer);
        client_unref(client);
        return 0;
}

static void set_curl_error(HttpCall *call, CURLcode code, Error *error) {
        long os = 0;
        (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
        const char *said = call->curl_error[0] ? call->curl_error : curl_easy_strerror(code);
        if (call->too_long || code == CURLE_FILESIZE_EXCEEDED)
                error_set(error, -EMSGSIZE, "%s: the answer is longer than %zu bytes", call->shown_url,
                          call->answer_max);
        else if (code == CURLE_COULDNT_CONNECT && os > 0)
                error_set(error, -(int)os, "%s: %s", call->shown_url,
                          os == ECONNREFUSED ? "connection refused" : strerror((int)os));
        else if (code == CURLE_COULDNT_CONNECT)
                error_set(error, -ECONNREFUSED, "%s: cannot connect (%s)", call->shown_url, said);
        else if (code == CURLE_COULDNT_RESOLVE_HOST)
                error_set(error, -EHOSTUNREACH, "%s: unknown host", call->shown_url);
        else if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
                error_set(error, -ECONNRESET, "%s: the connection was closed without a whole answer", call->shown_url);
        else if (code == CURLE_PARTIAL_FILE)
                error_set(error, -ECONNRESET, "%s: the connection was closed in the middle of the answer",
                          call->shown_url);
        else if (code == CURLE_OUT_OF_MEMORY)
                error_set(error, -ENOMEM, "%s: out of memory", call->shown_url);
        else
                error_set(error, -EPROTO, "%s: %s", call->shown_url, said);
}

static void complete(HttpCall *call, CURLcode code) {
        HttpAnswer answer = {0};
        if (code == CURLE_OK) {
                long status = 0;
                (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
                answer.code = (int)status;
                char *type = NULL;
                (void)curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
                answer.content_type = type;
        } else
                set_curl_error(call, code, &answer.error);
        finish(call, &answer);
}

/* Every completion is told before the loop sleeps again: curl doesn't wake us twice for the same one. */
static void tell_completions(HttpClient *client) {
        client->refs++;
        CURLMsg *message;
        int left;
        while (!client->closed && (message = curl_multi_info_read(client->multi, &left))) {
                if (message->msg != CURLMSG_DONE)
                        continue;
                CURLcode code = message->data.result; /* the message dies with the easy handle */
                HttpCall *call = NULL;
                (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
                complete(call, code);
        }
        client_unref(client);
}

/* ---- curl's callbacks ---- */

static int on_socket(UNUSED sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpClient *client = userdata;
        int running, what = 0;
        if (events & EPOLLIN)
                what |= CURL_CSELECT_IN;
        if (events & EPOLLOUT)
                what |= CURL_CSELECT_OUT;
        if (events & (EPOLLERR | EPOLLHUP))
                what |= CURL_CSELECT_ERR;
        (void)curl_multi_socket_action(client->multi, fd, what, &running);
        tell_completions(client);
        return 0;
}

static int on_timer(UNUSED sd_event_source *source, UNUSED uint64_t usec, void *userdata) {
        HttpClient *client = userdata;
        int running;
        (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        tell_completions(client);
        return 0;
}

static int socket_changed(UNUSED CURL *easy, curl_socket_t fd, int what, void *userdata, void *per_socket) {
        HttpClient *client = userdata;
        sd_event_source *source = per_socket;
        if (what == CURL_POLL_REMOVE) {
                sd_event_source_disable_unref(source);
                (void)curl_multi_assign(client->multi, fd, NULL);
                return 0;
        }
        uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(client->event, &source, fd, events, on_socket, client) < 0)
                return -1;
        (void)curl_multi_assign(client->multi, fd, source);
        return 0;
}

static int timer_changed(UNUSED CURLM *multi, long timeout_ms, void *userdata) {
        HttpClient *client = userdata;
        if (timeout_ms < 0)
                return sd_event_source_set_enabled(client->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
        if (sd_event_source_set_time_relative(client->timer, (uint64_t)timeout_ms * USEC_PER_MSEC) < 0)
                return -1;
        return sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata) {
        HttpCall *call = userdata;
        size_t bytes = size * count;
        if (bytes > call->answer_max - call->answer_size) {
                call->too_long = true;
                return 0;
        }
        char *answer = realloc(call->answer, call->answer_size + bytes + 1);
        if (!answer)
                return 0;
        memcpy(answer + call->answer_size, data, bytes);
        call->answer = answer;
        call->answer_size += bytes;
        answer[call->answer_size] = '\0';
        return bytes;
}

static size_t on_header(UNUSED char *data, size_t size, size_t count, void *userdata) {
        HttpCall *call = userdata;
        call->header_bytes += size * count;
        if (call->header_bytes > HEADERS_MAX) {
                call->too_long = true;
                return 0;
        }
        return size * count;
}

/* ---- beginning a call ---- */

static int add_header(HttpCall *call, const char *text) {
        struct curl_slist *headers = curl_slist_append(call->headers, text);
        if (!headers)
                return -ENOMEM;
        call->headers = headers;
        return 0;
}

static int set_headers(HttpCall *call, const HttpRequest *request) {
        int r = add_header(call, "Expect:"); /* no waiting for 100-continue */
        for (const char *const *header = request->headers; r == 0 && header && *header; header++)
                r = add_header(call, *header);
        return r;
}

#define SET(option, value)                                                                                             \
        do {                                                                                                           \
                CURLcode code_ = curl_easy_setopt(easy, option, value);                                                \
                if (code_ != CURLE_OK)                                                                                 \
                        return code_ == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;                                       \
        } while (0)

/* Only what was asked for: no redirect, no proxy and no other thing from the environment or a home directory. */
static int set_limits(CURL *easy) {
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_PROXY, "");
        SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_QUICK_EXIT,
            1L); /* a name lookup that hangs is left to its thread: cancelling must not wait for it */
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_USERAGENT, "novacron-rollback/" PROJECT_VERSION);
        return 0;
}

static bool given(const char *text) {
        return text && text[0] != '\0';
}

/* The other side is always verified, by its authority and its name. */
static int set_tls(CURL *easy, const HttpTls *tls) {
        if (given(tls->ca)) {
                SET(CURLOPT_CAINFO, tls->ca);
                SET(CURLOPT_CAPATH, NULL); /* and no others */
        }
        if (given(tls->certificate))
                SET(CURLOPT_SSLCERT, tls->certificate);
        if (given(tls->key))
                SET(CURLOPT_SSLKEY, tls->key);
        return 0;
}

static int set_request(HttpCall *call, const HttpRequest *request) {
        CURL *easy = call->easy;
        SET(CURLOPT_URL, call->url);
        SET(CURLOPT_HTTPHEADER, call->headers);
        if (request->unix_socket)
                SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
        if (request->body) {
                SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
                SET(CURLOPT_POSTFIELDS, call->body);
        }
        if (request->method && strcmp(request->method, "HEAD") == 0)
                SET(CURLOPT_NOBODY, 1L);
        else if (request->method)
                SET(CURLOPT_CUSTOMREQUEST, request->method);
        if (!request->reuse) {
                SET(CURLOPT_FRESH_CONNECT, 1L);
                SET(CURLOPT_FORBID_REUSE, 1L);
        }
        SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->answer_max);
        return request->tls ? set_tls(easy, request->tls) : 0;
}

static int set_callbacks(HttpCall *call) {
        CURL *easy = call->easy;
        SET(CURLOPT_PRIVATE, call);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, call);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, call);
        SET(CURLOPT_ERRORBUFFER, call->curl_error);
        return 0;
}
#undef SET

/* "http://user:secret@host/path?key=secret" -> "http://host/path": what messages may show. A path may hold a token, too. */
static char *url_without_secrets(const char *url) {
        char shown[SHOWN_URL_MAX];
        return strdup(mask_url(url, shown, sizeof shown));
}

static int copy_request(HttpCall *call, const HttpRequest *request) {
        call->url = strdup(request->url);
        call->shown_url = url_without_secrets(request->url);
        if (request->body) {
                call->body = malloc(request->body_size + 1);
                if (call->body)
                        memcpy(call->body, request->body, request->body_size);
        }
        call->easy = curl_easy_init();
        if (!call->url || !call->shown_url || !call->easy || (request->body && !call->body))
                return -ENOMEM;
        return set_headers(call, request);
}

static int start(HttpCall *call, const HttpRequest *request) {
        int r = copy_request(call, request);
        if (r == 0)
                r = set_limits(call->easy);
        if (r == 0)
                r = set_request(call, request);
        if (r == 0)
                r = set_callbacks(call);
        if (r == 0)
                r = sd_event_add_time_relative(call->client->event, &call->deadline, CLOCK_BOOTTIME,
                                               (uint64_t)call->budget_us, 1000, on_deadline, call);
        if (r >= 0 && curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK)
                r = -ENOMEM;
        return r < 0 ? r : 0;
}

int http_begin(HttpClient *client, const HttpRequest *request, int64_t budget_us, HttpCallback callback, void *userdata,
               HttpCall **ret_call, Error *error) {
        HttpCall *call = calloc(1, sizeof *call);
        if (!call)
                return error_set(error, -ENOMEM, "%s: out of memory", request->url);
        *call = (HttpCall){
                .client = client,
                .next = client->calls,
                .answer_max = request->answer_max ? request->answer_max : ANSWER_MAX_DEFAULT,
                .begun_us = now_us(client),
                .budget_us = budget_us,
                .callback = callback,
                .userdata = userdata,
        };
        if (call->next)
                call->next->previous = call;
        client->calls = call;
        int r = start(call, request);
        if (r < 0) {
                error_set(error, r, "%s: cannot begin the request: %s", call->shown_url ? call->shown_url : "URL",
                          strerror(-r));
                http_cancel(call);
                return r;
        }
        *ret_call = call;
        return 0;
}

/* ---- the client ---- */

static int set_up(HttpClient *client) {
        int r = sd_event_add_time(client->event, &client->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, client);
        if (r >= 0)
                r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        client->multi = curl_multi_init();
        if (!client->multi) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        if (curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) != CURLM_OK ||
            curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
            curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_changed) != CURLM_OK ||
            curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK ||
            curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX) != CURLM_OK)
                return -EINVAL;
        return 0;
}

int http_client_new(sd_event *event, HttpClient **ret_client, Error *error) {
        HttpClient *client = calloc(1, sizeof *client);
        if (!client)
                return error_set(error, -ENOMEM, "HTTP client: out of memory");
        *client = (HttpClient){.refs = 1, .event = sd_event_ref(event)};
        int r = set_up(client);
        if (r < 0) {
                client_unref(client);
                return error_set(error, r, "HTTP client: cannot set up: %s", strerror(-r));
        }
        *ret_client = client;
        return 0;
}

HttpClient *http_client_free(HttpClient *client) {
        if (!client)
                return NULL;
        while (client->calls)
                http_cancel(client->calls);
        client->closed = true;
        client_unref(client);
        return NULL;
}
