#include "core/run-table.h"

#include "base/macros.h"
#include "core/names.h"
#include "core/steps.h"

#include <assert.h>

#define TO(phase) (1U << (phase))

/* The comments go into a diagram: no colons and semicolons. */
static const PhaseRow phases[] = {
        {RUN_NEW, TO(RUN_PREFLIGHT), "made, but not in the journal yet"},
        {RUN_PREFLIGHT, TO(RUN_FORWARD) | TO(RUN_FAILED), "proving the target, nothing has been touched"},
        {RUN_FORWARD, TO(RUN_UNDO) | TO(RUN_RECOVERY) | TO(RUN_SETTLE) | TO(RUN_SUCCEEDED),
         "on the way to the target, step by step"},
        {RUN_UNDO, TO(RUN_SETTLE) | TO(RUN_FAILED),
         "cancelled or failed before anything was stopped, traffic and deployments are given back"},
        {RUN_RECOVERY, TO(RUN_SETTLE) | TO(RUN_FAILED) | TO(RUN_HOLDING),
         "a critical step failed after the original was stopped, it is put back"},
        {RUN_SETTLE, TO(RUN_SUCCEEDED) | TO(RUN_FAILED) | TO(RUN_HOLDING),
         "decided, but traffic or deployments were not given back at the first try and are tried again"},
        {RUN_SUCCEEDED, 0, "the target serves"},
        {RUN_FAILED, 0, "the original serves, it was never touched or was put back"},
        {RUN_HOLDING, 0, "nothing safe is left to do, a person was paged"},
};
_Static_assert(ARRAY_SIZE(phases) == PHASE_COUNT, "every phase has its row");

const PhaseRow *phase_row(RunPhase phase) {
        assert((unsigned)phase < PHASE_COUNT);
        assert(phases[phase].phase == phase);
        return &phases[phase];
}

bool phase_may_follow(RunPhase from, RunPhase to) {
        return (phase_row(from)->next & TO(to)) != 0;
}

bool phase_ended(RunPhase phase) {
        return phase_row(phase)->next == 0;
}

static void print_phases(FILE *file) {
        fputs("```mermaid\nstateDiagram-v2\n    [*] --> new\n", file);
        for (unsigned i = 0; i < PHASE_COUNT; i++) {
                const PhaseRow *row = &phases[i];
                fprintf(file, "    %s: %s<br/>%s\n", run_phase_name(row->phase), run_phase_name(row->phase),
                        row->comment);
                for (unsigned to = 0; to < PHASE_COUNT; to++)
                        if (row->next & TO(to))
                                fprintf(file, "    %s --> %s\n", run_phase_name(row->phase),
                                        run_phase_name((RunPhase)to));
                if (row->next == 0)
                        fprintf(file, "    %s --> [*]\n", run_phase_name(row->phase));
        }
        fputs("```\n", file);
}

static const char *criticality(const StepSpec *spec) {
        if (spec->critical == spec->emergency_critical)
                return spec->critical ? "yes" : "no";
        return spec->critical ? "yes; no in an emergency" : "no; yes in an emergency";
}

static void print_steps(FILE *file) {
        static const char *const retries[] = {
                [STEP_RETRY_NEVER] = "no",
                [STEP_RETRY_ONCE] = "once, within its budget",
                [STEP_RETRY_FORCED] = "once, by force",
        };
        fputs("| # | step | budget | critical | repeated | has taken effect when | after a crash | |\n|---|---|---|---|---|---|---|---|\n",
              file);
        for (unsigned i = 0; i < STEP_COUNT; i++) {
                const StepSpec *spec = step_spec((StepId)i);
                fprintf(file, "| %u | %s (`%s`) | %d s", i, spec->title, spec->key,
                        (int)(spec->budget_us / USEC_PER_SEC));
                if (spec->emergency_budget_us != spec->budget_us)
                        fprintf(file, "; emergency %d s", (int)(spec->emergency_budget_us / USEC_PER_SEC));
                fprintf(file, " | %s | %s | %s | %s | %s |\n", criticality(spec), retries[spec->retry], spec->probe,
                        spec->probed ? "probed" : "done again", spec->comment);
        }
}

void run_table_print_diagram(FILE *file) {
        print_phases(file);
        fputc('\n', file);
        print_steps(file);
}
