/* tcp and command: one request to the world each, and its outcome is the finding. */
#include "daemon/component.h"
#include "io/process.h"
#include "io/tcp-connect.h"

#include <errno.h>

typedef struct OpCheck {
        const ComponentContext *context;
        Op *op;
} OpCheck;

static int open_check(const ComponentContext *context, void **ret_self, Error *error) {
        OpCheck *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        check->context = context;
        *ret_self = check;
        return 0;
}

static void close_check(void *self) {
        OpCheck *check = self;
        if (check)
                op_cancel(check->op);
        free(check);
}

static void tell(OpCheck *check, const OpResult *result, const char *words) {
        bool well = result->status == OP_DONE;
        ComponentFinding finding = {.state = well ? HEALTH_HEALTHY : HEALTH_UNHEALTHY, .score = well ? 100 : 0};
        check->op = NULL;
        snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1,
                 well ? words : error_text(&result->error));
        check->context->found(check->context->userdata, &finding);
}

/* Our own failure to ask says nothing of it. */
static void cannot_ask(const OpCheck *check, const Error *error) {
        ComponentFinding finding = {0};
        snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(error));
        check->context->found(check->context->userdata, &finding);
}

/* ---- tcp ---- */

static void on_connected(void *userdata, const OpResult *result) {
        OpCheck *check = userdata;
        char words[DETAIL_MAX];
        snprintf(words, sizeof words, "%.100s accepted a connection in %.1f ms",
                 settings_string(check->context->settings, "tcp"), (double)result->number / (double)USEC_PER_MSEC);
        tell(check, result, words);
}

static void check_tcp(void *self) {
        OpCheck *check = self;
        const Settings *settings = check->context->settings;
        Error error = {0};
        if (tcp_connect_begin(check->context->world->event, settings_string(settings, "tcp"),
                              settings_int(settings, "timeout"), on_connected, check, &check->op, &error) < 0)
                cannot_ask(check, &error);
}

/* ---- command ---- */

static void on_ended(void *userdata, const OpResult *result) {
        OpCheck *check = userdata;
        char words[DETAIL_MAX];
        snprintf(words, sizeof words, "%.100s exited with status 0%s%.100s",
                 settings_list(check->context->settings, "command")[0], result->detail[0] ? ": " : "", result->detail);
        tell(check, result, words);
}

static void check_command(void *self) {
        OpCheck *check = self;
        const Settings *settings = check->context->settings;
        Error error = {0};
        if (process_run(check->context->world->event, settings_list(settings, "command"), NULL,
                        settings_int(settings, "timeout"), on_ended, check, &check->op, &error) < 0)
                cannot_ask(check, &error);
}

const ComponentKind component_tcp = {.name = "tcp", .open = open_check, .close = close_check, .check = check_tcp};
const ComponentKind component_command = {
        .name = "command", .open = open_check, .close = close_check, .check = check_command};
