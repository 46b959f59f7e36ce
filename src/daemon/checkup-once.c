#include "daemon/checkup-once.h"

#include "api/problem.h"
#include "base/clock.h"
#include "base/exit-codes.h"
#include "daemon/breakglass.h"
#include "daemon/controller.h"

#include <errno.h>
#include <string.h>

#define SECOND_LOOK_US (2 * USEC_PER_SEC)

int64_t checkup_once_budget(const Config *config) {
        int64_t slowest = config->health_timeout_us;
        for (unsigned i = 0; i < config->component_count; i++) {
                int64_t timeout = settings_int(config->components[i].settings, "timeout");
                slowest = timeout > slowest ? timeout : slowest;
        }
        if (config->consensus_driver && CONSENSUS_QUESTIONS * config->consensus_timeout_us > slowest)
                slowest = CONSENSUS_QUESTIONS * config->consensus_timeout_us;
        return slowest + SECOND_LOOK_US;
}

static int not_possible(Problem *problem, int r, const Error *error) {
        if (r == -EACCES || r == -EPERM)
                return problem_set(problem, 403, EXIT_PERMISSION, "Not allowed",
                                   "%s. Measuring without a controller needs root or the service's user: type the same "
                                   "line with sudo",
                                   error_text(error));
        return problem_set(problem, 503, EXIT_UNAVAILABLE, "Nothing can be measured", "%s",
                           error->code ? error_text(error) : strerror(-r));
}

static int measure(sd_event *event, const Controller *controller, int64_t budget_us, Problem *problem) {
        int64_t deadline = clock_mono_us() + budget_us;
        for (int64_t left = budget_us; left > 0 && !checkup_complete(controller->checkup);
             left = deadline - clock_mono_us()) {
                int r = sd_event_run(event, (uint64_t)left);
                if (r < 0)
                        return problem_set(problem, 500, EXIT_INTERNAL, "The event loop failed", "%s", strerror(-r));
        }
        return 0;
}

static void keep(const Controller *controller, int64_t budget_us, Health *ret_health) {
        *ret_health = *checkup_health(controller->checkup);
        for (unsigned i = 0; i < ret_health->count; i++)
                if (ret_health->components[i].checked_wall == 0)
                        snprintf(ret_health->components[i].reason, sizeof ret_health->components[i].reason,
                                 "it didn't answer within %.1f s", (double)budget_us / (double)USEC_PER_SEC);
}

int checkup_once(const Config *config, Health *ret_health, Problem *problem) {
        sd_event *event = NULL;
        Controller *controller = NULL;
        Error error = {0};
        int64_t budget_us = checkup_once_budget(config);
        int r = sd_event_new(&event);
        if (r >= 0)
                r = controller_new(event, config, ROLE_READER, &controller, &error);
        if (r >= 0)
                r = controller_watch(controller, &error);
        if (r < 0) {
                r = not_possible(problem, r, &error);
        } else {
                current_look(controller); /* which units are the service's */
                r = measure(event, controller, budget_us, problem);
                if (r == 0)
                        keep(controller, budget_us, ret_health);
        }
        controller_free(controller);
        sd_event_unref(event);
        breakglass_leave_no_trace(config);
        return r;
}
