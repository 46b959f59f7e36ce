/* A decision in plain words: what was seen, what was made of it, which guards were asked, and what followed. */
#include "core/explain.h"
#include "core/names.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/exit-codes.h"
#include "base/macros.h"
#include "daemon/proof-replay.h"

#include <string.h>

static json_t *sample_whys(const Decision *decision) {
        json_t *whys = json_array();
        char text[DETAIL_MAX];
        for (unsigned i = 0; i < decision->sample_count; i++) {
                explain_sample(&decision->rules, &decision->samples[i], text, sizeof text);
                json_array_append_new(whys, wire_text(text));
        }
        return whys;
}

/* Without evidence only the guard that forbade is known. */
static json_t *guards_json(const Replay *replay, const PolicyInput *input) {
        GuardAnswer answers[GUARD_SHADOW];
        char target[VERSION_MAX] = "", text[DETAIL_MAX];
        json_t *list = json_array();
        unsigned count = replay->has_evidence ? policy_ask_guards(input, replay->kept.triggers, target, answers) : 0;
        for (unsigned i = 0; i < count; i++) {
                explain_guard(input, &replay->kept, &answers[i], text, sizeof text);
                json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "guard", guard_key(answers[i].guard),
                                                      "forbids", (int)answers[i].forbids, "answer", wire_text(text)));
        }
        return list;
}

static json_t *immediate_json(const ReplayRoom *room) {
        const struct {
                Trigger trigger;
                const char *said;
        } rows[] = {
                {TRIGGER_SERVICE_FAILED, room->immediate.unit_failure},
                {TRIGGER_OUTAGE, room->immediate.outage},
                {TRIGGER_QUORUM, room->immediate.quorum_lost},
                {TRIGGER_BYZANTINE, room->immediate.byzantine},
        };
        json_t *list = json_array();
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (rows[i].said[0])
                        json_array_append_new(list, json_pack("{s:s, s:o}", "trigger", trigger_key(rows[i].trigger),
                                                              "said", wire_text(rows[i].said)));
        return list;
}

/* The newest run that it began, with what its validation came to; null: none. */
static json_t *run_json(Journal *journal, int64_t decision_id) {
        AUTO_FREE Run *run = calloc(1, sizeof *run);
        char verdict[32] = "";
        Error error = {0};
        if (!run || journal_run_of_decision(journal, decision_id, run, &error) != 1)
                return json_null();
        bool validated = journal_validation(journal, run->id, verdict, sizeof verdict, NULL, &error) == 1;
        return wire_run(run, validated ? verdict : NULL);
}

static json_t *explanation(Journal *journal, const Replay *replay) {
        PolicyInput input;
        char window[DETAIL_MAX], target[DETAIL_MAX] = "", outcome[DETAIL_MAX];
        replay_input(&replay->kept, &replay->evidence, replay->room, &input);
        explain_window(&replay->kept, window, sizeof window);
        explain_outcome(&replay->kept, outcome, sizeof outcome);
        if (replay->has_evidence)
                explain_target(&input, &replay->kept, target, sizeof target);
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "decision", wire_decision(&replay->kept),
                         "outcome", wire_text(outcome), "window", wire_text(window), "samples",
                         sample_whys(&replay->kept), "immediate", immediate_json(replay->room), "guards",
                         guards_json(replay, &input), "target", wire_text_or_null(target), "replay",
                         replay_json(replay), "run", run_json(journal, replay->kept.id));
}

int proof_explain(Journal *journal, int64_t id, json_t **ret_answer, Problem *problem) {
        CLEANUP(cleanup_replay) Replay *replay = replay_new();
        if (replay && proof_load(journal, id, replay, problem) < 0)
                return -1;
        *ret_answer = replay ? explanation(journal, replay) : NULL;
        return *ret_answer ? 0
                           : problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
}
