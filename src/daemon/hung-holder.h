/* When another process holds the run lock: an emergency waits for one that lives, because it is doing the same work, and kills one
 * that makes no progress any more. */
#pragma once

#include "daemon/controller.h"

/* One turn of waiting; to be called again until the lock is free. *waiting_since (mono) is 0 at the first call. Negative: the holder
 * can't be told or can't be killed; `error`, which says who holds the lock when it comes in, says what to do. */
int hung_holder_wait(Controller *controller, int64_t *waiting_since, const LockHolder *holder, Error *error);
