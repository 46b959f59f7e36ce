/* http: an address that answers with 2xx. */
#include "daemon/component.h"

#include <errno.h>

typedef struct HttpCheck {
        const ComponentContext *context;
        HttpCall *call;
} HttpCheck;

static int open_http(const ComponentContext *context, void **ret_self, Error *error) {
        HttpCheck *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        check->context = context;
        *ret_self = check;
        return 0;
}

static void close_http(void *self) {
        HttpCheck *check = self;
        if (check)
                http_cancel(check->call);
        free(check);
}

static void on_answer(void *userdata, const HttpAnswer *answer) {
        HttpCheck *check = userdata;
        bool well = answer->code >= 200 && answer->code < 300;
        ComponentFinding finding = {.state = well ? HEALTH_HEALTHY : HEALTH_UNHEALTHY, .score = well ? 100 : 0};
        check->call = NULL;
        if (answer->code == 0)
                snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(&answer->error));
        else
                snprintf(finding.reason, sizeof finding.reason, "%.180s answered %d in %.1f ms",
                         settings_string(check->context->settings, "http"), answer->code,
                         (double)answer->elapsed_us / (double)USEC_PER_MSEC);
        check->context->found(check->context->userdata, &finding);
}

static void check_http(void *self) {
        HttpCheck *check = self;
        const Settings *settings = check->context->settings;
        const HttpRequest request = {
                .url = settings_string(settings, "http"), .answer_max = 1024 * 1024, .reuse = true};
        Error error = {0};
        if (http_begin(check->context->world->http, &request, settings_int(settings, "timeout"), on_answer, check,
                       &check->call, &error) >= 0)
                return;
        ComponentFinding finding = {0}; /* our own failure says nothing of it */
        snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(&error));
        check->context->found(check->context->userdata, &finding);
}

const ComponentKind component_http = {.name = "http", .open = open_http, .close = close_http, .check = check_http};
