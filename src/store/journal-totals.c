/* What has been, in sums. */
#include "store/journal-internal.h"

#include "base/macros.h"
#include "core/names.h"

#include <string.h>

#define ENDED "phase IN ('succeeded', 'failed', 'holding')"

typedef int TakeTotal(sqlite3_stmt *statement, JournalTotals *totals);

static const char *word(sqlite3_stmt *statement, int column) {
        return (const char *)sqlite3_column_text(statement, column);
}

static int take_runs(sqlite3_stmt *statement, JournalTotals *totals) {
        RunKind kind;
        RunMode mode;
        RunOutcome outcome;
        if (run_kind_parse(word(statement, 0), &kind) < 0 || run_mode_parse(word(statement, 1), &mode) < 0 ||
            run_outcome_parse(word(statement, 2), &outcome) < 0)
                return -1;
        int64_t count = sqlite3_column_int64(statement, 3);
        totals->runs[kind][mode][outcome] += count;
        totals->run_lasted[kind].count += count;
        totals->run_lasted[kind].sum_us += sqlite3_column_int64(statement, 4);
        return 0;
}

static int take_steps(sqlite3_stmt *statement, JournalTotals *totals) {
        int64_t step = sqlite3_column_int64(statement, 0);
        if (step < 0 || step >= STEP_COUNT)
                return -1;
        totals->step_lasted[step].count = sqlite3_column_int64(statement, 1);
        totals->step_lasted[step].sum_us = sqlite3_column_int64(statement, 2);
        return 0;
}

static int take_decisions(sqlite3_stmt *statement, JournalTotals *totals) {
        DecisionKind kind;
        Guard guard;
        if (decision_kind_parse(word(statement, 0), &kind) < 0 || guard_parse(word(statement, 1), &guard) < 0)
                return -1;
        totals->decisions[kind][guard] = sqlite3_column_int64(statement, 2);
        return 0;
}

/* A clock that was set back makes no time pass backwards: max(0, ...). What a newer program wrote, with words that this one doesn't
 * know, is left out: it isn't ours to count. */
static int add_up(Journal *journal, const char *sql, TakeTotal *take, JournalTotals *totals, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, sql, &statement, error);
        while (r >= 0 && (r = journal_step(journal, statement, "add up what has been", error)) > 0)
                (void)take(statement, totals);
        return r;
}

int journal_totals(Journal *journal, JournalTotals *ret_totals, Error *error) {
        JournalTotals totals = {0};
        int r = add_up(journal,
                       "SELECT kind, mode, outcome, count(*), sum(max(0, ended_wall - created_wall)) FROM runs"
                       " WHERE " ENDED " GROUP BY kind, mode, outcome",
                       take_runs, &totals, error);
        if (r == 0)
                r = add_up(journal,
                           "SELECT s.step, count(*), sum(max(0, s.ended_wall - s.started_wall)) FROM steps s"
                           " JOIN runs r ON r.id = s.run_id WHERE r." ENDED
                           " AND s.started_wall > 0 AND s.ended_wall > 0"
                           " GROUP BY s.step",
                           take_steps, &totals, error);
        if (r == 0)
                r = add_up(journal, "SELECT kind, guard, count(*) FROM decisions GROUP BY kind, guard", take_decisions,
                           &totals, error);
        if (r == 0)
                *ret_totals = totals;
        return r;
}

int journal_newest(Journal *journal, JournalNewest *ret_newest, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "SELECT (SELECT max(id) FROM decisions), max(id),"
                                " (SELECT ended_wall FROM runs ORDER BY id DESC LIMIT 1) FROM runs",
                                &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "look for what is new", error);
        if (r < 0)
                return r;
        *ret_newest = (JournalNewest){.decision = sqlite3_column_int64(statement, 0),
                                      .run = sqlite3_column_int64(statement, 1),
                                      .run_ended_wall = sqlite3_column_int64(statement, 2)};
        return 0;
}
