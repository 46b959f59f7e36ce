/* What a database's primary and its replicas say of their replication, judged: is each replica near enough, and how far behind is the
 * worst? A replica is sound when it streams, isn't paused, isn't stale and wasn't seen further behind than the limit. What can't be
 * told of one (the role that asks has no right to see it) is unknown, and then so is the worst. */
#pragma once

#include "core/types.h"

typedef struct ReplicationView {
        unsigned sound, unknown, count;
        unsigned missing, paused, stale, late; /* of those that aren't sound; one may be several */
        int64_t lag_us, lag_bytes;             /* the worst replica's; -1: not known of each, or there is none */
        Tristate
                healthy; /* the server asked is a primary, and every replica is sound; not known: something is unknown */
        char words[DETAIL_MAX]; /* "2 of 2 replicas sound, lag 3 ms"; names what isn't */
} ReplicationView;

void replication_judge(const ReplicationState *state, int64_t limit_us, ReplicationView *ret_view);

/* "paused", "stale", "missing", "not known", "streaming" ...: one word for it, the gravest. */
const char *replica_word(const Replica *replica);
