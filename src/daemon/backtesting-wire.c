/* A backtest's report as JSON: what --json prints, and what people read is made of. */
#include "api/wire.h"
#include "core/names.h"
#include "daemon/backtesting.h"

static json_t *seconds(int64_t us) {
        return json_real((double)us / (double)USEC_PER_SEC);
}

static json_t *trigger_list(unsigned triggers) {
        json_t *list = json_array();
        for (unsigned bit = 1; bit <= TRIGGER_BYZANTINE; bit <<= 1)
                if (triggers & bit)
                        json_array_append_new(list, json_string(trigger_key((Trigger)bit)));
        return list;
}

static json_t *real_wire(const BacktestReal *real) {
        return json_pack("{s:I, s:o, s:s, s:s, s:s, s:o}", "id", (json_int_t)real->id, "at", wire_time(real->at_wall),
                         "kind", decision_kind_name(real->kind), "guard", guard_key(real->guard), "guard_text",
                         guard_text(real->guard), "triggers", trigger_list(real->triggers));
}

static json_t *label_wire(const BacktestLabel *label) {
        return json_pack("{s:o, s:o, s:o}", "from", wire_time(label->from_wall), "to", wire_time(label->to_wall),
                         "kind", wire_text(label->kind));
}

static json_t *found_wire(const BacktestWish *wish, const BacktestReport *report, const BacktestFound *found,
                          const BacktestScore *score) {
        json_t *value = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "kind",
                                  decision_kind_name(found->kind), "guard", guard_key(found->guard), "guard_text",
                                  guard_text(found->guard), "at", wire_time(found->at_wall), "onset",
                                  wire_time(found->onset_wall), "until", wire_time(found->until_wall), "after_s",
                                  seconds(score->after_us), "triggers", trigger_list(found->triggers), "expected",
                                  (int)found->expected, "needed", (int)found->needed, "degraded", (int)found->degraded,
                                  "unknown", (int)found->unknown, "version", wire_text_or_null(found->version),
                                  "target", wire_text_or_null(found->target), "reason", wire_text(found->reason));
        json_object_set_new(value, "label",
                            score->label == BACKTEST_NONE ? json_null() : label_wire(&wish->labels[score->label]));
        json_object_set_new(value, "really",
                            score->real == BACKTEST_NONE ? json_null() : real_wire(&report->reals[score->real]));
        return value;
}

/* Marks per label and per real decision: something was found for it. */
typedef struct Tally {
        bool *labels, *reals;
        int64_t rollbacks, reviews, true_positives, false_positives;
} Tally;

static json_t *findings(const BacktestWish *wish, const BacktestReport *report, Tally *tally) {
        json_t *list = json_array();
        for (unsigned i = 0; i < report->found_count; i++) {
                const BacktestFound *found = &report->found[i];
                BacktestScore score = backtest_score(&wish->rules, found, wish->labels, wish->label_count,
                                                     report->reals, report->real_count);
                json_array_append_new(list, found_wire(wish, report, found, &score));
                if (score.real != BACKTEST_NONE)
                        tally->reals[score.real] = true;
                if (found->kind != DECISION_ROLLBACK) {
                        tally->reviews++;
                        continue;
                }
                tally->rollbacks++;
                tally->true_positives += score.label != BACKTEST_NONE;
                tally->false_positives += score.label == BACKTEST_NONE;
                if (score.label != BACKTEST_NONE)
                        tally->labels[score.label] = true;
        }
        return list;
}

/* Only what lies in the time that there are samples of. */
static json_t *labels_part(const BacktestWish *wish, const BacktestReport *report, const Tally *tally) {
        json_t *missed = json_array();
        int64_t within = 0, found = 0;
        for (unsigned i = 0; i < wish->label_count; i++) {
                const BacktestLabel *label = &wish->labels[i];
                if (label->to_wall < report->counts.first_wall || label->from_wall > report->counts.last_wall)
                        continue;
                within++;
                found += tally->labels[i];
                if (!tally->labels[i])
                        json_array_append_new(missed, label_wire(label));
        }
        return json_pack("{s:I, s:I, s:I, s:I, s:o}", "incidents", (json_int_t)within, "found", (json_int_t)found,
                         "true_positives", (json_int_t)tally->true_positives, "false_positives",
                         (json_int_t)tally->false_positives, "missed", missed);
}

/* Rollbacks that were really made and would not have been. */
static json_t *real_part(const BacktestReport *report, const Tally *tally) {
        json_t *missing = json_array(), *elsewhere = json_array();
        int64_t rollbacks = 0;
        for (unsigned i = 0; i < report->real_count; i++) {
                const BacktestReal *real = &report->reals[i];
                if (real->kind != DECISION_ROLLBACK)
                        continue;
                rollbacks++;
                if (!tally->reals[i])
                        json_array_append_new(backtest_real_by_samples(real) ? missing : elsewhere, real_wire(real));
        }
        return json_pack("{s:I, s:o, s:o}", "rollbacks", (json_int_t)rollbacks, "not_found", missing, "not_by_samples",
                         elsewhere);
}

json_t *backtesting_wire(const BacktestWish *wish, const BacktestReport *report) {
        AUTO_FREE bool *labels = calloc(wish->label_count + 1, sizeof *labels);
        AUTO_FREE bool *reals = calloc(report->real_count + 1, sizeof *reals);
        Tally tally = {.labels = labels, .reals = reals};
        const BacktestCounts *counts = &report->counts;
        if (!labels || !reals)
                return NULL;
        json_t *list = findings(wish, report, &tally);
        return json_pack("{s:s, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:b, s:o, s:I, s:I, s:I, s:o, s:o}",
                         "source", report->source, "where", wire_text(report->where), "from",
                         wire_time(counts->first_wall), "to", wire_time(counts->last_wall), "samples", "judged",
                         (json_int_t)counts->samples, "healthy", (json_int_t)counts->healthy, "degraded",
                         (json_int_t)counts->degraded, "unknown", (json_int_t)counts->unknown, "left_out",
                         (json_int_t)counts->left_out, "rules", wire_rules(&wish->rules), "deployments_known",
                         (int)report->deployments_known, "found", list, "rollbacks", (json_int_t)tally.rollbacks,
                         "reviews", (json_int_t)tally.reviews, "found_more", (json_int_t)report->found_more, "labels",
                         wish->labels ? labels_part(wish, report, &tally) : json_null(), "reality",
                         report->deployments_known ? real_part(report, &tally) : json_null());
}
