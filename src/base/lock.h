/* Locks that die with their holder: open file description locks on a small file, in which the holder says who it is, since
 * when, why, and when it last got on. The text is for people and for telling a stuck holder; only the lock itself counts. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCK_WHY_MAX 256

typedef struct LockHolder {
        bool known; /* the text could be read and its process lives; else only that somebody holds it */
        pid_t pid;
        uint64_t start_ticks; /* of that process, see base/process.h: compare before you kill it */
        int64_t since_wall;
        int64_t progress_wall; /* of the newest lock_update_progress(); since_wall when there was none */
        int64_t progress_mono; /* the same moment on CLOCK_BOOTTIME, for comparing */
        char why[LOCK_WHY_MAX];
        char progress[LOCK_WHY_MAX];
} LockHolder;

/* Takes the lock at `path` (the file is created 0644) for this process; keeps trying for `wait_us` (0: tries once). -EBUSY: held by somebody
 * else; `error` says by whom, since when and why, and `ret_holder` (may be NULL) is filled. The lock lasts until
 * lock_release() or the death of this process; children don't inherit it across exec. A full disk doesn't prevent taking it, nor a
 * read-only one when the file is there. */
int lock_take(const char *path, const char *why, int64_t wait_us, LockHolder *ret_holder, int *ret_fd, Error *error);

/* Says that the holder got on, and with what ("step 2 drain_traffic"). Never fails: the text is only advice. */
void lock_update_progress(int fd, const char *text);

int lock_release(int fd); /* -1 is allowed; returns -1 */

/* 1: held, *ret_holder says by whom; 0: free; negative errno. No lock file at all is free. */
int lock_holder_read(const char *path, LockHolder *ret_holder, Error *error);
