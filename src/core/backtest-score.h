/* How good it would have been: what a backtest found against what people say was an incident, and against what was really decided. */
#pragma once

#include "core/backtest.h"

/* An incident as people have told it. */
typedef struct BacktestLabel {
        int64_t from_wall, to_wall;
        char kind[64]; /* "": not said */
} BacktestLabel;

/* A decision that was really made. */
typedef struct BacktestReal {
        int64_t id, at_wall;
        DecisionKind kind;
        Guard guard;
        unsigned triggers;
} BacktestReal;

#define BACKTEST_NONE (-1)

/* What becomes of one finding. */
typedef struct BacktestScore {
        int label;        /* the incident that it found; BACKTEST_NONE: none */
        int real;         /* the decision that was really made then; BACKTEST_NONE: none */
        int64_t after_us; /* from the incident's beginning, else from the onset */
} BacktestScore;

/* The first of the labels that it lies in: it was decided after the label's beginning, on what began before its end. */
int backtest_label_of(const BacktestFound *found, const BacktestLabel *labels, unsigned count);

/* The decision that was really made over the same trouble: within a window of it. One that rolled back comes first. */
int backtest_real_of(const Rules *rules, const BacktestFound *found, const BacktestReal *reals, unsigned count);

BacktestScore backtest_score(const Rules *rules, const BacktestFound *found, const BacktestLabel *labels,
                             unsigned label_count, const BacktestReal *reals, unsigned real_count);

/* A real rollback could be found here: samples caused it. What a failed unit or an outage causes at once is not in a sample. */
bool backtest_real_by_samples(const BacktestReal *real);
