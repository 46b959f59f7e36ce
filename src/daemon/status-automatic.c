/* Would anything be rolled back automatically, and what would have been but for a guard? Both as people want to know it before they
 * need it. */
#include "api/wire.h"
#include "core/names.h"
#include "daemon/controller.h"

#include <inttypes.h>
#include <string.h>

/* The first that forbids it; "": nothing does. */
static void why_not(Controller *controller, char *text, size_t size) {
        const struct Readiness *readiness = &controller->readiness;
        Guard guard;
        text[0] = '\0';
        if (controller->config->rules.rollbacks_per_day == 0)
                snprintf(text, size, "switched off (decision.rollbacks_per_day is 0)");
        else if (controller->role != ROLE_DAEMON)
                snprintf(text, size, "no controller runs");
        else if (controller->version[0] == '\0')
                snprintf(text, size, "which release is live is not known");
        else if ((guard = deciding_guard(controller)) != GUARD_NONE)
                snprintf(text, size, "%s", guard_text(guard));
        else if (readiness->ready == KNOWN_FALSE)
                snprintf(text, size, "%s could not be started now: %s", readiness->version, readiness->detail);
}

/* Without samples a failed unit still triggers. */
static void how_far(Controller *controller, char *text, size_t size) {
        MetricsPulse pulse = {0};
        bool open = controller->watcher && watcher_pulse(controller->watcher, &pulse);
        if (!controller->config->metrics_driver)
                snprintf(text, size, "only when the service fails: no samples are measured (metrics.source)");
        else if (!open || !pulse.connected)
                snprintf(text, size, "only when the service fails: the metrics source is not heard");
}

json_t *status_automatic(Controller *controller) {
        char why[DETAIL_MAX + VERSION_MAX + 64];
        why_not(controller, why, sizeof why);
        bool possible = why[0] == '\0';
        if (possible)
                how_far(controller, why, sizeof why);
        return json_pack("{s:b, s:o}", "possible", possible, "why", wire_text(why));
}

json_t *status_review(const Controller *controller) {
        const Decision *decision = controller->decision;
        if (controller->decided == 0 || decision->kind != DECISION_REVIEW)
                return json_null();
        return json_pack("{s:s, s:o, s:s}", "version", decision->version, "reason", wire_text(decision->reason),
                         "guard_text", guard_text(decision->guard));
}
