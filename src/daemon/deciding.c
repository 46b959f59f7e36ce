/* From what the watcher sees to a decision and, if no guard forbids, a rollback. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/replay.h"
#include "daemon/consistency.h"
#include "daemon/controller.h"
#include "daemon/holds.h"
#include "daemon/incidents.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RECOVER_AGAIN_US (5 * USEC_PER_SEC) /* when what was left open could not be told */
#define DECIDE_AGAIN_US (5 * USEC_PER_SEC)  /* when a rollback that was decided could not be begun */

/* What would be started again isn't what has lived through the bake. */
static bool changed_while_live(Controller *controller) {
        char id[32];
        Error error = {0};
        return journal_get_value(controller->journal, ADOPTION_CHANGED_KEY, id, sizeof id, &error) == 1 &&
               strtoll(id, NULL, 10) == controller->deployment.id;
}

/* Baking ends well when nothing has triggered for long enough and the service is sound now: no sample of the window is degraded. */
static void look_at_bake(Controller *controller, const Verdict *verdict) {
        Release release;
        Error error = {0};
        if (controller->baked || !controller->deployment_known || !controller->journal ||
            controller->version[0] == '\0' || verdict->degraded > 0)
                return;
        if (strcmp(controller->deployment.version, controller->version) != 0)
                return;
        const UnitsState *units = watcher_units(controller->watcher);
        const ProbeView *probe = prober_view(controller->prober);
        if (!policy_bake(&controller->config->rules, &controller->deployment, deployment_age(controller),
                         controller->triggered_since_deployment, units && units->active,
                         probe->known && probe->consecutive_failures == 0))
                return;
        if (journal_release(controller->journal, controller->version, &release, &error) == 1 &&
            release.state != RELEASE_BAKING && release.state != RELEASE_UNPROVEN) {
                controller->baked = true;
                return;
        }
        if (changed_while_live(controller)) {
                controller->baked = true;
                return;
        }
        if (journal_set_release(controller->journal, controller->version, RELEASE_GOOD, clock_wall_us(), &error) < 0) {
                log_error("the state of %s could not be journalled: %s", controller->version, error_text(&error));
                return;
        }
        controller->baked = true;
        log_info("%s is good: it has lived through its bake", controller->version);
        controller_tell(controller, "status", status_answer(controller));
}

static bool drained_by_operator(Controller *controller) {
        Hold hold;
        Error error = {0};
        const TrafficState *traffic = watcher_traffic(controller->watcher);
        bool recorded = hold_read(controller->journal, HOLD_TRAFFIC, &hold, &error) >= 0 && hold.held;
        if (recorded && hold_stays(&hold))
                return true; /* though it may flow for the moment: operator-drain.c takes it again */
        return traffic && traffic->drained && (!recorded || hold.run_id == 0);
}

/* The operator has put it back, or a run could not say that it did. */
static void release_what_flows(Controller *controller) {
        Hold hold;
        Error error = {0};
        const TrafficState *traffic = watcher_traffic(controller->watcher);
        if (traffic && !traffic->drained && hold_read(controller->journal, HOLD_TRAFFIC, &hold, &error) >= 0 &&
            hold.held && !hold_stays(&hold))
                (void)hold_release(controller->journal, HOLD_TRAFFIC, &error);
}

/* A hold that an operator has given back at the balancer is released when traffic is first seen to flow again. */
static void look_at_traffic(Controller *controller) {
        const TrafficState *traffic = watcher_traffic(controller->watcher);
        bool flowing = traffic && !traffic->drained;
        if (flowing && !controller->flowing)
                release_what_flows(controller);
        controller->flowing = flowing;
}

static int64_t rollbacks_today(Controller *controller) {
        int64_t count = 0;
        Error error = {0};
        if (controller->journal)
                (void)journal_count_automatic(controller->journal, clock_wall_us() - DAY_US, &count, &error);
        return count;
}

/* All that it rests on, so that it can be made again: core/replay.h. NULL: out of memory. */
static Evidence *gather_evidence(Controller *controller, const PolicyInput *input) {
        Evidence *evidence = calloc(1, sizeof *evidence);
        const ConsensusLook *consensus = controller->checkup ? checkup_consensus_look(controller->checkup) : NULL;
        if (!evidence)
                return NULL;
        evidence_of_input(input, evidence);
        evidence->units = *watcher_units_look(controller->watcher);
        evidence->outage = *watcher_outage_look(controller->watcher);
        if (consensus)
                evidence->consensus = *consensus;
        return evidence;
}

/* The newest link goes to the log, too: kept elsewhere, it shows when the journal's end was cut off or made anew. */
static void log_decision(Controller *controller) {
        const Decision *decision = controller->decision;
        JournalLink link;
        Error error = {0};
        if (decision->kind == DECISION_ROLLBACK)
                log_info("decision: roll back to %s: %s", decision->target, decision->reason);
        if (decision->id != 0 && journal_newest_link(controller->journal, &link, &error) == 1)
                log_info("decision %" PRId64 " is in the journal: link %s", decision->id, link.text);
}

static void record(Controller *controller, const PolicyInput *input) {
        Decision *decision = controller->decision;
        AUTO_FREE Evidence *evidence = gather_evidence(controller, input);
        Error error = {0};
        if (controller->journal && journal_add_decision(controller->journal, decision, evidence, &error) < 0)
                log_error("the decision could not be journalled: %s", error_text(&error));
        controller->decided_id = decision->id;
        log_decision(controller);
        controller_tell(controller, "decision", wire_decision(decision));
}

/* It would have been rolled back, were it not for the guard: a person has to look. */
static void ask_for_review(Controller *controller) {
        const Decision *decision = controller->decision;
        char message[REASON_MAX];
        snprintf(message, sizeof message, "manual review of %s: %.280s; not rolled back automatically: %.110s",
                 decision->version, decision->reason, guard_text(decision->guard));
        Severity severity = incidents_review(controller, decision); /* a rollback that has not helped pages */
        alert_set_as(controller, "decision", severity, message);
}

/* Its preflight would refuse it, and a deployment has one automatic rollback: it is kept for when the balancer answers again. */
static bool balancer_silent(Controller *controller) {
        const char *problem = watcher_traffic_problem(controller->watcher);
        char message[REASON_MAX];
        if (!controller->config->traffic_driver || watcher_traffic(controller->watcher) || problem[0] == '\0')
                return false;
        snprintf(
                message, sizeof message,
                "the rollback to %s can't begin: the balancer doesn't answer (%.200s); it is tried again. Not to wait for "
                "it: auto-rollback emergency",
                controller->decision->target, problem);
        alert_set(controller, "decision", message);
        return true;
}

/* Its target could not be proven. The day's budget bounds how often that is tried. */
static bool refused_until_ready(const Controller *controller) {
        return controller->refused_mono != 0 &&
               (controller->readiness.proven_mono <= controller->refused_mono ||
                clock_mono_us() - controller->refused_mono < controller->config->readiness_interval_us);
}

static void roll_back(Controller *controller) {
        const Decision *decision = controller->decision;
        const RunWish wish = {
                .kind = RUN_ROLLBACK,
                .mode = MODE_AUTOMATIC,
                .to = decision->target,
                .expect_from = decision->version,
                .reason = decision->reason,
                .initiator = "controller",
                .decision_id = decision->id,
        };
        Problem problem = {0};
        if (refused_until_ready(controller) || balancer_silent(controller))
                return;
        if (controller_begin(controller, &wish, &problem) < 0) {
                alert_set(controller, "decision", problem.detail);
                json_decref(problem.extra);
                return;
        }
        alert_set(controller, "decision", NULL);
}

/* The same verdict second after second is one decision. */
static unsigned fingerprint(const Decision *decision) {
        return (unsigned)decision->kind | (decision->triggers << 4) | ((unsigned)decision->guard << 16);
}

/* What triggers at once, in words; "" for what isn't so. */
typedef struct Immediate {
        char unit_failure[REASON_MAX], outage[REASON_MAX];
        const char *quorum_lost, *byzantine;
} Immediate;

/* What the policy goes by, but for what triggers. */
static PolicyInput what_is(Controller *controller, const Release *releases, unsigned count) {
        return (PolicyInput){
                .rules = &controller->config->rules,
                .now_wall = clock_wall_us(),
                .version = controller->version,
                .deployment = controller->deployment_known ? &controller->deployment : NULL,
                .deployment_age_us = deployment_age(controller),
                .deployment_is_rollback = controller->deployment_is_rollback,
                .releases = releases,
                .release_count = count,
                .rollbacks_today = rollbacks_today(controller),
                .drained_by_operator = drained_by_operator(controller),
                .run_unsound = controller->recovery_failed < 0,
                .shadow = config_shadow(controller->config),
        };
}

Guard deciding_guard(Controller *controller) {
        AUTO_FREE Release *releases = calloc(RELEASES_MAX, sizeof *releases);
        unsigned count = 0;
        Error error = {0};
        if (releases)
                (void)catalog_read(controller, releases, &count, &error); /* none: there is no target */
        const PolicyInput input = what_is(controller, releases, count);
        return policy_automatic(&input);
}

static void think(Controller *controller, const Verdict *verdict, const Immediate *immediate) {
        AUTO_FREE Release *releases = calloc(RELEASES_MAX, sizeof *releases);
        unsigned count = 0;
        Error error = {0};
        int listed = releases ? catalog_read(controller, releases, &count, &error)
                              : error_set(&error, -ENOMEM, "out of memory");
        alert_set(controller, "releases", listed < 0 ? error_text(&error) : NULL);
        release_what_flows(controller);
        PolicyInput input = what_is(controller, releases, count);
        input.verdict = verdict;
        input.unit_failure = immediate->unit_failure;
        input.outage = immediate->outage;
        input.quorum_lost = immediate->quorum_lost;
        input.byzantine = immediate->byzantine;
        policy_decide(&input, controller->decision);
        if (controller->decision->kind == DECISION_NONE)
                return;
        controller->triggered_since_deployment = true;
        unsigned now_decided = fingerprint(controller->decision);
        int64_t now = clock_mono_us();
        bool again = now_decided == controller->decided;
        if (again &&
            (controller->decision->kind == DECISION_REVIEW || now - controller->decided_mono < DECIDE_AGAIN_US))
                return;
        controller->decided = now_decided;
        controller->decided_mono = now;
        if (again) /* it could not be begun the last time: still that decision */
                controller->decision->id = controller->decided_id;
        else
                record(controller, &input);
        if (controller->decision->kind == DECISION_ROLLBACK)
                roll_back(controller);
        else
                ask_for_review(controller);
}

/* What comes and goes about its limit is one case, not a new decision and alert each time: it is over after a quiet window. */
static void forget_decision(Controller *controller) {
        if (controller->symptoms_mono != 0 &&
            clock_mono_us() - controller->symptoms_mono < controller->config->rules.window_us)
                return;
        controller->decided = 0;
        controller->symptoms_mono = 0;
        alert_set(controller, "decision", NULL);
        alert_set(controller, "releases", NULL);
}

/* Another process's run is no symptom. When it has let go of the lock, what it left open is finished before anything is judged. */
static bool others_are_done(Controller *controller) {
        LockHolder holder;
        Error error = {0};
        if (runner_elsewhere(controller->runner, NULL)) {
                controller->recovered = false;
                watcher_suspend(controller->watcher);
                checkup_suspend(controller->checkup);
                consistency_stop(controller, "a run has begun: ask for it again when that is over");
                return false;
        }
        bool again = controller->recovery_failed < 0 &&
                     clock_mono_us() - controller->recovery_tried_mono >= RECOVER_AGAIN_US;
        if (!again && !controller_recovery_due(controller))
                return true;
        int r = controller_recover(controller, &holder, &error);
        if (r != -EBUSY)
                alert_set(controller, "recovery", r < 0 ? error_text(&error) : NULL);
        return r != -EBUSY && !runner_run(controller->runner);
}

static bool look_for_immediate(Controller *controller, Immediate *immediate) {
        const ConsensusView *view = controller->checkup ? checkup_consensus_view(controller->checkup) : NULL;
        bool failed =
                watcher_service_failed(controller->watcher, immediate->unit_failure, sizeof immediate->unit_failure);
        bool dark = watcher_outage(controller->watcher, immediate->outage, sizeof immediate->outage);
        immediate->quorum_lost = view && view->quorum == KNOWN_FALSE ? view->words : "";
        immediate->byzantine = view && view->byzantine > 0 ? view->words : "";
        return failed || dark || immediate->quorum_lost[0] || immediate->byzantine[0];
}

void deciding_look(Controller *controller) {
        Immediate immediate;
        Verdict verdict;
        if (controller->role != ROLE_DAEMON || runner_run(controller->runner) || !others_are_done(controller))
                return;
        current_look(controller);
        validating_look(controller);
        bool at_once = look_for_immediate(controller, &immediate);
        watcher_verdict(controller->watcher, &verdict);
        if (at_once || verdict.triggered) {
                controller->symptoms_mono = clock_mono_us();
                think(controller, &verdict, &immediate);
                return;
        }
        look_at_traffic(controller);
        forget_decision(controller);
        look_at_bake(controller, &verdict);
}
