#include "api/wire.h"

#include "base/clock.h"
#include "core/engine.h"
#include "core/names.h"
#include "core/plan.h"
#include "core/run-table.h"
#include "core/steps.h"

#include <string.h>

/* ---- single values ---- */

/* json_string() refuses text that isn't UTF-8, and a cut-off detail of an adapter may well end inside a character. */
json_t *wire_text(const char *text) {
        if (!text)
                return json_null();
        json_t *value = json_string(text);
        if (value)
                return value;
        char *plain = strdup(text);
        for (char *at = plain; at && *at; at++)
                if ((unsigned char)*at >= 0x80)
                        *at = '?';
        value = plain ? json_string(plain) : NULL;
        free(plain);
        return value;
}

json_t *wire_text_or_null(const char *text) {
        return text && text[0] != '\0' ? wire_text(text) : json_null();
}

json_t *wire_time(int64_t wall_us) {
        char text[CLOCK_TEXT_MAX];
        return wall_us == 0 ? json_null() : json_string(clock_format_rfc3339(wall_us, text, sizeof text));
}

json_t *wire_ms(int64_t us) {
        return us < 0 ? json_null() : json_real((double)us / 1000);
}

json_t *wire_percent(int64_t ppm) {
        return ppm < 0 ? json_null() : json_real((double)ppm / 10000);
}

static json_t *seconds(int64_t us) {
        return json_real((double)us / (double)USEC_PER_SEC);
}

static json_t *count_or_null(bool known, int64_t count) {
        return known ? json_integer(count) : json_null();
}

char *wire_print(const json_t *document) {
        const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9);
        size_t size = json_dumpb(document, NULL, 0, flags);
        char *text = size > 0 ? malloc(size + 2) : NULL;
        if (!text)
                return NULL;
        json_dumpb(document, text, size, flags);
        memcpy(text + size, "\n", 2);
        return text;
}

/* ---- runs ---- */

static json_t *elapsed(int64_t from_wall, int64_t to_wall) {
        return from_wall != 0 && to_wall >= from_wall ? wire_ms(to_wall - from_wall) : json_null();
}

static json_t *step_object(const Plan *plan, unsigned index, const StepRecord *record, bool recovery) {
        const PlanStep *step = &plan->steps[index];
        return json_pack("{s:i, s:s, s:s, s:I, s:b, s:s, s:i, s:o, s:o, s:o, s:o}", "step", (int)step->id, "key",
                         step_key(step->id), "title", step_title(step->id, plan->kind, recovery), "budget_ms",
                         (json_int_t)(step->budget_us / USEC_PER_MSEC), "critical", (int)step->critical, "state",
                         step_state_name(record->state), "attempt", (int)record->attempt, "started",
                         wire_time(record->started_wall), "ended", wire_time(record->ended_wall), "duration_ms",
                         elapsed(record->started_wall, record->ended_wall), "detail", wire_text(record->detail));
}

json_t *wire_step(const Run *run, unsigned index, bool recovery) {
        const StepRecord *records = recovery ? run->recovery : run->steps;
        return step_object(&run->plan, index, &records[run->plan.steps[index].id], recovery);
}

/* Of a recovery only what it came to. */
static json_t *run_steps(const Run *run, bool recovery) {
        json_t *steps = json_array();
        for (unsigned i = 0; i < run->plan.count; i++)
                if (!recovery || run->recovery[run->plan.steps[i].id].state != STEP_PENDING)
                        if (json_array_append_new(steps, wire_step(run, i, recovery)) < 0) {
                                json_decref(steps);
                                return NULL;
                        }
        return steps;
}

json_t *wire_run(const Run *run, const char *validation) {
        bool ended = phase_ended(run->phase);
        return json_pack(
                "{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:n, s:b, s:n, s:n, s:n, s:o, s:o}",
                "id", (json_int_t)run->id, "kind", run_kind_name(run->plan.kind), "mode", run_mode_name(run->plan.mode),
                "from", wire_text(run->plan.from), "to", wire_text(run->plan.to), "reason", wire_text(run->reason),
                "initiator", wire_text(run->initiator), "decision",
                count_or_null(run->decision_id != 0, run->decision_id), "phase", run_phase_name(run->phase), "outcome",
                run_outcome_name(run->outcome), "created", wire_time(run->created_wall), "ended",
                wire_time(run->ended_wall), "duration_ms", elapsed(run->created_wall, run->ended_wall), "failure",
                wire_text(run->failure), "serving", wire_text_or_null(ended ? run->serving : ""), "in_flight_cut",
                (json_int_t)run->in_flight_cut, "requests_failed",
                count_or_null(run->requests_failed >= 0, run->requests_failed), "validation", wire_text(validation),
                "validated", "allow_row_loss", (int)run->allow_row_loss, "warning", "remedy", "released", "steps",
                run_steps(run, false), "recovery", run_steps(run, true));
}

json_t *wire_plan(const Plan *plan) {
        static const StepRecord pending;
        json_t *steps = json_array();
        for (unsigned i = 0; i < plan->count; i++)
                if (json_array_append_new(steps, step_object(plan, i, &pending, false)) < 0) {
                        json_decref(steps);
                        return NULL;
                }
        return json_pack("{s:s, s:s, s:o, s:o, s:n, s:n, s:I, s:n, s:n, s:o, s:n, s:n}", "kind",
                         run_kind_name(plan->kind), "mode", run_mode_name(plan->mode), "from", wire_text(plan->from),
                         "to", wire_text(plan->to), "target_state", "target_warning", "ceiling_ms",
                         (json_int_t)(plan_ceiling(plan) / USEC_PER_MSEC), "gate", "none_left", "steps", steps,
                         "database", "refused");
}

/* ---- measuring and deciding ---- */

json_t *wire_sample(const Sample *sample, const Rules *rules, int64_t now_mono) {
        SampleJudgement judgement;
        engine_judge_sample(rules, sample, &judgement);
        bool measured = sample->measured;
        int64_t length = sample->end_mono - sample->start_mono;
        return json_pack("{s:o, s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "start",
                         wire_time(sample->end_wall - length), "end", wire_time(sample->end_wall), "measured",
                         (int)measured, "state", sample_state_name(judgement.state), "requests",
                         count_or_null(measured, sample->requests), "errors", count_or_null(measured, sample->errors),
                         "error_rate_percent", wire_percent(judgement.error_rate_ppm), "success_rate_percent",
                         wire_percent(judgement.success_rate_ppm), "latency_p50_ms",
                         wire_ms(measured ? sample->latency_p50_us : -1), "latency_p99_ms",
                         wire_ms(judgement.latency_p99_us), "dropped", (json_int_t)sample->dropped, "note",
                         wire_text(sample->note), "age_s",
                         now_mono > 0 ? seconds(now_mono - sample->end_mono) : json_null());
}

json_t *wire_thresholds(const Rules *rules) {
        return json_pack("{s:o, s:o, s:o, s:o}", "error_rate_percent", wire_percent(rules->error_rate_ppm),
                         "latency_p99_ms", wire_ms(rules->latency_p99_us), "success_rate_percent",
                         wire_percent(rules->success_rate_ppm), "degradation_window_s", seconds(rules->window_us));
}

json_t *wire_rules(const Rules *rules) {
        json_t *object = wire_thresholds(rules);
        json_t *more = json_pack("{s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:I}", "interval_s", seconds(rules->interval_us),
                                 "degraded_share_percent", wire_percent(rules->degraded_share_ppm), "min_requests",
                                 (json_int_t)rules->min_requests, "outage_window_s", seconds(rules->outage_window_us),
                                 "restart_limit", (json_int_t)rules->restart_limit, "armed_for_s",
                                 seconds(rules->armed_for_us), "bake_for_s", seconds(rules->bake_for_us),
                                 "rollbacks_per_day", (json_int_t)rules->rollbacks_per_day);
        bool whole = object && more && json_object_update(object, more) == 0;
        json_decref(more);
        if (whole)
                return object;
        json_decref(object);
        return NULL;
}

static json_t *trigger_keys(unsigned triggers) {
        json_t *keys = json_array();
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1)
                if (triggers & bit)
                        json_array_append_new(keys, json_string(trigger_key((Trigger)bit)));
        return keys;
}

static json_t *decision_samples(const Decision *decision) {
        json_t *samples = json_array();
        for (unsigned i = 0; i < decision->sample_count; i++)
                if (json_array_append_new(samples, wire_sample(&decision->samples[i], &decision->rules, 0)) < 0) {
                        json_decref(samples);
                        return NULL;
                }
        return samples;
}

json_t *wire_decision(const Decision *decision) {
        return json_pack("{s:I, s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o}", "id",
                         (json_int_t)decision->id, "at", wire_time(decision->at_wall), "kind",
                         decision_kind_name(decision->kind), "triggers", trigger_keys(decision->triggers), "guard",
                         guard_key(decision->guard), "guard_text", guard_text(decision->guard), "version",
                         wire_text_or_null(decision->version), "target", wire_text_or_null(decision->target), "reason",
                         wire_text(decision->reason), "expected", (int)decision->expected, "needed",
                         (int)decision->needed, "degraded", (int)decision->degraded, "unknown", (int)decision->unknown,
                         "samples", decision_samples(decision), "rules", wire_rules(&decision->rules));
}

/* ---- the rest ---- */

static json_t *validation_check(const ValidationCheck *check) {
        json_t *lists = json_array();
        if (check->lists & LIST_CRITERIA)
                json_array_append_new(lists, json_string("criteria"));
        if (check->lists & LIST_CHECKLIST)
                json_array_append_new(lists, json_string("checklist"));
        return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "key", check->key, "title", check->title, "lists", lists,
                         "verdict", check_verdict_name(check->verdict), "measured", wire_text(check->measured), "limit",
                         wire_text(check->limit));
}

json_t *wire_validation(const Validation *validation, const char *note) {
        json_t *checks = json_array();
        for (unsigned i = 0; i < VALIDATE_COUNT; i++)
                if (json_array_append_new(checks, validation_check(&validation->checks[i])) < 0) {
                        json_decref(checks);
                        return NULL;
                }
        return json_pack("{s:s, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "verdict",
                         check_verdict_name(validation->verdict), "checks", checks, "passed", (int)validation->passed,
                         "failed", (int)validation->failed, "not_verified", (int)validation->not_verified,
                         "not_applicable", (int)validation->not_applicable, "error_rate_percent",
                         wire_percent(validation->error_rate_ppm), "latency_p99_ms",
                         wire_ms(validation->latency_p99_us), "success_rate_percent",
                         wire_percent(validation->success_rate_ppm), "note", wire_text(note ? note : ""));
}

json_t *wire_deployment(const Deployment *deployment) {
        return json_pack("{s:I, s:o, s:o, s:o, s:b, s:o}", "id", (json_int_t)deployment->id, "version",
                         wire_text(deployment->version), "previous", wire_text_or_null(deployment->previous), "at",
                         wire_time(deployment->at_wall), "observed", (int)(deployment->run_id == 0), "run",
                         count_or_null(deployment->run_id != 0, deployment->run_id));
}
