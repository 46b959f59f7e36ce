#include "core/policy.h"

#include "base/macros.h"
#include "core/names.h"
#include "core/version.h"
#include "core/words.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMED_MAX 6 /* of the releases a person could name */

/* ---- the target ---- */

static const char *text_or_empty(const char *text) {
        return text ? text : "";
}

static const Release *find_release(const TargetRequest *request, const char *version) {
        for (unsigned i = 0; i < request->count; i++)
                if (strcmp(request->releases[i].version, version) == 0)
                        return &request->releases[i];
        return NULL;
}

static TargetDoubt doubt_of(const Release *release) {
        switch (release->state) {
        case RELEASE_GOOD:
                return TARGET_SURE;
        case RELEASE_FAILED:
                return TARGET_FAILED;
        default:
                return TARGET_UNPROVEN;
        }
}

static bool is_candidate(const TargetRequest *request, const Release *release, TargetDoubt doubt) {
        return release->present && version_valid(release->version) && doubt_of(release) == doubt &&
               strcmp(release->version, text_or_empty(request->current)) != 0;
}

/* The one that was current before, else the highest version below current. */
static const Release *best_candidate(const TargetRequest *request, TargetDoubt doubt) {
        const Release *previous = find_release(request, text_or_empty(request->previous));
        if (previous && is_candidate(request, previous, doubt))
                return previous;
        bool bounded = version_valid(request->current);
        const Release *best = NULL;
        for (unsigned i = 0; i < request->count; i++) {
                const Release *release = &request->releases[i];
                if (!is_candidate(request, release, doubt))
                        continue;
                if (bounded && version_compare(release->version, request->current) >= 0)
                        continue;
                if (!best || version_compare(release->version, best->version) > 0)
                        best = release;
        }
        return best;
}

static int wanted_target(const TargetRequest *request, const Release **ret, Error *error) {
        const char *wanted = request->wanted;
        if (!version_valid(wanted))
                return error_set(error, -EINVAL, "'%s' is not a version: expected MAJOR.MINOR.PATCH like v2.4.0",
                                 wanted);
        if (strcmp(wanted, text_or_empty(request->current)) == 0)
                return error_set(error, -EALREADY, "%s is already current: there is nothing to do", wanted);
        const Release *release = find_release(request, wanted);
        if (!release || !release->present)
                return error_set(error, -ENOENT, "release %s is not here: its directory is missing", wanted);
        *ret = release;
        return 0;
}

/* "; there are: v2.3.1 (failed), v3.1.0 (good): to go to one, name it: ..."; "" when there are none. */
static void describe_others(const TargetRequest *request, char *text, size_t size) {
        text[0] = '\0';
        unsigned named = 0;
        for (unsigned i = request->count; i > 0 && named < NAMED_MAX; i--) { /* they are sorted: the newest first */
                const Release *release = &request->releases[i - 1];
                if (!release->present || !version_valid(release->version) ||
                    strcmp(release->version, text_or_empty(request->current)) == 0)
                        continue;
                words_append(text, size, "%s%s (%s)", named++ ? ", " : "; there are: ", release->version,
                             release_state_name(release->state));
        }
        if (named > 0)
                words_append(text, size, ": to go to one, name it: auto-rollback manual --to VERSION");
}

static int chosen_target(const TargetRequest *request, const Release **ret, Error *error) {
        const Release *release = best_candidate(request, TARGET_SURE);
        if (!release)
                release = best_candidate(request, TARGET_UNPROVEN);
        if (!release) {
                char others[DETAIL_MAX];
                describe_others(request, others, sizeof others);
                return error_set(error, -ENOENT, "no release below %s is left to go back to%s",
                                 request->current && *request->current ? request->current : "current",
                                 others[0] ? others : ", and no other release is on this machine");
        }
        *ret = release;
        return 0;
}

int policy_target(const TargetRequest *request, char ret_target[VERSION_MAX], TargetDoubt *ret_doubt, Error *error) {
        const Release *release = NULL;
        bool wanted = request->wanted && *request->wanted;
        int r = wanted ? wanted_target(request, &release, error) : chosen_target(request, &release, error);
        if (r < 0)
                return r;
        assert(release);
        TargetDoubt doubt = doubt_of(release);
        memcpy(ret_target, release->version, VERSION_MAX);
        *ret_doubt = doubt;
        if (request->mode == MODE_AUTOMATIC && doubt != TARGET_SURE)
                return error_set(error, -EPERM,
                                 "%s is %s: an automatic rollback goes only to a release that has proven itself",
                                 release->version, release_state_name(release->state));
        return 0;
}

/* ---- words ---- */

/* As many decimals as it takes to see on which side of the limit it lies. */
static char *percent_beside(int64_t ppm, int64_t limit_ppm, char buffer[WORDS_MAX]) {
        int64_t distance = ppm > limit_ppm ? ppm - limit_ppm : limit_ppm - ppm;
        return words_percent(ppm, distance < 100 ? 4 : 2, buffer);
}

static void describe_measure(const Rules *rules, Trigger trigger, const SampleJudgement *judgement, char *text,
                             size_t size) {
        char measured[WORDS_MAX], limit[WORDS_MAX];
        char relation = '>';
        if (trigger == TRIGGER_LATENCY_P99) {
                words_duration(judgement->latency_p99_us, measured);
                words_duration(rules->latency_p99_us, limit);
        } else if (trigger == TRIGGER_ERROR_RATE) {
                percent_beside(judgement->error_rate_ppm, rules->error_rate_ppm, measured);
                words_ratio(rules->error_rate_ppm, limit);
        } else {
                percent_beside(judgement->success_rate_ppm, rules->success_rate_ppm, measured);
                words_ratio(rules->success_rate_ppm, limit);
                relation = '<';
        }
        words_append(text, size, "%s %s %c %s", trigger_name(trigger), measured, relation, limit);
}

static void describe_counts(Trigger trigger, const Sample *sample, bool newest, char *text, size_t size) {
        const char *which = newest ? "newest" : "last such";
        if (trigger == TRIGGER_ERROR_RATE)
                words_append(text, size, " (%s: %" PRId64 " of %" PRId64 " requests failed", which, sample->errors,
                             sample->requests);
        else if (trigger == TRIGGER_SUCCESS_RATE)
                words_append(text, size, " (%s: %" PRId64 " of %" PRId64 " requests succeeded", which,
                             sample->successes, sample->requests);
        else
                words_append(text, size, " (%s: %" PRId64 " requests", which, sample->requests);
        if (sample->dropped > 0)
                words_append(text, size, ", %" PRId64 " lost sight of", sample->dropped);
        words_append(text, size, ")");
}

/* The numbers are those of the newest sample in which the trigger was exceeded. */
static void describe_trigger(const Rules *rules, const Verdict *verdict, Trigger trigger, char *text, size_t size) {
        unsigned exceeded = 0, last = 0;
        SampleJudgement judgement, last_judgement = {0};
        for (unsigned i = 0; i < verdict->count; i++) {
                engine_judge_sample(rules, verdict->samples[i], &judgement);
                if (!(judgement.triggers & trigger))
                        continue;
                exceeded++;
                last = i;
                last_judgement = judgement;
        }
        if (exceeded == 0)
                return;
        char window[WORDS_MAX];
        describe_measure(rules, trigger, &last_judgement, text, size);
        words_append(text, size, " in %u of %u samples over %s", exceeded, verdict->expected,
                     words_duration(rules->window_us, window));
        describe_counts(trigger, verdict->samples[last], last + 1 == verdict->count, text, size);
}

void policy_describe(const Rules *rules, const Verdict *verdict, char *text, size_t size) {
        text[0] = '\0';
        for (unsigned bit = TRIGGER_ERROR_RATE; bit <= TRIGGER_SUCCESS_RATE; bit <<= 1)
                if (verdict->triggers & bit) {
                        if (text[0])
                                words_append(text, size, "; ");
                        describe_trigger(rules, verdict, (Trigger)bit, text, size);
                }
}

/* ---- the decision ---- */

bool policy_armed(const Rules *rules, const Deployment *deployment, int64_t age_us, int64_t *ret_left_us) {
        bool always = rules->armed_for_us == 0, armed = always || (deployment && age_us <= rules->armed_for_us);
        if (ret_left_us)
                *ret_left_us = armed && !always ? rules->armed_for_us - age_us : 0;
        return armed;
}

bool policy_bake(const Rules *rules, const Deployment *deployment, int64_t age_us, bool triggered_since,
                 bool units_active, bool probe_healthy) {
        return deployment && !triggered_since && units_active && probe_healthy && age_us >= rules->bake_for_us;
}

static void add_immediate(Decision *decision, Trigger trigger, const char *why) {
        if (!why || !*why)
                return;
        decision->triggers |= trigger;
        words_append(decision->reason, sizeof decision->reason, "%s%s: %s", decision->reason[0] ? "; " : "",
                     trigger_name(trigger), why);
}

static void add_window(const PolicyInput *input, Decision *decision) {
        const Verdict *verdict = input->verdict;
        if (!verdict)
                return;
        decision->expected = verdict->expected;
        decision->needed = verdict->needed;
        decision->degraded = verdict->degraded;
        decision->unknown = verdict->unknown;
        decision->sample_count = verdict->count;
        for (unsigned i = 0; i < verdict->count; i++)
                decision->samples[i] = *verdict->samples[i];
        if (!verdict->triggered)
                return;
        char text[REASON_MAX];
        policy_describe(input->rules, verdict, text, sizeof text);
        decision->triggers |= verdict->triggers;
        words_append(decision->reason, sizeof decision->reason, "%s%s", decision->reason[0] ? "; " : "", text);
}

static Guard guard_target(const PolicyInput *input, char target[VERSION_MAX]) {
        TargetRequest request = {
                .releases = input->releases,
                .count = input->release_count,
                .current = input->version,
                .previous = input->deployment ? input->deployment->previous : NULL,
                .mode = MODE_AUTOMATIC,
        };
        TargetDoubt doubt;
        int r = policy_target(&request, target, &doubt, NULL);
        if (r == -EPERM)
                return GUARD_TARGET_UNPROVEN;
        return r < 0 ? GUARD_NO_TARGET : GUARD_NONE;
}

static bool unsound(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return input->run_unsound;
}
static bool not_armed(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return !policy_armed(input->rules, input->deployment, input->deployment_age_us, NULL);
}
static bool rolled_back(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return input->deployment_is_rollback || (input->deployment && input->deployment->rolled_back);
}
static bool spent(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return input->rollbacks_today >= input->rules->rollbacks_per_day;
}
static bool same_before(const PolicyInput *input, unsigned triggers, UNUSED Guard target) {
        return input->deployment && (triggers & ~input->deployment->symptoms_before) == 0;
}
static bool drained(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return input->drained_by_operator;
}
static bool no_target(UNUSED const PolicyInput *input, UNUSED unsigned triggers, Guard target) {
        return target == GUARD_NO_TARGET;
}
static bool target_unproven(UNUSED const PolicyInput *input, UNUSED unsigned triggers, Guard target) {
        return target == GUARD_TARGET_UNPROVEN;
}
static bool shadow(const PolicyInput *input, UNUSED unsigned triggers, UNUSED Guard target) {
        return input->shadow;
}

/* In this order: the first "no" is the one a person reads. Shadow mode comes last, so that what it forbids would have been done. */
static const struct {
        Guard guard;
        bool (*forbids)(const PolicyInput *input, unsigned triggers, Guard target);
} guards[] = {
        {GUARD_RUN_UNSOUND, unsound},
        {GUARD_NOT_ARMED, not_armed},
        {GUARD_ALREADY_ROLLED_BACK, rolled_back},
        {GUARD_BUDGET_SPENT, spent},
        {GUARD_SAME_BEFORE, same_before},
        {GUARD_DRAINED_BY_OPERATOR, drained},
        {GUARD_NO_TARGET, no_target},
        {GUARD_TARGET_UNPROVEN, target_unproven},
        {GUARD_SHADOW, shadow},
};
static_assert(ARRAY_SIZE(guards) == GUARD_SHADOW, "a guard that is never asked");

unsigned policy_ask_guards(const PolicyInput *input, unsigned triggers, char ret_target[VERSION_MAX],
                           GuardAnswer ret_answers[GUARD_SHADOW]) {
        Guard target = guard_target(input, ret_target); /* named in any case */
        for (unsigned i = 0; i < ARRAY_SIZE(guards); i++)
                ret_answers[i] = (GuardAnswer){guards[i].guard, guards[i].forbids(input, triggers, target)};
        return ARRAY_SIZE(guards);
}

static Guard first_guard(const PolicyInput *input, unsigned triggers, char target[VERSION_MAX]) {
        GuardAnswer answers[GUARD_SHADOW];
        unsigned count = policy_ask_guards(input, triggers, target, answers);
        for (unsigned i = 0; i < count; i++)
                if (answers[i].forbids)
                        return answers[i].guard;
        return GUARD_NONE;
}

Guard policy_automatic(const PolicyInput *input) {
        char target[VERSION_MAX] = "";
        return first_guard(input, ~0U, target);
}

void policy_decide(const PolicyInput *input, Decision *ret) {
        memset(ret, 0, sizeof *ret);
        ret->at_wall = input->now_wall;
        ret->rules = *input->rules;
        ret->rule_version = RULE_VERSION;
        snprintf(ret->version, sizeof ret->version, "%s", text_or_empty(input->version));
        add_immediate(ret, TRIGGER_SERVICE_FAILED, input->unit_failure);
        add_immediate(ret, TRIGGER_OUTAGE, input->outage);
        add_immediate(ret, TRIGGER_QUORUM, input->quorum_lost);
        add_immediate(ret, TRIGGER_BYZANTINE, input->byzantine);
        add_window(input, ret);
        if (ret->triggers == 0)
                return;
        ret->guard = first_guard(input, ret->triggers, ret->target);
        ret->kind = ret->guard == GUARD_NONE ? DECISION_ROLLBACK : DECISION_REVIEW;
}
