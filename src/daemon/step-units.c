/* Steps 3 and 5: the units of the release that leaves are stopped, those of the target are started. The two may share a unit:
 * then what tells old from new is whether its main process was started after `current` was switched. */
#include "daemon/steps.h"

#include <string.h>

static const UnitsDriver *driver(const StepOp *step) {
        return step->world->config->units_driver;
}

static bool contains(const UnitSet *set, const char *name) {
        for (unsigned i = 0; i < set->count; i++)
                if (strcmp(set->names[i], name) == 0)
                        return true;
        return false;
}

/* The names of `set` that `other` doesn't have. */
static UnitSet units_without(const UnitSet *set, const UnitSet *other) {
        UnitSet rest = {0};
        memcpy(rest.version, set->version, sizeof rest.version);
        for (unsigned i = 0; i < set->count; i++)
                if (!contains(other, set->names[i]))
                        memcpy(rest.names[rest.count++], set->names[i], UNIT_NAME_MAX);
        return rest;
}

static void query_units(StepOp *step, const UnitSet *units) {
        Error error = {0};
        int r = driver(step)->query(step->world->units, units, step_budget_left(step), step_on_child, step,
                                    &step->child, &error);
        step_began(step, r, &error);
}

/* ---- step 3 ---- */

static void on_stopped(StepOp *step, const OpResult *result) {
        step_done(step, "%s stopped%s%s%s", step->call.leaving, step->call.forced ? " by SIGKILL" : "",
                  result->detail[0] ? ": " : "", result->detail);
}

void step_stop(StepOp *step, const OpResult *result) {
        (void)result;
        if (step->leaving.count == 0) {
                step_done(step, "nothing was running");
                return;
        }
        Error error = {0};
        step_expect(step, on_stopped, NULL);
        int r = driver(step)->stop(step->world->units, &step->leaving, step->call.forced, step_budget_left(step),
                                   step_on_child, step, &step->child, &error);
        step_began(step, r, &error);
}

static void on_probed_stop(StepOp *step, const OpResult *result) {
        step_answer(step, result->units.alive ? PROBE_NO : PROBE_YES);
}

static void on_probe_failed(StepOp *step, const OpResult *result) {
        (void)result;
        step_answer(step, PROBE_UNKNOWN);
}

void step_probe_stop(StepOp *step, const OpResult *result) {
        (void)result;
        if (step->leaving.count == 0) {
                step_answer(step, PROBE_YES);
                return;
        }
        step_expect(step, on_probed_stop, on_probe_failed);
        query_units(step, &step->leaving);
}

/* ---- step 5 ---- */

/* A main process that was started before the switch still runs the release that leaves. */
static bool runs_old_release(const StepOp *step, const UnitsState *state) {
        if (!state->alive)
                return false;
        Error error = {0};
        int64_t switched = release_store_switched_at(step->world->releases, &error);
        return switched > 0 && state->main_start_wall > 0 && state->main_start_wall < switched;
}

static void on_enabled(StepOp *step, const OpResult *result) {
        (void)result;
        step_done(step, "%s is running", step->call.target);
}

static void on_not_enabled(StepOp *step, const OpResult *result) {
        step_done(step, "%s is running, but a reboot may not start it: %s", step->call.target,
                  error_text(&result->error));
}

static void on_started(StepOp *step, const OpResult *result) {
        (void)result;
        if (!driver(step)->enable) {
                on_enabled(step, NULL);
                return;
        }
        const UnitSet disable = units_without(&step->leaving, &step->target);
        Error error = {0};
        step_expect(step, on_enabled, on_not_enabled);
        int r = driver(step)->enable(step->world->units, &step->target, &disable, step_budget_left(step), step_on_child,
                                     step, &step->child, &error);
        step_began(step, r, &error);
}

static void start_target(StepOp *step, const OpResult *result) {
        (void)result;
        Error error = {0};
        step_expect(step, on_started, NULL);
        int r = driver(step)->start(step->world->units, &step->target, step_budget_left(step), step_on_child, step,
                                    &step->child, &error);
        step_began(step, r, &error);
}

static void kill_then(StepOp *step, const UnitSet *units, StepStage *next) {
        Error error = {0};
        step_expect(step, next, NULL);
        int r = driver(step)->stop(step->world->units, units, true, step_budget_left(step), step_on_child, step,
                                   &step->child, &error);
        step_began(step, r, &error);
}

static void on_target_queried(StepOp *step, const OpResult *result) {
        if (runs_old_release(step, &result->units))
                kill_then(step, &step->target, start_target);
        else
                start_target(step, NULL);
}

static void look_at_target(StepOp *step, const OpResult *result) {
        (void)result;
        step_expect(step, on_target_queried, NULL);
        query_units(step, &step->target);
}

static void on_leaving_queried(StepOp *step, const OpResult *result) {
        const UnitSet others = units_without(&step->leaving, &step->target);
        if (result->units.alive)
                kill_then(step, &others, look_at_target);
        else
                look_at_target(step, NULL);
}

/* Never started while the old main process lives: two releases must not serve at once (the data may be shared). */
void step_start(StepOp *step, const OpResult *result) {
        (void)result;
        const UnitSet others = units_without(&step->leaving, &step->target);
        if (others.count == 0) {
                look_at_target(step, NULL);
                return;
        }
        step_expect(step, on_leaving_queried, NULL);
        query_units(step, &others);
}

static void on_probed_start(StepOp *step, const OpResult *result) {
        step_answer(step, result->units.active && !runs_old_release(step, &result->units) ? PROBE_YES : PROBE_NO);
}

void step_probe_start(StepOp *step, const OpResult *result) {
        (void)result;
        step_expect(step, on_probed_start, on_probe_failed);
        query_units(step, &step->target);
}
