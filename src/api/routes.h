/* The routes: one table from which requests are dispatched and checked, and from which the interface can be described. */
#pragma once

#include "api/api.h"

typedef enum ParamType {
        PARAM_TEXT,    /* min and max: bytes */
        PARAM_INTEGER, /* min and max: value */
        PARAM_CHOICE,  /* one word of `choices` */
} ParamType;

typedef struct RouteParam {
        const char *name;
        ParamType type;
        bool required;
        int64_t min, max;
        const char *choices;
        const char *help;
} RouteParam; /* tables end with a row whose name is NULL */

typedef struct Route {
        const char *method; /* "GET" (answers HEAD too) or "POST" */
        const char
                *pattern; /* "{id}" stands for a positive whole number, passed to the operation as the argument "id" */
        size_t operation; /* its offset in ApiOps */
        bool stream;      /* the event stream: there is no operation */
        bool acts;        /* needs the right to act; else reading is enough */
        const RouteParam *params; /* of the query (GET) or of the body, a JSON object (POST) */
        const char *answer;       /* the shape in api/api.h */
        const char *summary;
} Route;

extern const Route routes[]; /* ends with a row whose method is NULL */

/* The route for a request; `ret_id` is the number that stood for {id}, or 0. NULL with `problem` filled: 404, or 405 with the
 * methods that would do in `ret_allow`. */
const Route *route_find(const char *method, const char *path, int64_t *ret_id, char *ret_allow, size_t allow_size,
                        Problem *problem);

/* Checks the names, types and ranges of what was sent against the route's parameters: 0, or -1 with `problem` filled (400).
 * Text that stands for a number (from a query) is replaced by the number. */
int route_check(const Route *route, json_t *arguments, Problem *problem);
