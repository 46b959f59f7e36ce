/* The journal: what was intended, what happened, and why; durable before any effect touches the world (law 2). SQLite in WAL mode
 * with synchronous=FULL: when a function that writes returns 0, its words survive a power cut. Other processes may read while one
 * writes; writers wait for each other at most a second (-EBUSY).
 *
 * A full disk does not stop a run: the write-ahead log, free pages inside the database and the shared index are there beforehand
 * (journal_prepare_space), enough for JOURNAL_RESERVED_APPENDS appends. (Copy-on-write file systems such as btrfs can't promise it.)
 *
 * Errors: -EBADMSG the file is damaged or isn't a journal (the message says what to do; nothing is ever deleted), -EPROTO written by
 * a newer program, -ENOSPC, -EBUSY, -EROFS, -EACCES, -EIO. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_SCHEMA_VERSION 4 /* 2: runs.symptoms_before, 3: audit, 4: incidents, outbox, chain, evidence */
#define JOURNAL_RESERVED_APPENDS 200
#define JOURNAL_VALUE_MAX 1024

typedef struct Journal Journal;

/* Creates the file with its schema and reserve when it is missing. */
int journal_open(const char *path, Journal **ret_journal, Error *error);
/* For reading alone, also by a user who may not write, and while somebody else writes. -ENOENT: no journal yet. */
int journal_open_reader(const char *path, Journal **ret_journal, Error *error);
Journal *journal_close(Journal *journal); /* NULL allowed; returns NULL */

/* Whether journal_open() found none (or an empty file) and made it. */
bool journal_is_new(const Journal *journal);
/* False: the file was removed or replaced under us, or its log was removed. What is appended then goes, without an error, where
 * the next to open the journal will not find it. Two system calls. For journal_open()'s alone. */
bool journal_is_in_place(const Journal *journal);

/* Refills the reserve; done by journal_open(), to be called again after each run. -ENOSPC says how many bytes are missing: a
 * rollback may still work, but readiness must say so. journal_open() itself succeeds without; ask journal_space_problem(). */
int journal_prepare_space(Journal *journal, Error *error);
/* "" when the reserve is complete, else why it isn't, as of the last journal_prepare_space(). */
const char *journal_space_problem(const Journal *journal);

/* ---- runs ---- */

/* One transaction: gives the run its id at the first append, keeps its whole state, and adds a record (now, phase, cursor, note)
 * that is never changed again. run->id is set only when the append succeeded. */
int journal_append_run(Journal *journal, Run *run, const char *note, Error *error);

int journal_open_run(Journal *journal, Run *ret_run, Error *error); /* 1: the newest run that has not ended; 0: none */

/* Ends that run (failed, cancelled) without reading it, as it can't be gone on with; `why` becomes its failure and a record's note. 1 and its
 * id; 0: there is none. */
int journal_put_aside(Journal *journal, int64_t at_wall, const char *why, int64_t *ret_id, Error *error);
int journal_run(Journal *journal, int64_t id, Run *ret_run, Error *error); /* 1, or 0: no such run */

/* Visits newest first, at most `limit`. A visit that returns other than 0 stops; that value is returned. */
int journal_runs(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Run *run), void *userdata,
                 Error *error);

typedef struct JournalRecord {
        int64_t seq, run_id, at_wall;
        RunPhase phase;
        StepId cursor;
        char note[DETAIL_MAX];
} JournalRecord;

/* The records of a run, oldest first. */
int journal_records(Journal *journal, int64_t run_id, int (*visit)(void *userdata, const JournalRecord *record),
                    void *userdata, Error *error);

/* The validation of a run: a word ("passed", "failed", "not_verified", "pending") and the whole answer as JSON text (may be NULL). */
int journal_set_validation(Journal *journal, int64_t run_id, const char *verdict, const char *json, Error *error);
/* 1 and the texts, 0 when there is none. *ret_json is the caller's to free(), NULL when none was given; may be NULL. */
int journal_validation(Journal *journal, int64_t run_id, char *ret_verdict, size_t size, char **ret_json, Error *error);

/* Automatic rollbacks begun at or after `since_wall`, whatever became of them. */
int journal_count_automatic(Journal *journal, int64_t since_wall, int64_t *ret_count, Error *error);

/* ---- decisions ---- */

/* Keeps the decision with all samples and rules, exactly; sets decision->id. */
int journal_add_decision(Journal *journal, Decision *decision, Error *error);
int journal_decision(Journal *journal, int64_t id, Decision *ret_decision,
                     Error *error); /* 1, or 0: no such decision */
int journal_decisions(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Decision *decision),
                      void *userdata, Error *error); /* newest first */

/* ---- what has been, in sums ---- */

typedef struct JournalLasted {
        int64_t count, sum_us;
} JournalLasted;

/* Of runs that have ended and of decisions. They outlive the program, so a counter that is made of them never goes back. */
typedef struct JournalTotals {
        int64_t runs[RUN_ROLLBACK + 1][MODE_EMERGENCY + 1][OUTCOME_HELD + 1];
        int64_t decisions[DECISION_REVIEW + 1][GUARD_RUN_UNSOUND + 1];
        JournalLasted run_lasted[RUN_ROLLBACK + 1];
        JournalLasted step_lasted[STEP_COUNT]; /* the last attempt of each, on the way to the target and back */
} JournalTotals;

/* Reads every run: to be kept until journal_newest() says that there is something new. */
int journal_totals(Journal *journal, JournalTotals *ret_totals, Error *error);

typedef struct JournalNewest {
        int64_t run, run_ended_wall, decision; /* 0: none yet, or not ended */
} JournalNewest;

int journal_newest(Journal *journal, JournalNewest *ret_newest, Error *error);

/* ---- releases and deployments ---- */

int journal_set_release(Journal *journal, const char *version, ReleaseState state, int64_t since_wall, Error *error);
int journal_release(Journal *journal, const char *version, Release *ret_release, Error *error); /* 1, or 0: not known */
/* All of them, in the order they became known; `present` is false, the caller fills it. *ret_count is the number there are, even when more than `max`. */
int journal_releases(Journal *journal, Release *ret_releases, size_t max, size_t *ret_count, Error *error);

int journal_add_deployment(Journal *journal, Deployment *deployment, Error *error);      /* sets deployment->id */
int journal_last_deployment(Journal *journal, Deployment *ret_deployment, Error *error); /* 1, or 0: none */
int journal_deployments(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Deployment *deployment),
                        void *userdata, Error *error); /* newest first */
int journal_mark_rolled_back(Journal *journal, int64_t deployment_id, Error *error);

/* ---- small things that must survive a restart ---- */

int journal_set_value(Journal *journal, const char *key, const char *value, Error *error); /* NULL removes it */
int journal_get_value(Journal *journal, const char *key, char *ret_value, size_t size,
                      Error *error); /* 1, or 0: not set */

typedef struct JournalAlert {
        int64_t id, at_wall;
        char source[64];
        char message[REASON_MAX];
} JournalAlert;

int journal_add_alert(Journal *journal, int64_t at_wall, const char *source, const char *message, Error *error);
int journal_alerts(Journal *journal, unsigned limit, int (*visit)(void *userdata, const JournalAlert *alert),
                   void *userdata, Error *error); /* newest first */

/* ---- the audit trail ---- */

#define JOURNAL_AUDIT_KEPT 10000 /* the newest */

typedef struct JournalAudit {
        int64_t id, at_wall;
        int64_t uid; /* -1: not known */
        char who[96], whence[64];
        char method[16], path[128];
        char arguments[2048]; /* JSON; "": it didn't come so far */
        int status;           /* of the HTTP answer */
        char outcome[128];
} JournalAudit;

#define JOURNAL_HEAL "heal" /* method of what was done to heal a component, which is the path */
#define JOURNAL_BEGUN 202   /* status of what was about to be done */

/* Sets audit->id. -ENOSPC also when the reserve could not be kept complete: a rollback needs it more. */
int journal_add_audit(Journal *journal, JournalAudit *audit, Error *error);
int journal_audits(Journal *journal, unsigned limit, int (*visit)(void *userdata, const JournalAudit *audit),
                   void *userdata, Error *error); /* newest first */
/* When healing the component was begun since then, the oldest first; of more than `max` the newest. Their number, or negative. */
int journal_heal_tries(Journal *journal, const char *component, int64_t since_wall, int64_t *ret_walls, unsigned max,
                       Error *error);
