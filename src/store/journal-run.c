/* Runs: the rows that say how each one stands, and the records that say how it came to that. */
#include "store/journal-chain.h"

#include "base/clock.h"
#include "core/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SQL_MAX 2048
#define NAMES_MAX 512

static const char *const lanes[] = {"forward", "recovery"};

/* The key under which the journal remembers which run of its own a run of the side file became. */
static void alias_key(int64_t side_id, char *buffer, size_t size) {
        snprintf(buffer, size, "sidefile.run.%" PRId64, side_id);
}

/* ---- keeping ---- */

/* "INSERT INTO table (keys, fields) VALUES (...) ON CONFLICT (keys) DO UPDATE SET (fields) = (...) WHERE they differ": a row that is
 * already so costs no page in the log. */
static int prepare_upsert(Journal *journal, unsigned which, const char *table, const char *keys, int key_count,
                          const Field *fields, Error *error) {
        char names[NAMES_MAX], marks[NAMES_MAX], key_marks[32] = "?1", own[NAMES_MAX * 2], given[NAMES_MAX * 2],
                                                 sql[SQL_MAX * 3], prefix[32];
        if (journal->statements[which])
                return 0;
        for (int i = 2; i <= key_count; i++)
                snprintf(key_marks + strlen(key_marks), sizeof key_marks - strlen(key_marks), ", ?%d", i);
        columns_names(fields, "", names, sizeof names);
        columns_marks(fields, key_count + 1, marks, sizeof marks);
        snprintf(prefix, sizeof prefix, "%s.", table);
        columns_names(fields, prefix, own, sizeof own);
        columns_names(fields, "excluded.", given, sizeof given);
        snprintf(
                sql, sizeof sql,
                "INSERT INTO %s (%s, %s) VALUES (%s, %s) ON CONFLICT (%s) DO UPDATE SET (%s) = (%s) WHERE (%s) IS NOT (%s)",
                table, keys, names, key_marks, marks, keys, names, given, own, given);
        return journal_prepare(journal, sql, &journal->statements[which], error);
}

static int prepare_append(Journal *journal, Error *error) {
        int r = prepare_upsert(journal, STATEMENT_RUN, "runs", "id", 1, run_fields, error);
        if (r == 0)
                r = prepare_upsert(journal, STATEMENT_PLAN_STEP, "plan_steps", "run_id, position", 2, plan_step_fields,
                                   error);
        if (r == 0)
                r = prepare_upsert(journal, STATEMENT_STEP, "steps", "run_id, lane, step", 3, step_record_fields,
                                   error);
        if (r == 0 && !journal->statements[STATEMENT_RECORD])
                r = journal_prepare(
                        journal,
                        "INSERT INTO records (run_id, at_wall, phase, cursor, note) VALUES (?1, ?2, ?3, ?4, ?5)",
                        &journal->statements[STATEMENT_RECORD], error);
        return r;
}

static int keep_steps(Journal *journal, const Run *run, Error *error) {
        sqlite3_stmt *plan = journal->statements[STATEMENT_PLAN_STEP], *step = journal->statements[STATEMENT_STEP];
        int r = 0;
        for (unsigned i = 0; r == 0 && i < run->plan.count; i++) {
                sqlite3_bind_int64(plan, 1, run->id);
                sqlite3_bind_int64(plan, 2, i);
                columns_bind(plan, 3, plan_step_fields, &run->plan.steps[i]);
                r = journal_finish(journal, plan, "keep the plan", error);
        }
        for (unsigned i = 0; r == 0 && i < 2 * STEP_COUNT; i++) {
                unsigned lane = i / STEP_COUNT, id = i % STEP_COUNT;
                sqlite3_bind_int64(step, 1, run->id);
                sqlite3_bind_text(step, 2, lanes[lane], -1, SQLITE_STATIC);
                sqlite3_bind_int64(step, 3, id);
                columns_bind(step, 4, step_record_fields, lane == 0 ? &run->steps[id] : &run->recovery[id]);
                r = journal_finish(journal, step, "keep the steps", error);
        }
        return r;
}

int journal_keep_run(Journal *journal, Run *run, Error *error) {
        int r = prepare_append(journal, error);
        if (r < 0)
                return r;
        sqlite3_stmt *statement = journal->statements[STATEMENT_RUN];
        if (run->id > 0)
                sqlite3_bind_int64(statement, 1, run->id); /* else NULL: SQLite gives the next one */
        columns_bind(statement, 2, run_fields, run);
        r = journal_finish(journal, statement, "keep the run", error);
        if (r == 0 && run->id <= 0) {
                int64_t side_id = run->id;
                run->id = sqlite3_last_insert_rowid(journal->db);
                if (side_id < 0) {
                        char key[64], value[24];
                        alias_key(side_id, key, sizeof key);
                        snprintf(value, sizeof value, "%" PRId64, run->id);
                        r = journal_set_value(journal, key, value, error);
                }
        }
        return r < 0 ? r : keep_steps(journal, run, error);
}

int journal_find_alias(Journal *journal, int64_t side_id, int64_t *ret_id, Error *error) {
        char key[64], value[24];
        alias_key(side_id, key, sizeof key);
        int r = journal_get_value(journal, key, value, sizeof value, error);
        if (r > 0)
                *ret_id = strtoll(value, NULL, 10);
        return r;
}

/* Its newest record, and how it ended when it has. */
static int chain_record(Journal *journal, const Run *run, int64_t at_wall, Error *error) {
        bool ended = run->phase == RUN_SUCCEEDED || run->phase == RUN_FAILED || run->phase == RUN_HOLDING;
        int r = journal_chain_add(journal, CHAIN_RECORD, sqlite3_last_insert_rowid(journal->db), at_wall, error);
        return r < 0 || !ended ? r : journal_chain_add(journal, CHAIN_RUN, run->id, at_wall, error);
}

int journal_keep_record(Journal *journal, const Run *run, int64_t at_wall, const char *note, Error *error) {
        int r = prepare_append(journal, error);
        if (r < 0)
                return r;
        sqlite3_stmt *statement = journal->statements[STATEMENT_RECORD];
        sqlite3_bind_int64(statement, 1, run->id);
        sqlite3_bind_int64(statement, 2, at_wall);
        sqlite3_bind_text(statement, 3, run_phase_name(run->phase), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, run->cursor);
        sqlite3_bind_text(statement, 5, note ? note : "", -1, SQLITE_TRANSIENT);
        r = journal_finish(journal, statement, "add a record", error);
        return r < 0 ? r : chain_record(journal, run, at_wall, error);
}

int journal_append_run(Journal *journal, Run *run, const char *note, Error *error) {
        int64_t id_before = run->id;
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = journal_keep_run(journal, run, error);
        if (r == 0)
                r = journal_keep_record(journal, run, clock_wall_us(), note, error);
        r = journal_end(journal, r, "keep the run", error);
        if (r < 0) {
                run->id = id_before;
                return r;
        }
        /* the append is durable already: a checkpoint that fails (a full disk) is the next append's to notice */
        (void)journal_checkpoint_if_long(journal, NULL);
        return 0;
}

/* ---- reading ---- */

static int read_plan(Journal *journal, Run *run, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(plan_step_fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT position, %s FROM plan_steps WHERE run_id = ?1", names);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run->id);
        while ((r = journal_step(journal, statement, "read the plan", error)) > 0) {
                int64_t position = sqlite3_column_int64(statement, 0);
                if (position < 0 || position >= STEP_COUNT)
                        return error_set(error, -EBADMSG, "journal %s: run %" PRId64 " has a plan step %" PRId64,
                                         journal->path, run->id, position);
                r = columns_read(journal, statement, 1, plan_step_fields, &run->plan.steps[position], error);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_steps(Journal *journal, Run *run, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(step_record_fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT lane = 'recovery', step, %s FROM steps WHERE run_id = ?1", names);
        int r = journal_prepare(journal, sql, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run->id);
        while ((r = journal_step(journal, statement, "read the steps", error)) > 0) {
                int64_t step = sqlite3_column_int64(statement, 1);
                if (step < 0 || step >= STEP_COUNT)
                        return error_set(error, -EBADMSG, "journal %s: run %" PRId64 " has a step %" PRId64,
                                         journal->path, run->id, step);
                StepRecord *record = sqlite3_column_int(statement, 0) ? &run->recovery[step] : &run->steps[step];
                r = columns_read(journal, statement, 2, step_record_fields, record, error);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_run(Journal *journal, sqlite3_stmt *statement, Run *ret_run, Error *error) {
        Run run = {.id = sqlite3_column_int64(statement, 0)};
        int r = columns_read(journal, statement, 1, run_fields, &run, error);
        if (r == 0)
                r = read_plan(journal, &run, error);
        if (r == 0)
                r = read_steps(journal, &run, error);
        if (r == 0)
                *ret_run = run;
        return r;
}

static int select_runs(Journal *journal, const char *rest, int64_t argument, sqlite3_stmt **ret_statement,
                       Error *error) {
        char names[NAMES_MAX], sql[SQL_MAX];
        columns_names(run_fields, "", names, sizeof names);
        snprintf(sql, sizeof sql, "SELECT id, %s FROM runs %s", names, rest);
        int r = journal_prepare(journal, sql, ret_statement, error);
        if (r == 0)
                sqlite3_bind_int64(*ret_statement, 1, argument);
        return r;
}

static int select_one(Journal *journal, const char *rest, int64_t argument, Run *ret_run, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = select_runs(journal, rest, argument, &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "read a run", error);
        if (r <= 0)
                return r;
        r = read_run(journal, statement, ret_run, error);
        return r < 0 ? r : 1;
}

#define NEWEST_OPEN "WHERE phase NOT IN ('succeeded', 'failed', 'holding') ORDER BY id DESC LIMIT ?1"

int journal_open_run(Journal *journal, Run *ret_run, Error *error) {
        return select_one(journal, NEWEST_OPEN, 1, ret_run, error);
}

static int find_open(Journal *journal, int64_t *ret_id, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT id FROM runs " NEWEST_OPEN, &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, 1);
        r = journal_step(journal, statement, "find the open run", error);
        if (r > 0)
                *ret_id = sqlite3_column_int64(statement, 0);
        return r;
}

static int end_unread(Journal *journal, int64_t id, int64_t at_wall, const char *why, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "UPDATE runs SET phase = ?2, outcome = ?3, ended_wall = ?4, failure = ?5,"
                                " cancel_requested = 1 WHERE id = ?1",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_text(statement, 2, run_phase_name(RUN_FAILED), -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, run_outcome_name(OUTCOME_CANCELLED), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, at_wall);
        sqlite3_bind_text(statement, 5, why, -1, SQLITE_TRANSIENT);
        return journal_finish(journal, statement, "put the run aside", error);
}

int journal_put_aside(Journal *journal, int64_t at_wall, const char *why, int64_t *ret_id, Error *error) {
        int64_t id = 0;
        int r = journal_begin(journal, error);
        if (r < 0)
                return r;
        int found = r = find_open(journal, &id, error);
        if (r > 0)
                r = end_unread(journal, id, at_wall, why, error);
        if (r == 0 && found > 0) {
                const Run run = {.id = id, .phase = RUN_FAILED};
                r = journal_keep_record(journal, &run, at_wall, why, error);
        }
        r = journal_end(journal, r, "put the run aside", error);
        if (r < 0)
                return r;
        *ret_id = id;
        return found;
}

int journal_run(Journal *journal, int64_t id, Run *ret_run, Error *error) {
        return select_one(journal, "WHERE id = ?1", id, ret_run, error);
}

int journal_run_of_decision(Journal *journal, int64_t decision_id, Run *ret_run, Error *error) {
        return select_one(journal, "WHERE decision_id = ?1 ORDER BY id DESC LIMIT 1", decision_id, ret_run, error);
}

int journal_runs(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Run *run), void *userdata,
                 Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        Run run;
        int r = select_runs(journal, "ORDER BY id DESC LIMIT ?1", limit, &statement, error);
        if (r < 0)
                return r;
        while ((r = journal_step(journal, statement, "read the runs", error)) > 0) {
                r = read_run(journal, statement, &run, error);
                if (r == 0)
                        r = visit(userdata, &run);
                if (r != 0)
                        return r;
        }
        return r;
}

int journal_records(Journal *journal, int64_t run_id, int (*visit)(void *userdata, const JournalRecord *record),
                    void *userdata, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal,
                                "SELECT seq, at_wall, phase, cursor, note FROM records WHERE run_id = ?1 ORDER BY seq",
                                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run_id);
        while ((r = journal_step(journal, statement, "read the records", error)) > 0) {
                JournalRecord record = {
                        .seq = sqlite3_column_int64(statement, 0),
                        .run_id = run_id,
                        .at_wall = sqlite3_column_int64(statement, 1),
                        .cursor = (StepId)sqlite3_column_int(statement, 3),
                };
                const char *phase = (const char *)sqlite3_column_text(statement, 2);
                if (!phase || run_phase_parse(phase, &record.phase) < 0)
                        return error_set(error, -EBADMSG, "journal %s: record %" PRId64 " has an unknown phase",
                                         journal->path, record.seq);
                column_copy(statement, 4, record.note, sizeof record.note);
                r = visit(userdata, &record);
                if (r != 0)
                        return r;
        }
        return r;
}

int journal_count_automatic(Journal *journal, int64_t since_wall, int64_t *ret_count, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(
                journal,
                "SELECT count(*) FROM runs WHERE kind = 'rollback' AND mode = 'automatic' AND created_wall >= ?1",
                &statement, error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, since_wall);
        r = journal_step(journal, statement, "count the rollbacks", error);
        if (r < 0)
                return r;
        *ret_count = sqlite3_column_int64(statement, 0);
        return 0;
}
