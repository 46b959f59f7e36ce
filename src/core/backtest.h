/* The engine over recorded samples: when would it have rolled back? Pure, and quick: a sample costs the same however long the window
 * is, and what is found is what engine_verdict() and policy_decide() say of it (a test compares over random histories).
 * Times: samples are compared by their `mono` members, everything that is told is `wall`. */
#pragma once

#include "core/engine.h"
#include "core/policy.h"

#define BACKTEST_ROLLBACKS_MAX 1000 /* what decision.rollbacks_per_day allows at most */

/* What would have been decided. It lasts until nothing has triggered for a whole window, as in daemon/deciding.c. */
typedef struct BacktestFound {
        DecisionKind kind; /* a rollback, or a review that a guard makes of it */
        Guard guard;
        unsigned triggers;
        int64_t at_wall;    /* the end of the sample that decided it */
        int64_t onset_wall; /* the start of the first degraded sample of that stretch */
        int64_t until_wall; /* the end of the last sample at which it still stood */
        unsigned expected, needed, degraded, unknown;
        int64_t deployment_id;                          /* 0: the history knows of none */
        char version[VERSION_MAX], target[VERSION_MAX]; /* "": the history doesn't say */
        char reason[REASON_MAX];                        /* as the decision's */
} BacktestFound;

typedef struct BacktestCounts {
        int64_t samples, healthy, degraded, unknown,
                left_out;              /* left out: overlapping, or shorter than half an interval */
        int64_t first_wall, last_wall; /* start of the first, end of the last */
} BacktestCounts;

typedef struct Backtest Backtest;

/* What a history says of a deployment, besides the Deployment. */
typedef struct BacktestDeployment {
        Deployment deployment;
        bool is_rollback;
        char target[VERSION_MAX]; /* a rollback would have gone to it; "": there was none */
        bool target_sure;         /* it had proven itself */
} BacktestDeployment;

/* `found` is called for each when it is over. NULL: no memory. */
Backtest *backtest_new(const Rules *rules, void (*found)(void *userdata, const BacktestFound *found), void *userdata);
Backtest *backtest_free(Backtest *backtest); /* NULL allowed; returns NULL */

/* In the order in which they were. A history without a deployment is taken as armed all along, with a good release to go back to. */
void backtest_sample(Backtest *backtest, const Sample *sample);
void backtest_deployment(Backtest *backtest, const BacktestDeployment *deployment);
/* The window starts empty: a run has ended, or the controller was started, perhaps with other clocks. */
void backtest_restart(Backtest *backtest);
void backtest_end(Backtest *backtest); /* what still stands is told */

const BacktestCounts *backtest_counts(const Backtest *backtest);
/* As of the newest sample; for the test that compares. */
bool backtest_triggered(const Backtest *backtest, unsigned *ret_triggers, unsigned *ret_degraded,
                        unsigned *ret_unknown);
