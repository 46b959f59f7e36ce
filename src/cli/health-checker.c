/* health-checker: how every component does, and how the score comes about. */
#include "base/exit-codes.h"
#include "cli/health-verbs.h"

static const Verb verbs[] = {
        {"status", "", 0, 0, ALLOW_JSON, verb_health_status, "How every component does, as the controller has it",
         "When no controller answers, everything is measured here instead, as root or the\nservice's user.",
         "health-checker status\nhealth-checker status --json | jq .score\n"},
        {"once", "", 0, 0, ALLOW_JSON | NEEDS_CONFIG, verb_health_once, "Measure every component anew",
         "One failed check is unhealthy here. What can't be known from one look is taken\nfrom the controller, if one "
         "answers.",
         "health-checker once\nhealth-checker once && echo well\n"},
        {"watch", "", 0, 0, ALLOW_JSON | ALLOW_INTERVAL, verb_health_watch, "Show every change as it happens",
         "On a terminal the whole is drawn again; elsewhere each change is one line, with\n--json one object a line. "
         "Ends with Ctrl-C.",
         "health-checker watch\nhealth-checker watch --interval 2s\nhealth-checker watch --json\n"},
        {0},
};

static const ExitHelp exits[] = {
        {EXIT_OK, "healthy"},
        {EXIT_HEALTH_DEGRADED, "degraded"},
        {EXIT_HEALTH_UNHEALTHY, "unhealthy"},
        {EXIT_HEALTH_UNKNOWN, "unknown"},
        {EXIT_USAGE_ERROR, "wrong usage"},
        {EXIT_DATA, "an argument isn't valid"},
        {EXIT_UNAVAILABLE, "no controller answers, and nothing can be measured without it"},
        {EXIT_INTERNAL, "an error inside the program"},
        {EXIT_IO, "reading or writing failed"},
        {EXIT_PERMISSION, "not allowed; the message has the line to type"},
        {EXIT_CONFIG, "the configuration is wrong"},
        {0},
};

const Program program = {
        .name = "health-checker",
        .summary = "Measures the components that the service needs, and sums them up to one score.",
        .verbs = verbs,
        .exits = exits,
        .examples = "health-checker status\nhealth-checker once\nhealth-checker watch\n",
        .notes = "The score is sum(weight * score) / sum(weight), rounded down, over the known\n"
                 "components. Times are UTC. NO_COLOR=1 prints without colours.",
};
