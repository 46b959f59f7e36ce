#include "api/routes.h"

#include "api/problem.h"
#include "base/exit-codes.h"
#include "base/nearest.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#define REASON_PARAM(required)                                                                                         \
        { "reason", PARAM_TEXT, required, 1, REASON_TYPED_MAX, NULL, "why; kept with the run" }
#define LIMIT_PARAM                                                                                                    \
        { "limit", PARAM_INTEGER, false, 1, 1000, NULL, "at most so many, the newest" }
#define VERSION_PARAM(name, required, help)                                                                            \
        { name, PARAM_TEXT, required, 1, 63, NULL, help }

static const RouteParam no_params[] = {{0}};
static const RouteParam limit_params[] = {LIMIT_PARAM, {0}};
static const RouteParam plan_params[] = {
        {"kind", PARAM_CHOICE, false, 0, 0, "rollback deployment", "what is planned; rollback when left out"},
        {"mode", PARAM_CHOICE, false, 0, 0, "manual emergency automatic", "manual when left out"},
        VERSION_PARAM("to", false, "the target; for a rollback the release the controller would choose when left out"),
        {0},
};
static const RouteParam rollback_params[] = {
        {"mode", PARAM_CHOICE, true, 0, 0, "manual emergency", "an emergency skips what can be skipped"},
        REASON_PARAM(true),
        VERSION_PARAM("to", false, "the target; the release the controller would choose when left out"),
        VERSION_PARAM("expect_from", false, "refuse when another release is current by now"),
        {"allow_row_loss", PARAM_BOOLEAN, false, 0, 0, NULL,
         "rows that the way back of the database's schema can't keep may go"},
        {0},
};
static const RouteParam deploy_params[] = {VERSION_PARAM("version", true, "the release to make current"),
                                           REASON_PARAM(false),
                                           {"accept_no_target", PARAM_BOOLEAN, false, 0, 0, NULL,
                                            "deploy even if no target that is proven ready would be left"},
                                           {0}};
static const RouteParam pause_params[] = {
        {"why", PARAM_TEXT, false, 1, REASON_TYPED_MAX, NULL, "shown in the status while it lasts"}, {0}};

static const RouteParam drain_params[] = {
        {"timeout_seconds", PARAM_INTEGER, false, 1, 3600, NULL,
         "for what is in flight; the configured budget when left out"},
        {0},
};

static const RouteParam resolve_params[] = {
        {"note", PARAM_TEXT, false, 1, REASON_TYPED_MAX, NULL, "how it was settled; kept with the incident"}, {0}};

static const RouteParam metrics_history_params[] = {
        {"from", PARAM_TEXT, false, 1, 40, NULL,
         "RFC 3339, or how long ago, such as 24h; an hour before `to` when left out"},
        {"to", PARAM_TEXT, false, 1, 40, NULL, "the same; now when left out"},
        {"points", PARAM_INTEGER, false, 1, 2000, NULL, "at most so many, evenly spaced; 400 when left out"},
        {0},
};

#define OPERATION(name) offsetof(ApiOps, name)
#define KEEP_MS 100

const Route routes[] = {
        {"GET", "/api/v3/status", OPERATION(status), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params, "status",
         "What runs, what would be done about it, and how ready that is"},
        {"GET", "/api/v3/version", OPERATION(version), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params, "version",
         "The release that is current"},
        {"GET", "/api/v3/health", OPERATION(health), ROUTE_JSON, RIGHT_ANYBODY, KEEP_MS, NULL, no_params, "health",
         "Health of all components, with the arithmetic of the score; 503 when unhealthy"},
        {"GET", "/api/v3/health/{name}", OPERATION(health), ROUTE_JSON, RIGHT_ANYBODY, KEEP_MS, NULL, no_params,
         "component", "Health of one component; 503 when unhealthy"},
        {"GET", "/api/v3/metrics/summary", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "summary", no_params,
         "metrics_summary", "All metrics in short"},
        {"GET", "/api/v3/metrics/history", OPERATION(metrics_history), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL,
         metrics_history_params, "metrics_history", "Recorded samples, as long as `history.keep`"},
        {"GET", "/api/v3/metrics/requests", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "requests", no_params,
         "metrics_requests", "Requests a second, and how many succeeded"},
        {"GET", "/api/v3/metrics/latency", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "latency", no_params,
         "metrics_latency", "Latency as the balancer sees it"},
        {"GET", "/api/v3/metrics/errors", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "errors", no_params,
         "metrics_errors", "Errors in the last minute"},
        {"GET", "/api/v3/metrics/connections", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "connections",
         no_params, "metrics_connections", "Connections to the service now"},
        {"GET", "/api/v3/metrics/system", OPERATION(metrics), ROUTE_JSON, RIGHT_READ, KEEP_MS, "system", no_params,
         "metrics_system", "Load of this machine"},
        {"GET", "/api/v3/plan", OPERATION(plan), ROUTE_JSON, RIGHT_READ, 0, NULL, plan_params, "plan",
         "The steps a run would take now, and why it would be refused"},
        {"GET", "/api/v3/ready", OPERATION(ready), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params, "ready",
         "Whether the rollback target could be started right now, item by item"},
        {"GET", "/api/v3/rollback", OPERATION(run_show), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params, "run",
         "The newest run"},
        {"POST", "/api/v3/rollback", OPERATION(rollback), ROUTE_JSON, RIGHT_ACT, 0, NULL, rollback_params, "run",
         "Begins a rollback"},
        {"GET", "/api/v3/rollback/{id}", OPERATION(run_show), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params, "run",
         "One run"},
        {"POST", "/api/v3/rollback/{id}/cancel", OPERATION(run_cancel), ROUTE_JSON, RIGHT_ACT, 0, NULL, no_params,
         "cancel", "Cancels a run: undone before the old version is stopped, finished after it"},
        {"POST", "/api/v3/deploy", OPERATION(deploy), ROUTE_JSON, RIGHT_ACT, 0, NULL, deploy_params, "run",
         "Begins a deployment"},
        {"GET", "/api/v3/history", OPERATION(history), ROUTE_JSON, RIGHT_READ, 0, NULL, limit_params, "history",
         "Runs and deployments, newest first"},
        {"GET", "/api/v3/decisions", OPERATION(decisions), ROUTE_JSON, RIGHT_READ, 0, NULL, limit_params, "decisions",
         "Decisions, newest first"},
        {"GET", "/api/v3/decisions/{id}", OPERATION(decisions), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params, "decision",
         "One decision with its samples, so that it can be replayed"},
        {"GET", "/api/v3/decisions/{id}/explain", OPERATION(explain), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params,
         "explanation",
         "Why it was decided, with the arithmetic, the guards and what followed; and the same decision recomputed"},
        {"GET", "/api/v3/validate", OPERATION(validate), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params, "validate",
         "Whether the last rollback helped"},
        {"GET", "/api/v3/incidents", OPERATION(incidents), ROUTE_JSON, RIGHT_READ, 0, NULL, limit_params, "incidents",
         "Incidents, newest first"},
        {"GET", "/api/v3/incidents/{id}", OPERATION(incident), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params,
         "incident_details", "All of one incident: timeline, trigger, difference of the releases, log, samples"},
        {"GET", "/api/v3/incidents/{id}/report", OPERATION(incident_report), ROUTE_MARKDOWN, RIGHT_READ, 0, NULL,
         no_params, "report", "The same for people, as Markdown"},
        {"GET", "/api/v3/incidents/{id}/plot/{name}", OPERATION(incident_plot), ROUTE_SVG, RIGHT_READ, 0, NULL,
         no_params, "plot", "One metric over the incident: error-rate, latency-p99 or success-rate"},
        {"POST", "/api/v3/incidents/{id}/acknowledge", OPERATION(incident_acknowledge), ROUTE_JSON, RIGHT_ACT, 0, NULL,
         no_params, "incident", "Somebody has taken it; the first one counts"},
        {"POST", "/api/v3/incidents/{id}/resolve", OPERATION(incident_resolve), ROUTE_JSON, RIGHT_ACT, 0, NULL,
         resolve_params, "incident", "It is settled"},
        {"GET", "/api/v3/audit", OPERATION(audit), ROUTE_JSON, RIGHT_READ, 0, NULL, limit_params, "audit",
         "Who asked for what, newest first"},
        {"POST", "/api/v3/deployment/pause", OPERATION(pause), ROUTE_JSON, RIGHT_ACT, 0, NULL, pause_params,
         "deployments", "Forbids deployments until they are resumed"},
        {"POST", "/api/v3/deployment/resume", OPERATION(resume), ROUTE_JSON, RIGHT_ACT, 0, NULL, no_params,
         "deployments", "Allows deployments again; puts a run aside that was left open and can't be gone on with"},
        {"GET", "/api/v3/deployment/status", OPERATION(deployment_status), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL,
         no_params, "deployments", "Whether deployments are paused, by whom and why"},
        {"POST", "/api/v3/traffic/drain", OPERATION(traffic_drain), ROUTE_SLOW, RIGHT_ACT, 0, NULL, drain_params,
         "traffic", "Lets no new request reach the service; answers when none is in flight, or the time is over"},
        {"POST", "/api/v3/traffic/restore", OPERATION(traffic_restore), ROUTE_SLOW, RIGHT_ACT, 0, NULL, no_params,
         "traffic", "Gives the service its requests again"},
        {"GET", "/api/v3/traffic/status", OPERATION(traffic_status), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params,
         "traffic", "Whether traffic flows, and what is in flight"},
        {"GET", "/api/v3/consensus/status", OPERATION(consensus_status), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL,
         no_params, "consensus", "Leader, quorum, lag and Byzantine members of the consensus cluster"},
        {"POST", "/api/v3/consensus/force-election", OPERATION(force_election), ROUTE_SLOW, RIGHT_ACT, 0, NULL,
         no_params, "election", "Moves the leadership to another member, when that is safe"},
        {"GET", "/api/v3/cluster/status", OPERATION(cluster_status), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params,
         "cluster", "The nodes and their state"},
        {"GET", "/api/v3/database/replication", OPERATION(database_replication), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL,
         no_params, "replication", "How far the replicas are behind"},
        {"GET", "/api/v3/admin/consistency-check", OPERATION(consistency), ROUTE_JSON, RIGHT_READ, 0, NULL, no_params,
         "consistency", "The newest check of the data: how far it is, or what it found"},
        {"POST", "/api/v3/admin/consistency-check", OPERATION(consistency_check), ROUTE_JSON, RIGHT_ACT, 0, NULL,
         no_params, "consistency", "Begins to check the data, in the background; one that is under way goes on"},
        {"POST", "/api/v3/cache/clear", OPERATION(cache_clear), ROUTE_SLOW, RIGHT_ACT, 0, NULL, no_params,
         "cache_clear", "Runs the configured commands that clear caches, and reports each"},
        {"GET", "/api/v3/receivers", OPERATION(receivers), ROUTE_JSON, RIGHT_READ, KEEP_MS, NULL, no_params,
         "receivers", "Who is told, and how each of them does"},
        {"POST", "/api/v3/receivers/{name}/test", OPERATION(receiver_test), ROUTE_SLOW, RIGHT_ACT, 0, NULL, no_params,
         "receiver_test", "Sends a receiver a message that says it is a test, and tells what came back"},
        {"POST", "/api/v3/adopt", OPERATION(adopt), ROUTE_JSON, RIGHT_ACT, 0, NULL, no_params, "adopt",
         "Takes in the releases found on this machine"},
        {"GET", "/api/v3/events", 0, ROUTE_STREAM, RIGHT_READ, 0, NULL, no_params, "events",
         "What happens, as server-sent events; continues after Last-Event-ID"},
        {"GET", "/api/v3/session", 0, ROUTE_SESSION, RIGHT_READ, 0, NULL, no_params, "session",
         "Who asks, by the session if there is one, and what they may"},
        {"POST", "/api/v3/session", 0, ROUTE_SESSION, RIGHT_READ, 0, NULL, no_params, "session",
         "Begins a session for a browser: the cookie that acting from the dashboard needs"},
        {"DELETE", "/api/v3/session", 0, ROUTE_SESSION, RIGHT_READ, 0, NULL, no_params, "session", "Ends it"},
        {"GET", "/metrics", OPERATION(exposition), ROUTE_TEXT, RIGHT_READ, KEEP_MS, NULL, no_params, "exposition",
         "Metrics of the controller itself, OpenMetrics"},
        {"GET", "/openapi.json", 0, ROUTE_OPENAPI, RIGHT_ANYBODY, 0, NULL, no_params, "openapi", "This description"},
        {0},
};

/* A number in a path: digits only, no sign, no leading zero. */
static bool take_id(const char **path, int64_t *ret_id) {
        const char *start = *path;
        size_t digits = strspn(start, "0123456789");
        if (digits == 0 || digits > 18 || start[0] == '0')
                return false;
        *ret_id = strtoll(start, NULL, 10);
        *path = start + digits;
        return true;
}

static bool take_name(const char **path, char *ret_name, size_t size) {
        size_t length = strspn(*path, "abcdefghijklmnopqrstuvwxyz0123456789_-");
        if (length == 0 || length >= size)
                return false;
        memcpy(ret_name, *path, length);
        ret_name[length] = '\0';
        *path += length;
        return true;
}

static bool pattern_matches(const char *pattern, const char *path, RouteMatch *ret_match) {
        RouteMatch match = {0};
        while (*pattern) {
                if (*pattern != '{') {
                        if (*pattern++ != *path++)
                                return false;
                } else if (strncmp(pattern, "{id}", 4) == 0) {
                        if (!take_id(&path, &match.id))
                                return false;
                        pattern += 4;
                } else { /* "{name}" */
                        if (!take_name(&path, match.name, sizeof match.name))
                                return false;
                        pattern += 6;
                }
        }
        if (*path != '\0')
                return false;
        memcpy(match.allow, ret_match->allow, sizeof match.allow);
        *ret_match = match;
        return true;
}

static void allow_method(char *allow, size_t size, const char *method) {
        size_t used = strlen(allow);
        snprintf(allow + used, size - used, "%s%s%s", used ? ", " : "", method,
                 strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const Route *route_find(const char *method, const char *path, RouteMatch *ret_match, Problem *problem) {
        const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
        *ret_match = (RouteMatch){0};
        for (const Route *route = routes; route->method; route++) {
                if (!pattern_matches(route->pattern, path, ret_match))
                        continue;
                if (strcmp(route->method, wanted) == 0)
                        return route;
                allow_method(ret_match->allow, sizeof ret_match->allow, route->method);
        }
        if (ret_match->allow[0] != '\0')
                problem_set(problem, 405, EXIT_USAGE_ERROR, "Method not allowed", "%.100s answers %s", path,
                            ret_match->allow);
        else
                problem_set(problem, 404, EXIT_USAGE_ERROR, "Not found",
                            "there is nothing at %.200s; begin at /api/v3/status", path);
        return NULL;
}

static int bad(Problem *problem, const RouteParam *param, const char *what) {
        return problem_set(problem, 400, EXIT_USAGE_ERROR, "Bad request", "'%s' %s", param->name, what);
}

static int check_integer(const RouteParam *param, json_t *arguments, const json_t *value, Problem *problem) {
        int64_t number = json_integer_value(value);
        if (json_is_string(value)) {
                char *end;
                errno = 0;
                number = strtoll(json_string_value(value), &end, 10);
                if (errno != 0 || *end != '\0' || end == json_string_value(value))
                        return bad(problem, param, "must be a whole number");
        } else if (!json_is_integer(value))
                return bad(problem, param, "must be a whole number");
        if (number < param->min || number > param->max) {
                char range[80];
                snprintf(range, sizeof range, "must lie from %" PRId64 " to %" PRId64, param->min, param->max);
                return bad(problem, param, range);
        }
        if (json_is_string(value) && json_object_set_new(arguments, param->name, json_integer(number)) < 0)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to read the request");
        return 0;
}

static int bad_text(Problem *problem, const RouteParam *param, const char *what) {
        return problem_set(problem, 400, EXIT_DATA, "Bad request", "'%s' %s", param->name, what);
}

static int check_text(const RouteParam *param, const json_t *value, Problem *problem) {
        if (!json_is_string(value))
                return bad(problem, param, "must be a text");
        int64_t length = (int64_t)json_string_length(value);
        if (length < param->min)
                return bad_text(problem, param, "must not be empty");
        if (length > param->max) {
                char range[80];
                snprintf(range, sizeof range, "must not be longer than %" PRId64 " bytes", param->max);
                return bad_text(problem, param, range);
        }
        /* a line break would forge a line in the log */
        for (const char *at = json_string_value(value); *at; at++)
                if ((unsigned char)*at < ' ' || *at == 0x7F)
                        return bad_text(problem, param, "must not hold line breaks or other control characters");
        return 0;
}

/* As JSON in a body; in a query as a word. */
static int check_boolean(const RouteParam *param, json_t *arguments, const json_t *value, Problem *problem) {
        const char *word = json_string_value(value);
        if (json_is_boolean(value))
                return 0;
        bool yes = word && strcmp(word, "true") == 0;
        if (!yes && (!word || strcmp(word, "false") != 0))
                return bad(problem, param, "must be true or false");
        if (json_object_set_new(arguments, param->name, json_boolean(yes)) < 0)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to read the request");
        return 0;
}

static int check_param(const RouteParam *param, json_t *arguments, const json_t *value, Problem *problem) {
        if (param->type == PARAM_INTEGER)
                return check_integer(param, arguments, value, problem);
        if (param->type == PARAM_TEXT)
                return check_text(param, value, problem);
        if (param->type == PARAM_BOOLEAN)
                return check_boolean(param, arguments, value, problem);
        if (json_is_string(value) && word_listed(param->choices, json_string_value(value)))
                return 0;
        char allowed[128];
        snprintf(allowed, sizeof allowed, "must be one of: %s", param->choices);
        return bad(problem, param, allowed);
}

static const RouteParam *find_param(const Route *route, const char *name) {
        for (const RouteParam *param = route->params; param->name; param++)
                if (strcmp(param->name, name) == 0)
                        return param;
        return NULL;
}

static int unknown_param(const Route *route, const char *name, Problem *problem) {
        const char *near = NULL;
        for (const RouteParam *param = route->params; param->name; param++)
                near = nearer_word(name, near, param->name);
        return problem_set(problem, 400, EXIT_USAGE_ERROR, "Bad request", "%s %s knows no '%.60s'%s%s%s", route->method,
                           route->pattern, name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* An emergency is never refused over the wording of its reason: what can't be kept of it is left out. */
static int mend_emergency_reason(const Route *route, json_t *arguments, Problem *problem) {
        const char *mode = json_string_value(json_object_get(arguments, "mode"));
        const char *reason = json_string_value(json_object_get(arguments, "reason"));
        char line[REASON_TYPED_MAX + 1];
        if (route->operation != OPERATION(rollback) || !mode || strcmp(mode, "emergency") != 0 || !reason)
                return 0;
        text_to_line(reason, line, sizeof line);
        bool empty = line[strspn(line, " ")] == '\0';
        if (json_object_set_new(arguments, "reason", json_string(empty ? REASON_NONE : line)) < 0)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left to read the request");
        return 0;
}

int route_check(const Route *route, json_t *arguments, Problem *problem) {
        const char *name;
        json_t *value;
        if (mend_emergency_reason(route, arguments, problem) < 0)
                return -1;
        json_object_foreach(arguments, name, value)
                if (!find_param(route, name))
                        return unknown_param(route, name, problem);
        for (const RouteParam *param = route->params; param->name; param++) {
                value = json_object_get(arguments, param->name);
                if (!value && param->required)
                        return bad(problem, param, "is missing");
                if (value && check_param(param, arguments, value, problem) < 0)
                        return -1;
        }
        return 0;
}
