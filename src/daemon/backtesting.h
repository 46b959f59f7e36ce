/* A backtest of real records: our own history, a range of a Prometheus, or a file. No controller is needed for it; the arithmetic is
 * core/backtest.h. */
#pragma once

#include "core/backtest-score.h"
#include "daemon/config.h"

#include <jansson.h>

#define BACKTEST_FOUND_MAX 10000 /* told one by one; what is more is counted */
#define BACKTEST_LABELS_MAX 10000

typedef struct BacktestWish {
        const char *csv; /* a file, "-" for the standard input; NULL: not that */
        bool prometheus; /* the one that the configuration names */
        int64_t from_wall, to_wall;
        Rules rules;
        const BacktestLabel *labels;
        unsigned label_count;
} BacktestWish;

typedef struct BacktestReport {
        const char *source;     /* "own history", "Prometheus" or "file", */
        char where[256];        /* and which */
        bool deployments_known; /* else the guards that need one were left out */
        BacktestCounts counts;
        BacktestFound *found;
        unsigned found_count;
        int64_t found_more;  /* beyond BACKTEST_FOUND_MAX */
        BacktestReal *reals; /* what was really decided, where that is known */
        unsigned real_count;
} BacktestReport;

/* `config` may be NULL for a file. -ENOENT: nothing was recorded there. */
int backtesting_run(const Config *config, const BacktestWish *wish, BacktestReport *ret_report, Error *error);
void backtesting_free(BacktestReport *report); /* what a run has filled it with */

/* With the score against the labels and what was really decided. */
json_t *backtesting_wire(const BacktestWish *wish, const BacktestReport *report);

/* A rule as the configuration has it: "thresholds.latency_p99=150ms", checked with its tables. */
int backtesting_set(Rules *rules, const char *assignment, Error *error);
/* What only shows in the whole: a window of too many samples. */
int backtesting_check_rules(const Rules *rules, Error *error);
int backtesting_default_rules(Rules *ret_rules, Error *error); /* the configuration's defaults */

/* from,to[,kind] a line, with or without a line that says so; the times are RFC 3339 or seconds since the epoch. */
int backtesting_read_labels(const char *path, BacktestLabel **ret_labels, unsigned *ret_count, Error *error);
