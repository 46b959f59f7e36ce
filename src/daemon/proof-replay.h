/* What proof.c and explaining.c share: one decision, and the same again. */
#pragma once

#include "core/replay.h"
#include "daemon/proof.h"

typedef struct Replay {
        Decision kept, again;
        Evidence evidence;
        ReplayRoom *room;
        bool has_evidence;
        const char *verdict; /* "identical" "differs" "no_evidence" "other_rules" */
        char detail[DETAIL_MAX];
} Replay;

Replay *replay_new(void); /* NULL: out of memory */
Replay *replay_free(Replay *replay);
static inline void cleanup_replay(Replay **replay) {
        replay_free(*replay);
}

/* Replays `kept`, which was read. Negative: the journal can't be read. */
int replay_of(Journal *journal, Replay *replay, Error *error);
int proof_load(Journal *journal, int64_t id, Replay *replay, Problem *problem); /* reads it, too */
json_t *replay_json(const Replay *replay);
