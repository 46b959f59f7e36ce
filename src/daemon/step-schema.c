/* The gate decides before anything is touched; after that only what the run itself has done can surprise. What is decided here:
 *   - A release that can't work with the schema, without a way back, is refused, in an emergency too: it could not help.
 *   - A database that can't be asked is no yes; it is asked for a third of the preflight. An emergency goes on only when it can't make things worse: the release works with
 *     every schema that the one that runs can have left, by what both declare.
 *   - In a deployment no script is applied: the release must work with what is there, and may take it further itself.
 *   - Putting the original back is a way like any other. If it can't work with what is there by now, it isn't started: the run
 *     holds, and says where the dump is that was made before.
 *   - In step 4 nothing serves any more, so a database that is away is waited for until the budget is nearly spent. */
#include "daemon/step-schema.h"

#include "daemon/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define GATE_BUDGET_US (5 * USEC_PER_SEC)
#define AGAIN_US (250 * USEC_PER_MSEC)
#define TOUCHED_KEY "schema.run" /* the newest run that has begun to take the schema back */
#define LOST_KEY "schema.lost"   /* the newest run whose way back has lost rows, and which */

static const DataDriver *driver(const StepOp *step) {
        return step->world->config->data_driver;
}

/* ---- what is asked ---- */

static bool forward_deployment(const StepOp *step) {
        return step->run->plan.kind == RUN_DEPLOYMENT && !step->call.recovery;
}

/* 1: there is something to ask; 0: there isn't; negative: the release says it wrongly. */
static int make_request(StepOp *step, Error *error) {
        if (!step->schema)
                step->schema = calloc(1, sizeof *step->schema);
        if (!step->schema)
                return error_set(error, -ENOMEM, "out of memory");
        int r = schema_request(step->world, forward_deployment(step) ? "" : step->call.leaving, step->call.target,
                               step->schema, &step->schema_doubt);
        if (r < 0)
                return error_set(error, r, "%s", error_text(&step->schema_doubt));
        step->schema->allow_row_loss = step->run->allow_row_loss;
        step->schema->run_id = step->call.step == STEP_PREFLIGHT ? 0 : step->run_id;
        return schema_gated(step->world, step->schema);
}

static void ask_gate(StepOp *step, StepStage *on_gate, StepStage *on_silent) {
        Error error = {0};
        int64_t left = step_budget_left(step) / 2;
        step_expect(step, on_gate, on_silent);
        int r = driver(step)->gate(step->world->data, step->schema, left < GATE_BUDGET_US ? left : GATE_BUDGET_US,
                                   step_on_child, step, &step->child, &error);
        step_began(step, r, &error);
}

static void note(StepOp *step, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(StepOp *step, const char *format, ...) {
        size_t used = strlen(step->note);
        va_list args;
        va_start(args, format);
        vsnprintf(step->note + used, sizeof step->note - used, format, args);
        va_end(args);
}

static bool is_covered(const StepOp *step) {
        return schema_covers(&step->schema->target, &step->schema->leaving);
}

static void note_covered(StepOp *step, const char *why) {
        note(step, "the database can't be asked (%.80s), but %s works with every schema that %s works with; ", why,
             step->call.target, step->call.leaving);
}

static void fail(StepOp *step, int code, const char *what, const char *why) {
        Error error = {0};
        const char *doubt = step->schema_doubt.code ? error_text(&step->schema_doubt) : "";
        error_set(&error, code, "%s%s%s%s", what, why, doubt[0] ? "; nor can its way back be read: " : "", doubt);
        op_fail(&step->op, &error);
}

/* Why the gate said nothing. */
static const char *silence(const OpResult *result) {
        if (result->status != OP_DONE)
                return error_text(&result->error);
        return result->gate.detail[0] ? result->gate.detail : "no answer";
}

/* In a moment, as long as more than `reserve_us` of the budget is left then; false: it isn't asked any more. */
static bool ask_later(StepOp *step, int64_t reserve_us, sd_event_time_handler_t again) {
        step->pause = sd_event_source_disable_unref(step->pause);
        return step_budget_left(step) > AGAIN_US + reserve_us &&
               sd_event_add_time_relative(step->world->event, &step->pause, CLOCK_BOOTTIME, AGAIN_US, 1, again, step) >=
                       0;
}

/* ---- step 0 ---- */

static void on_proved(StepOp *step, const OpResult *result);
static void prove_unknown(StepOp *step, const OpResult *result);

static int on_prove_again(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        ask_gate(userdata, on_proved, prove_unknown);
        return 0;
}

static void prove_unknown(StepOp *step, const OpResult *result) {
        if (step->mode == MODE_EMERGENCY && is_covered(step)) {
                note_covered(step, silence(result));
                step->schema_then(step, NULL);
                return;
        }
        if (ask_later(step, step->call.budget_us * 2 / 3, on_prove_again))
                return;
        char what[DETAIL_MAX];
        snprintf(what, sizeof what,
                 "whether %s can work with the database's schema isn't known, so nothing was touched: ",
                 step->call.target);
        fail(step, -EHOSTUNREACH, what, silence(result));
}

static void on_proved(StepOp *step, const OpResult *result) {
        const SchemaGate *gate = &result->gate;
        char text[REASON_MAX];
        switch (gate->verdict) {
        case SCHEMA_COMPATIBLE:
        case SCHEMA_REVERSIBLE:
                note(step, "%.200s; ", schema_gate_text(gate, text, sizeof text));
                step->schema_then(step, NULL);
                break;
        case SCHEMA_REFUSED:
                fail(step, -EPROTO, "", schema_gate_text(gate, text, sizeof text));
                break;
        case SCHEMA_UNKNOWN:
                prove_unknown(step, result);
        }
}

void step_schema_prove(StepOp *step, StepStage *then) {
        Error error = {0};
        step->schema_then = then;
        int r = make_request(step, &error);
        if (r < 0)
                op_fail(&step->op, &error);
        else if (r > 0)
                ask_gate(step, on_proved, prove_unknown);
        else {
                if (step->schema->target.declared)
                        note(step, "it declares schema %s, but no database is configured to ask; ",
                             step->schema->target.version);
                then(step, NULL);
        }
}

/* ---- step 4 ---- */

static void on_line(void *userdata, const char *line) {
        const StepOp *step = userdata;
        if (step->progress)
                step->progress(step->progress_userdata, line);
}

/* Written before it is done, so that a later life of this run knows that the schema may have changed. */
static void note_touched(const StepOp *step) {
        char text[32];
        Error ignored = {0}; /* without it the schema counts as changed */
        snprintf(text, sizeof text, "%" PRId64, step->run_id);
        if (step->journal)
                (void)journal_set_value(step->journal, TOUCHED_KEY, text, &ignored);
}

/* Neither this run nor the release that it has started can have changed the schema: the original was running with it. */
static bool untouched(const StepOp *step) {
        char text[32] = "";
        Error error = {0};
        if (!step->journal || step->run->steps[STEP_START_VERSION].attempt > 0)
                return false;
        int r = journal_get_value(step->journal, TOUCHED_KEY, text, sizeof text, &error);
        return r == 0 || (r > 0 && strtoll(text, NULL, 10) != step->run_id);
}

/* What comes after it may fail, and the step be tried again: then there is nothing to do any more, but the rows are still gone. */
static void keep_lost(const StepOp *step, const char *detail) {
        char text[DETAIL_MAX + 32];
        Error ignored = {0}; /* the step's own detail says it, unless it is tried again */
        snprintf(text, sizeof text, "%" PRId64 " %s", step->run_id, detail);
        if (step->journal && strstr(detail, ROWS_LOST_WORDS))
                (void)journal_set_value(step->journal, LOST_KEY, text, &ignored);
}

static void note_lost(StepOp *step) {
        char text[DETAIL_MAX + 32] = "", *detail;
        Error ignored = {0};
        bool known = step->journal && journal_get_value(step->journal, LOST_KEY, text, sizeof text, &ignored) > 0;
        if (known && strtoll(text, &detail, 10) == step->run_id)
                note(step, "%s; ", detail + strspn(detail, " "));
}

static void on_brought(StepOp *step, const OpResult *result) {
        keep_lost(step, result->detail);
        if (result->detail[0])
                note(step, "%s; ", result->detail);
        step->schema_then(step, NULL);
}

static void bring(StepOp *step) {
        Error error = {0};
        note_touched(step);
        step_expect(step, on_brought, NULL);
        int r = driver(step)->restore(step->world->data, step->schema, on_line, step_budget_left(step), step_on_child,
                                      step, &step->child, &error);
        step_began(step, r, &error);
}

/* What this run has done to the schema, with the dump of before. */
static const char *done_before(const StepOp *step) {
        const StepRecord *forward = &step->run->steps[STEP_RESTORE_VERSION];
        return step->call.recovery && forward->state == STEP_DONE ? forward->detail : "";
}

static void refuse_bringing(StepOp *step, const SchemaGate *gate) {
        char text[REASON_MAX], what[REASON_MAX];
        const char *before = done_before(step);
        schema_gate_text(gate, text, sizeof text);
        snprintf(what, sizeof what, "%s%s", before[0] ? before : "", before[0] ? ". " : "");
        fail(step, -EPROTO, what, text);
}

static void on_gate(StepOp *step, const OpResult *result);
static void on_gate_silent(StepOp *step, const OpResult *result);

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source;
        (void)usec;
        ask_gate(userdata, on_gate, on_gate_silent);
        return 0;
}

static void on_gate_silent(StepOp *step, const OpResult *result) {
        const char *why = silence(result);
        if (is_covered(step)) {
                note_covered(step, why);
                step->schema_then(step, NULL);
                return;
        }
        if (ask_later(step, 3 * AGAIN_US, on_again)) {
                snprintf(step->what, sizeof step->what, "%s (the database: %.200s)", step_spec(step->call.step)->title,
                         why);
                return;
        }
        if (step->call.recovery && untouched(step)) {
                note(step, "the database can't be asked (%.80s), but this run hasn't changed its schema; ", why);
                step->schema_then(step, NULL);
                return;
        }
        char what[DETAIL_MAX];
        snprintf(what, sizeof what, "whether %s can work with the database's schema isn't known: ", step->call.target);
        fail(step, -EHOSTUNREACH, what, why);
}

static void on_gate(StepOp *step, const OpResult *result) {
        switch (result->gate.verdict) {
        case SCHEMA_COMPATIBLE:
                note_lost(step);
                step->schema_then(step, NULL);
                break;
        case SCHEMA_REVERSIBLE:
                bring(step);
                break;
        case SCHEMA_REFUSED:
                refuse_bringing(step, &result->gate);
                break;
        case SCHEMA_UNKNOWN:
                on_gate_silent(step, result);
        }
}

void step_schema_bring(StepOp *step, StepStage *then) {
        Error error = {0};
        step->schema_then = then;
        int r = make_request(step, &error);
        if (r < 0)
                op_fail(&step->op, &error);
        else if (r > 0)
                ask_gate(step, on_gate, on_gate_silent);
        else
                then(step, NULL);
}

/* ---- the probe ---- */

static void on_probed(StepOp *step, const OpResult *result) {
        static const ProbeAnswer answers[] = {
                [SCHEMA_UNKNOWN] = PROBE_UNKNOWN,
                [SCHEMA_COMPATIBLE] = PROBE_YES,
                [SCHEMA_REVERSIBLE] = PROBE_NO,
                [SCHEMA_REFUSED] = PROBE_NO,
        };
        step_answer(step, answers[result->gate.verdict]);
}

static void on_probe_silent(StepOp *step, const OpResult *result) {
        (void)result;
        step_answer(step, PROBE_UNKNOWN);
}

void step_schema_probe(StepOp *step) {
        Error error = {0};
        int r = make_request(step, &error);
        if (r > 0)
                ask_gate(step, on_probed, on_probe_silent);
        else
                step_answer(step, r < 0 ? PROBE_UNKNOWN : PROBE_YES);
}
