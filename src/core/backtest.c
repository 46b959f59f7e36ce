#include "core/backtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands for the release to go back to where the history names none. */
#define SOME_RELEASE "v0.0.0"

/* What the window needs of a sample that was judged. */
typedef struct Judged {
        int64_t end_mono;
        SampleState state;
        unsigned triggers;
} Judged;

struct Backtest {
        Engine engine; /* keeps the samples themselves: the reason and its numbers are made of them */
        unsigned expected, needed;
        Judged window[WINDOW_SAMPLES_MAX]; /* a ring */
        unsigned first, held;
        WindowSums sums;
        bool triggered;
        unsigned triggers;

        int64_t stretch_wall;   /* the start of the first degraded sample since the window last held none */
        int64_t triggered_mono; /* when it last did */
        bool open;              /* `found` stands */
        BacktestFound found;

        bool deployment_known;
        BacktestDeployment deployment;
        int64_t rollbacks[BACKTEST_ROLLBACKS_MAX]; /* when; a ring */
        int64_t rollback_count;                    /* of all */

        BacktestCounts counts;
        Decision *decision;
        void (*tell)(void *userdata, const BacktestFound *found);
        void *userdata;
};

Backtest *backtest_new(const Rules *rules, void (*found)(void *userdata, const BacktestFound *found), void *userdata) {
        Backtest *backtest = calloc(1, sizeof *backtest);
        if (!backtest || !(backtest->decision = calloc(1, sizeof *backtest->decision)))
                return backtest_free(backtest);
        engine_init(&backtest->engine, rules);
        backtest->expected = engine_expected(rules);
        backtest->needed = engine_needed(rules);
        backtest->tell = found;
        backtest->userdata = userdata;
        return backtest;
}

Backtest *backtest_free(Backtest *backtest) {
        if (backtest)
                free(backtest->decision);
        free(backtest);
        return NULL;
}

const BacktestCounts *backtest_counts(const Backtest *backtest) {
        return &backtest->counts;
}

bool backtest_triggered(const Backtest *backtest, unsigned *ret_triggers, unsigned *ret_degraded,
                        unsigned *ret_unknown) {
        *ret_triggers = backtest->triggers;
        *ret_degraded = backtest->sums.degraded;
        *ret_unknown = backtest->expected - backtest->sums.degraded - backtest->sums.healthy;
        return backtest->triggered;
}

/* ---- what is found ---- */

static void close_found(Backtest *backtest) {
        if (backtest->open)
                backtest->tell(backtest->userdata, &backtest->found);
        backtest->open = false;
}

static int64_t rollbacks_today(const Backtest *backtest, int64_t now_wall) {
        int64_t kept =
                backtest->rollback_count < BACKTEST_ROLLBACKS_MAX ? backtest->rollback_count : BACKTEST_ROLLBACKS_MAX;
        int64_t count = 0;
        for (int64_t i = 0; i < kept; i++)
                count += backtest->rollbacks[i] >= now_wall - DAY_US;
        return count;
}

/* What the guards go by, as far as the history tells: what it doesn't know forbids nothing. */
static void fill_policy(const Backtest *backtest, int64_t now_wall, Rules *rules, Release *target, PolicyInput *input) {
        const BacktestDeployment *known = backtest->deployment_known ? &backtest->deployment : NULL;
        *rules = backtest->engine.rules;
        *target = (Release){.state = !known || known->target_sure ? RELEASE_GOOD : RELEASE_UNPROVEN, .present = true};
        snprintf(target->version, sizeof target->version, "%s", known ? known->target : SOME_RELEASE);
        if (!known)
                rules->armed_for_us = 0;
        *input = (PolicyInput){
                .rules = rules,
                .now_wall = now_wall,
                .version = known ? known->deployment.version : "",
                .deployment = known ? &known->deployment : NULL,
                .deployment_age_us = known ? now_wall - known->deployment.at_wall : 0,
                .deployment_is_rollback = known && known->is_rollback,
                .releases = target,
                .release_count = target->version[0] ? 1 : 0,
                .rollbacks_today = rollbacks_today(backtest, now_wall),
        };
}

static void open_found(Backtest *backtest, int64_t now_wall) {
        const Decision *decision = backtest->decision;
        BacktestFound *found = &backtest->found;
        close_found(backtest);
        backtest->open = true;
        *found = (BacktestFound){
                .kind = decision->kind,
                .guard = decision->guard,
                .triggers = decision->triggers,
                .at_wall = now_wall,
                .onset_wall = backtest->stretch_wall,
                .expected = decision->expected,
                .needed = decision->needed,
                .degraded = decision->degraded,
                .unknown = decision->unknown,
        };
        memcpy(found->reason, decision->reason, sizeof found->reason);
        if (backtest->deployment_known) {
                found->deployment_id = backtest->deployment.deployment.id;
                memcpy(found->version, decision->version, sizeof found->version);
                memcpy(found->target, decision->target, sizeof found->target);
        }
        if (decision->kind != DECISION_ROLLBACK)
                return;
        backtest->rollbacks[backtest->rollback_count++ % BACKTEST_ROLLBACKS_MAX] = now_wall;
        backtest->deployment.deployment.rolled_back = true;
}

/* Asked only until it would have rolled back: what comes after that is the same trouble. */
static void decide(Backtest *backtest, const Sample *sample) {
        Rules rules;
        Release target;
        PolicyInput input;
        Verdict verdict;
        if (backtest->open && backtest->found.kind == DECISION_ROLLBACK)
                return;
        fill_policy(backtest, sample->end_wall, &rules, &target, &input);
        if (backtest->open && policy_automatic(&input) != GUARD_NONE)
                return;
        engine_verdict(&backtest->engine, sample->end_mono, &verdict);
        input.verdict = &verdict;
        policy_decide(&input, backtest->decision);
        if (!backtest->open || backtest->decision->kind == DECISION_ROLLBACK)
                open_found(backtest, sample->end_wall);
}

/* ---- the window ---- */

static void leave_oldest(Backtest *backtest) {
        const Judged *oldest = &backtest->window[backtest->first];
        engine_count(&backtest->sums, oldest->state, oldest->triggers, -1);
        backtest->first = (backtest->first + 1) % WINDOW_SAMPLES_MAX;
        backtest->held--;
}

static void slide(Backtest *backtest, int64_t now_mono) {
        const Rules *rules = &backtest->engine.rules;
        while (backtest->held > 0 && (backtest->held >= backtest->expected ||
                                      !engine_in_window(rules, backtest->window[backtest->first].end_mono, now_mono)))
                leave_oldest(backtest);
}

static void empty_window(Backtest *backtest) {
        backtest->held = 0;
        backtest->sums = (WindowSums){0};
        backtest->triggered = false;
        backtest->triggers = 0;
}

void backtest_restart(Backtest *backtest) {
        close_found(backtest);
        empty_window(backtest);
        engine_restart(&backtest->engine, INT64_MIN);
}

void backtest_deployment(Backtest *backtest, const BacktestDeployment *deployment) {
        close_found(backtest);
        backtest->deployment_known = true;
        backtest->deployment = *deployment;
        /* that it was rolled back in the end is what is to be found out */
        backtest->deployment.deployment.rolled_back = false;
}

static void count_sample(BacktestCounts *counts, const Sample *sample, SampleState state) {
        if (counts->samples++ == 0)
                counts->first_wall = sample->end_wall - (sample->end_mono - sample->start_mono);
        counts->last_wall = sample->end_wall;
        counts->healthy += state == SAMPLE_HEALTHY;
        counts->degraded += state == SAMPLE_DEGRADED;
        counts->unknown += state == SAMPLE_UNKNOWN;
}

void backtest_sample(Backtest *backtest, const Sample *sample) {
        SampleJudgement judgement;
        if (!engine_add(&backtest->engine, sample)) {
                backtest->counts.left_out++;
                return;
        }
        engine_judge_sample(&backtest->engine.rules, sample, &judgement);
        count_sample(&backtest->counts, sample, judgement.state);
        slide(backtest, sample->end_mono);
        bool degraded = judgement.state == SAMPLE_DEGRADED;
        if (degraded && backtest->sums.degraded == 0)
                backtest->stretch_wall = sample->end_wall - (sample->end_mono - sample->start_mono);
        backtest->window[(backtest->first + backtest->held++) % WINDOW_SAMPLES_MAX] =
                (Judged){.end_mono = sample->end_mono, .state = judgement.state, .triggers = judgement.triggers};
        engine_count(&backtest->sums, judgement.state, judgement.triggers, 1);

        backtest->triggered =
                degraded && backtest->sums.degraded >= backtest->needed; /* the newest is fresh: it ended now */
        backtest->triggers = backtest->triggered ? engine_leading_triggers(&backtest->sums) : 0;
        if (backtest->triggered) {
                decide(backtest, sample);
                backtest->found.until_wall = sample->end_wall;
                backtest->triggered_mono = sample->end_mono;
        } else if (backtest->open && sample->end_mono - backtest->triggered_mono >= backtest->engine.rules.window_us)
                close_found(backtest);
}

void backtest_end(Backtest *backtest) {
        close_found(backtest);
}
