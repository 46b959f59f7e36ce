/* The ledger of a load: one row per request, in the order they were due. Everything that is reported is counted from the
 * rows at the end, so no summary can disagree with another. Times `_us` are CLOCK_REALTIME microseconds, so that they can be
 * compared with the controller's journal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERSIONS_MAX 16
#define VERSION_TEXT_MAX 64
#define PHASES_MAX 32
#define CHANGES_MAX 64

typedef enum Outcome {
        OUTCOME_PENDING,
        OUTCOME_ANSWERED,  /* 2xx */
        OUTCOME_STATUS,    /* another status: failed */
        OUTCOME_REFUSED,   /* no connection */
        OUTCOME_RESET,     /* the connection broke */
        OUTCOME_CLOSED,    /* closed without an answer */
        OUTCOME_TIMED_OUT, /* no whole answer in time */
        OUTCOME_GARBLED,   /* not HTTP */
        OUTCOME_ABANDONED, /* the load was ended twice: nobody waited for the answer */
        OUTCOME_COUNT,
} Outcome;

typedef struct Row {
        int64_t due_us;     /* when it was to be sent; latency counts from here: sending late hides no stall */
        int64_t latency_us; /* until the whole answer, or the failure */
        int64_t number;     /* of an acknowledged write; else 0 */
        uint32_t write;     /* sequence of a write, from 1; 0: a read */
        int16_t status;     /* 0: none */
        uint8_t outcome;    /* Outcome */
        uint8_t version;    /* who answered: index into `versions`; 0: nobody who said so */
        uint8_t phase;
} Row;

/* The release that answers changed: the first healthy answer of `version`. */
typedef struct VersionChange {
        uint8_t version;
        int64_t first_us, last_us; /* of its healthy answers */
        int64_t answers;
} VersionChange;

typedef struct Tally {
        Row *rows;
        size_t count, room;
        char versions[VERSIONS_MAX][VERSION_TEXT_MAX]; /* [0] is "" */
        unsigned version_count;
        VersionChange changes[CHANGES_MAX];
        unsigned change_count;
        int64_t phase_began_us[PHASES_MAX];
        unsigned phase; /* the current one, from 0 */
        int64_t began_us, ended_us;
} Tally;

void tally_init(Tally *tally, int64_t now_us);
void tally_done(Tally *tally);

size_t tally_add(Tally *tally, int64_t due_us, uint32_t write); /* returns the row's index; aborts without memory */
/* Ends a row. True when this answer is the first of another release than before. */
bool tally_end(Tally *tally, size_t index, int64_t now_us, Outcome outcome, int status, const char *version,
               int64_t number);
/* Rows added from now on belong to the new phase; the last one is kept for ever. */
void tally_next_phase(Tally *tally, int64_t now_us);

const char *outcome_name(Outcome outcome);

/* What was counted over rows [from, to) that are of `phase` (-1: any). */
typedef struct TallySum {
        int64_t requests, failed;
        int64_t failed_by_release; /* a release answered so itself; the rest failed before it */
        int64_t acknowledged_writes, unacknowledged_writes;
        int64_t p50_us, p90_us, p99_us, p999_us; /* of all requests, failed ones too; -1: none */
        int64_t longest_us, longest_due_us;
} TallySum;

TallySum tally_sum(const Tally *tally, size_t from, size_t to, int phase);
