#include "core/replication.h"

#include "core/words.h"

#include <inttypes.h>
#include <string.h>

#define STREAMING "streaming"

const char *replica_word(const Replica *replica) {
        if (replica->missing)
                return "missing";
        if (replica->paused)
                return "paused";
        if (replica->stale)
                return "stale";
        return replica->state[0] ? replica->state : "not known";
}

static bool is_unknown(const Replica *replica) {
        return !replica->missing && !replica->paused && replica->state[0] == '\0';
}

/* A lag that was not measured isn't held against a replica that streams: when it lacks something for longer, it is stale. */
static bool is_late(const Replica *replica, int64_t limit_us) {
        return !replica->missing && replica->lag_us > limit_us;
}

static bool is_sound(const Replica *replica, int64_t limit_us) {
        return !replica->missing && !replica->paused && !replica->stale && strcmp(replica->state, STREAMING) == 0 &&
               !is_late(replica, limit_us);
}

static void count(const Replica *replica, int64_t limit_us, ReplicationView *view) {
        view->sound += is_sound(replica, limit_us);
        view->unknown += is_unknown(replica);
        view->missing += replica->missing;
        view->paused += replica->paused;
        view->stale += replica->stale;
        view->late += is_late(replica, limit_us);
}

static int64_t worst(int64_t so_far, int64_t of_this, bool first) {
        if (so_far < 0 && !first)
                return -1;
        return of_this < 0 || of_this > so_far ? of_this : so_far;
}

static void name_replica(const Replica *replica, ReplicationView *view) {
        char lag[WORDS_MAX];
        words_append(view->words, sizeof view->words, "; %s: %s", replica->name, replica_word(replica));
        if (replica->missing)
                return;
        if (replica->lag_us >= 0)
                words_append(view->words, sizeof view->words, ", lag %s%s", replica->stale ? "at least " : "",
                             words_duration(replica->lag_us, lag));
        if (replica->lag_bytes >= 0)
                words_append(view->words, sizeof view->words, ", %" PRId64 " bytes not replayed", replica->lag_bytes);
}

static void describe(const ReplicationState *state, int64_t limit_us, ReplicationView *view) {
        char lag[WORDS_MAX], limit[WORDS_MAX];
        if (view->count == 0)
                words_append(view->words, sizeof view->words, "no replica is connected, and none is expected");
        else
                words_append(view->words, sizeof view->words, "%u of %u replica%s sound", view->sound, view->count,
                             view->count == 1 ? "" : "s");
        if (view->count > 0 && view->lag_us >= 0)
                words_append(view->words, sizeof view->words, ", lag %s (limit %s)", words_duration(view->lag_us, lag),
                             words_duration(limit_us, limit));
        if (state->detail[0])
                words_append(view->words, sizeof view->words, "; %s", state->detail);
        for (unsigned i = 0; i < state->count; i++)
                if (!is_sound(&state->replicas[i], limit_us))
                        name_replica(&state->replicas[i], view);
        if (state->left_out > 0)
                words_append(view->words, sizeof view->words, "; %u more aren't shown", state->left_out);
}

void replication_judge(const ReplicationState *state, int64_t limit_us, ReplicationView *ret_view) {
        ReplicationView view = {.count = state->count, .lag_us = -1, .lag_bytes = -1};
        for (unsigned i = 0; i < state->count; i++) {
                const Replica *replica = &state->replicas[i];
                count(replica, limit_us, &view);
                view.lag_us = worst(view.lag_us, replica->missing ? -1 : replica->lag_us, i == 0);
                view.lag_bytes = worst(view.lag_bytes, replica->missing ? -1 : replica->lag_bytes, i == 0);
        }
        if (!state->primary || view.sound + view.unknown < view.count)
                view.healthy = KNOWN_FALSE;
        else
                view.healthy = view.unknown > 0 ? KNOWN_NOT : KNOWN_TRUE;
        describe(state, limit_us, &view);
        *ret_view = view;
}
