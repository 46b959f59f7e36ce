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
#include "core/evidence.h"
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
/* The newest run that the decision began: 1, or 0. */
int journal_run_of_decision(Journal *journal, int64_t decision_id, Run *ret_run, Error *error);

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

/* Keeps the decision with all samples and rules, exactly, and with what else it rests on (NULL: isn't known); sets decision->id. */
int journal_add_decision(Journal *journal, Decision *decision, const Evidence *evidence, Error *error);
int journal_evidence(Journal *journal, int64_t decision_id, Evidence *ret_evidence,
                     Error *error); /* 1, or 0: none was kept */
int journal_decision(Journal *journal, int64_t id, Decision *ret_decision,
                     Error *error); /* 1, or 0: no such decision */
int journal_decisions(Journal *journal, unsigned limit, int (*visit)(void *userdata, const Decision *decision),
                      void *userdata, Error *error); /* newest first */

/* ---- the chain of records ---- */

#define JOURNAL_LINK_MAX 65 /* hexadecimal, terminator included */

typedef struct JournalLink {
        int64_t count, at_wall; /* how many there are; when the newest was made */
        char text[JOURNAL_LINK_MAX];
} JournalLink;

int journal_newest_link(Journal *journal, JournalLink *ret_link, Error *error); /* 1, or 0: none yet */

typedef struct JournalProof {
        bool whole;
        int64_t records, begun_wall; /* links, and when the first was made; 0: there is no chain yet */
        bool known_found;
        char newest[JOURNAL_LINK_MAX]; /* "": none */
        char fault[DETAIL_MAX];        /* the first that isn't as it was written: "decision 5 was changed" */
} JournalProof;

/* Is every record since the chain began as it was written, none missing, none more? `known`: the beginning of a link that was
 * noted elsewhere, and must be there; NULL: none. -EPROTO: a newer program has gone on with it. */
int journal_verify(Journal *journal, const char *known, JournalProof *ret_proof, Error *error);

/* ---- what has been, in sums ---- */

typedef struct JournalLasted {
        int64_t count, sum_us;
} JournalLasted;

/* Of runs that have ended and of decisions. They outlive the program, so a counter that is made of them never goes back. */
typedef struct JournalTotals {
        int64_t runs[RUN_ROLLBACK + 1][MODE_EMERGENCY + 1][OUTCOME_HELD + 1];
        int64_t decisions[DECISION_REVIEW + 1][GUARD_SHADOW + 1];
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

/* ---- the outbox: what is to be told, until it is ---- */

#define OUTBOX_WAITING_MAX 1000 /* for each receiver; beyond it the oldest gives way */
#define OUTBOX_KEPT 2000        /* of what was told or dropped, the newest; until then an event isn't told again */

typedef struct OutboxEntry {
        int64_t id;                    /* the journal's */
        char receiver[32], driver[32]; /* for whom, and the form it has */
        char event[96];                /* the same for the same event, at each try and after each restart */
        char kind[32], severity[4];    /* "alert" ...; "P0" ... */
        char path[64];                 /* below the receiver's address */
        const char *headers,
                *body; /* lines "Name: value"; of an entry that was read: freed by journal_outbox_clear() */
        int64_t made_wall;
} OutboxEntry;

/* All or none. What was put there for the same receiver and event before is left as it is. *ret_dropped (may be NULL): how many that
 * waited gave way to these. -ENOSPC also when the reserve could not be kept complete: a rollback needs it more. */
int journal_outbox_add(Journal *journal, const OutboxEntry *entries, unsigned count, unsigned *ret_dropped,
                       Error *error);
/* 1: the oldest that waits for the receiver; 0: none does. `severity` NULL: any; else only of that one, made since `since_wall`. */
int journal_outbox_next(Journal *journal, const char *receiver, const char *severity, int64_t since_wall,
                        OutboxEntry *ret_entry, Error *error);
void journal_outbox_clear(OutboxEntry *entry); /* frees what reading it has made */
/* It waits no longer: `delivered` or dropped, and what the receiver said. */
int journal_outbox_end(Journal *journal, int64_t id, bool delivered, const char *answer, int64_t at_wall, Error *error);
/* Drops everything that was made before and still waits; *ret_count of them. */
int journal_outbox_expire(Journal *journal, int64_t before_wall, int64_t at_wall, int64_t *ret_count, Error *error);
/* How many wait for the receiver, and since when the oldest does (0: none). */
int journal_outbox_waiting(Journal *journal, const char *receiver, int64_t *ret_count, int64_t *ret_oldest_wall,
                           Error *error);

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

/* ---- incidents ---- */

#define JOURNAL_INCIDENTS_KEPT 500        /* the newest */
#define JOURNAL_NOTES_KEPT 200            /* of each incident: the first ones */
#define JOURNAL_PART_MAX (192 * 1024 - 1) /* bytes of what was captured for one */

/* By what an incident is found again: the same case never opens a second one. 0 and "": not that. */
typedef struct JournalCase {
        int64_t run_id, decision_id; /* of any incident */
        int64_t deployment_id; /* of one that isn't resolved: what else happens to this deployment is the same case */
        int64_t deployment_run_id; /* the run that made it: a rollback that didn't help is still that case */
        const char *source;        /* of one that isn't resolved; with it only the source counts */
} JournalCase;

typedef struct JournalNote {
        int64_t id, at_wall;
        char kind[24]; /* "opened", "run", "escalated", "acknowledged" ... */
        int64_t ref;   /* the run that it is about; 0: none */
        char text[REASON_MAX];
} JournalNote;

int journal_find_incident(Journal *journal, const JournalCase *its_case, Incident *ret_incident,
                          Error *error); /* 1, or 0: none */
/* 0: opened, incident->id is set; 1: the case has one already, *incident is that. One transaction, so that two who open the same
 * case at once make one. -ENOSPC also when the reserve could not be kept complete: a rollback needs it more. */
int journal_open_incident(Journal *journal, const JournalCase *its_case, Incident *incident, const JournalNote *note,
                          Error *error);
/* Keeps it as it is now, and adds the note (may be NULL), in one transaction. */
int journal_change_incident(Journal *journal, const Incident *incident, const JournalNote *note, Error *error);
int journal_incident(Journal *journal, int64_t id, Incident *ret_incident,
                     Error *error); /* 1, or 0: no such incident */
/* Newest first. `open`: only those that aren't resolved. */
int journal_incidents(Journal *journal, unsigned limit, bool open,
                      int (*visit)(void *userdata, const Incident *incident), void *userdata, Error *error);
int journal_notes(Journal *journal, int64_t incident_id, int (*visit)(void *userdata, const JournalNote *note),
                  void *userdata, Error *error); /* oldest first */

/* What was captured for it ("difference", "log", "samples"): JSON text, replaced as a whole. -EMSGSIZE: longer than JOURNAL_PART_MAX. */
int journal_set_part(Journal *journal, int64_t incident_id, const char *kind, const char *json, Error *error);
/* 1 and a text to free(), 0: not captured. */
int journal_part(Journal *journal, int64_t incident_id, const char *kind, char **ret_json, Error *error);
