/* What shadow mode decided, beside what operators then did. */
#include "core/shadow.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/exit-codes.h"
#include "base/macros.h"
#include "daemon/proof.h"

#include <errno.h>
#include <string.h>

#define ROWS_MAX 10000 /* of each kind, the newest */

typedef struct Rows {
        ShadowDecision *decisions;
        ShadowRollback *rollbacks;
        Deployment *deployments;
        ShadowCase *cases;
        unsigned decision_count, rollback_count, deployment_count;
} Rows;

static Rows *rows_free(Rows *rows) {
        if (rows) {
                free(rows->decisions);
                free(rows->rollbacks);
                free(rows->deployments);
                free(rows->cases);
        }
        free(rows);
        return NULL;
}
static void cleanup_rows(Rows **rows) {
        rows_free(*rows);
}

static Rows *rows_new(void) {
        Rows *rows = calloc(1, sizeof *rows);
        if (!rows)
                return NULL;
        rows->decisions = calloc(ROWS_MAX, sizeof *rows->decisions);
        rows->rollbacks = calloc(ROWS_MAX, sizeof *rows->rollbacks);
        rows->deployments = calloc(ROWS_MAX, sizeof *rows->deployments);
        rows->cases = calloc(ROWS_MAX, sizeof *rows->cases);
        return rows->decisions && rows->rollbacks && rows->deployments && rows->cases ? rows : rows_free(rows);
}

/* ---- reading: newest first, and turned around afterwards ---- */

static int take_decision(void *userdata, const Decision *decision) {
        Rows *rows = userdata;
        if (decision->guard != GUARD_SHADOW)
                return 0;
        ShadowDecision *row = &rows->decisions[rows->decision_count++];
        *row = (ShadowDecision){
                .id = decision->id, .at_wall = decision->at_wall, .bake_for_us = decision->rules.bake_for_us};
        memcpy(row->version, decision->version, sizeof row->version);
        return rows->decision_count == ROWS_MAX;
}

/* What was refused or undone before anything was stopped was no rollback. One of the controller's own is told apart. */
static int take_run(void *userdata, const Run *run) {
        Rows *rows = userdata;
        bool nothing =
                run->outcome == OUTCOME_REFUSED || run->outcome == OUTCOME_CANCELLED || run->outcome == OUTCOME_UNDONE;
        if (run->plan.kind != RUN_ROLLBACK || nothing)
                return 0;
        ShadowRollback *row = &rows->rollbacks[rows->rollback_count++];
        *row = (ShadowRollback){
                .run_id = run->id, .at_wall = run->created_wall, .automatic = run->plan.mode == MODE_AUTOMATIC};
        memcpy(row->from, run->plan.from, sizeof row->from);
        return rows->rollback_count == ROWS_MAX;
}

static int take_deployment(void *userdata, const Deployment *deployment) {
        Rows *rows = userdata;
        rows->deployments[rows->deployment_count++] = *deployment;
        return rows->deployment_count == ROWS_MAX;
}

#define TURN_AROUND(rows, count)                                                                                       \
        for (unsigned i_ = 0; i_ < (count) / 2; i_++) {                                                                \
                __typeof__((rows)[0]) other_ = (rows)[i_];                                                             \
                (rows)[i_] = (rows)[(count)-1 - i_];                                                                   \
                (rows)[(count)-1 - i_] = other_;                                                                       \
        }

static int read_rows(Journal *journal, Rows *rows, Error *error) {
        int r = journal_decisions(journal, ROWS_MAX, take_decision, rows, error);
        if (r >= 0)
                r = journal_runs(journal, ROWS_MAX, take_run, rows, error);
        if (r >= 0)
                r = journal_deployments(journal, ROWS_MAX, take_deployment, rows, error);
        TURN_AROUND(rows->decisions, rows->decision_count)
        TURN_AROUND(rows->rollbacks, rows->rollback_count)
        TURN_AROUND(rows->deployments, rows->deployment_count)
        return r < 0 ? r : 0;
}

/* ---- telling ---- */

static json_t *id_or_null(int64_t id) {
        return id != 0 ? json_integer(id) : json_null();
}

static json_t *seconds_or_null(int64_t us) {
        return us >= 0 ? json_real((double)us / (double)USEC_PER_SEC) : json_null();
}

static json_t *case_json(const ShadowCase *one) {
        return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "verdict",
                         shadow_verdict_name(one->verdict), "deployment", (json_int_t)one->deployment_id, "version",
                         one->version, "made", wire_time(one->made_wall), "decision", id_or_null(one->decision_id),
                         "decided", wire_time(one->decided_wall), "decisions", (int)one->decisions, "run",
                         id_or_null(one->run_id), "rolled_back", wire_time(one->rolled_back_wall), "sooner_s",
                         seconds_or_null(one->sooner_us));
}

static json_t *report_json(const ShadowInput *input, const ShadowReport *report, const ShadowCase *cases,
                           unsigned count) {
        json_t *list = json_array();
        for (unsigned i = 0; i < count; i++)
                if (cases[i].verdict != SHADOW_QUIET)
                        json_array_append_new(list, case_json(&cases[i]));
        return json_pack(
                "{s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "from", wire_time(input->from_wall),
                "to", wire_time(input->to_wall), "deployments", (int)count, "right", (int)report->counts[SHADOW_RIGHT],
                "wrong", (int)report->counts[SHADOW_WRONG], "missed", (int)report->counts[SHADOW_MISSED], "undecided",
                (int)report->counts[SHADOW_UNDECIDED], "automatic", (int)report->counts[SHADOW_AUTOMATIC], "quiet",
                (int)report->counts[SHADOW_QUIET], "precision_percent", wire_percent(report->precision_ppm),
                "sooner_median_s", seconds_or_null(report->sooner_median_us), "cases", list);
}

/* With the deployment that shadow mode first decided on: whether it was on before that isn't known. Else with the first there is. */
static int64_t natural_begin(const Rows *rows) {
        int64_t begin = rows->deployment_count > 0 ? rows->deployments[0].at_wall : 0;
        for (unsigned i = 0; rows->decision_count > 0 && i < rows->deployment_count; i++)
                if (rows->deployments[i].at_wall <= rows->decisions[0].at_wall)
                        begin = rows->deployments[i].at_wall;
        return begin;
}

int proof_shadow(Journal *journal, int64_t from_wall, int64_t to_wall, int64_t now_wall, json_t **ret_answer,
                 Problem *problem) {
        CLEANUP(cleanup_rows) Rows *rows = rows_new();
        ShadowReport report;
        Error error = {0};
        if (!rows)
                return problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
        if (read_rows(journal, rows, &error) < 0)
                return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(&error));
        const ShadowInput input = {
                .decisions = rows->decisions,
                .decision_count = rows->decision_count,
                .rollbacks = rows->rollbacks,
                .rollback_count = rows->rollback_count,
                .deployments = rows->deployments,
                .deployment_count = rows->deployment_count,
                .from_wall = from_wall ? from_wall : natural_begin(rows),
                .to_wall = to_wall ? to_wall : now_wall,
                .now_wall = now_wall,
        };
        unsigned count = shadow_judge(&input, rows->cases, ROWS_MAX, &report);
        *ret_answer = report_json(&input, &report, rows->cases, count);
        return *ret_answer ? 0
                           : problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
}
