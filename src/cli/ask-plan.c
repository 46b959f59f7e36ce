#include "cli/ask-plan.h"

#include "base/clock.h"
#include "cli/pick.h"

#include <time.h>

#define DATABASE_PATIENCE_US (5 * USEC_PER_SEC)

int ask_plan(Command *command, const Question *question, json_t **ret_plan) {
        const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
        int64_t end = clock_mono_us() + DATABASE_PATIENCE_US;
        for (;;) {
                json_t *plan = NULL;
                int r = command_ask(command, question, &plan, NULL);
                if (r != 0 || !pick_is(plan, "database.verdict", "pending") || clock_mono_us() >= end) {
                        *ret_plan = plan;
                        return r;
                }
                json_decref(plan);
                (void)nanosleep(&moment, NULL);
        }
}
