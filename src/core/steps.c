#include "core/steps.h"

#include "base/macros.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SECONDS(n) ((n)*USEC_PER_SEC)

/* clang-format off: a table to be read */
static const StepSpec steps[] = {
        [STEP_PREFLIGHT] =
                {
                        .id = STEP_PREFLIGHT,
                        .key = "preflight",
                        .title = "Prove the target",
                        .deployment_title = "Prove the new version",
                        .undo_title = "Prove the original",
                        .budget_us = SECONDS(10),
                        .critical = true,
                        .emergency_budget_us = SECONDS(10),
                        .emergency_critical = true,
                        .retry = STEP_RETRY_NEVER,
                        .scope = SCOPE_NODE,
                        .probed = false,
                        .probe = "its answer is good (it changes nothing)",
                        .comment =
                                "Release complete, configuration present, schema compatible or reversible, unit loadable, disk and lock: a refusal leaves the world as it was.",
                },
        [STEP_PAUSE_DEPLOYMENTS] =
                {
                        .id = STEP_PAUSE_DEPLOYMENTS,
                        .key = "pause_deployments",
                        .title = "Pause deployments",
                        .deployment_title = "Pause deployments",
                        .undo_title = "Pause deployments",
                        .budget_us = SECONDS(5),
                        .critical = false,
                        .emergency_budget_us = SECONDS(5),
                        .emergency_critical = false,
                        .retry = STEP_RETRY_NEVER,
                        .scope = SCOPE_ONCE,
                        .probed = true,
                        .probe = "deployments are paused in this run's name",
                        .comment =
                                "Nobody deploys into a rollback. The run's lock protects it too, so a failure doesn't stop the run.",
                },
        [STEP_DRAIN_TRAFFIC] =
                {
                        .id = STEP_DRAIN_TRAFFIC,
                        .key = "drain_traffic",
                        .title = "Drain traffic",
                        .deployment_title = "Drain traffic",
                        .undo_title = "Drain traffic",
                        .budget_us = SECONDS(30),
                        .critical = true,
                        .emergency_budget_us = SECONDS(5),
                        .emergency_critical = false,
                        .retry = STEP_RETRY_ONCE,
                        .scope = SCOPE_ONCE,
                        .probed = false,
                        .probe = "no new request reaches the service and none is in flight",
                        .comment =
                                "Done when nothing is in flight, not after a sleep. Only a living controller keeps traffic held, so after a crash it is taken again.",
                },
        [STEP_STOP_VERSION] =
                {
                        .id = STEP_STOP_VERSION,
                        .key = "stop_version",
                        .title = "Stop current version",
                        .deployment_title = "Stop current version",
                        .undo_title = "Stop target version",
                        .budget_us = SECONDS(10),
                        .critical = false,
                        .emergency_budget_us = SECONDS(10),
                        .emergency_critical = false,
                        .retry = STEP_RETRY_FORCED,
                        .scope = SCOPE_NODE,
                        .probed = true,
                        .probe = "no main process of its units lives",
                        .comment = "Asked first, killed at the budget. From here on a cancel comes too late.",
                },
        [STEP_RESTORE_VERSION] =
                {
                        .id = STEP_RESTORE_VERSION,
                        .key = "restore_version",
                        .title = "Restore previous version",
                        .deployment_title = "Switch to new version",
                        .undo_title = "Restore original version",
                        .budget_us = SECONDS(30),
                        .critical = true,
                        .emergency_budget_us = SECONDS(30),
                        .emergency_critical = true,
                        .retry = STEP_RETRY_ONCE,
                        .scope = SCOPE_NODE,
                        .probed = true,
                        .probe = "`current` and the configuration are the target's, and it can work with the schema",
                        .comment =
                                "First the database's schema, in one transaction, where the target can't work with it; then configuration and the `current` symlink, each replaced atomically.",
                },
        [STEP_START_VERSION] =
                {
                        .id = STEP_START_VERSION,
                        .key = "start_version",
                        .title = "Start previous version",
                        .deployment_title = "Start new version",
                        .undo_title = "Start original version",
                        .budget_us = SECONDS(10),
                        .critical = true,
                        .emergency_budget_us = SECONDS(10),
                        .emergency_critical = true,
                        .retry = STEP_RETRY_ONCE,
                        .scope = SCOPE_NODE,
                        .probed = true,
                        .probe = "every unit of the target is active and ready",
                        .comment =
                                "Waits for the unit's own readiness. Refused while a process of the other release lives.",
                },
        [STEP_VERIFY_HEALTH] =
                {
                        .id = STEP_VERIFY_HEALTH,
                        .key = "verify_health",
                        .title = "Verify health",
                        .deployment_title = "Verify health",
                        .undo_title = "Verify health",
                        .budget_us = SECONDS(60),
                        .critical = true,
                        .emergency_budget_us = SECONDS(60),
                        .emergency_critical = true,
                        .retry = STEP_RETRY_NEVER,
                        .scope = SCOPE_NODE,
                        .probed = false,
                        .probe = "its answer is good (it changes nothing)",
                        .comment =
                                "Consecutive successes of the service's own health check, not one. It polls until its budget, so it isn't repeated.",
                },
        [STEP_RESTORE_TRAFFIC] =
                {
                        .id = STEP_RESTORE_TRAFFIC,
                        .key = "restore_traffic",
                        .title = "Restore traffic",
                        .deployment_title = "Restore traffic",
                        .undo_title = "Restore traffic",
                        .budget_us = SECONDS(5),
                        .critical = false,
                        .emergency_budget_us = SECONDS(5),
                        .emergency_critical = false,
                        .retry = STEP_RETRY_NEVER,
                        .scope = SCOPE_ONCE,
                        .probed = true,
                        .probe = "requests reach the service",
                        .comment = "Retried until it holds; when it never does, the run holds and pages.",
                },
        [STEP_RESUME_DEPLOYMENTS] =
                {
                        .id = STEP_RESUME_DEPLOYMENTS,
                        .key = "resume_deployments",
                        .title = "Resume deployments",
                        .deployment_title = "Resume deployments",
                        .undo_title = "Resume deployments",
                        .budget_us = SECONDS(5),
                        .critical = false,
                        .emergency_budget_us = SECONDS(5),
                        .emergency_critical = false,
                        .retry = STEP_RETRY_NEVER,
                        .scope = SCOPE_ONCE,
                        .probed = true,
                        .probe = "this run pauses no deployments any more",
                        .comment =
                                "Undoes only this run's pause; an operator's stays. Retried until it holds, and shown while it doesn't.",
                },
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(steps) == STEP_COUNT, "every step has its row");

const StepSpec *step_spec(StepId id) {
        assert((unsigned)id < STEP_COUNT);
        return &steps[id];
}

const char *step_key(StepId id) {
        return step_spec(id)->key;
}

const char *step_title(StepId id, RunKind kind, bool recovery) {
        const StepSpec *spec = step_spec(id);
        if (recovery)
                return spec->undo_title;
        return kind == RUN_DEPLOYMENT ? spec->deployment_title : spec->title;
}

int step_parse(const char *key, StepId *ret) {
        for (unsigned i = 0; key && i < STEP_COUNT; i++)
                if (strcmp(steps[i].key, key) == 0) {
                        *ret = (StepId)i;
                        return 0;
                }
        return -EINVAL;
}
