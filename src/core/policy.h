/* May we act on a verdict, and towards which release? Every "no" is a guard with a sentence for people. DESIGN of the
 * guards: never towards a release that failed, never twice for one deployment, never beyond the day's budget, never when the
 * same was wrong before the deployment, never against an operator. */
#pragma once

#include "base/error.h"
#include "core/engine.h"
#include "core/types.h"

/* What the engine and the policy make of the same evidence. To be raised with every change after which some evidence gives another
 * decision (a threshold's comparison, the window's edges, a guard, the choice of the target, a sentence of a reason): a
 * decision is only recomputed by the rules that made it. */
#define RULE_VERSION 1

#define DAY_US (INT64_C(24) * 3600 * USEC_PER_SEC) /* "rollbacks per day" looks back this far */

typedef enum TargetDoubt {
        TARGET_SURE,
        TARGET_UNPROVEN, /* it never lived through a bake here; also one that is still baking */
        TARGET_FAILED,   /* it was rolled back from; only ever by explicit wish */
} TargetDoubt;

typedef struct TargetRequest {
        const Release *releases;
        unsigned count;
        const char *current;  /* "" or NULL: nothing is; then every release counts as below */
        const char *previous; /* what was current before it; "" or NULL: not known. Comes first when it is good */
        const char *wanted;   /* explicit wish; "" or NULL: choose */
        RunMode mode;
} TargetRequest;

/* Chooses: `previous` when good, else the newest good release below current, else the highest unproven one below. Never a failed
 * one unless wanted. 0; -ENOENT: there is none (or the wanted one isn't there); -EINVAL: `wanted` isn't a version;
 * -EALREADY: it is current; -EPERM: automatic, and the only candidate is in doubt (then *ret_target and *ret_doubt are
 * set, to be named). */
int policy_target(const TargetRequest *request, char ret_target[VERSION_MAX], TargetDoubt *ret_doubt, Error *error);

typedef struct PolicyInput {
        const Rules *rules;
        int64_t now_wall;
        const char *version;          /* current; "" when nothing is */
        const Deployment *deployment; /* the newest; NULL: none is known */
        int64_t deployment_age_us;    /* by a clock that never jumps: setting the wall clock must not disarm */
        bool deployment_is_rollback;  /* it was made by a rollback: a rollback never triggers another */
        const Release *releases;
        unsigned release_count;
        int64_t rollbacks_today; /* automatic ones begun within the last DAY_US */
        bool drained_by_operator;
        bool shadow;              /* what nothing else forbids isn't done either, only recorded */
        bool run_unsound;         /* a run was left open in the journal that can't go on: what is so isn't known */
        const Verdict *verdict;   /* NULL: no samples */
        const char *unit_failure; /* reason of engine_units(); NULL or "": none */
        const char *outage;       /* reason of engine_outage(); NULL or "": none */
        const char *quorum_lost;  /* what consensus_judge() says of it; NULL or "": it isn't, or isn't known to be */
        const char *byzantine;    /* the same, when a member is */
} PolicyInput;

/* Always fills the decision with its evidence; `id` stays 0. */
void policy_decide(const PolicyInput *input, Decision *ret);

/* Every guard with its answer, in the order in which they are asked: the first "no" is the decision's. Returns how many there are. */
typedef struct GuardAnswer {
        Guard guard;
        bool forbids;
} GuardAnswer;
unsigned policy_ask_guards(const PolicyInput *input, unsigned triggers, char ret_target[VERSION_MAX],
                           GuardAnswer ret_answers[GUARD_SHADOW]);

/* Which guard would forbid a rollback, if something triggered now that wasn't so before the deployment; the verdict isn't looked at. */
Guard policy_automatic(const PolicyInput *input);

/* Armed: automatic rollbacks are allowed for this deployment, which was made `age_us` ago. *ret_left_us: for how much longer, 0: for
 * always; may be NULL. */
bool policy_armed(const Rules *rules, const Deployment *deployment, int64_t age_us, int64_t *ret_left_us);

/* A baking release has become good: it lived bake_for, nothing has triggered since its deployment, and it serves now. */
bool policy_bake(const Rules *rules, const Deployment *deployment, int64_t age_us, bool triggered_since,
                 bool units_active, bool probe_healthy);

/* "error rate 5.02 % > 1.00 % in 4 of 5 samples over 120 s (newest: 301 of 6000 requests failed)", joined by "; ". */
void policy_describe(const Rules *rules, const Verdict *verdict, char *text, size_t size);
