/* Runs: deployments and rollbacks, and what they would do. */
#include "api/shapes-tables.h"

#define RUN_KIND "=deployment|rollback"
#define RUN_MODE "=automatic|manual|emergency"

static const ShapeMember step[] = {
        {"step", "integer", "0 proves the target; 1 to 8 as in the specification"},
        {"key", "text", "drain_traffic"},
        {"title", "text", "Drain traffic"},
        {"budget_ms", "integer", "how long it may take"},
        {"critical", "boolean", "whether the run goes back when it fails"},
        {"state", "=pending|acting|done|failed|timed_out|skipped", NULL},
        {"attempt", "integer", "1 for the first; 0: not yet begun"},
        {"started", "time?", NULL},
        {"ended", "time?", NULL},
        {"duration_ms", "number?", NULL},
        {"detail", "text", "what was done, or why it failed"},
        END,
};

static const ShapeMember run[] = {
        {"id", "integer", NULL},
        {"kind", RUN_KIND, NULL},
        {"mode", RUN_MODE, NULL},
        {"from", "text", "the release that was current; empty: none was"},
        {"to", "text", "the target"},
        {"reason", "text", NULL},
        {"initiator", "text", "controller, or who asked for it: root (uid 0)"},
        {"decision", "integer?", "the decision that began it"},
        {"phase", "=new|preflight|forward|undo|recovery|settle|succeeded|failed|holding", NULL},
        {"outcome", "=open|succeeded|refused|cancelled|undone|put_back|held", "open: not ended"},
        {"created", "time", NULL},
        {"ended", "time?", NULL},
        {"duration_ms", "number?", NULL},
        {"failure", "text", "the first critical failure in words; empty: none"},
        {"serving", "text?", "the release that serves since it ended; null: none that is proven, or not ended"},
        {"in_flight_cut", "integer", "requests that the drain gave up"},
        {"requests_failed", "integer?", "requests that failed while it was under way"},
        {"validation", "=pending|passed|failed|not_verified?", "null: it is not one to validate"},
        {"validated", "#validate?", "what its validation came to, in the answer about this one run"},
        {"allow_row_loss", "boolean", "rows that the way back of the schema can't keep may go"},
        {"warning", "text?", "about the target, in the answer that began it"},
        {"remedy", "text?", "of a run that holds: the commands that bring the service back"},
        {"released", "boolean?", "of a run that holds: an operator has released it (resume)"},
        {"steps", "[]#step", "the way to the target"},
        {"recovery", "[]#step", "what was done to go back; empty unless it came to that"},
        END,
};

static const ShapeMember plan[] = {
        {"kind", RUN_KIND, NULL},
        {"mode", RUN_MODE, NULL},
        {"from", "text", "the release that is current; empty: none is"},
        {"to", "text", "the target"},
        {"target_state", RELEASE_STATE "?", NULL},
        {"target_warning", "text?", "what speaks against the target"},
        {"ceiling_ms", "integer", "it takes at most so long: the budgets' sum"},
        {"gate", "boolean?", "whether requests wait while traffic is drained, instead of being refused"},
        {"none_left", "text?", "of a deployment: why no target that is proven ready would be left; null: one would"},
        {"steps", "[]#step", NULL},
        {"database", "#schema_gate?", "whether the target can work with the schema; null: there is nothing to ask"},
        {"refused", "text?", "why it could not run now; null: it could"},
        END,
};

static const ShapeMember schema_gate[] = {
        {"verdict", "=pending|unknown|compatible|reversible|refused", "pending: being asked, ask again in a moment"},
        {"current", "text?", "the schema that is there"},
        {"wanted", "text?", "the one it is taken back to"},
        {"script", "text?", "by which"},
        {"estimate_ms", "number?", "what that will take"},
        {"detail", "text", "what goes, or why not and what to do"},
        END,
};

static const ShapeMember cancel[] = {
        {"cancelled", "boolean", "true: it is being undone; false: too late, it finishes"},
        DETAIL,
        {"id", "integer", "the run's"},
        {"run", "#run?", "null: it has ended by now"},
        END,
};

const Shape run_shapes[] = {
        OBJECT(run, "A deployment or a rollback"),  OBJECT(step, "One step of a run"),
        OBJECT(plan, "The steps a run would take"), OBJECT(schema_gate, "What the database says of a release"),
        OBJECT(cancel, "What a cancel came to"),    {0},
};
