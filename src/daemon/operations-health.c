/* Health of the components, as the checkup has it. 503 when unhealthy, so that `curl -sf` tells it. */
#include "api/wire-health.h"
#include "base/exit-codes.h"
#include "base/nearest.h"
#include "core/words.h"
#include "daemon/operations.h"

static int status_of(HealthState state) {
        return state == HEALTH_UNHEALTHY ? 503 : 0;
}

static int no_such_component(const Health *health, const char *name, Problem *problem) {
        char names[ERROR_MESSAGE_MAX / 2] = "";
        const char *near = NULL;
        for (unsigned i = 0; i < health->count; i++) {
                words_append(names, sizeof names, "%s%s", i ? ", " : "", health->components[i].name);
                near = nearer_word(name, near, health->components[i].name);
        }
        return problem_set(problem, 404, EXIT_NO_INPUT, "No such component",
                           "there is no component '%.40s'%s%s%s There are: %s", name, near ? "; did you mean '" : ".",
                           near ? near : "", near ? "'?" : "", names);
}

int op_health(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        const Controller *controller = self;
        const char *name = text_of(arguments, "name");
        (void)caller;
        if (!controller->checkup)
                return problem_set(problem, 503, EXIT_UNAVAILABLE, "Not known yet",
                                   "the controller has only just begun to measure");
        const Health *health = checkup_health(controller->checkup);
        const ComponentHealth *component = name[0] ? health_find(health, name) : NULL;
        if (name[0] && !component)
                return no_such_component(health, name, problem);
        int r = answer(component ? wire_component(component) : wire_health(health), ret_answer, problem);
        return r < 0 ? r : status_of(component ? component->state : health->state);
}
