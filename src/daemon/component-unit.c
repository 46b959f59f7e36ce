/* unit: what the supervisor says of one unit; and scheduler, which is a unit unless the operator declares another check. */
#include "daemon/component.h"

#include <errno.h>

#define SCHEDULER_UNIT "novacron-scheduler.service"

typedef struct UnitCheck {
        const ComponentContext *context;
        bool optional; /* a unit that isn't there is nothing to measure */
        UnitSet units;
        Op *op;
} UnitCheck;

static int open_check(const ComponentContext *context, const char *unit, bool optional, void **ret_self, Error *error) {
        UnitCheck *check = calloc(1, sizeof *check);
        if (!check)
                return error_set(error, -ENOMEM, "out of memory");
        check->context = context;
        check->optional = optional;
        int r = config_unit(unit, &check->units, error);
        if (r < 0) {
                free(check);
                return r;
        }
        *ret_self = check;
        return 0;
}

static int open_unit(const ComponentContext *context, void **ret_self, Error *error) {
        return open_check(context, settings_string(context->settings, "unit"), false, ret_self, error);
}

static int open_scheduler(const ComponentContext *context, void **ret_self, Error *error) {
        return open_check(context, SCHEDULER_UNIT, true, ret_self, error);
}

static void close_unit(void *self) {
        UnitCheck *check = self;
        if (check)
                op_cancel(check->op);
        free(check);
}

static void judge(const UnitCheck *check, const OpResult *result, ComponentFinding *finding) {
        const UnitsState *units = &result->units;
        if (result->status != OP_DONE) { /* it is the supervisor that doesn't answer */
                snprintf(finding->reason, sizeof finding->reason, "%.*s", DETAIL_MAX - 1, error_text(&result->error));
                return;
        }
        snprintf(finding->reason, sizeof finding->reason, "%s", units->detail);
        if (!units->loadable && check->optional) {
                finding->not_configured = true;
                snprintf(finding->reason, sizeof finding->reason,
                         "there is no unit " SCHEDULER_UNIT " to load; components.scheduler can name another check");
                return;
        }
        finding->state = units->active                    ? HEALTH_HEALTHY
                         : units->alive && !units->failed ? HEALTH_DEGRADED /* on its way up or down */
                                                          : HEALTH_UNHEALTHY;
        finding->score = units->active ? 100 : units->alive && !units->failed ? HEALTH_SCORE_LOW : 0;
}

static void on_state(void *userdata, const OpResult *result) {
        UnitCheck *check = userdata;
        ComponentFinding finding = {0};
        check->op = NULL;
        judge(check, result, &finding);
        check->context->found(check->context->userdata, &finding);
}

static void check_unit(void *self) {
        UnitCheck *check = self;
        World *world = check->context->world;
        ComponentFinding finding = {0};
        Error error = {0};
        if (!world->config->units_driver->any_unit) {
                finding.not_configured = true;
                snprintf(finding.reason, sizeof finding.reason, "only units.driver systemd knows units by name");
        } else if (world->config->units_driver->query(world->units, &check->units,
                                                      settings_int(check->context->settings, "timeout"), on_state,
                                                      check, &check->op, &error) >= 0) {
                return;
        } else {
                snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(&error));
        }
        check->context->found(check->context->userdata, &finding);
}

const ComponentKind component_unit = {.name = "unit", .open = open_unit, .close = close_unit, .check = check_unit};
const ComponentKind component_scheduler = {
        .name = "scheduler", .of_service = true, .open = open_scheduler, .close = close_unit, .check = check_unit};
