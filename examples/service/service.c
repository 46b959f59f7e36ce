#include "service.h"

#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define TEXT_PLAIN "text/plain"
#define JSON "application/json"
#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

static void crash(const char *why) {
        fprintf(stderr, "demo-service: crashing: %s\n", why);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a fault on purpose leaves no dump behind */
        abort();
}

static void answer_text(Connection *connection, int status, const char *text) {
        connection_answer(connection, status, TEXT_PLAIN, text, strlen(text));
}

/* ---- the routes ---- */

static void get_health(Service *service, Connection *connection) {
        bool healthy = !service->settings.unhealthy;
        char body[160];
        int size = snprintf(body, sizeof body, "{\"status\":\"%s\",\"version\":\"%s\",\"score\":%d}\n",
                            healthy ? "healthy" : "unhealthy", service->settings.version, healthy ? 98 : 0);
        connection_answer(connection, healthy ? 200 : 503, JSON, body, (size_t)size);
}

static void get_metrics(Service *service, Connection *connection) {
        char body[6144];
        size_t size = metrics_print(&service->metrics, service->settings.version, body, sizeof body);
        connection_answer(connection, size > 0 ? 200 : 500, OPENMETRICS, body, size);
}

static void get_writes(Service *service, Connection *connection) {
        connection_answer_file(connection, service->ledger->fd, service->ledger->committed);
}

static void get_root(Service *service, Connection *connection) {
        char body[128];
        int size = snprintf(body, sizeof body, "%s serves %" PRId64 " writes\n", service->settings.version,
                            service->ledger->last_committed);
        connection_answer(connection, 200, TEXT_PLAIN, body, (size_t)size);
}

static void post_write(Service *service, Connection *connection, const Request *request) {
        int64_t number;
        Error error = {0};
        int r = ledger_append(service->ledger, request->body, request->body_size, &number, &error);
        if (r < 0) {
                answer_text(connection, r == -EINVAL ? 400 : 503, error_text(&error));
                return;
        }
        service->waiting[service->waiting_count].connection = connection;
        service->waiting[service->waiting_count++].number = number;
        connection_wait(connection);
}

/* One sync for all writes of the batch: what makes thousands of durable writes a second possible on one disk. It blocks the
 * loop for as long as the disk takes, which a service with slow disks would not want. */
static void commit(void *userdata) {
        Service *service = userdata;
        if (service->waiting_count == 0)
                return;
        Error error = {0};
        int r = ledger_commit(service->ledger, &error);
        if (r == -EIO)
                crash(error_text(&error));
        unsigned count = service->waiting_count;
        service->waiting_count = 0;
        for (unsigned i = 0; i < count; i++) {
                char body[48];
                int size = snprintf(body, sizeof body, "{\"n\":%" PRId64 "}\n", service->waiting[i].number);
                if (r < 0)
                        answer_text(service->waiting[i].connection, 507, error_text(&error));
                else
                        connection_answer(service->waiting[i].connection, 200, JSON, body, (size_t)size);
        }
}

typedef enum RouteKind {
        ROUTE_CLIENT = 1 << 0, /* what clients come for: has faults, is measured */
} RouteKind;

typedef struct Route {
        const char *method, *path;
        unsigned kind;
        void (*answer)(Service *service, Connection *connection);
        void (*answer_request)(Service *service, Connection *connection, const Request *request);
} Route;

static const Route routes[] = {
        {"GET", "/", ROUTE_CLIENT, get_root, NULL},     {"POST", "/write", ROUTE_CLIENT, NULL, post_write},
        {"GET", "/writes", 0, get_writes, NULL},        {"GET", "/health", 0, get_health, NULL},
        {"GET", "/api/v3/health", 0, get_health, NULL}, {"GET", "/metrics", 0, get_metrics, NULL},
};

static const Route *route_find(const Request *request, bool *ret_path_known) {
        *ret_path_known = false;
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
                if (strcmp(routes[i].path, request->path) != 0)
                        continue;
                if (strcmp(routes[i].method, request->method) == 0)
                        return &routes[i];
                *ret_path_known = true;
        }
        return NULL;
}

static void answer_route(Service *service, Connection *connection, const Request *request) {
        bool path_known;
        const Route *route = route_find(request, &path_known);
        if (!route)
                answer_text(connection, path_known ? 405 : 404, path_known ? "wrong method\n" : "not here\n");
        else if (route->answer)
                route->answer(service, connection);
        else
                route->answer_request(service, connection, request);
}

/* ---- what the server calls ---- */

/* The note kept with a connection: which fault its request will meet after its delay, and whether it is measured. */
enum { NOTE_ERROR = 1 << 0, NOTE_CLIENT = 1 << 1 };

static void on_resumed(void *userdata, Connection *connection, const Request *request) {
        Service *service = userdata;
        if (connection_noted(connection) & NOTE_ERROR)
                answer_text(connection, (int)service->settings.error_status, "a fault on purpose\n");
        else
                answer_route(service, connection, request);
}

static void on_request(void *userdata, Connection *connection, const Request *request) {
        Service *service = userdata;
        bool path_known;
        const Route *route = route_find(request, &path_known);
        Fault fault = {0};
        if (route && (route->kind & ROUTE_CLIENT))
                fault = fault_next(&service->settings, &service->faults, server_now_us());
        if (fault.crash)
                crash("crash_on_request");
        connection_note(connection,
                        (fault.error ? NOTE_ERROR : 0) | (route && (route->kind & ROUTE_CLIENT) ? NOTE_CLIENT : 0));
        if (fault.hang || service->settings.hang)
                connection_hang(connection);
        else if (fault.latency_us > 0)
                connection_delay(connection, fault.latency_us);
        else
                on_resumed(service, connection, request);
}

static void on_answered(void *userdata, Connection *connection, int status, int64_t duration_us) {
        Service *service = userdata;
        if (connection_noted(connection) & NOTE_CLIENT)
                metrics_count(&service->metrics, status, duration_us);
}

void service_begin_faults(Service *service) {
        int64_t now = server_now_us();
        service->faults = (FaultCount){.since_us = now};
        int64_t crash_after = service->settings.crash_after_ms;
        server_alarm(service->server, crash_after > 0 ? now + crash_after * 1000 : 0);
}

/* Address, data directory and version stay: they are what this process is. */
static void reload(Service *service) {
        ServiceSettings settings = service_settings_default;
        Error error = {0};
        if (service->config_path && service_settings_load(service->config_path, &settings, &error) < 0) {
                fprintf(stderr, "demo-service: %s; the old configuration stays\n", error_text(&error));
                return;
        }
        memcpy(settings.version, service->settings.version, sizeof settings.version);
        service->settings = settings;
        service_begin_faults(service);
}

static void on_signalled(void *userdata, int signal) {
        Service *service = userdata;
        if (signal == SIGHUP)
                reload(service);
        else if (signal != SIGTERM || !service->settings.ignore_sigterm) {
                notify("STOPPING=1");
                server_stop(service->server);
        }
}

static void on_alarm(UNUSED void *userdata) {
        crash("crash_after_ms");
}

const ServerHooks service_hooks = {
        .request = on_request,
        .resumed = on_resumed,
        .answered = on_answered,
        .batch_end = commit,
        .signalled = on_signalled,
        .alarm = on_alarm,
};
