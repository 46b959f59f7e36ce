/* Between the operations' files: one table, answered from several rooms of the controller. What each needs to read its arguments and to
 * say no is here.
 *   operations.c          the table, and what its parts share      operations-hold.c     pause, resume, adopt
 *   operations-read.c     status, version, history, decisions      operations-run.c      plan, rollback, deploy, cancel
 *   operations-health.c   health of the components
 *   operations-samples.c  recorded samples
 *   operations-metrics.c  metrics                                  operations-traffic.c  drain, restore
 *   operations-consensus.c  consensus, cluster, election
 *   operations-cache.c    caches are cleared                       operations-data.c     the database's replication and data */
#pragma once

#include "api/problem.h"
#include "daemon/controller.h"

/* "" when it isn't there. */
const char *text_of(const json_t *arguments, const char *key);
/* A number, or a query parameter that is one; -1 when it is none. */
int64_t number_of(const json_t *arguments, const char *key, int64_t fallback);
/* Gives `value` as the answer; NULL is memory that is gone. */
int answer(json_t *value, json_t **ret_answer, Problem *problem);
int journal_failed(Problem *problem, const Error *error);

ApiOperation op_status, op_version, op_plan, op_history, op_decisions, op_explain, op_run_show, op_validate,
        op_deployment_status, op_ready, op_rollback, op_deploy, op_run_cancel, op_pause, op_resume, op_adopt;

ApiOperation op_health, op_metrics, op_traffic_status, op_database_replication, op_consistency, op_consistency_check,
        op_exposition;
ApiSlowOperation op_traffic_drain, op_traffic_restore, op_cache_clear;

ApiOperation op_metrics_history;

ApiOperation op_incidents, op_incident, op_incident_report, op_incident_plot, op_incident_acknowledge,
        op_incident_resolve;

ApiOperation op_consensus_status, op_cluster_status;
ApiOperation op_receivers;
ApiSlowOperation op_receiver_test;
ApiSlowOperation op_force_election;
