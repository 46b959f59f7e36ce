#include "api/answer.h"

#include "api/access.h"
#include "api/metrics-text.h"
#include "api/problem.h"
#include "api/wire.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PAGE_POLICY "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* When it was made. MHD would work it out for each time that it is sent, and an answer that is kept is sent thousands of times. */
static void add_date(struct MHD_Response *response) {
        char date[40];
        time_t now = time(NULL);
        struct tm tm;
        if (gmtime_r(&now, &tm) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
                MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date);
}

/* Takes over `text`. */
static struct MHD_Response *from_text(const ApiServer *server, char *text, const char *type) {
        if (!text)
                return NULL;
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (!response) {
                free(text);
                return NULL;
        }
        char newest[24];
        snprintf(newest, sizeof newest, "%" PRIu64, stream_newest(server->hub));
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        MHD_add_response_header(response, "Last-Event-ID", newest);
        return response;
}

static struct MHD_Response *from_text_now(const ApiServer *server, char *text, const char *type) {
        struct MHD_Response *response = from_text(server, text, type);
        if (response)
                add_date(response);
        return response;
}

struct MHD_Response *answer_json(const ApiServer *server, const json_t *document) {
        return document ? from_text_now(server, wire_print(document), "application/json") : NULL;
}

struct MHD_Response *answer_description(const ApiServer *server, const json_t *document) {
        return document ? from_text(server, wire_print(document), "application/json") : NULL;
}

struct MHD_Response *answer_problem(const ApiServer *server, const char *path, Problem *problem, const char *allow) {
        json_t *document = problem_document(problem, path);
        struct MHD_Response *response =
                document ? from_text_now(server, wire_print(document), "application/problem+json") : NULL;
        json_decref(document);
        if (response && allow && problem->status == MHD_HTTP_METHOD_NOT_ALLOWED)
                MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
        if (response)
                access_add_headers(response, problem);
        problem_clear(problem);
        return response;
}

struct MHD_Response *answer_text(const ApiServer *server, const char *text, bool svg) {
        struct MHD_Response *response =
                from_text_now(server, strdup(text), svg ? "image/svg+xml" : "text/markdown; charset=utf-8");
        if (response) /* opened by itself, neither may load or run anything */
                MHD_add_response_header(
                        response, "Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox");
        return response;
}

struct MHD_Response *answer_metrics(const ApiServer *server, const char *text, bool openmetrics) {
        struct MHD_Response *response = from_text_now(server, openmetrics ? strdup(text) : metrics_text_plain(text),
                                                      openmetrics ? OPENMETRICS_TYPE : METRICS_TYPE);
        if (response)
                MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
        return response;
}

struct MHD_Response *answer_asset(const Asset *asset, bool not_modified) {
        struct MHD_Response *response = MHD_create_response_from_buffer(not_modified ? 0 : asset->size,
                                                                        not_modified ? (void *)"" : (void *)asset->data,
                                                                        MHD_RESPMEM_PERSISTENT);
        if (!response)
                return NULL;
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, asset->content_type);
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, asset->etag);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"); /* kept, but asked about */
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        MHD_add_response_header(response, "Content-Security-Policy", PAGE_POLICY);
        MHD_add_response_header(response, "X-Frame-Options", "DENY");
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        return response;
}

enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response) {
        if (!response)
                return MHD_NO;
        enum MHD_Result result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}
