#include "core/replay.h"

#include "base/macros.h"
#include "core/names.h"
#include "core/words.h"

#include <stddef.h>
#include <string.h>

void evidence_of_input(const PolicyInput *input, Evidence *evidence) {
        evidence->window_known = input->verdict != NULL;
        evidence->now_mono = input->verdict ? input->verdict->at_mono : 0;
        evidence->deployment_known = input->deployment != NULL;
        evidence->deployment = input->deployment ? *input->deployment : (Deployment){0};
        evidence->deployment_age_us = input->deployment_age_us;
        evidence->deployment_is_rollback = input->deployment_is_rollback;
        evidence->drained_by_operator = input->drained_by_operator;
        evidence->run_unsound = input->run_unsound;
        evidence->shadow = input->shadow;
        evidence->rollbacks_today = input->rollbacks_today;
        evidence->release_count =
                input->release_count < EVIDENCE_RELEASES_MAX ? input->release_count : EVIDENCE_RELEASES_MAX;
        for (unsigned i = 0; i < evidence->release_count; i++)
                evidence->releases[i] = input->releases[i];
}

/* ---- what was made of it ---- */

static void ask_immediate(const Rules *rules, const Evidence *evidence, ImmediateWords *ret) {
        OutageWatch outage = evidence->outage.before;
        RestartWatch restarts = evidence->units.before;
        ConsensusHistory history = evidence->consensus.before;
        ConsensusView view = {0};
        *ret = (ImmediateWords){0};
        if (evidence->outage.asked)
                (void)engine_outage(rules, &outage, &evidence->outage.pulse, &evidence->outage.probe,
                                    evidence->outage.now_mono, ret->outage, sizeof ret->outage);
        if (evidence->units.asked)
                (void)engine_units(rules, &restarts, &evidence->units.units, evidence->units.now_mono,
                                   ret->unit_failure, sizeof ret->unit_failure);
        if (!evidence->consensus.asked)
                return;
        consensus_judge(&history, &evidence->consensus.state, evidence->consensus.patience_us, &view);
        if (view.quorum == KNOWN_FALSE)
                memcpy(ret->quorum_lost, view.words, sizeof ret->quorum_lost);
        if (view.byzantine > 0)
                memcpy(ret->byzantine, view.words, sizeof ret->byzantine);
}

static void judge_window(const Decision *kept, const Evidence *evidence, ReplayRoom *room) {
        engine_init(&room->engine, &kept->rules);
        for (unsigned i = 0; i < kept->sample_count; i++)
                (void)engine_add(&room->engine, &kept->samples[i]);
        engine_verdict(&room->engine, evidence->now_mono, &room->verdict);
}

void replay_input(const Decision *kept, const Evidence *evidence, ReplayRoom *room, PolicyInput *ret_input) {
        ask_immediate(&kept->rules, evidence, &room->immediate);
        if (evidence->window_known)
                judge_window(kept, evidence, room);
        *ret_input = (PolicyInput){
                .rules = &kept->rules,
                .now_wall = kept->at_wall,
                .version = kept->version,
                .deployment = evidence->deployment_known ? &evidence->deployment : NULL,
                .deployment_age_us = evidence->deployment_age_us,
                .deployment_is_rollback = evidence->deployment_is_rollback,
                .releases = evidence->releases,
                .release_count = evidence->release_count,
                .rollbacks_today = evidence->rollbacks_today,
                .drained_by_operator = evidence->drained_by_operator,
                .run_unsound = evidence->run_unsound,
                .shadow = evidence->shadow,
                .verdict = evidence->window_known ? &room->verdict : NULL,
                .unit_failure = room->immediate.unit_failure,
                .outage = room->immediate.outage,
                .quorum_lost = room->immediate.quorum_lost,
                .byzantine = room->immediate.byzantine,
        };
}

void replay_decide(const Decision *kept, const Evidence *evidence, ReplayRoom *room, Decision *ret_again) {
        PolicyInput input;
        replay_input(kept, evidence, room, &input);
        policy_decide(&input, ret_again);
}

/* ---- is it the same? ---- */

#define COUNT(member)                                                                                                  \
        { #member, offsetof(Decision, member) }
static const struct {
        const char *name;
        size_t offset;
} counts[] = {COUNT(expected), COUNT(needed), COUNT(degraded), COUNT(unknown)};

static bool same_text(const char *name, const char *again, const char *kept, char *words, size_t size) {
        if (strcmp(again, kept) == 0)
                return true;
        words_append(words, size, "%s '%.80s', kept '%.80s'", name, again, kept);
        return false;
}

static bool same_count(const char *name, unsigned again, unsigned kept, char *words, size_t size) {
        if (again == kept)
                return true;
        words_append(words, size, "%s %u, kept %u", name, again, kept);
        return false;
}

static bool same_counts(const Decision *again, const Decision *kept, char *words, size_t size) {
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                unsigned one, other;
                memcpy(&one, (const char *)again + counts[i].offset, sizeof one);
                memcpy(&other, (const char *)kept + counts[i].offset, sizeof other);
                if (!same_count(counts[i].name, one, other, words, size))
                        return false;
        }
        return true;
}

/* A sample that wouldn't have been in the window is missing again, so the first that isn't the same is told by its place. */
static bool same_samples(const Decision *again, const Decision *kept, char *words, size_t size) {
        if (!same_count("samples in the window", again->sample_count, kept->sample_count, words, size))
                return false;
        for (unsigned i = 0; i < again->sample_count; i++)
                if (again->samples[i].start_mono != kept->samples[i].start_mono) {
                        words_append(words, size, "sample %u of the window is another", i + 1);
                        return false;
                }
        return true;
}

bool replay_same(const Decision *again, const Decision *kept, char *words, size_t size) {
        words[0] = '\0';
        return same_counts(again, kept, words, size) && same_samples(again, kept, words, size) &&
               same_text("kind", decision_kind_name(again->kind), decision_kind_name(kept->kind), words, size) &&
               same_count("triggers", again->triggers, kept->triggers, words, size) &&
               same_text("guard", guard_key(again->guard), guard_key(kept->guard), words, size) &&
               same_text("target", again->target, kept->target, words, size) &&
               same_text("reason", again->reason, kept->reason, words, size);
}
