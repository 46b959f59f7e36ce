/* Step 0 proves the target before anything is touched: the release is whole, its configuration is there, the switch is written
 * beforehand (so that a full disk cannot stop it), it can work with the database's schema, and its units can be loaded. A refusal leaves the world as it was. */
#include "daemon/step-schema.h"
#include "daemon/steps.h"

#include <errno.h>
#include <string.h>

#define BALANCER_BUDGET_US (2 * USEC_PER_SEC)

static void on_units(StepOp *step, const OpResult *result) {
        if (!result->units.loadable) {
                Error error = {0};
                error_set(&error, -ENOEXEC, "%s can't be started: %s", step->call.target, result->units.detail);
                op_fail(&step->op, &error);
                return;
        }
        step_done(step, "%s is complete, its units load", step->call.target);
}

static int check_current(const StepOp *step, Error *error) {
        char current[VERSION_MAX];
        int r = release_store_current(step->world->releases, current, error);
        if (r == -ENOENT && step->call.leaving[0] == '\0')
                return 0; /* the first deployment on this machine */
        if (r < 0)
                return r;
        if (strcmp(current, step->call.leaving) != 0 && strcmp(current, step->call.target) != 0)
                return error_set(
                        error, -ESTALE,
                        "%s is current, not %s as when this was planned: look at 'auto-rollback status' and try again",
                        current, step->call.leaving[0] ? step->call.leaving : "none");
        return 0;
}

/* Written beforehand for both ways: if the target never gets healthy, going back must not need disk space either. */
static int prepare_switches(const StepOp *step, Error *error) {
        int r = release_store_prepare(step->world->releases, step->call.target, error);
        if (r < 0 || step->call.leaving[0] == '\0')
                return r;
        Error ignored = {
                0}; /* the way back is prepared as well as can be: the original may have no saved configuration */
        (void)release_store_prepare(step->world->releases, step->call.leaving, &ignored);
        return 0;
}

static void look_at_units(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        World *world = step->world;
        step_expect(step, on_units, NULL);
        int r = world->config->units_driver->query(world->units, &step->target, step_budget_left(step), step_on_child,
                                                   step, &step->child, &error);
        step_began(step, r, &error);
}

static void on_verified(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        if (check_current(step, &error) < 0 || prepare_switches(step, &error) < 0) {
                op_fail(&step->op, &error);
                return;
        }
        step_schema_prove(step, look_at_units);
}

static void verify(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        step_expect(step, on_verified, NULL);
        int r = release_store_verify(step->world->releases, step->call.target, false, step_budget_left(step),
                                     step_on_child, step, &step->child, &error);
        step_began(step, r, &error);
}

/* A release that comes with its deployment is taken in now; one that is rolled back to must have been known before. */
static void prove_target(StepOp *step, const OpResult *result) {
        (void)result;
        ReleaseStore *releases = step->world->releases;
        if (step->kind != RUN_DEPLOYMENT || release_store_has_manifest(releases, step->call.target)) {
                verify(step, NULL);
                return;
        }
        Error error = {0};
        step_expect(step, verify, NULL);
        int r = release_store_take_in(releases, step->call.target, false, step_budget_left(step), step_on_child, step,
                                      &step->child, &error);
        step_began(step, r, &error);
}

/* ---- the balancer: a run that can't drain must not begin ---- */

static void on_balancer(StepOp *step, const OpResult *result) {
        prove_target(step, result);
}

/* In an emergency the release is switched all the same, and the step says so. */
static void on_balancer_silent(StepOp *step, const OpResult *result) {
        Error error = {0};
        int code = result->error.code ? result->error.code : -ETIMEDOUT;
        const char *why = result->error.code ? error_text(&result->error) : "no answer";
        if (step->mode == MODE_EMERGENCY) {
                snprintf(step->note, sizeof step->note, "the balancer doesn't answer (%.160s), gone on without it; ",
                         why);
                prove_target(step, NULL);
                return;
        }
        bool denied = code == -EACCES || code == -EPERM;
        error_set(&error, code, "the balancer doesn't answer, so traffic could not be drained: %s; %s, then try again",
                  why,
                  denied ? "add SupplementaryGroups=haproxy by: systemctl edit novacron-auto-rollback; restart it"
                         : "start it, or mend traffic.haproxy.socket");
        op_fail(&step->op, &error);
}

void step_preflight(StepOp *step, const OpResult *result) {
        const Config *config = step->world->config;
        Error error = {0};
        if (!config->traffic_driver) {
                prove_target(step, result);
                return;
        }
        int64_t left = step_budget_left(step);
        step_expect(step, on_balancer, on_balancer_silent);
        int r = config->traffic_driver->query(step->world->traffic,
                                              left / 2 < BALANCER_BUDGET_US ? left / 2 : BALANCER_BUDGET_US,
                                              step_on_child, step, &step->child, &error);
        step_began(step, r, &error);
}
