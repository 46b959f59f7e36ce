/* The routes: one table from which requests are dispatched and checked, and from which the interface can be described. */
#pragma once

#include "api/api.h"

typedef enum ParamType {
        PARAM_TEXT,    /* min and max: bytes */
        PARAM_INTEGER, /* min and max: value */
        PARAM_CHOICE,  /* one word of `choices` */
        PARAM_BOOLEAN,
} ParamType;

typedef struct RouteParam {
        const char *name;
        ParamType type;
        bool required;
        int64_t min, max;
        const char *choices;
        const char *help;
} RouteParam; /* tables end with a row whose name is NULL */

typedef enum RouteKind {
        ROUTE_JSON,
        ROUTE_SLOW,   /* the operation is an ApiSlowOperation */
        ROUTE_STREAM, /* the event stream: there is no operation */
        ROUTE_TEXT,   /* the operation's answer is a text */
        ROUTE_MARKDOWN,
        ROUTE_SVG,     /* texts, too */
        ROUTE_OPENAPI, /* made from this table: there is no operation */
        ROUTE_SESSION, /* the dashboard's session: there is no operation */
} RouteKind;

typedef enum RouteRight { RIGHT_ANYBODY, RIGHT_READ, RIGHT_ACT } RouteRight;

typedef struct Route {
        const char *method; /* "GET" (answers HEAD too), "POST" or "DELETE" */
        const char *
                pattern; /* "{id}" stands for a positive whole number, "{name}" for [a-z0-9_-]{1,31}: passed to the operation */
        size_t operation; /* its offset in ApiOps */
        RouteKind kind;
        RouteRight right;
        unsigned keep_ms;         /* an answer may be given again for so long, until something happens; 0: never */
        const char *part;         /* passed to the operation as "part"; may be NULL */
        const RouteParam *params; /* of the query (GET) or of the body, a JSON object (POST) */
        const char *answer;       /* the shape's name (shapes.h) */
        const char *summary;
} Route;

extern const Route routes[]; /* ends with a row whose method is NULL */

typedef struct RouteMatch {
        int64_t id;     /* that stood for {id}; 0: none */
        char name[32];  /* that stood for {name}; "": none */
        char allow[64]; /* of a 405: the methods that would do */
} RouteMatch;

/* The route for a request. NULL with `problem` filled: 404 or 405. */
const Route *route_find(const char *method, const char *path, RouteMatch *ret_match, Problem *problem);

/* Checks the names, types and ranges of what was sent against the route's parameters: 0, or -1 with `problem` filled (400).
 * Text that stands for a number (from a query) is replaced by the number. */
int route_check(const Route *route, json_t *arguments, Problem *problem);
