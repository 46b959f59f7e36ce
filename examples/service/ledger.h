/* The service's durable data: an append-only file of numbered writes, one line each: "<number> <client> <sequence>\n". Every
 * release uses the same file, one after the other; a lock on it keeps two from running at once. What was committed is on
 * the disk: commit first, acknowledge then. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

#define LEDGER_ID_MAX 72   /* "<client> <sequence>" */
#define LEDGER_LINE_MAX 96 /* an id, a number of 20 digits, a blank, the line's end */
#define LEDGER_BATCH_MAX 4096

typedef struct Ledger {
        int fd;
        off_t committed;        /* bytes that are durable: whole lines */
        int64_t last_committed; /* number of the newest durable write */
        int64_t last_appended;
        size_t pending; /* bytes in `batch` */
        char batch[LEDGER_BATCH_MAX * LEDGER_LINE_MAX];
} Ledger;

/* Opens `directory`/ledger, creating it durably. An incomplete last line, left by a kill in the middle of a write that was
 * never acknowledged, is dropped. -EBUSY: another process has it. -EBADMSG: damaged in another way; nothing is changed. */
int ledger_open(const char *directory, Ledger **ret_ledger, Error *error);
Ledger *ledger_close(Ledger *ledger); /* NULL allowed; returns NULL */

/* Adds a write to the batch. -EINVAL: not "<client> <sequence>". -ENOBUFS: the batch is full, commit first. */
int ledger_append(Ledger *ledger, const char *id, size_t size, int64_t *ret_number, Error *error);

/* Makes the batch durable. When the data could not be written (no space), the batch is undone and an error returned. When it
 * could not be synced the file's state is unknown and -EIO is returned: stop using it and start anew. */
int ledger_commit(Ledger *ledger, Error *error);
