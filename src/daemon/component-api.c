/* api: the service that we look after. Its own health check, which the prober asks all the time, and its units, which the watcher
 * follows: nothing is asked a second time. */
#include "daemon/component.h"

static int open_api(const ComponentContext *context, void **ret_self, Error *error) {
        (void)error;
        *ret_self = (void *)context;
        return 0;
}

static void close_api(void *self) {
        (void)self;
}

static void judge(const ComponentContext *context, ComponentFinding *finding) {
        const ProbeView *probe = prober_view(context->prober);
        const UnitsState *units = watcher_units(context->watcher);
        const char *detail = prober_detail(context->prober);
        int64_t failures = settings_int(context->settings, "failures");
        if (units && !units->active && !units->alive) {
                finding->state = HEALTH_UNHEALTHY;
                finding->at_once = units->failed;
                snprintf(finding->reason, sizeof finding->reason, "%s", units->detail);
        } else if (!probe->known) {
                finding->partial = detail[0] == '\0'; /* it hasn't been asked yet */
                snprintf(finding->reason, sizeof finding->reason, "%s", detail[0] ? detail : "not asked yet");
        } else if (probe->consecutive_failures > 0) {
                finding->state = HEALTH_UNHEALTHY;
                finding->at_once = probe->consecutive_failures >= failures; /* counted oftener than here */
                snprintf(finding->reason, sizeof finding->reason, "%s", detail);
        } else {
                bool settling = units && !units->active; /* alive, and not ready */
                finding->state = settling ? HEALTH_DEGRADED : HEALTH_HEALTHY;
                finding->score = settling ? HEALTH_SCORE_LOW : 100;
                snprintf(finding->reason, sizeof finding->reason, "%.120s; %.120s", detail,
                         units ? units->detail : "its units are not known");
        }
}

static void check_api(void *self) {
        const ComponentContext *context = self;
        ComponentFinding finding = {0};
        judge(context, &finding);
        context->found(context->userdata, &finding);
}

const ComponentKind component_api = {
        .name = "api", .of_service = true, .open = open_api, .close = close_api, .check = check_api};
