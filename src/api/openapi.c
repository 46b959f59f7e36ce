/* The description of the interface, OpenAPI 3.1: made from the same tables that requests are checked with and answers are tested
 * against, so that it cannot say anything else than what is done. */
#include "api/routes.h"
#include "api/session.h"
#include "api/shapes.h"

#include <string.h>

#define ROOT "/api/v3/"
#define TIME_PATTERN "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"
#define ONE_LINE_PATTERN "^[^\\u0000-\\u001f\\u007f]*$"
#define NAME_PATTERN "^[a-z0-9_-]{1,31}$"

/* ---- schemas ---- */

/* The words of a list that are separated by `separator`. */
static json_t *word_list(const char *words, size_t length, char separator) {
        json_t *list = json_array();
        for (const char *at = words, *end = words + length; at < end;) {
                const char *stop = memchr(at, separator, (size_t)(end - at));
                size_t size = (size_t)((stop ? stop : end) - at);
                json_array_append_new(list, json_stringn(at, size));
                at += size + 1;
        }
        return list;
}

static json_t *words_schema(const char *words, size_t length, bool nullable) {
        json_t *list = word_list(words, length, '|');
        if (!nullable)
                return json_pack("{s:s, s:o}", "type", "string", "enum", list);
        json_array_append_new(list, json_null());
        return json_pack("{s:[s, s], s:o}", "type", "string", "null", "enum", list);
}

static json_t *reference(const char *name, size_t length, bool nullable) {
        char target[80];
        snprintf(target, sizeof target, "#/components/schemas/%.*s", (int)length, name);
        if (!nullable)
                return json_pack("{s:s}", "$ref", target);
        return json_pack("{s:[{s:s}, {s:s}]}", "anyOf", "$ref", target, "type", "null");
}

static json_t *plain_schema(const char *type, size_t length, bool nullable) {
        static const struct {
                const char *word, *type, *format, *pattern;
        } plain[] = {
                {"text", "string", NULL, NULL},     {"time", "string", "date-time", TIME_PATTERN},
                {"integer", "integer", NULL, NULL}, {"number", "number", NULL, NULL},
                {"boolean", "boolean", NULL, NULL}, {NULL, NULL, NULL, NULL},
        };
        for (unsigned i = 0; plain[i].word; i++)
                if (strlen(plain[i].word) == length && strncmp(plain[i].word, type, length) == 0)
                        return json_pack("{s:o, s:s*, s:s*}", "type",
                                         nullable ? json_pack("[s, s]", plain[i].type, "null")
                                                  : json_string(plain[i].type),
                                         "format", plain[i].format, "pattern", plain[i].pattern);
        return json_object(); /* "any" */
}

/* See ShapeMember for the notation. */
static json_t *type_schema(const char *type) {
        size_t length = strlen(type);
        bool nullable = type[length - 1] == '?';
        length -= nullable || type[length - 1] == '+';
        if (strncmp(type, "[]", 2) == 0)
                return json_pack("{s:s, s:o}", "type", "array", "items", type_schema(type + 2));
        if (strncmp(type, "{}", 2) == 0)
                return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", type_schema(type + 2));
        if (type[0] == '=')
                return words_schema(type + 1, length - 1, nullable);
        if (type[0] == '#')
                return reference(type + 1, length - 1, nullable);
        return plain_schema(type, length, nullable);
}

static json_t *shape_schema(const Shape *shape) {
        if (!shape->members) {
                json_t *schema = type_schema(shape->type);
                json_object_set_new(schema, "description", json_string(shape->summary));
                return schema;
        }
        json_t *properties = json_object(), *required = json_array();
        for (const ShapeMember *member = shape->members; member->name; member++) {
                json_t *schema = type_schema(member->type);
                if (member->help)
                        json_object_set_new(schema, "description", json_string(member->help));
                json_object_set_new(properties, member->name, schema);
                if (member->type[strlen(member->type) - 1] != '+')
                        json_array_append_new(required, json_string(member->name));
        }
        return json_pack("{s:s, s:s, s:o, s:o, s:b}", "type", "object", "description", shape->summary, "properties",
                         properties, "required", required, "additionalProperties", false);
}

static json_t *schemas(void) {
        json_t *all = json_object();
        const Shape *shape;
        for (unsigned i = 0; (shape = shape_at(i)); i++)
                json_object_set_new(all, shape->name, shape_schema(shape));
        return all;
}

/* ---- what is sent ---- */

static json_t *param_schema(const RouteParam *param) {
        switch (param->type) {
        case PARAM_INTEGER:
                return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)param->min, "maximum",
                                 (json_int_t)param->max);
        case PARAM_CHOICE:
                return json_pack("{s:s, s:o}", "type", "string", "enum",
                                 word_list(param->choices, strlen(param->choices), ' '));
        case PARAM_BOOLEAN:
                return json_pack("{s:s}", "type", "boolean");
        default: /* the limits are bytes: a longer text would be refused, a shorter one may be */
                return json_pack("{s:s, s:I, s:I, s:s}", "type", "string", "minLength", (json_int_t)param->min,
                                 "maxLength", (json_int_t)param->max, "pattern", ONE_LINE_PATTERN);
        }
}

static void add_parameter(json_t *list, const char *name, const char *in, bool required, const char *help,
                          json_t *schema) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s*, s:o}", "name", name, "in", in, "required",
                                              (int)required, "description", help, "schema", schema));
}

static bool reads(const Route *route) {
        return strcmp(route->method, "GET") == 0;
}

static json_t *parameters(const Route *route) {
        json_t *list = json_array();
        if (strstr(route->pattern, "{id}"))
                add_parameter(list, "id", "path", true, NULL, json_pack("{s:s, s:i}", "type", "integer", "minimum", 1));
        if (strstr(route->pattern, "{name}"))
                add_parameter(list, "name", "path", true, NULL,
                              json_pack("{s:s, s:s}", "type", "string", "pattern", NAME_PATTERN));
        if (reads(route))
                for (const RouteParam *param = route->params; param->name; param++)
                        add_parameter(list, param->name, "query", param->required, param->help, param_schema(param));
        if (route->kind == ROUTE_STREAM)
                add_parameter(list, "Last-Event-ID", "header", false, "the newest event that is known already",
                              json_pack("{s:s}", "type", "string"));
        return list;
}

/* NULL: none is expected. */
static json_t *request_body(const Route *route) {
        if (reads(route) || !route->params->name)
                return NULL;
        json_t *properties = json_object(), *required = json_array();
        for (const RouteParam *param = route->params; param->name; param++) {
                json_t *schema = param_schema(param);
                json_object_set_new(schema, "description", json_string(param->help));
                json_object_set_new(properties, param->name, schema);
                if (param->required)
                        json_array_append_new(required, json_string(param->name));
        }
        bool wanted = json_array_size(required) > 0;
        json_t *schema = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                                   required, "additionalProperties", false);
        return json_pack("{s:b, s:{s:{s:o}}}", "required", (int)wanted, "content", "application/json", "schema",
                         schema);
}

/* ---- what is answered ---- */

static bool by_all(const Route *route) {
        return route->method != NULL;
}

static bool by_protected(const Route *route) {
        return route->right != RIGHT_ANYBODY;
}

static bool by_named(const Route *route) {
        return strchr(route->pattern, '{') != NULL || route->operation == offsetof(ApiOps, run_show);
}

static bool by_acts(const Route *route) {
        return route->right == RIGHT_ACT;
}

static bool by_posts(const Route *route) {
        return strcmp(route->method, "POST") == 0;
}

static bool by_controller(const Route *route) {
        return route->kind != ROUTE_OPENAPI && route->kind != ROUTE_SESSION;
}

/* Every status that isn't listed is a problem, too ("default"). */
static const struct ProblemAnswer {
        const char *status, *summary;
        bool (*given)(const Route *route);
} problem_answers[] = {
        {"400", "An argument is unknown, missing, or not what it must be", by_all},
        {"401", "It isn't known who asks", by_protected},
        {"403", "Who asks may not do that", by_all},
        {"404", "There is no such thing", by_named},
        {"409", "It cannot be done as things stand now", by_acts},
        {"413", "The body is too large", by_posts},
        {"415", "The body is not JSON", by_posts},
        {"503", "It cannot be answered now; try again", by_controller},
        {"default", "It was refused", by_all},
        {NULL, NULL, NULL},
};

static json_t *answer_schema(const Route *route) {
        return reference(route->answer, strlen(route->answer), false);
}

static json_t *answer_content(const Route *route) {
        switch (route->kind) {
        case ROUTE_STREAM:
                return json_pack("{s:{s:{s:s}, s:o}}", "text/event-stream", "schema", "type", "string", "x-events",
                                 answer_schema(route));
        case ROUTE_MARKDOWN:
                return json_pack("{s:{s:o}}", "text/markdown", "schema", answer_schema(route));
        case ROUTE_SVG:
                return json_pack("{s:{s:o}}", "image/svg+xml", "schema", answer_schema(route));
        case ROUTE_TEXT:
                return json_pack("{s:{s:o}, s:{s:o}}", "application/openmetrics-text", "schema", answer_schema(route),
                                 "text/plain", "schema", answer_schema(route));
        default:
                return json_pack("{s:{s:o}}", "application/json", "schema", answer_schema(route));
        }
}

static json_t *responses(const Route *route) {
        json_t *all = json_pack("{s:{s:s, s:o, s:{s:{s:s}}}}", "200", "description", route->summary, "content",
                                answer_content(route), "headers", "Last-Event-ID", "$ref",
                                "#/components/headers/Last-Event-ID");
        for (const struct ProblemAnswer *one = problem_answers; one->status; one++) {
                char target[48];
                snprintf(target, sizeof target, "#/components/responses/%s", one->status);
                if (one->given(route))
                        json_object_set_new(all, one->status, json_pack("{s:s}", "$ref", target));
        }
        if (route->operation == offsetof(ApiOps, health))
                json_object_set_new(all, "503",
                                    json_pack("{s:s, s:{s:{s:o}, s:{s:o}}}", "description",
                                              "It is unhealthy, or that cannot be told now", "content",
                                              "application/json", "schema", answer_schema(route),
                                              "application/problem+json", "schema", reference("problem", 7, false)));
        return all;
}

static json_t *problem_responses(void) {
        json_t *all = json_object();
        for (const struct ProblemAnswer *one = problem_answers; one->status; one++)
                json_object_set_new(all, one->status,
                                    json_pack("{s:s, s:{s:{s:o}}}", "description", one->summary, "content",
                                              "application/problem+json", "schema", reference("problem", 7, false)));
        return all;
}

/* ---- the operations ---- */

/* The first part of the path behind the common root. */
static void tag_of(const Route *route, char *tag, size_t size) {
        const char *path = strncmp(route->pattern, ROOT, strlen(ROOT)) == 0 ? route->pattern + strlen(ROOT) : "self";
        snprintf(tag, size, "%.*s", (int)strcspn(path, "/"), path);
}

/* "post_rollback_id_cancel" */
static void operation_id(const Route *route, char *id, size_t size) {
        const char *path = route->pattern + (strncmp(route->pattern, ROOT, strlen(ROOT)) == 0 ? strlen(ROOT) : 1);
        size_t used = 0;
        for (const char *at = route->method; *at && used + 1 < size; at++)
                id[used++] = (char)(*at - 'A' + 'a');
        if (used + 1 < size)
                id[used++] = '_';
        for (const char *at = path; *at && used + 1 < size; at++)
                if (strchr("{}", *at) == NULL)
                        id[used++] = (char)(strchr("/.-", *at) ? '_' : *at);
        id[used] = '\0';
}

/* {}: the peer's own credentials, for which OpenAPI has no scheme. */
static json_t *security(const Route *route) {
        if (route->right == RIGHT_ANYBODY)
                return json_array();
        return json_pack("[{}, {s:[]}, {s:[]}, {s:[]}]", "token", "client_certificate", "session");
}

static json_t *operation(const Route *route) {
        char tag[32], id[64];
        tag_of(route, tag, sizeof tag);
        operation_id(route, id, sizeof id);
        return json_pack("{s:s, s:s, s:[s], s:o, s:o*, s:o, s:o}", "operationId", id, "summary", route->summary, "tags",
                         tag, "parameters", parameters(route), "requestBody", request_body(route), "responses",
                         responses(route), "security", security(route));
}

static json_t *paths(void) {
        json_t *all = json_object();
        for (const Route *route = routes; route->method; route++) {
                char method[8];
                size_t i = 0;
                for (; route->method[i] && i + 1 < sizeof method; i++)
                        method[i] = (char)(route->method[i] - 'A' + 'a');
                method[i] = '\0';
                if (!json_object_get(all, route->pattern))
                        json_object_set_new(all, route->pattern, json_object());
                json_object_set_new(json_object_get(all, route->pattern), method, operation(route));
        }
        return all;
}

static json_t *tags(void) {
        json_t *list = json_array(), *seen = json_object();
        for (const Route *route = routes; route->method; route++) {
                char tag[32];
                tag_of(route, tag, sizeof tag);
                if (json_object_get(seen, tag))
                        continue;
                json_object_set_new(seen, tag, json_true());
                json_array_append_new(list, json_pack("{s:s}", "name", tag));
        }
        json_decref(seen);
        return list;
}

static json_t *security_schemes(void) {
        return json_pack(
                "{s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s}}", "token", "type", "http", "scheme",
                "bearer", "description",
                "One of the controller's tokens file, which also says what it may do. Over TLS.", "client_certificate",
                "type", "mutualTLS", "description", "Signed by the configured authority; its common name is who asks.",
                "session", "type", "apiKey", "in", "cookie", "name", SESSION_COOKIE, "description",
                "A browser's, begun with POST /api/v3/session from the controller's own page; to act, the header " SESSION_HEADER
                " must be sent, too.");
}

json_t *openapi_document(void) {
        json_t *info = json_pack(
                "{s:s, s:s, s:s}", "title", "NovaCron Rollback", "version", PROJECT_VERSION, "description",
                "Rolls a service back to its last good release. On the Unix socket and on loopback the peer's own credentials "
                "say who asks: root, the service's user and the configured group may act, with nothing to send along. "
                "Elsewhere a token or a client certificate is needed, over TLS. GET also answers HEAD.");
        json_t *components = json_pack(
                "{s:o, s:o, s:{s:{s:s, s:{s:s}}}, s:o}", "schemas", schemas(), "responses", problem_responses(),
                "headers", "Last-Event-ID", "description",
                "The newest event that the answer already contains: an event stream that is opened with it misses nothing",
                "schema", "type", "string", "securitySchemes", security_schemes());
        return json_pack("{s:s, s:o, s:[{s:s}], s:o, s:o, s:o}", "openapi", "3.1.0", "info", info, "servers", "url",
                         "/", "tags", tags(), "paths", paths(), "components", components);
}
