#include "core/shadow.h"

#include "core/version.h"

#include <stdlib.h>
#include <string.h>

const char *shadow_verdict_name(ShadowVerdict verdict) {
        static const char *const names[] = {"right", "wrong", "missed", "undecided", "automatic", "quiet"};
        return verdict <= SHADOW_QUIET ? names[verdict] : "invalid";
}

/* From its deployment until the next. */
typedef struct Life {
        const Deployment *deployment, *next; /* next NULL: it is live */
        int64_t end_wall;
} Life;

/* By other means than ours: the release that was there before is there again, and it is the older one. */
static bool put_back(const Deployment *deployment, const Deployment *next) {
        return next->run_id == 0 && deployment->previous[0] && strcmp(next->version, deployment->previous) == 0 &&
               version_compare(next->version, deployment->version) < 0;
}

static bool within(int64_t at, const Life *life) {
        return at >= life->deployment->at_wall && at < life->end_wall;
}

static void find_decisions(const ShadowInput *input, const Life *life, ShadowCase *its_case, int64_t *ret_bake_us) {
        for (unsigned i = 0; i < input->decision_count; i++) {
                const ShadowDecision *decision = &input->decisions[i];
                if (!within(decision->at_wall, life) || strcmp(decision->version, life->deployment->version) != 0)
                        continue;
                if (its_case->decisions++ > 0)
                        continue;
                its_case->decision_id = decision->id;
                its_case->decided_wall = decision->at_wall;
                *ret_bake_us = decision->bake_for_us;
        }
}

static void find_rollback(const ShadowInput *input, const Life *life, ShadowCase *its_case) {
        for (unsigned i = 0; i < input->rollback_count; i++) {
                const ShadowRollback *rollback = &input->rollbacks[i];
                if (!within(rollback->at_wall, life) || strcmp(rollback->from, life->deployment->version) != 0)
                        continue;
                its_case->run_id = rollback->run_id;
                its_case->rolled_back_wall = rollback->at_wall;
                its_case->automatic = rollback->automatic;
                return;
        }
        if (life->next && put_back(life->deployment, life->next))
                its_case->rolled_back_wall = life->next->at_wall;
}

static ShadowVerdict judge(const ShadowCase *its_case, const Life *life, int64_t bake_us) {
        bool decided = its_case->decision_id != 0, rolled_back = its_case->rolled_back_wall != 0;
        if (its_case->automatic)
                return SHADOW_AUTOMATIC;
        if (!decided)
                return rolled_back ? SHADOW_MISSED : SHADOW_QUIET;
        int64_t waited = its_case->rolled_back_wall - its_case->decided_wall;
        if (rolled_back && waited < 0) /* it was begun before the engine came to it */
                return SHADOW_MISSED;
        if (rolled_back && waited <= SHADOW_WITHIN_US)
                return SHADOW_RIGHT;
        return life->end_wall - its_case->decided_wall >= bake_us ? SHADOW_WRONG : SHADOW_UNDECIDED;
}

static ShadowCase judge_life(const ShadowInput *input, const Life *life) {
        ShadowCase its_case = {
                .deployment_id = life->deployment->id, .made_wall = life->deployment->at_wall, .sooner_us = -1};
        int64_t bake_us = 0;
        memcpy(its_case.version, life->deployment->version, sizeof its_case.version);
        find_decisions(input, life, &its_case, &bake_us);
        find_rollback(input, life, &its_case);
        its_case.verdict = judge(&its_case, life, bake_us);
        if (its_case.verdict == SHADOW_RIGHT)
                its_case.sooner_us = its_case.rolled_back_wall - its_case.decided_wall;
        return its_case;
}

static int compare(const void *one, const void *other) {
        int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
        return (a > b) - (a < b);
}

static int64_t median_sooner(const ShadowCase *cases, unsigned count) {
        unsigned right = 0;
        int64_t *values = calloc(count + 1, sizeof *values), median = -1;
        for (unsigned i = 0; values && i < count; i++)
                if (cases[i].sooner_us >= 0)
                        values[right++] = cases[i].sooner_us;
        if (right > 0) {
                qsort(values, right, sizeof *values, compare);
                median = values[right / 2];
        }
        free(values);
        return median;
}

static bool is_rollback(const ShadowInput *input, unsigned index) {
        const Deployment *deployment = &input->deployments[index];
        for (unsigned i = 0; deployment->run_id != 0 && i < input->rollback_count; i++)
                if (input->rollbacks[i].run_id == deployment->run_id)
                        return true;
        return index > 0 && put_back(&input->deployments[index - 1], deployment);
}

unsigned shadow_judge(const ShadowInput *input, ShadowCase *ret_cases, unsigned max, ShadowReport *ret_report) {
        unsigned count = 0;
        *ret_report = (ShadowReport){.precision_ppm = -1};
        for (unsigned i = 0; i < input->deployment_count && count < max; i++) {
                Life life = {.deployment = &input->deployments[i], .end_wall = input->now_wall};
                if (i + 1 < input->deployment_count) {
                        life.next = &input->deployments[i + 1];
                        life.end_wall = life.next->at_wall;
                }
                if (life.deployment->at_wall < input->from_wall || life.deployment->at_wall >= input->to_wall ||
                    is_rollback(input, i)) /* nobody asks whether to roll back from one */
                        continue;
                ret_cases[count] = judge_life(input, &life);
                ret_report->counts[ret_cases[count++].verdict]++;
        }
        unsigned right = ret_report->counts[SHADOW_RIGHT], judged = right + ret_report->counts[SHADOW_WRONG];
        if (judged > 0)
                ret_report->precision_ppm = (int64_t)right * PPM / judged;
        ret_report->sooner_median_us = median_sooner(ret_cases, count);
        return count;
}
