/* `status`: what runs, how it does, what would be done, and what a person should know. Unknown is null, never 0. */
#include "api/wire.h"
#include "base/clock.h"
#include "core/names.h"
#include "daemon/controller.h"
#include "daemon/holds.h"
#include "daemon/proof.h"
#include "daemon/readiness.h"

#include <inttypes.h>
#include <string.h>

static json_t *count_or_null(int64_t count) {
        return count >= 0 ? json_integer(count) : json_null();
}

static json_t *tristate(Tristate value) {
        return value == KNOWN_NOT ? json_null() : json_boolean(value == KNOWN_TRUE);
}

json_t *status_hold(Controller *controller, int kind) {
        Hold hold;
        Error error = {0};
        if (hold_read(controller->journal, (HoldKind)kind, &hold, &error) < 0)
                hold = (Hold){0};
        return json_pack("{s:b, s:o, s:o, s:o}", "paused", hold.held, "by", wire_text_or_null(hold.by), "since",
                         wire_time(hold.since_wall), "why", wire_text_or_null(hold.why));
}

static json_t *controller_part(Controller *controller) {
        const char *state = controller->role != ROLE_DAEMON  ? "breakglass"
                            : runner_run(controller->runner) ? "running"
                                                             : "watching";
        return json_pack("{s:s, s:i, s:o, s:s}", "version", PROJECT_VERSION, "pid", (int)getpid(), "since",
                         wire_time(controller->begun_wall), "state", state);
}

static json_t *target_part(Controller *controller) {
        Release target;
        TargetDoubt doubt;
        Error error = {0};
        if (catalog_target(controller, MODE_EMERGENCY, NULL, &target, &doubt, &error) < 0)
                return json_null();
        const struct Readiness *readiness = &controller->readiness;
        bool known = strcmp(readiness->version, target.version) == 0;
        return json_pack("{s:s, s:s, s:o, s:o, s:o}", "version", target.version, "state",
                         release_state_name(target.state), "ready", tristate(known ? readiness->ready : KNOWN_NOT),
                         "detail", wire_text(known ? readiness->detail : "not yet looked at"), "checks",
                         known ? readiness_checks_json(&readiness->target) : json_array());
}

static json_t *deployment_part(Controller *controller) {
        const Deployment *deployment = &controller->deployment;
        Release release = {.state = RELEASE_UNPROVEN};
        Error error = {0};
        int64_t until = 0;
        if (!controller->deployment_known)
                return json_null();
        if (controller->journal)
                (void)journal_release(controller->journal, deployment->version, &release, &error);
        bool armed = deployment_armed(controller, &until);
        return json_pack("{s:I, s:s, s:o, s:o, s:b, s:b, s:o, s:o, s:s}", "id", (json_int_t)deployment->id, "version",
                         deployment->version, "previous", wire_text_or_null(deployment->previous), "at",
                         wire_time(deployment->at_wall), "observed", deployment->run_id == 0, "armed", armed,
                         "armed_until", wire_time(until), "automatic", status_automatic(controller), "state",
                         release_state_name(release.state));
}

json_t *status_traffic(Controller *controller) {
        Hold hold;
        Error error = {0};
        if (hold_read(controller->journal, HOLD_TRAFFIC, &hold, &error) < 0)
                hold = (Hold){0};
        const TrafficState *traffic = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        const char *under_way = operator_drain_state(controller), *problem = "";
        if (controller->watcher)
                problem = watcher_traffic_problem(controller->watcher);
        if (!controller->config->traffic_driver)
                problem = "no balancer is configured (traffic.driver)";
        const char *state = under_way ? under_way : !traffic ? "unknown" : traffic->drained ? "drained" : "flowing";
        bool held = hold.held && (under_way || !traffic || traffic->drained);
        int64_t age_us = traffic ? clock_mono_us() - watcher_traffic_mono(controller->watcher) : 0;
        return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "configured",
                         controller->config->traffic_driver != NULL, "state", state, "in_flight",
                         count_or_null(traffic ? traffic->in_flight : -1), "parked",
                         count_or_null(traffic ? traffic->parked : -1), "gate",
                         traffic ? json_boolean(traffic->gated) : json_null(), "by",
                         wire_text_or_null(held ? hold.by : NULL), "since", wire_time(held ? hold.since_wall : 0),
                         "timed_out", tristate(operator_drain_timed_out(controller)), "sample_age_s",
                         traffic ? json_real((double)age_us / (double)USEC_PER_SEC) : json_null(), "detail",
                         wire_text(traffic ? traffic->detail : problem));
}

static json_t *units_part(Controller *controller) {
        UnitSet units = {0};
        Error error = {0};
        json_t *names = json_array();
        if (controller->version[0] != '\0' &&
            config_units(controller->config, controller->version, &units, &error) >= 0)
                for (unsigned i = 0; i < units.count; i++)
                        json_array_append_new(names, json_string(units.names[i]));
        const UnitsState *state = controller->watcher ? watcher_units(controller->watcher) : NULL;
        const char *word = !state ? "unknown" : state->failed ? "failed" : state->active ? "active" : "inactive";
        return json_pack("{s:o, s:s, s:o}", "names", names, "state", word, "detail",
                         wire_text(state ? state->detail : error.message));
}

static json_t *health_part(Controller *controller) {
        const char *url = controller->config->health_url;
        if (!controller->prober || !prober_view(controller->prober)->known)
                return json_pack("{s:s, s:n, s:s, s:o}", "state", "unknown", "since", "url", url, "detail",
                                 wire_text(controller->prober ? prober_detail(controller->prober) : ""));
        bool healthy = prober_view(controller->prober)->consecutive_failures == 0;
        return json_pack("{s:s, s:o, s:s, s:o}", "state", healthy ? "healthy" : "unhealthy", "since",
                         wire_time(prober_since_wall(controller->prober)), "url", url, "detail",
                         wire_text(prober_detail(controller->prober)));
}

/* Without a controller nothing is measured for long enough. */
static json_t *score_part(const Controller *controller) {
        if (controller->role != ROLE_DAEMON || !controller->checkup || !checkup_complete(controller->checkup))
                return json_null();
        const Health *health = checkup_health(controller->checkup);
        const ComponentHealth *worst = health_worst(health);
        char reason[HEALTH_NAME_MAX + DETAIL_MAX + 8] = "";
        if (worst)
                snprintf(reason, sizeof reason, "%s: %s", worst->name, worst->reason);
        return json_pack("{s:s, s:o, s:o}", "status", health_state_name(health->state), "score",
                         count_or_null(health->score), "reason", wire_text(reason));
}

static json_t *metrics_part(Controller *controller) {
        MetricsPulse pulse = {0};
        const Config *config = controller->config;
        bool open = controller->watcher && watcher_pulse(controller->watcher, &pulse);
        const Sample *newest = controller->watcher ? engine_newest(watcher_engine(controller->watcher)) : NULL;
        const char *why = !config->metrics_driver
                                  ? "no metrics source is configured (metrics.source): nothing is decided on samples"
                          : open ? pulse.detail
                                 : "nothing is measured while no controller runs";
        return json_pack("{s:s, s:b, s:o, s:o}", "source",
                         config->metrics_driver ? config->metrics_driver->name : "none", "connected",
                         open && pulse.connected, "detail", wire_text(why), "sample",
                         newest ? wire_sample(newest, &config->rules, clock_mono_us()) : json_null());
}

static json_t *window_part(Controller *controller) {
        Verdict verdict;
        if (!controller->watcher)
                return json_null();
        watcher_verdict(controller->watcher, &verdict);
        json_t *samples = json_array();
        for (unsigned i = 0; i < verdict.count; i++)
                json_array_append_new(samples,
                                      wire_sample(verdict.samples[i], &controller->config->rules, clock_mono_us()));
        return json_pack("{s:i, s:i, s:i, s:i, s:o, s:s}", "expected", (int)verdict.expected, "needed",
                         (int)verdict.needed, "degraded", (int)verdict.degraded, "unknown", (int)verdict.unknown,
                         "samples", samples, "verdict", verdict.words);
}

static json_t *alerts_part(const Controller *controller) {
        json_t *alerts = json_array();
        for (unsigned i = 0; i < controller->alert_count; i++) {
                const Alert *alert = &controller->alerts[i];
                json_array_append_new(alerts, json_pack("{s:o, s:s, s:o}", "since", wire_time(alert->since_wall),
                                                        "source", alert->source, "message", wire_text(alert->message)));
        }
        return alerts;
}

static int keep_run(void *userdata, const Run *run) {
        memcpy(userdata, run, sizeof *run);
        return 1;
}

static json_t *last_run_part(Controller *controller) {
        Error error = {0};
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        if (!run || !controller->journal || journal_runs(controller->journal, 1, keep_run, run, &error) != 1)
                return json_null();
        return controller_run_json(controller, run);
}

json_t *status_answer(Controller *controller) {
        const Run *run = runner_run(controller->runner);
        int64_t today = 0;
        Error error = {0};
        if (controller->journal)
                (void)journal_count_automatic(controller->journal, clock_wall_us() - DAY_US, &today, &error);
        json_t *status =
                json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "controller", controller_part(controller), "version",
                          wire_text_or_null(controller->version), "version_problem",
                          wire_text_or_null(controller->version[0] ? "" : error_text(&controller->version_error)),
                          "target", target_part(controller), "deployment", deployment_part(controller), "deployments",
                          status_hold(controller, HOLD_DEPLOYMENTS));
        if (!status)
                return NULL;
        json_t *rest =
                json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:s, s:o}", "traffic",
                          status_traffic(controller), "units", units_part(controller), "health",
                          health_part(controller), "metrics", metrics_part(controller), "score", score_part(controller),
                          "review", status_review(controller), "window", window_part(controller), "thresholds",
                          wire_thresholds(&controller->config->rules), "run",
                          run ? controller_run_json(controller, run) : json_null(), "last_run",
                          last_run_part(controller), "rollbacks_today", (json_int_t)today, "rollbacks_per_day",
                          (json_int_t)controller->config->rules.rollbacks_per_day, "alerts", alerts_part(controller),
                          "mode", controller->config->decision_mode, "chain", proof_chain(controller->journal));
        json_object_update(status, rest);
        json_decref(rest);
        return status;
}
