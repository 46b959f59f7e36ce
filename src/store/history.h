/* What was measured, kept for a while: every sample with what was live then, and marks of what happened between them. In a file of its
 * own beside the journal, because it may be lost: nothing that acts ever reads it. Written by the daemon, read by anybody who
 * may read the file (SQLite's WAL, synchronous=NORMAL). It is bounded by age and by size. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#define HISTORY_FILE "history.db" /* in paths.state */

typedef struct History History;

typedef struct HistoryLimits {
        int64_t keep_us;   /* what is older goes */
        int64_t max_bytes; /* of the file; beyond it the oldest goes */
} HistoryLimits;

typedef struct HistorySample {
        int64_t id; /* samples and marks count together: the order in which they were */
        Sample sample;
        char version[VERSION_MAX]; /* that was live; "": not known */
        int64_t deployment_id;     /* the journal's; 0: none known */
        bool during_run;           /* a run overlapped it: not to be judged */
} HistorySample;

typedef enum HistoryMarkKind {
        HISTORY_STARTED,    /* a controller began to watch: the window was empty, the clocks may be others */
        HISTORY_DEPLOYMENT, /* made, and from when on the policy knew of it */
        HISTORY_RUN,        /* begun at at_wall, ended at ended_wall */
        HISTORY_DECISION,
} HistoryMarkKind;

typedef struct HistoryMark {
        int64_t id;
        HistoryMarkKind kind;
        int64_t at_wall, ended_wall; /* ended: of a run */
        int64_t ref;                 /* the journal's id of it; 0: has none */
        char version[VERSION_MAX];   /* what it was about */
        char previous[VERSION_MAX];  /* of a deployment */
        char target[VERSION_MAX];    /* where an automatic rollback would have gone, or was to go */
        bool target_sure;            /* it had proven itself */
        bool is_rollback;            /* of a deployment or a run */
        unsigned triggers;           /* of a decision; of a deployment the symptoms before it */
        DecisionKind decision;
        Guard guard;
} HistoryMark;

/* *ret_damaged: it could not be read, was moved to PATH.damaged (one is kept), and a new one was begun. */
int history_open(const char *path, const HistoryLimits *limits, History **ret_history, bool *ret_damaged, Error *error);
/* Moves a closed one to PATH.damaged. */
int history_set_aside(const char *path, Error *error);
/* Only reads. -ENOENT: nothing has been recorded there. */
int history_open_reader(const char *path, History **ret_history, Error *error);
History *history_close(History *history); /* NULL allowed; returns NULL */

/* -EBADMSG: it is damaged, open it again; -ENOSPC: the disk is full. Sets the id. */
int history_add(History *history, HistorySample *sample, Error *error);
int history_mark(History *history, HistoryMark *mark, Error *error);
/* The newest mark's `ref` of that kind; 0: there is none. */
int history_newest_ref(History *history, HistoryMarkKind kind, int64_t *ret_ref, Error *error);

typedef struct HistoryVisitor {
        /* A visit that returns other than 0 stops; that value is returned. Either may be NULL. */
        int (*sample)(void *userdata, const HistorySample *sample);
        int (*mark)(void *userdata, const HistoryMark *mark);
        void *userdata;
} HistoryVisitor;

/* What ended within [from, to], in the order in which it was; first the deployment that was known before. */
int history_read(History *history, int64_t from_wall, int64_t to_wall, const HistoryVisitor *visitor, Error *error);

/* At most `points` samples of that time, evenly spaced; *ret_thinned: there are others between them. Cheap however many there are. */
int history_thin(History *history, int64_t from_wall, int64_t to_wall, unsigned points, const HistoryVisitor *visitor,
                 bool *ret_thinned, Error *error);
