/* What a person should know. An alert stands until its cause is gone; it is logged, journalled, told to whoever listens, and given to
 * the operator's command, once. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/severity.h"
#include "daemon/telling.h"
#include "io/process.h"

#include <string.h>

#define ALERT_COMMAND_BUDGET_US (30 * USEC_PER_SEC)

static Alert *find(Controller *controller, const char *source) {
        for (unsigned i = 0; i < controller->alert_count; i++)
                if (strcmp(controller->alerts[i].source, source) == 0)
                        return &controller->alerts[i];
        return NULL;
}

/* ---- the operator's command ---- */

struct AlertCommand {
        struct AlertCommand *next;
        Controller *controller;
        Op *op;
};

static void forget(struct AlertCommand *command) {
        struct AlertCommand **link = &command->controller->alert_commands;
        while (*link != command)
                link = &(*link)->next;
        *link = command->next;
        free(command);
}

static void on_command(void *userdata, const OpResult *result) {
        struct AlertCommand *command = userdata;
        Controller *controller = command->controller;
        controller->alert_command_worked = result->status == OP_DONE ? KNOWN_TRUE : KNOWN_FALSE;
        if (result->status != OP_DONE)
                log_warn("alerts.command failed: %s", error_text(&result->error));
        forget(command);
        if (!alerts_under_way(controller) && controller->on_alerts_told)
                controller->on_alerts_told(controller->userdata);
}

static void begin_command(Controller *controller, const char *const *argv) {
        struct AlertCommand *command = calloc(1, sizeof *command);
        Error error = {0};
        if (!command) {
                log_warn("alerts.command: out of memory");
                return;
        }
        *command = (struct AlertCommand){.next = controller->alert_commands, .controller = controller};
        controller->alert_commands = command;
        if (process_run(controller->event, argv, NULL, ALERT_COMMAND_BUDGET_US, on_command, command, &command->op,
                        &error) >= 0)
                return;
        controller->alert_command_worked = KNOWN_FALSE;
        log_warn("alerts.command: %s", error_text(&error));
        forget(command);
}

static void run_command(Controller *controller, const char *message) {
        const char *const *command = controller->config->alert_command;
        const char *argv[32];
        unsigned count = 0;
        while (command && command[count] && count < ARRAY_SIZE(argv) - 2) {
                argv[count] = command[count];
                count++;
        }
        if (count == 0)
                return;
        argv[count++] = message;
        argv[count] = NULL;
        begin_command(controller, argv);
}

bool alerts_under_way(const Controller *controller) {
        return controller->alert_commands != NULL || telling_under_way(controller);
}

void alerts_cancel(Controller *controller) {
        while (controller->alert_commands) {
                op_cancel(controller->alert_commands->op);
                forget(controller->alert_commands);
        }
}

/* ---- alerts ---- */

static void tell(Controller *controller, const Alert *alert) {
        char time[CLOCK_TEXT_MAX];
        Error error = {0};
        log_alert("%s: %s", alert->source, alert->message);
        if (controller->journal &&
            journal_add_alert(controller->journal, alert->since_wall, alert->source, alert->message, &error) < 0)
                log_warn("the alert could not be journalled: %s", error_text(&error));
        controller_tell(controller, "alert",
                        json_pack("{s:s, s:s, s:o}", "since",
                                  clock_format_rfc3339(alert->since_wall, time, sizeof time), "source", alert->source,
                                  "message", wire_text(alert->message)));
        telling_alert(controller, alert, false);
        run_command(controller, alert->message);
}

void alert_set(Controller *controller, const char *source, const char *message) {
        alert_set_as(controller, source, severity_of_alert(source), message);
}

void alert_set_as(Controller *controller, const char *source, Severity severity, const char *message) {
        Alert *alert = find(controller, source);
        if (!message) {
                if (!alert)
                        return;
                log_info("%s: over (was: %s)", alert->source, alert->message);
                if (controller->role != ROLE_READER)
                        telling_alert(controller, alert, true);
                *alert = controller->alerts[--controller->alert_count];
                return;
        }
        bool fresh = !alert, urgent = alert && severity < alert->severity;
        if (urgent) { /* than what was told: that one is over, and it is told anew */
                if (controller->role != ROLE_READER)
                        telling_alert(controller, alert, true);
                alert->since_wall = clock_wall_us();
                alert->severity = severity;
        }
        if (fresh) {
                if (controller->alert_count == ALERTS_MAX) {
                        log_alert("%s: %s", source, message);
                        return;
                }
                alert = &controller->alerts[controller->alert_count++];
                *alert = (Alert){.since_wall = clock_wall_us(), .severity = severity};
                snprintf(alert->source, sizeof alert->source, "%s", source);
        }
        snprintf(alert->message, sizeof alert->message, "%s", message);
        if ((fresh || urgent) && controller->role != ROLE_READER)
                tell(controller, alert);
}
