#include "core/plan.h"

#include "core/steps.h"
#include "core/version.h"

#include <errno.h>
#include <string.h>

static int check_versions(const PlanRequest *request, const char *from, Error *error) {
        if (!version_valid(request->to))
                return error_set(error, -EINVAL,
                                 "'%s' is not a version: expected MAJOR.MINOR.PATCH like v2.4.0 or 2.4.0-rc.1",
                                 request->to ? request->to : "");
        if (*from && !version_valid(from))
                return error_set(error, -EINVAL, "the current release '%s' is not named like a version (v2.4.0)", from);
        if (strcmp(from, request->to) == 0)
                return error_set(error, -EALREADY, "%s is already current: there is nothing to do", from);
        return 0;
}

static int64_t step_budget(const PlanRequest *request, const StepSpec *spec) {
        int64_t budget = request->budgets_us ? request->budgets_us[spec->id] : spec->budget_us;
        if (request->mode != MODE_EMERGENCY || spec->id != STEP_DRAIN_TRAFFIC)
                return budget;
        int64_t most = request->emergency_drain_us != 0 ? request->emergency_drain_us : spec->emergency_budget_us;
        return budget < most ? budget : most;
}

int plan_make(const PlanRequest *request, Plan *ret_plan, Error *error) {
        const char *from = request->from ? request->from : "";
        int r = check_versions(request, from, error);
        if (r < 0)
                return r;

        Plan plan = {.kind = request->kind, .mode = request->mode, .count = STEP_COUNT};
        memcpy(plan.from, from, strlen(from) + 1);
        memcpy(plan.to, request->to, strlen(request->to) + 1);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                const StepSpec *spec = step_spec((StepId)i);
                plan.steps[i] = (PlanStep){
                        .id = spec->id,
                        .budget_us = step_budget(request, spec),
                        .critical = request->mode == MODE_EMERGENCY ? spec->emergency_critical : spec->critical,
                };
                if (plan.steps[i].budget_us <= 0)
                        return error_set(error, -EINVAL, "the budget of step %s must be longer than nothing",
                                         spec->key);
        }
        *ret_plan = plan;
        return 0;
}

int64_t plan_ceiling(const Plan *plan) {
        int64_t sum = 0;
        for (unsigned i = 0; i < plan->count; i++)
                if (plan->steps[i].id != STEP_PREFLIGHT)
                        sum += plan->steps[i].budget_us;
        return sum;
}
