/* What the tests of the store share: a directory of their own, and a run with something in every member. */
#pragma once

#include "base/macros.h"
#include "core/types.h"

#include <limits.h>
#include <string.h>

static char directory[] = "/tmp/test-store-XXXXXX";

static inline const char *in(const char *name) {
        static char paths[8][PATH_MAX];
        static unsigned next;
        char *path = paths[next++ % ARRAY_SIZE(paths)];
        snprintf(path, PATH_MAX, "%s/%.255s", directory, name);
        return path;
}

static inline void fill_step(StepRecord *step, unsigned i) {
        step->state = (StepState)(i % 6);
        step->attempt = i;
        step->started_wall = 1000 + i;
        step->ended_wall = 2000 + i;
        snprintf(step->detail, sizeof step->detail, "step %u: \"3 in flight\" finished \xe2\x9c\x93", i);
}

static inline Run full_run(void) {
        Run run;
        memset(&run, 0, sizeof run); /* padding too: the tests compare bytes */
        run.plan.kind = RUN_ROLLBACK;
        run.plan.mode = MODE_AUTOMATIC;
        snprintf(run.plan.from, sizeof run.plan.from, "v3.0.0");
        snprintf(run.plan.to, sizeof run.plan.to, "v2.4.0");
        run.plan.count = 8;
        for (unsigned i = 0; i < run.plan.count; i++) {
                run.plan.steps[i].id = (StepId)(i + 1);
                run.plan.steps[i].budget_us = 5000000 + i;
                run.plan.steps[i].critical = i % 2 == 1;
        }
        snprintf(run.reason, sizeof run.reason, "error rate 5.02%% > 1.0%%; it's \"bad\"\nvery");
        snprintf(run.initiator, sizeof run.initiator, "controller");
        run.decision_id = 77;
        run.symptoms_before = TRIGGER_LATENCY_P99 | TRIGGER_BYZANTINE;
        run.phase = RUN_FORWARD;
        run.outcome = OUTCOME_OPEN;
        run.cursor = STEP_DRAIN_TRAFFIC;
        run.token = 4000000000u;
        run.outstanding = 1u << STEP_RESTORE_TRAFFIC;
        run.settle_tries = 3;
        run.cancel_requested = true;
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                fill_step(&run.steps[i], i);
                fill_step(&run.recovery[i], i + 10);
        }
        run.created_wall = INT64_C(1795362036123456);
        snprintf(run.failure, sizeof run.failure, "none yet");
        snprintf(run.serving, sizeof run.serving, "v2.4.0");
        run.in_flight_cut = 2;
        run.requests_failed = -1;
        return run;
}

static inline int make_directory(UNUSED void **state) {
        return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_directory(UNUSED void **state) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "rm -rf '%s'", directory);
        return system(command);
}
