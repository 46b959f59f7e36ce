/* The API's operations: each answers at once from what the controller knows; a run is begun here and followed by the events. */
#include "daemon/operations.h"

#include "base/exit-codes.h"
#include "daemon/audit.h"

const char *text_of(const json_t *arguments, const char *key) {
        const char *text = json_string_value(json_object_get(arguments, key));
        return text ? text : "";
}

int64_t number_of(const json_t *arguments, const char *key, int64_t fallback) {
        const json_t *value = json_object_get(arguments, key);
        if (json_is_integer(value))
                return json_integer_value(value);
        const char *text = json_string_value(value);
        char *end;
        if (!text || text[0] == '\0')
                return fallback;
        long long number = strtoll(text, &end, 10);
        return *end == '\0' ? number : -1;
}

int answer(json_t *value, json_t **ret_answer, Problem *problem) {
        if (!value)
                return problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
        *ret_answer = value;
        return 0;
}

int journal_failed(Problem *problem, const Error *error) {
        return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(error));
}

const ApiOps controller_operations = {
        .acted = op_acted,
        .audit = op_audit,
        .status = op_status,
        .version = op_version,
        .plan = op_plan,
        .ready = op_ready,
        .rollback = op_rollback,
        .deploy = op_deploy,
        .run_show = op_run_show,
        .run_cancel = op_run_cancel,
        .history = op_history,
        .incidents = op_incidents,
        .incident = op_incident,
        .incident_report = op_incident_report,
        .incident_plot = op_incident_plot,
        .incident_acknowledge = op_incident_acknowledge,
        .incident_resolve = op_incident_resolve,
        .decisions = op_decisions,
        .explain = op_explain,
        .validate = op_validate,
        .pause = op_pause,
        .resume = op_resume,
        .deployment_status = op_deployment_status,
        .adopt = op_adopt,
        .exposition = op_exposition,
        .health = op_health,
        .metrics = op_metrics,
        .metrics_history = op_metrics_history,
        .traffic_status = op_traffic_status,
        .traffic_drain = op_traffic_drain,
        .traffic_restore = op_traffic_restore,
        .cache_clear = op_cache_clear,
        .receivers = op_receivers,
        .receiver_test = op_receiver_test,
        .database_replication = op_database_replication,
        .consistency = op_consistency,
        .consistency_check = op_consistency_check,
        .consensus_status = op_consensus_status,
        .cluster_status = op_cluster_status,
        .force_election = op_force_election,
};
