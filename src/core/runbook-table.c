/* The runbooks themselves. The steps, their order and the words of what only a person can do are the specification's; commands of ours
 * stand where it has a curl, so that they work wherever the controller listens. */
#include "core/runbook.h"

#define END                                                                                                            \
        { 0 }

static const RunbookStep automatic[] = {
        {"Acknowledge Incident", "{run_words}. Reason: {reason}.",
         "auto-rollback status\nauto-rollback incidents ack {incident}", FACT_ACKNOWLEDGED,
         "incident {incident} is acknowledged", NULL},
        {"Validate System Health", "{health_words}. The validation says: {validation}.",
         "health-checker status\nauto-rollback validate", FACT_VALIDATED, "the validation of run {run} passed", NULL},
        {"Review Rollback Logs", NULL, "tail -200 {log}", FACT_NONE, NULL, "Read what the run did, step by step."},
        {"Analyze Root Cause", "{failed} was replaced by {serving}.",
         "auto-rollback explain {decision}\njournalctl -u {failed_units} -n 100", FACT_NONE, NULL,
         "Review metrics that triggered rollback; check application logs; identify deployment changes."},
        {"Document Findings", NULL,
         "auto-rollback incidents show {incident}\nauto-rollback incidents resolve {incident}", FACT_RESOLVED,
         "incident {incident} is resolved", "Create incident report; document root cause; identify fix required."},
        {"Fix and Redeploy", "{version} is live; deployments are {deployments}.", "auto-rollback deploy VERSION",
         FACT_REDEPLOYED, "a later deployment has succeeded",
         "Fix identified issues; re-test in staging; schedule new deployment."},
        END,
};

static const RunbookStep manual[] = {
        {"Assess Severity", "{health_words}. Live: {version}. {target_words}.",
         "auto-rollback ready\nauto-rollback plan", FACT_READY, "the target is ready",
         "Is this a P0/P1 incident? Should we use emergency rollback?"},
        {"Notify Team", NULL,
         "curl -X POST http://alerting/notify -d '{\"message\":\"Manual rollback required\",\"severity\":\"high\"}'",
         FACT_NONE, NULL, "Send notification; the receivers that are configured hear of the rollback by themselves."},
        {"Execute Rollback", "{run_words}.", "auto-rollback manual \"Reason for rollback\"", FACT_ROLLED_BACK,
         "a rollback has succeeded, and no deployment came after it", NULL},
        {"Monitor Progress", "{run_words}.", "tail -f {log}", FACT_MENDED, "the run has ended, and holds nothing",
         NULL},
        {"Validate Success", "The validation says: {validation}.", "auto-rollback validate", FACT_VALIDATED,
         "the validation of run {run} passed", NULL},
        {"Post-Rollback Actions", NULL, NULL, FACT_NONE, NULL,
         "Update incident ticket; schedule retrospective; plan remediation."},
        END,
};

static const RunbookStep failed[] = {
        {"Declare P0 Incident", "{run_words}. {failure}.",
         "curl -X POST http://alerting/page -d '{\"severity\":\"P0\"}'\nauto-rollback incidents ack {incident}",
         FACT_PAGED, "somebody is paged by the controller itself: the incident is P0, or the alert stands", NULL},
        {"Assess Current State",
         "{live_link} Units: {units_words}. Traffic: {traffic_words}. Deployments: {deployments}.",
         "systemctl status {all_units}\nls -la {current}\ntail -100 {log}", FACT_SERVING,
         "the live release's units are active and its health check answers", NULL},
        {"Attempt Recovery", "{target_words}.", "{recovery_command}", FACT_MENDED,
         "a later run has succeeded, or the run that holds was released", NULL},
        {"Manual Recovery (if automation fails)", NULL, "{remedy}", FACT_SERVING,
         "the live release's units are active and its health check answers",
         "SSH to each node; manually stop {failed_units}; manually start {to_units}; verify health on each node."},
        {"Service Restoration", "Traffic: {traffic_words}.", "auto-rollback restore", FACT_TRAFFIC, "traffic flows",
         "Bring up one node at a time; verify cluster forms correctly; gradually restore traffic."},
        {"Release the hold", "Deployments: {deployments}.", "auto-rollback resume", FACT_ALLOWED,
         "deployments are allowed again", NULL},
        {"Post-Incident", NULL, "auto-rollback incidents show {incident}\nauto-rollback incidents resolve {incident}",
         FACT_RESOLVED, "incident {incident} is resolved",
         "Document what failed; update rollback procedures; fix automation issues; schedule game day to test fix."},
        END,
};

static const RunbookStep incomplete[] = {
        {"Check rollback logs", "{run_words}. {failure}.", "tail -100 {log}", FACT_NONE, NULL,
         "Find the step that failed, and why."},
        {"Verify previous version exists", "{target_words}.", "ls -la {versions}/\nauto-rollback ready", FACT_READY,
         "the target is ready", NULL},
        {"Manually start previous version", "{live_link} Units: {units_words}.", "systemctl start {units}",
         FACT_SERVING, "the live release's units are active and its health check answers", NULL},
        {"Check service logs", NULL, "journalctl -u {units} -n 100", FACT_NONE, NULL, "Read why it didn't start."},
        END,
};

static const RunbookStep unhealthy[] = {
        {"Check component health individually", "{health_words}.",
         "curl -s {api}/api/v3/health/consensus\ncurl -s {api}/api/v3/health/network\ncurl -s {api}/api/v3/health/database",
         FACT_HEALTHY, "every component is healthy", NULL},
        {"Restart specific components", "{bad_components}.", "systemctl restart {component_units}", FACT_HEALTHY,
         "every component is healthy", NULL},
        {"Clear caches", NULL, "curl -X POST {api}/api/v3/cache/clear", FACT_NONE, NULL,
         "Its answer says what each configured command came to."},
        {"Re-run health checker", "{health_words}.", "health-checker once", FACT_HEALTHY, "every component is healthy",
         NULL},
        END,
};

static const RunbookStep schema[] = {
        {"Check current schema version", "{version}: {schema_words}.",
         "psql -U novacron -d novacron -c \"SELECT version FROM schema_version;\"", FACT_SCHEMA,
         "{version} works with the schema that is there", NULL},
        {"Rollback database schema", NULL, "psql -U novacron -d novacron < /backup/schema.{version}.sql", FACT_SCHEMA,
         "{version} works with the schema that is there",
         "A rollback does this itself, with a safety dump; by hand nothing keeps the rows, so dump them first: pg_dump."},
        {"Verify schema", "{version}: {schema_words}.",
         "psql -U novacron -d novacron -c \"SELECT version FROM schema_version;\"", FACT_SCHEMA,
         "{version} works with the schema that is there", NULL},
        {"Restart database-dependent services", "Units: {units_words}.", "systemctl restart {units}", FACT_SERVING,
         "the live release's units are active and its health check answers", NULL},
        END,
};

static const RunbookStep traffic[] = {
        {"Check traffic routing", "Traffic: {traffic_words}.", "curl -s {api}/api/v3/traffic/status", FACT_TRAFFIC,
         "traffic flows", NULL},
        {"Manually restore traffic", "Held by: {traffic_by}.", "auto-rollback restore", FACT_TRAFFIC, "traffic flows",
         NULL},
        {"Check load balancer configuration", "{balancer_words}.", "systemctl status {balancer}", FACT_BALANCER,
         "the balancer answers", "AWS ALB / Nginx / HAProxy specific."},
        {"Verify DNS resolution", NULL, "dig novacron.example.com", FACT_NONE, NULL,
         "Ask for your own name: its addresses are the balancers'."},
        {"Test direct connection", "{probe_words}.", "curl -v {health_url}", FACT_DIRECT, "it answers", NULL},
        END,
};

static const RunbookStep consensus[] = {
        {"Check cluster status", "{consensus_words}.", "curl -s {api}/api/v3/cluster/status", FACT_LEADER,
         "a leader is elected", NULL},
        {"Check node connectivity", "Not reachable: {unreachable}.",
         "for i in $(seq 0 6); do curl -s http://node-$i:8080/api/v3/health; done", FACT_NODES, "every member answers",
         NULL},
        {"Restart consensus layer", "{consensus_words}.", "systemctl restart novacron-consensus", FACT_QUORUM,
         "the quorum is healthy", NULL},
        {"Force leader election (if safe)", NULL, "curl -X POST {api}/api/v3/consensus/force-election", FACT_LEADER,
         "a leader is elected", "It is refused while it isn't safe, and says why."},
        {"Check for network partitions", "{health_words}.", "health-checker once", FACT_HEALTHY,
         "every component is healthy", NULL},
        END,
};

const Runbook runbooks[] = {
        {"1", "Automatic Rollback Occurred", "Runbook 1: Automatic Rollback Occurred",
         "Automatic rollback was triggered during deployment.", automatic},
        {"2", "Manual Rollback Required", "Runbook 2: Manual Rollback Required",
         "Post-deployment issue requires manual rollback.", manual},
        {"3", "Rollback Failed", "Runbook 3: Rollback Failed", "Rollback process failed or validation failed.", failed},
        {"issue-1", "Rollback Fails to Complete", "Issue 1: Rollback Fails to Complete",
         "Rollback script hangs; services don't start; health checks timeout.", incomplete},
        {"issue-2", "Health Checks Fail After Rollback", "Issue 2: Health Checks Fail After Rollback",
         "Services running but health checks fail; components marked as unhealthy; high error rates persist.",
         unhealthy},
        {"issue-3", "Database Schema Mismatch", "Issue 3: Database Schema Mismatch",
         "Database errors after rollback; schema version mismatch; failed database queries.", schema},
        {"issue-4", "Traffic Not Restoring", "Issue 4: Traffic Not Restoring",
         "No requests after rollback; load balancer not routing traffic; zero traffic metrics.", traffic},
        {"issue-5", "Consensus Not Forming", "Issue 5: Consensus Not Forming",
         "No leader elected; quorum lost; cluster split.", consensus},
        {0},
};
