/* One request: its body is gathered, its route found, its arguments checked, its operation asked, its answer sent. */
#include "api/access.h"
#include "api/answer.h"
#include "api/kept.h"
#include "api/later.h"
#include "api/peers.h"
#include "api/problem.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/session.h"
#include "api/shapes.h"
#include "base/exit-codes.h"

#include <string.h>
#include <strings.h>

#define HEALTH_PATH "/api/v3/health"

/* A request on its way through. */
typedef struct Exchange {
        ApiServer *server;
        struct MHD_Connection *connection;
        Peer *peer;
        const char *path, *method;
        const Route *route;
        RouteMatch match;
        Caller caller;
        json_t *arguments; /* owned; NULL: not read */
        Problem problem;
} Exchange;

/* ---- reading ---- */

static int no_memory(Problem *problem) {
        return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left for this request; try again");
}

static void gather(Request *request, const char *data, size_t size) {
        if (!request->takes_body || request->refused > 0 || request->size + size > BODY_MAX) {
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
        bool posts = strcmp(route->method, "GET") != 0;
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

static const char *header(const Exchange *exchange, const char *name) {
        return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result send_problem(Exchange *exchange) {
        int status = exchange->problem.status;
        return answer_send(exchange->connection, (unsigned)status,
                           answer_problem(exchange->server, exchange->path, &exchange->problem, exchange->match.allow));
}

/* For the audit trail: every request to act, however it ended. */
static void tell_acted(const Exchange *exchange, int status, const char *outcome) {
        const ApiServer *server = exchange->server;
        if (exchange->route && exchange->route->right == RIGHT_ACT && server->ops->acted)
                server->ops->acted(server->self, &exchange->caller, exchange->method, exchange->path,
                                   exchange->arguments, status, outcome);
}

static enum MHD_Result refuse(Exchange *exchange) {
        tell_acted(exchange, exchange->problem.status, exchange->problem.title);
        return send_problem(exchange);
}

static int ask(Exchange *exchange, json_t **ret_answer) {
        const Route *route = exchange->route;
        ApiOperation *operation;
        memcpy(&operation, (const char *)exchange->server->ops + route->operation, sizeof operation);
        if (!operation)
                return problem_set(&exchange->problem, 501, EXIT_INTERNAL, "Not implemented",
                                   "this server cannot %s %s", route->method, route->pattern);
        return operation(exchange->server->self, exchange->arguments, &exchange->caller, ret_answer,
                         &exchange->problem);
}

/* Whether the newer format of metrics is asked for, or (anything else) whether this is any other kind of answer. */
static bool wants_openmetrics(const Exchange *exchange) {
        const char *accept = exchange->route->kind == ROUTE_TEXT ? header(exchange, MHD_HTTP_HEADER_ACCEPT) : NULL;
        return accept && strcasestr(accept, "application/openmetrics-text");
}

static bool may_keep(const Exchange *exchange) {
        return (exchange->route->keep_ms > 0 || exchange->route->kind == ROUTE_OPENAPI) && exchange->match.id == 0 &&
               MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL) == 0;
}

static struct MHD_Response *make_answer(const Exchange *exchange, const json_t *document) {
        if (exchange->route->kind == ROUTE_OPENAPI)
                return answer_description(exchange->server, document);
        const char *text = json_string_value(document);
        if (exchange->route->kind == ROUTE_MARKDOWN || exchange->route->kind == ROUTE_SVG)
                return text ? answer_text(exchange->server, text, exchange->route->kind == ROUTE_SVG) : NULL;
        if (exchange->route->kind != ROUTE_TEXT)
                return answer_json(exchange->server, document);
        return text ? answer_metrics(exchange->server, text, wants_openmetrics(exchange)) : NULL;
}

/* ROUTE_JSON, ROUTE_TEXT and ROUTE_OPENAPI. */
static enum MHD_Result answer_at_once(Exchange *exchange) {
        json_t *document = NULL;
        int status = 0;
        if (exchange->route->kind == ROUTE_OPENAPI)
                document = openapi_document();
        else
                status = ask(exchange, &document);
        if (status < 0)
                return refuse(exchange);
        unsigned code = status > 0 ? (unsigned)status : MHD_HTTP_OK;
        char outcome[16];
        snprintf(outcome, sizeof outcome, "%u", code);
        tell_acted(exchange, (int)code, outcome);
        if (exchange->route->right == RIGHT_ACT)
                exchange->server->happened++;
        struct MHD_Response *response = make_answer(exchange, document);
        json_decref(document);
        if (!response || !may_keep(exchange))
                return answer_send(exchange->connection, code, response);
        kept_put(exchange->server, exchange->route, exchange->match.name, wants_openmetrics(exchange), code, response);
        return MHD_queue_response(exchange->connection, code, response);
}

static enum MHD_Result open_stream(Exchange *exchange) {
        if (strcmp(exchange->method, MHD_HTTP_METHOD_HEAD) == 0) /* MHD would send the end of a body there isn't */
                return answer_send(exchange->connection, MHD_HTTP_OK, stream_head());
        struct MHD_Response *response =
                stream_open(exchange->server->hub, exchange->connection, header(exchange, "Last-Event-ID"),
                            exchange->peer->kind != PEER_UNIX);
        peers_wait(exchange->peer);
        return answer_send(exchange->connection, MHD_HTTP_OK, response);
}

static enum MHD_Result answer_session(Exchange *exchange) {
        char cookie[SESSION_SET_COOKIE_MAX] = "";
        json_t *document = NULL;
        if (session_handle(exchange->server, exchange->connection, exchange->peer, exchange->route, &exchange->caller,
                           &document, cookie, &exchange->problem) < 0)
                return send_problem(exchange);
        struct MHD_Response *response = answer_json(exchange->server, document);
        json_decref(document);
        if (response && cookie[0] != '\0')
                MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, cookie);
        return answer_send(exchange->connection, MHD_HTTP_OK, response);
}

/* The reply that the connection has slept for, if it did. */
static enum MHD_Result send_late(Exchange *exchange) {
        Request *request = &exchange->peer->request;
        request->replied = false;
        return answer_send(exchange->connection, request->late_status, TAKE_PTR(request->late));
}

static enum MHD_Result answer_later(Exchange *exchange) {
        if (later_ask(exchange->server, exchange->connection, exchange->peer, exchange->route, exchange->path,
                      exchange->arguments, &exchange->caller, &exchange->problem) < 0)
                return refuse(exchange);
        return exchange->peer->request.replied ? send_late(exchange) : MHD_YES;
}

/* A request that came in as the server ends: what it would begin could neither go on nor be waited for. */
static int check_ending(Exchange *exchange) {
        if (!exchange->server->ending || exchange->route->right != RIGHT_ACT)
                return 0;
        return problem_set(&exchange->problem, 503, EXIT_TRY_LATER, "Controller ending",
                           "the controller is being stopped or reloaded, and nothing was begun; ask again in a second");
}

static enum MHD_Result answer_route(Exchange *exchange) {
        unsigned status;
        if (access_check(exchange->server, exchange->connection, exchange->peer, exchange->route, &exchange->caller,
                         &exchange->problem) < 0 ||
            check_ending(exchange) < 0)
                return refuse(exchange);
        struct MHD_Response *kept = may_keep(exchange)
                                            ? kept_find(exchange->server, exchange->route, exchange->match.name,
                                                        wants_openmetrics(exchange), &status)
                                            : NULL;
        if (kept)
                return MHD_queue_response(exchange->connection, status, kept);
        if (read_arguments(exchange->connection, &exchange->peer->request, exchange->route, &exchange->match,
                           &exchange->arguments, &exchange->problem) < 0)
                return refuse(exchange);
        switch (exchange->route->kind) {
        case ROUTE_STREAM:
                return open_stream(exchange);
        case ROUTE_SESSION:
                return answer_session(exchange);
        case ROUTE_SLOW:
                return answer_later(exchange);
        default:
                return answer_at_once(exchange);
        }
}

/* The page itself may be read by whoever may connect; what it shows needs rights. */
static enum MHD_Result answer_page(Exchange *exchange, const Asset *asset) {
        if (access_check_page(exchange->server, exchange->connection, exchange->peer, &exchange->problem) < 0)
                return send_problem(exchange);
        if (strcmp(exchange->method, MHD_HTTP_METHOD_GET) != 0 && strcmp(exchange->method, MHD_HTTP_METHOD_HEAD) != 0) {
                snprintf(exchange->match.allow, sizeof exchange->match.allow, "GET, HEAD");
                problem_set(&exchange->problem, 405, EXIT_USAGE_ERROR, "Method not allowed", "%.100s answers %s",
                            exchange->path, exchange->match.allow);
                return send_problem(exchange);
        }
        const char *known = header(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH);
        bool same = known && (strstr(known, asset->etag) || strcmp(known, "*") == 0);
        return answer_send(exchange->connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, answer_asset(asset, same));
}

static bool asks_health(const Exchange *exchange) {
        const char *rest = exchange->path + strlen(HEALTH_PATH);
        return strncmp(exchange->path, HEALTH_PATH, strlen(HEALTH_PATH)) == 0 && (*rest == '\0' || *rest == '/') &&
               (strcmp(exchange->method, MHD_HTTP_METHOD_GET) == 0 ||
                strcmp(exchange->method, MHD_HTTP_METHOD_HEAD) == 0);
}

static enum MHD_Result answer(Exchange *exchange) {
        const Asset *asset = NULL;
        if (exchange->peer->kind == PEER_HEALTH) {
                if (!asks_health(exchange)) {
                        problem_set(&exchange->problem, 403, EXIT_PERMISSION, "Not here",
                                    "this address answers GET %s and what is below it, and nothing else", HEALTH_PATH);
                        return send_problem(exchange);
                }
        } else if (strncmp(exchange->path, "/api/", 5) != 0)
                asset = asset_find(exchange->path);
        if (asset)
                return answer_page(exchange, asset);
        exchange->route = route_find(exchange->method, exchange->path, &exchange->match, &exchange->problem);
        if (!exchange->route)
                return send_problem(exchange);
        enum MHD_Result result = answer_route(exchange);
        json_decref(exchange->arguments);
        return result;
}

/* MHD calls this once for the headers, then for each piece of the body, then once more, and again when a connection that slept has
 * woken. The answer is given in the last call: given in the first, MHD would close the connection. */
enum MHD_Result request_handle(void *userdata, struct MHD_Connection *connection, const char *path, const char *method,
                               UNUSED const char *version, const char *data, size_t *data_size, void **request_slot) {
        ApiServer *server = userdata;
        Request *request = *request_slot;
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        Peer *peer = info->socket_context;
        if (!request) {
                *request_slot = request = &peer->request;
                request->takes_body =
                        strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0;
                server->requests++;
                return MHD_YES;
        }
        if (*data_size > 0) {
                gather(request, data, *data_size);
                *data_size = 0;
                return request->refused > BODY_REFUSED_MAX ? MHD_NO : MHD_YES;
        }
        Exchange exchange = {.server = server,
                             .connection = connection,
                             .peer = peer,
                             .path = path,
                             .method = method,
                             .caller = peer->caller};
        return request->replied ? send_late(&exchange) : answer(&exchange);
}

void request_done(void *userdata, struct MHD_Connection *connection, void **request_slot,
                  UNUSED enum MHD_RequestTerminationCode why) {
        ApiServer *server = userdata;
        Request *request = *request_slot;
        *request_slot = NULL;
        if (!request)
                return;
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        Peer *peer = info->socket_context;
        server->requests--;
        later_forget(peer);
        free(request->body);
        *request = (Request){0};
        peers_expect(peer);
}
