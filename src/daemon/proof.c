/* Replaying decisions, and walking the chain of records. */
#include "daemon/proof.h"

#include "api/problem.h"
#include "api/wire.h"
#include "base/exit-codes.h"
#include "base/macros.h"
#include "daemon/proof-replay.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int unreadable(Problem *problem, const Error *error) {
        return problem_set(problem, 503, EXIT_IO, "Journal unreadable", "%s", error_text(error));
}

static int no_memory(Problem *problem) {
        return problem_set(problem, 500, EXIT_INTERNAL, "Out of memory", "the answer could not be built");
}

/* ---- which one ---- */

static int take_id(void *userdata, const Decision *decision) {
        *(int64_t *)userdata = decision->id;
        return 1;
}

int proof_find(Journal *journal, int64_t id, bool of_run, int64_t *ret_id, Problem *problem) {
        Error error = {0};
        if (of_run) {
                AUTO_FREE Run *run = calloc(1, sizeof *run);
                int r = run ? journal_run(journal, id, run, &error) : -ENOMEM;
                if (r < 0)
                        return run ? unreadable(problem, &error) : no_memory(problem);
                if (r == 0 || run->decision_id == 0)
                        return problem_set(problem, 404, EXIT_NO_INPUT, "No such decision",
                                           r == 0 ? "there is no run %lld"
                                                  : "run %lld was begun by an operator: there is no decision behind it",
                                           (long long)id);
                *ret_id = run->decision_id;
                return 0;
        }
        *ret_id = id;
        if (id != 0)
                return 0;
        int r = journal_decisions(journal, 1, take_id, ret_id, &error);
        if (r < 0)
                return unreadable(problem, &error);
        return r > 0 ? 0
                     : problem_set(problem, 404, EXIT_NO_INPUT, "No decision yet",
                                   "nothing was decided yet: no window of samples has triggered, nor anything else");
}

/* ---- replaying ---- */

Replay *replay_free(Replay *replay) {
        if (replay)
                free(replay->room);
        free(replay);
        return NULL;
}

Replay *replay_new(void) {
        Replay *replay = calloc(1, sizeof *replay);
        if (replay && !(replay->room = calloc(1, sizeof *replay->room)))
                return replay_free(replay);
        return replay;
}

static void judge(Replay *replay, int kept, const Error *error) {
        if (kept < 0) {
                replay->verdict = "differs";
                snprintf(replay->detail, sizeof replay->detail, "the evidence can't be read: %.160s",
                         error_text(error));
        } else if (kept == 0) {
                replay->verdict = "no_evidence";
                snprintf(replay->detail, sizeof replay->detail,
                         "it was decided by a program that kept samples and rules alone");
        } else if (replay->kept.rule_version != RULE_VERSION) {
                replay->verdict = "other_rules";
                snprintf(replay->detail, sizeof replay->detail,
                         "it was decided by rules of version %u, this program has version %d",
                         replay->kept.rule_version, RULE_VERSION);
        } else {
                replay_decide(&replay->kept, &replay->evidence, replay->room, &replay->again);
                bool same = replay_same(&replay->again, &replay->kept, replay->detail, sizeof replay->detail);
                replay->verdict = same ? "identical" : "differs";
        }
}

int replay_of(Journal *journal, Replay *replay, Error *error) {
        Error evidence_error = {0};
        memset(&replay->evidence, 0, sizeof replay->evidence);
        replay->detail[0] = '\0';
        int kept = journal_evidence(journal, replay->kept.id, &replay->evidence, &evidence_error);
        if (kept < 0 && kept != -EBADMSG)
                return error_set(error, kept, "%s", error_text(&evidence_error));
        replay->has_evidence = kept > 0;
        judge(replay, kept, &evidence_error);
        return 0;
}

json_t *replay_json(const Replay *replay) {
        return json_pack("{s:I, s:s, s:o, s:i}", "id", (json_int_t)replay->kept.id, "verdict", replay->verdict,
                         "detail", wire_text(replay->detail), "rule_version", (int)replay->kept.rule_version);
}

int proof_load(Journal *journal, int64_t id, Replay *replay, Problem *problem) {
        Error error = {0};
        int r = journal_decision(journal, id, &replay->kept, &error);
        if (r == 0)
                return problem_set(problem, 404, EXIT_NO_INPUT, "No such decision", "there is no decision %lld",
                                   (long long)id);
        if (r > 0)
                r = replay_of(journal, replay, &error);
        return r < 0 ? unreadable(problem, &error) : 0;
}

int proof_replay(Journal *journal, int64_t id, json_t **ret_answer, Problem *problem) {
        CLEANUP(cleanup_replay) Replay *replay = replay_new();
        if (!replay)
                return no_memory(problem);
        if (proof_load(journal, id, replay, problem) < 0)
                return -1;
        *ret_answer = replay_json(replay);
        return *ret_answer ? 0 : no_memory(problem);
}

/* ---- all of them ---- */

typedef struct All {
        Journal *journal;
        Replay *replay;
        json_t *list;
        Error *error;
} All;

static int replay_one(void *userdata, const Decision *decision) {
        All *all = userdata;
        all->replay->kept = *decision;
        int r = replay_of(all->journal, all->replay, all->error);
        if (r < 0)
                return r;
        return json_array_insert_new(all->list, 0, replay_json(all->replay)) < 0 ? -ENOMEM : 0;
}

static json_t *chain_json(const JournalProof *proof) {
        return json_pack("{s:b, s:I, s:o, s:o, s:o}", "whole", (int)proof->whole, "records", (json_int_t)proof->records,
                         "since", wire_time(proof->begun_wall), "newest", wire_text_or_null(proof->newest), "fault",
                         wire_text_or_null(proof->fault));
}

int proof_all(Journal *journal, bool replay, const char *known, json_t **ret_answer, Problem *problem) {
        CLEANUP(cleanup_replay) Replay *room = replay_new();
        JournalProof proof;
        Error error = {0};
        All all = {.journal = journal, .replay = room, .list = json_array(), .error = &error};
        if (!room || !all.list) {
                json_decref(all.list);
                return no_memory(problem);
        }
        int r = replay ? journal_decisions(journal, UINT_MAX, replay_one, &all, &error) : 0;
        if (r == 0)
                r = journal_verify(journal, known, &proof, &error);
        if (r < 0) {
                json_decref(all.list);
                return unreadable(problem, &error);
        }
        *ret_answer = json_pack("{s:o, s:o}", "decisions", all.list, "chain", chain_json(&proof));
        return *ret_answer ? 0 : no_memory(problem);
}

json_t *proof_chain(Journal *journal) {
        JournalLink link = {0};
        Error error = {0};
        bool known = journal && journal_newest_link(journal, &link, &error) == 1;
        return json_pack("{s:o, s:o, s:o}", "records", known ? json_integer(link.count - 1) : json_null(), "at",
                         wire_time(link.at_wall), "newest", wire_text_or_null(link.text));
}
