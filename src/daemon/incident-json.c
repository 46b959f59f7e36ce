/* An incident as the API tells it: the row for the list, and all there is of it. */
#include "api/wire.h"
#include "base/mask.h"
#include "core/names.h"
#include "daemon/incident-report.h"
#include "daemon/incidents-internal.h"

#include <limits.h>
#include <string.h>

static json_t *id_or_null(int64_t id) {
        return id > 0 ? json_integer(id) : json_null();
}

/* What the release is worth now: rolled back from, it is marked failed. */
static json_t *release_state(Controller *controller, const char *version) {
        Release release;
        Error error = {0};
        if (version[0] == '\0' || !controller->journal ||
            journal_release(controller->journal, version, &release, &error) != 1)
                return json_null();
        return json_string(release_state_name(release.state));
}

json_t *incident_json(Controller *controller, const Incident *incident) {
        char directory[PATH_MAX], report[PATH_MAX];
        (void)incident_directory(controller->config, incident->id, directory, sizeof directory - 16);
        snprintf(report, sizeof report, "%.*s/" INCIDENT_REPORT_NAME, (int)(sizeof report - 32), directory);
        return json_pack(
                "{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                (json_int_t)incident->id, "cause", incident_cause_name(incident->cause), "severity",
                severity_name(incident->severity), "state", incident_state_name(incident->state), "title",
                wire_text(incident->title), "version", wire_text_or_null(incident->version), "target",
                wire_text_or_null(incident->target), "source", wire_text_or_null(incident->source), "opened",
                wire_time(incident->opened_wall), "acknowledged", wire_time(incident->acknowledged_wall),
                "acknowledged_by", wire_text_or_null(incident->acknowledged_by), "resolved",
                wire_time(incident->resolved_wall), "resolved_by", wire_text_or_null(incident->resolved_by),
                "deployment", id_or_null(incident->deployment_id), "decision", id_or_null(incident->decision_id), "run",
                id_or_null(incident->run_id), "outcome", wire_text(incident->outcome), "release_state",
                release_state(controller, incident->version), "report", wire_text(report));
}

/* ---- all of it ---- */

static json_t *part(Controller *controller, const Incident *incident, const char *kind) {
        AUTO_FREE char *text = NULL;
        Error error = {0};
        if (journal_part(controller->journal, incident->id, kind, &text, &error) != 1)
                return json_null();
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        return value ? value : json_null();
}

static void mask_member(json_t *object, const char *key) {
        char shown[4 * REASON_MAX];
        const char *text = json_string_value(json_object_get(object, key));
        if (text)
                json_object_set_new(object, key, wire_text(mask_text(text, shown, sizeof shown)));
}

static json_t *decision_of(Controller *controller, const Incident *incident) {
        AUTO_FREE Decision *decision = calloc(1, sizeof *decision);
        Error error = {0};
        if (!decision || incident->decision_id == 0 ||
            journal_decision(controller->journal, incident->decision_id, decision, &error) != 1)
                return json_null();
        json_t *value = wire_decision(decision);
        mask_member(value, "reason");
        return value;
}

static json_t *run_of(Controller *controller, const Incident *incident) {
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        Error error = {0};
        if (!run || incident->run_id <= 0 || journal_run(controller->journal, incident->run_id, run, &error) != 1)
                return json_null();
        json_t *value = controller_run_json(controller, run), *step;
        size_t index;
        mask_member(value, "reason");
        mask_member(value, "failure");
        json_array_foreach(json_object_get(value, "steps"), index, step)
                mask_member(step, "detail");
        json_array_foreach(json_object_get(value, "recovery"), index, step)
                mask_member(step, "detail");
        return value;
}

/* What was collected; else at least what the decision rests on. */
static json_t *samples_of(Controller *controller, const Incident *incident, const json_t *decision) {
        json_t *samples = part(controller, incident, "samples");
        if (json_is_array(samples))
                return samples;
        json_decref(samples);
        json_t *evidence = json_object_get(decision, "samples");
        return evidence ? json_incref(evidence) : json_array();
}

/* As they stood then. */
static json_t *thresholds_of(Controller *controller, const json_t *decision) {
        static const char *const keys[] = {"error_rate_percent", "latency_p99_ms", "success_rate_percent",
                                           "degradation_window_s"};
        json_t *now = wire_thresholds(&controller->config->rules), *then = json_object_get(decision, "rules");
        for (size_t i = 0; then && i < ARRAY_SIZE(keys); i++)
                json_object_set(now, keys[i], json_object_get(then, keys[i]));
        return now;
}

json_t *incident_details(Controller *controller, const Incident *incident) {
        json_t *all = incident_json(controller, incident), *decision = decision_of(controller, incident);
        json_t *more = json_pack(
                "{s:o, s:O, s:o, s:o, s:o, s:o, s:o, s:o}", "timeline", incident_timeline(controller, incident),
                "trigger", decision, "run_record", run_of(controller, incident), "difference",
                part(controller, incident, "difference"), "log", part(controller, incident, "log"), "target_log",
                part(controller, incident, "target_log"), "samples", samples_of(controller, incident, decision),
                "thresholds", thresholds_of(controller, decision));
        json_decref(decision);
        bool whole = all && more && json_object_update(all, more) == 0;
        json_decref(more);
        if (whole)
                return all;
        json_decref(all);
        return NULL;
}
