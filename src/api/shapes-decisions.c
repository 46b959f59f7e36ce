/* Measuring and deciding: the samples, what was decided of them, and whether it helped. */
#include "api/shapes-tables.h"

#define VERDICT "=passed|failed|not_verified|not_applicable"
#define TRIGGERS "=error_rate|latency_p99|success_rate|service_failed|outage|quorum|byzantine"

static const ShapeMember sample[] = {
        {"start", "time", NULL},
        {"end", "time", NULL},
        {"measured", "boolean", "false: the source failed; note says why"},
        {"state", "=unknown|healthy|degraded", NULL},
        MEASURED,
        {"age_s", "number?", "null: it is from long ago"},
        END,
};

static const ShapeMember decision[] = {
        {"id", "integer", NULL},
        {"at", "time", NULL},
        {"kind", "=none|rollback|review", "review: it would roll back, but a guard forbids it"},
        {"triggers", "[]" TRIGGERS, NULL},
        {"guard",
         "=none|not_armed|no_target|target_unproven|budget_spent|already_rolled_back|same_before|drained_by_operator|run_unsound|shadow",
         NULL},
        {"guard_text", "text", "the guard in words; empty: none"},
        {"version", "text?", "what was current"},
        {"target", "text?", NULL},
        {"reason", "text", "the triggers with their numbers"},
        {"expected", "integer", "samples in a whole window"},
        {"needed", "integer", "degraded samples that trigger"},
        {"degraded", "integer", NULL},
        {"unknown", "integer", NULL},
        {"samples", "[]#sample", "the evidence"},
        {"rules", "#rules", "as they stood then"},
        END,
};

static const ShapeMember guard_answer[] = {
        {"guard", "text", "not_armed, budget_spent ... in the order in which they are asked"},
        {"forbids", "boolean", "the first that does is the decision's guard"},
        {"answer", "text", "what was found, with its numbers"},
        END,
};

static const ShapeMember immediate[] = {{"trigger", TRIGGERS, NULL}, {"said", "text", "with its numbers"}, END};

static const ShapeMember replay[] = {
        {"id", "integer", "the decision"},
        {"verdict", "=identical|differs|no_evidence|other_rules", "recomputed from its evidence"},
        {"detail", "text", "the first member that differs, or why it can't be recomputed; empty when identical"},
        {"rule_version", "integer", "of the program that decided"},
        END,
};

static const ShapeMember explanation[] = {
        {"decision", "#decision", NULL},
        {"outcome", "text", "what was decided, and which guard forbade it"},
        {"window", "text", "the arithmetic: 4 of 5 samples degraded, 4 needed (75.0 % of 5 is 3.75, rounded up)"},
        {"samples", "[]text", "of each sample of the decision why it is degraded, or isn't"},
        {"immediate", "[]#immediate", "what triggers without a window"},
        {"guards", "[]#guard_answer", "as they were asked; empty: no evidence was kept"},
        {"target", "text?", "which release it would go to, and why that"},
        {"replay", "#replay", NULL},
        {"run", "#run?", "the run that it began"},
        END,
};

static const ShapeMember chain_head[] = {
        {"records", "integer?", "in the chain"},
        {"at", "time?", "when the newest was added"},
        {"newest", "text?",
         "the newest link: noted elsewhere, it shows when the journal's end was cut off or made anew"},
        END,
};

static const ShapeMember decisions[] = {{"decisions", "[]#decision", "newest first"}, END};

static const ShapeMember check[] = {
        {"key", "text", "error_rate"},
        {"title", "text", "Error rate"},
        {"lists", "[]=criteria|checklist", "the specification's, in which it stands"},
        {"verdict", VERDICT, NULL},
        {"measured", "text", "0.05 %, or why it could not be measured"},
        {"limit", "text", "< 0.1 %"},
        END,
};

static const ShapeMember validate[] = {
        {"verdict", "=passed|failed|not_verified", "passed: all that apply are; what could not be measured is not"},
        {"checks", "[]#check", NULL},
        {"passed", "integer", "checks that did"},
        {"failed", "integer", NULL},
        {"not_verified", "integer", "checks that apply, but could not be measured"},
        {"not_applicable", "integer", "checks of what isn't configured"},
        {"error_rate_percent", "number?", "since the rollback"},
        {"latency_p99_ms", "number?", "since the rollback"},
        {"success_rate_percent", "number?", "since the rollback"},
        {"note", "text", NULL},
        END,
};

const Shape decision_shapes[] = {
        OBJECT(sample, "One measurement of the service"),
        OBJECT(decision, "A decision and its evidence"),
        OBJECT(decisions, "Decisions"),
        OBJECT(explanation, "A decision in plain words"),
        OBJECT(guard_answer, "One guard, asked"),
        OBJECT(immediate, "What triggers without a window"),
        OBJECT(replay, "A decision, recomputed from its evidence"),
        OBJECT(chain_head, "The chain of records"),
        OBJECT(validate, "Whether the last rollback helped"),
        OBJECT(check, "One of the questions of a validation"),
        {0},
};
