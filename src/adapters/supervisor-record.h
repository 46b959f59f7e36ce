/* What the supervisor must remember of a unit's process over its own death. One small file per unit, written in place: the space
 * is taken when the unit is first asked for (readiness does that long before a rollback), so a full disk does not keep a
 * service from being started or stopped. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct ChildRecord {
        char version[VERSION_MAX]; /* "" when nothing was ever started */
        pid_t pid;                 /* 0: stopped on purpose, or never started */
        uint64_t ticks;            /* its start time, base/process.h */
        char boot[40];             /* the kernel's boot id: pids and ticks mean nothing in another one */
        char invocation[40];
        int64_t start_wall;
        bool stopping; /* its end is wanted: if it is found dead, that is no failure */
        char how[96];  /* how it ended by itself, once known: "exited with status 3" */
} ChildRecord;

/* No file, or an empty one, is a record of zeros. -EBADMSG: not a record; `error` says what to do. */
int child_record_read(const char *path, ChildRecord *ret_record, Error *error);
/* Durable when it returns 0. */
int child_record_write(const char *path, const ChildRecord *record, Error *error);
/* Takes the space for later writes. */
int child_record_reserve(const char *path, Error *error);

/* The pidfd of the very process the record names, if it still lives; else -ESRCH. */
int child_record_find(const ChildRecord *record);
/* Of this boot; "" when the kernel doesn't tell. */
void child_record_boot(char ret_boot[40]);
