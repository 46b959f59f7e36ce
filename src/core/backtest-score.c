#include "core/backtest-score.h"

int backtest_label_of(const BacktestFound *found, const BacktestLabel *labels, unsigned count) {
        for (unsigned i = 0; i < count; i++)
                if (found->at_wall >= labels[i].from_wall && found->onset_wall <= labels[i].to_wall)
                        return (int)i;
        return BACKTEST_NONE;
}

int backtest_real_of(const Rules *rules, const BacktestFound *found, const BacktestReal *reals, unsigned count) {
        int near = BACKTEST_NONE;
        for (unsigned i = 0; i < count; i++) {
                if (reals[i].at_wall < found->onset_wall || reals[i].at_wall > found->until_wall + rules->window_us)
                        continue;
                if (reals[i].kind == DECISION_ROLLBACK)
                        return (int)i;
                if (near == BACKTEST_NONE)
                        near = (int)i;
        }
        return near;
}

BacktestScore backtest_score(const Rules *rules, const BacktestFound *found, const BacktestLabel *labels,
                             unsigned label_count, const BacktestReal *reals, unsigned real_count) {
        BacktestScore score = {
                .label = backtest_label_of(found, labels, label_count),
                .real = backtest_real_of(rules, found, reals, real_count),
        };
        score.after_us =
                found->at_wall - (score.label == BACKTEST_NONE ? found->onset_wall : labels[score.label].from_wall);
        return score;
}

bool backtest_real_by_samples(const BacktestReal *real) {
        return (real->triggers & TRIGGERS_SUSTAINED) != 0;
}
