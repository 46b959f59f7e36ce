#include "cli/health-verbs.h"

#include "api/problem.h"
#include "api/wire-health.h"
#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print-health.h"
#include "cli/print.h"
#include "daemon/checkup-once.h"

#define HEALTH_PATH "/api/v3/health"

int health_exit_code(const json_t *health) {
        return pick_is(health, "status", "healthy")     ? EXIT_OK
               : pick_is(health, "status", "degraded")  ? EXIT_HEALTH_DEGRADED
               : pick_is(health, "status", "unhealthy") ? EXIT_HEALTH_UNHEALTHY
                                                        : EXIT_HEALTH_UNKNOWN;
}

/* 0 with an answer (NULL when memory is gone), or the exit code. */
static int measure_here(const Command *command, Health *ret_health) {
        Problem problem = {0};
        if (checkup_once(command->config, ret_health, &problem) == 0)
                return 0;
        return command_refused(command, &problem);
}

int health_fetch(Command *command, HealthSource *source, json_t **ret_answer) {
        Problem problem = {0};
        Error error = {0};
        Health health;
        switch (client_call(&command->client, HEALTH_PATH, "", NULL, ret_answer, &problem, &error)) {
        case CLIENT_ANSWERED:
                *source = SOURCE_CONTROLLER;
                return 0;
        case CLIENT_REFUSED:
                return command_refused(command, &problem);
        case CLIENT_ABSENT:
                break;
        }
        if (!command->config)
                return command_error(command, EXIT_CONFIG, "%s; and the configuration can't be read: %s",
                                     error_text(&error), error_text(&command->config_error));
        if (*source != SOURCE_HERE) /* said once */
                terminal_say(&command->err, TONE_DOUBT, "%s. Measuring without it.\n", error_text(&error));
        *source = SOURCE_HERE;
        int r = measure_here(command, &health);
        if (r == 0)
                *ret_answer = wire_health(&health);
        return r;
}

static int show(Command *command, const json_t *answer, HealthSource source) {
        if (!answer)
                return command_error(command, EXIT_INTERNAL, "no memory left for the answer");
        if (command->options.json)
                print_json(stdout, answer);
        else
                print_health(&command->out, answer, source);
        return health_exit_code(answer);
}

int verb_health_status(Command *command) {
        HealthSource source = SOURCE_NONE;
        json_t *answer = NULL;
        int r = health_fetch(command, &source, &answer);
        if (r == 0)
                r = show(command, answer, source);
        json_decref(answer);
        return r;
}

/* ---- once ---- */

/* What one look can't tell, and who looks all the time can. */
static void take_from_controller(Command *command, Health *health) {
        Health known = {0};
        Problem problem = {0};
        Error error = {0};
        json_t *answer = NULL;
        if (client_call(&command->client, HEALTH_PATH, "", NULL, &answer, &problem, &error) == CLIENT_ANSWERED)
                wire_parse_health(answer, &known);
        problem_clear(&problem);
        json_decref(answer);
        for (unsigned i = 0; i < health->count; i++) {
                ComponentHealth *component = &health->components[i];
                const ComponentHealth *other = health_find(&known, component->name);
                if (component->state != HEALTH_UNKNOWN || !other || other->state == HEALTH_UNKNOWN)
                        continue;
                *component = *other;
                snprintf(component->reason, sizeof component->reason, "%.220s (the controller's)", other->reason);
        }
        health_sum_up(health);
}

int verb_health_once(Command *command) {
        Health health = {0};
        if (command->err.live && !command->options.json)
                terminal_say(&command->err, TONE_FAINT, "Measuring, at most %.0f s ...\n",
                             (double)checkup_once_budget(command->config) / (double)USEC_PER_SEC);
        int r = measure_here(command, &health);
        if (r != 0)
                return r;
        take_from_controller(command, &health);
        json_t *answer = wire_health(&health);
        r = show(command, answer, SOURCE_HERE);
        json_decref(answer);
        return r;
}
