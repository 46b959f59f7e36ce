/* One request: its body is gathered, its route found, its arguments checked, its operation asked, its answer sent. */
#include "api/access.h"
#include "api/problem.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

typedef struct Request {
        char *body;
        size_t size, room;
        size_t refused; /* bytes of a body that is too large */
        bool out_of_memory;
} Request;

/* ---- sending ---- */

static enum MHD_Result send_json(const ApiServer *server, struct MHD_Connection *connection, unsigned status,
                                 const char *type, const json_t *document, const char *header, const char *value) {
        char *text = wire_print(document);
        if (!text)
                return MHD_NO; /* no memory for an answer: hang up */
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (!response) {
                free(text);
                return MHD_NO;
        }
        char newest[24];
        snprintf(newest, sizeof newest, "%" PRIu64, stream_newest(server->hub));
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        MHD_add_response_header(response, "Last-Event-ID", newest);
        if (header)
                MHD_add_response_header(response, header, value);
        enum MHD_Result result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result send_problem(const ApiServer *server, struct MHD_Connection *connection, const char *path,
                                    Problem *problem, const char *header, const char *value) {
        json_t *document = problem_document(problem, path);
        problem_clear(problem);
        enum MHD_Result result = MHD_NO;
        if (document)
                result = send_json(server, connection, (unsigned)problem->status, "application/problem+json", document,
                                   header, value);
        json_decref(document);
        return result;
}

static enum MHD_Result open_stream(const ApiServer *server, struct MHD_Connection *connection, Peer *peer,
                                   const char *path) {
        const char *last_id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
        struct MHD_Response *response = stream_open(server->hub, connection, last_id);
        if (!response) {
                Problem problem = {0};
                problem_set(&problem, 503, EXIT_TRY_LATER, "Too many event streams",
                            "at most %d may be open; ask for the status instead", STREAM_READERS_MAX);
                return send_problem(server, connection, path, &problem, "Retry-After", "5");
        }
        peer->deadline_mono = 0;
        enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
        MHD_destroy_response(response);
        return result;
}

/* ---- reading ---- */

static int no_memory(Problem *problem) {
        return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left for this request; try again");
}

static void gather(Request *request, const char *data, size_t size) {
        if (request->refused > 0 || request->size + size > BODY_MAX) {
                request->refused += size;
                return;
        }
        if (request->size + size > request->room) {
                size_t room = request->size + size < 1024 ? 1024 : 2 * (request->size + size);
                char *body = realloc(request->body, room);
                request->out_of_memory |= !body;
                if (!body)
                        return;
                request->body = body;
                request->room = room;
        }
        memcpy(request->body + request->size, data, size);
        request->size += size;
}

typedef struct Query {
        json_t *arguments;
        Problem *problem;
        int result;
} Query;

static enum MHD_Result on_query(void *userdata, UNUSED enum MHD_ValueKind kind, const char *key, const char *value) {
        Query *query = userdata;
        json_t *text = json_string(value ? value : "");
        if (json_object_get(query->arguments, key))
                query->result = problem_set(query->problem, 400, EXIT_USAGE_ERROR, "Bad request",
                                            "'%.60s' is given twice", key);
        else if (!text || json_object_set(query->arguments, key, text) < 0)
                query->result =
                        problem_set(query->problem, 400, EXIT_USAGE_ERROR, "Bad request", "the query is not UTF-8");
        json_decref(text);
        return query->result == 0 ? MHD_YES : MHD_NO;
}

static bool is_json(const char *type) {
        size_t length = strlen("application/json");
        return type && strncasecmp(type, "application/json", length) == 0 &&
               (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

/* No body at all is an empty object: `curl -X POST` alone must do (specification, steps 1, 7 and 8). */
static int read_body(struct MHD_Connection *connection, const Request *request, json_t **ret_arguments,
                     Problem *problem) {
        if (request->refused > 0)
                return problem_set(problem, 413, EXIT_USAGE_ERROR, "Body too large", "a body may have %d KiB",
                                   BODY_MAX / 1024);
        if (request->out_of_memory)
                return no_memory(problem);
        if (request->size == 0)
                return 0;
        if (!is_json(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE)))
                return problem_set(problem, 415, EXIT_USAGE_ERROR, "Unsupported media type",
                                   "send JSON, and the header 'Content-Type: application/json'");
        json_error_t error;
        json_t *body = json_loadb(request->body, request->size, JSON_REJECT_DUPLICATES, &error);
        if (!body)
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Bad request",
                                   "the body is no JSON: line %d, column %d: %s", error.line, error.column, error.text);
        if (!json_is_object(body)) {
                json_decref(body);
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "Bad request",
                                   "the body must be a JSON object: {\"name\": value}");
        }
        json_decref(*ret_arguments);
        *ret_arguments = body;
        return 0;
}

static int read_arguments(struct MHD_Connection *connection, const Request *request, const Route *route,
                          const RouteMatch *match, json_t **ret_arguments, Problem *problem) {
        Query query = {.arguments = json_object(), .problem = problem};
        if (!query.arguments)
                return no_memory(problem);
        MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_query, &query);
        int r = query.result;
        bool posts = strcmp(route->method, "POST") == 0;
        if (r == 0 && posts && json_object_size(query.arguments) > 0)
                r = problem_set(problem, 400, EXIT_USAGE_ERROR, "Bad request",
                                "what %s needs goes into the body, not into the query", route->pattern);
        if (r == 0 && posts)
                r = read_body(connection, request, &query.arguments, problem);
        if (r == 0)
                r = route_check(route, query.arguments, problem);
        if (r == 0 && match->id > 0 && json_object_set_new(query.arguments, "id", json_integer(match->id)) < 0)
                r = no_memory(problem);
        if (r == 0 && match->name[0] && json_object_set_new(query.arguments, "name", json_string(match->name)) < 0)
                r = no_memory(problem);
        if (r == 0 && route->part && json_object_set_new(query.arguments, "part", json_string(route->part)) < 0)
                r = no_memory(problem);
        if (r < 0) {
                json_decref(query.arguments);
                return r;
        }
        *ret_arguments = query.arguments;
        return 0;
}

/* ---- answering ---- */

static int ask(const ApiServer *server, const Route *route, const json_t *arguments, const Caller *caller,
               json_t **ret_answer, Problem *problem) {
        ApiOperation *operation = NULL;
        if (route->kind == ROUTE_JSON)
                memcpy(&operation, (const char *)server->ops + route->operation, sizeof operation);
        if (!operation)
                return problem_set(problem, 501, EXIT_INTERNAL, "Not implemented", "this server cannot %s %s",
                                   route->method, route->pattern);
        return operation(server->self, arguments, caller, ret_answer, problem);
}

static enum MHD_Result answer(ApiServer *server, struct MHD_Connection *connection, Peer *peer, const char *path,
                              const char *method, const Request *request) {
        Problem problem = {0};
        RouteMatch match;
        Caller caller = peer->caller;
        json_t *arguments = NULL, *document = NULL;
        const Route *route = route_find(method, path, &match, &problem);
        int r = route ? access_check(server, connection, peer, route, &caller, &problem) : -1;
        if (r == 0)
                r = read_arguments(connection, request, route, &match, &arguments, &problem);
        if (r == 0 && route->kind == ROUTE_STREAM) {
                json_decref(arguments);
                return open_stream(server, connection, peer, path);
        }
        if (r == 0)
                r = ask(server, route, arguments, &caller, &document, &problem);
        json_decref(arguments);
        if (r < 0)
                return send_problem(server, connection, path, &problem, problem.status == 405 ? "Allow" : NULL,
                                    match.allow);
        enum MHD_Result result = send_json(server, connection, r > 0 ? (unsigned)r : MHD_HTTP_OK, "application/json",
                                           document, NULL, NULL);
        json_decref(document);
        return result;
}

/* MHD calls this once for the headers, then for each piece of the body, then once more. The answer is given in the last call:
 * given in the first, MHD would close the connection. */
enum MHD_Result request_handle(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                               UNUSED const char *version, const char *data, size_t *data_size, void **request_slot) {
        ApiServer *server = userdata;
        Request *request = *request_slot;
        if (!request) {
                *request_slot = calloc(1, sizeof(Request));
                server->requests += *request_slot != NULL;
                return *request_slot ? MHD_YES : MHD_NO;
        }
        if (*data_size > 0) {
                gather(request, data, *data_size);
                *data_size = 0;
                return request->refused > BODY_REFUSED_MAX ? MHD_NO : MHD_YES;
        }
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return answer(server, connection, info->socket_context, path, method, request);
}

void request_done(void *userdata, struct MHD_Connection *connection, void **request_slot,
                  UNUSED enum MHD_RequestTerminationCode why) {
        ApiServer *server = userdata;
        Request *request = *request_slot;
        *request_slot = NULL;
        if (!request)
                return;
        server->requests--;
        free(request->body);
        free(request);
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        Peer *peer = info ? info->socket_context : NULL;
        if (peer)
                peer->deadline_mono = clock_mono_us() + REQUEST_TIMEOUT_US;
}
