/* Proof, from the journal alone: why was it decided, is that what comes out again, is every record as it was written, would shadow mode
 * have been right? Answers in the shapes of api/shapes.h; the controller gives them over its API, the command line asks the
 * journal itself. Nothing here needs a controller, or writes. */
#pragma once

#include "api/api.h"
#include "store/journal.h"

/* Which decision: `id`, or with `of_run` the one that began that run; 0 the newest. -1 with `problem`. */
int proof_find(Journal *journal, int64_t id, bool of_run, int64_t *ret_id, Problem *problem);

int proof_explain(Journal *journal, int64_t id, json_t **ret_answer, Problem *problem); /* shape "explanation" */
int proof_replay(Journal *journal, int64_t id, json_t **ret_answer, Problem *problem);  /* shape "replay" */
/* All decisions, oldest first, and the chain: shape "proof". `known`: the beginning of a link noted elsewhere, or NULL. */
int proof_all(Journal *journal, bool replay, const char *known, json_t **ret_answer, Problem *problem);
/* Of the deployments made in that time; shape "shadow_report". */
int proof_shadow(Journal *journal, int64_t from_wall, int64_t to_wall, int64_t now_wall, json_t **ret_answer,
                 Problem *problem);

json_t *
proof_chain(Journal *journal); /* shape "chain_head": how many records, and the newest link; null members: none */
