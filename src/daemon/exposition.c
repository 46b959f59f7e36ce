/* The controller's own metrics as OpenMetrics text. Counters are the journal's sums, so they outlive a restart; of what isn't known
 * there is no series. */
#include "daemon/operations.h"

#include "base/clock.h"
#include "core/names.h"
#include "core/steps.h"
#include "daemon/holds.h"
#include "daemon/readiness.h"
#include "daemon/telling.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* The sums, until there is something new in the journal. */
struct Exposition {
        bool known;
        JournalNewest newest;
        JournalTotals totals;
};

void exposition_free(Controller *controller) {
        free(controller->exposition);
        controller->exposition = NULL;
}

/* NULL: the journal can't tell. */
static const JournalTotals *totals_of(Controller *controller) {
        JournalNewest newest = {0};
        Error error = {0};
        if (!controller->exposition)
                controller->exposition = calloc(1, sizeof *controller->exposition);
        struct Exposition *kept = controller->exposition;
        if (!kept || !controller->journal || journal_newest(controller->journal, &newest, &error) < 0)
                return NULL;
        if (kept->known && memcmp(&kept->newest, &newest, sizeof newest) == 0)
                return &kept->totals;
        kept->known = journal_totals(controller->journal, &kept->totals, &error) >= 0;
        kept->newest = newest;
        return kept->known ? &kept->totals : NULL;
}

/* ---- the text ---- */

static void family(FILE *out, const char *name, const char *type, const char *unit, const char *help) {
        fprintf(out, "# TYPE %s %s\n", name, type);
        if (unit)
                fprintf(out, "# UNIT %s %s\n", name, unit);
        fprintf(out, "# HELP %s %s\n", name, help);
}

static void gauge(FILE *out, const char *name, const char *help, int64_t value) {
        family(out, name, "gauge", NULL, help);
        fprintf(out, "%s %" PRId64 "\n", name, value);
}

/* Microseconds as seconds, or ppm as a ratio: exactly, and with a point whatever the locale. */
static void print_millionths(FILE *out, int64_t value) {
        fprintf(out, "%" PRId64 ".%06" PRId64 "\n", value / 1000000, value % 1000000);
}

static void gauge_millionths(FILE *out, const char *name, const char *unit, const char *help, int64_t value) {
        if (value < 0)
                return;
        family(out, name, "gauge", unit, help);
        fprintf(out, "%s ", name);
        print_millionths(out, value);
}

static void gauge_tristate(FILE *out, const char *name, const char *help, Tristate value) {
        if (value != KNOWN_NOT)
                gauge(out, name, help, value == KNOWN_TRUE);
}

/* ---- what has been ---- */

static void lasted(FILE *out, const char *name, const char *label, const char *value, const JournalLasted *sum) {
        fprintf(out, "%s_count{%s=\"%s\"} %" PRId64 "\n", name, label, value, sum->count);
        fprintf(out, "%s_sum{%s=\"%s\"} ", name, label, value);
        print_millionths(out, sum->sum_us);
}

/* All series are there from the beginning: the first event, too, is an increase. A deployment is always an operator's. */
static void runs(FILE *out, const JournalTotals *totals) {
        family(out, "rollback_runs", "counter", NULL, "Runs that have ended.");
        for (unsigned kind = 0; kind < ARRAY_SIZE(totals->runs); kind++)
                for (unsigned mode = 0; mode < ARRAY_SIZE(totals->runs[0]); mode++)
                        for (unsigned outcome = OUTCOME_OPEN + 1; outcome < ARRAY_SIZE(totals->runs[0][0]); outcome++)
                                if (kind == RUN_ROLLBACK || mode == MODE_MANUAL)
                                        fprintf(out,
                                                "rollback_runs_total{kind=\"%s\",mode=\"%s\",outcome=\"%s\"} %" PRId64
                                                "\n",
                                                run_kind_name((RunKind)kind), run_mode_name((RunMode)mode),
                                                run_outcome_name((RunOutcome)outcome),
                                                totals->runs[kind][mode][outcome]);
        family(out, "rollback_run_duration_seconds", "summary", "seconds", "From its beginning to its end.");
        for (unsigned kind = 0; kind < ARRAY_SIZE(totals->run_lasted); kind++)
                lasted(out, "rollback_run_duration_seconds", "kind", run_kind_name((RunKind)kind),
                       &totals->run_lasted[kind]);
        family(out, "rollback_step_duration_seconds", "summary", "seconds", "The steps of runs that have ended.");
        for (unsigned step = 0; step < STEP_COUNT; step++)
                lasted(out, "rollback_step_duration_seconds", "step", step_key((StepId)step),
                       &totals->step_lasted[step]);
}

static void decisions(FILE *out, const JournalTotals *totals) {
        family(out, "rollback_decisions", "counter", NULL,
               "Decisions on symptoms; a review would have been a rollback, had no guard forbidden it.");
        for (unsigned kind = DECISION_NONE + 1; kind < ARRAY_SIZE(totals->decisions); kind++)
                for (unsigned guard = 0; guard < ARRAY_SIZE(totals->decisions[0]); guard++)
                        if ((kind == DECISION_ROLLBACK) == (guard == GUARD_NONE))
                                fprintf(out, "rollback_decisions_total{kind=\"%s\",guard=\"%s\"} %" PRId64 "\n",
                                        decision_kind_name((DecisionKind)kind), guard_key((Guard)guard),
                                        totals->decisions[kind][guard]);
}

/* ---- what is ---- */

static bool held(Controller *controller, HoldKind kind) {
        Hold hold;
        Error error = {0};
        return hold_read(controller->journal, kind, &hold, &error) >= 0 && hold.held;
}

static void readiness(FILE *out, Controller *controller) {
        bool armed = controller->deployment_known && deployment_armed(controller, NULL);
        gauge_tristate(out, "rollback_target_ready",
                       "Whether the target could be started right now; 0, too, when there is none.",
                       readiness_target(controller));
        gauge(out, "rollback_armed", "Whether automatic rollback is armed.", armed);
        gauge(out, "rollback_shadow_mode", "Whether what would be rolled back is only recorded.",
              config_shadow(controller->config));
        gauge(out, "rollback_run_active", "Whether a run is under way.", runner_run(controller->runner) != NULL);
        gauge(out, "rollback_alerts", "Alerts that are raised.", controller->alert_count);
        gauge(out, "rollback_journal_writable", "Whether what is written to the journal is kept.",
              controller->journal && controller->role != ROLE_READER && journal_is_in_place(controller->journal));
        if (controller->journal)
                gauge(out, "rollback_deployments_paused", "Whether deployments are paused.",
                      held(controller, HOLD_DEPLOYMENTS));
        const TrafficState *traffic = controller->watcher ? watcher_traffic(controller->watcher) : NULL;
        gauge_tristate(out, "rollback_traffic_drained", "Whether no new request reaches the service.",
                       !traffic           ? KNOWN_NOT
                       : traffic->drained ? KNOWN_TRUE
                                          : KNOWN_FALSE);
}

static void window(FILE *out, const Controller *controller) {
        Verdict verdict;
        watcher_verdict(controller->watcher, &verdict);
        family(out, "rollback_window_samples", "gauge", NULL,
               "Samples of the window that a decision rests on; a missing one is unknown.");
        fprintf(out,
                "rollback_window_samples{state=\"healthy\"} %u\nrollback_window_samples{state=\"degraded\"} %u\n"
                "rollback_window_samples{state=\"unknown\"} %u\n",
                verdict.healthy, verdict.degraded, verdict.unknown);
}

static void sample(FILE *out, const Controller *controller) {
        const Sample *newest = engine_newest(watcher_engine(controller->watcher));
        SampleJudgement judgement;
        if (!newest || !newest->measured)
                return;
        engine_judge_sample(&controller->config->rules, newest, &judgement);
        gauge(out, "rollback_sample_requests", "Requests in the newest sample.", newest->requests);
        gauge_millionths(out, "rollback_sample_error_ratio", "ratio", "Errors among them.", judgement.error_rate_ppm);
        gauge_millionths(out, "rollback_sample_success_ratio", "ratio", "Successes among them.",
                         judgement.success_rate_ppm);
        gauge_millionths(out, "rollback_sample_p50_seconds", "seconds", "Their median latency.",
                         newest->latency_p50_us);
        gauge_millionths(out, "rollback_sample_p99_seconds", "seconds", "Their 99th percentile of latency.",
                         judgement.latency_p99_us);
        gauge_millionths(out, "rollback_sample_age_seconds", "seconds", "How old it is.",
                         clock_mono_us() - newest->end_mono);
}

static void health(FILE *out, const Controller *controller) {
        static const char *const values[] = {
                [HEALTH_HEALTHY] = "1", [HEALTH_DEGRADED] = "0.5", [HEALTH_UNHEALTHY] = "0"};
        const Health *all = checkup_health(controller->checkup);
        if (all->score >= 0)
                gauge(out, "rollback_health_score", "Of all components: 0 to 100.", all->score);
        family(out, "rollback_component_health", "gauge", NULL, "1: healthy, 0.5: degraded, 0: unhealthy.");
        for (unsigned i = 0; i < all->count; i++)
                if (all->components[i].state != HEALTH_UNKNOWN)
                        fprintf(out, "rollback_component_health{component=\"%s\"} %s\n", all->components[i].name,
                                values[all->components[i].state]);
}

/* The newest link as a label: whoever scrapes keeps it elsewhere, where it shows if the journal's end is cut off. */
static void chain(FILE *out, Controller *controller) {
        JournalLink link;
        Error error = {0};
        if (!controller->journal || journal_newest_link(controller->journal, &link, &error) != 1)
                return;
        family(out, "rollback_chain_records", "gauge", NULL, "Records in the journal's chain.");
        fprintf(out, "rollback_chain_records{newest=\"%s\"} %" PRId64 "\n", link.text, link.count - 1);
}

static void receiver_rows(FILE *out, Outbox *outbox, const char *name, const char *label, size_t offset) {
        ReceiverView view;
        for (unsigned i = 0; i < outbox_count(outbox); i++) {
                outbox_view(outbox, i, &view);
                int64_t value = *(const int64_t *)((const char *)&view + offset);
                if (value >= 0)
                        fprintf(out, "%s{receiver=\"%s\"%s} %" PRId64 "\n", name, view.config->name, label, value);
        }
}

static void receivers(FILE *out, Controller *controller) {
        Outbox *outbox = telling_outbox(controller);
        if (outbox_count(outbox) == 0)
                return;
        family(out, "rollback_outbox_waiting", "gauge", NULL, "Messages that a receiver has not got yet.");
        receiver_rows(out, outbox, "rollback_outbox_waiting", "", offsetof(ReceiverView, waiting));
        family(out, "rollback_messages", "counter", NULL,
               "Messages delivered and dropped, and tries that failed, since the controller began.");
        receiver_rows(out, outbox, "rollback_messages_total", ",outcome=\"delivered\"",
                      offsetof(ReceiverView, delivered));
        receiver_rows(out, outbox, "rollback_messages_total", ",outcome=\"dropped\"", offsetof(ReceiverView, dropped));
        receiver_rows(out, outbox, "rollback_messages_total", ",outcome=\"failed\"", offsetof(ReceiverView, failed));
}

static json_t *exposition(Controller *controller) {
        AUTO_FREE char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        family(out, "rollback_controller", "info", NULL, "The controller.");
        fprintf(out, "rollback_controller_info{version=\"" PROJECT_VERSION "\"} 1\n");
        const JournalTotals *totals = totals_of(controller);
        if (totals) {
                runs(out, totals);
                decisions(out, totals);
        }
        chain(out, controller);
        readiness(out, controller);
        receivers(out, controller);
        if (controller->watcher) {
                window(out, controller);
                sample(out, controller);
        }
        if (controller->checkup)
                health(out, controller);
        fputs("# EOF\n", out);
        bool whole = !ferror(out);
        return fclose(out) == 0 && whole ? json_string(text) : NULL;
}

int op_exposition(void *self, const json_t *arguments, const Caller *caller, json_t **ret_answer, Problem *problem) {
        (void)arguments;
        (void)caller;
        return answer(exposition(self), ret_answer, problem);
}
