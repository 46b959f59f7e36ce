/* What a person should know. An alert stands until its cause is gone; it is logged, journalled, told to whoever listens, and given to
 * the operator's command, once. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/controller.h"
#include "io/process.h"

#include <string.h>

#define ALERT_COMMAND_BUDGET_US (30 * USEC_PER_SEC)

static Alert *find(Controller *controller, const char *source) {
        for (unsigned i = 0; i < controller->alert_count; i++)
                if (strcmp(controller->alerts[i].source, source) == 0)
                        return &controller->alerts[i];
        return NULL;
}

static void on_command(void *userdata, const OpResult *result) {
        (void)userdata;
        if (result->status != OP_DONE)
                log_warn("alerts.command failed: %s", error_text(&result->error));
}

/* The Op is not kept: it ends by itself within its budget, and nothing waits for it. */
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
        Op *op;
        Error error = {0};
        if (process_run(controller->event, argv, NULL, ALERT_COMMAND_BUDGET_US, on_command, controller, &op, &error) <
            0)
                log_warn("alerts.command: %s", error_text(&error));
}

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
        run_command(controller, alert->message);
}

void alert_set(Controller *controller, const char *source, const char *message) {
        Alert *alert = find(controller, source);
        if (!message) {
                if (!alert)
                        return;
                log_info("%s: works again (was: %s)", alert->source, alert->message);
                *alert = controller->alerts[--controller->alert_count];
                return;
        }
        bool fresh = !alert;
        if (fresh) {
                if (controller->alert_count == ALERTS_MAX) {
                        log_alert("%s: %s", source, message);
                        return;
                }
                alert = &controller->alerts[controller->alert_count++];
                *alert = (Alert){.since_wall = clock_wall_us()};
                snprintf(alert->source, sizeof alert->source, "%s", source);
        }
        snprintf(alert->message, sizeof alert->message, "%s", message);
        if (fresh && controller->role != ROLE_READER)
                tell(controller, alert);
}
