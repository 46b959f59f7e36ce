/* The side file: what an emergency writes when the journal can't be written (damaged, unreadable), the one exception to
 * "intent before act". One JSON document a line, holding the run's whole state; synced line by line; the journal takes it in
 * later. Behind the last line the file is filled with zeros, which is its reserve. The holder of the `run` lock alone writes. */
#pragma once

#include "base/error.h"
#include "core/types.h"
#include "store/journal.h"

#define SIDEFILE_RESERVE_BYTES (512 * 1024)

/* Reserves space so that a full disk doesn't stop an emergency. Idempotent; done by the program that keeps the journal. */
int sidefile_prepare(const char *path, Error *error);

/* Appends the run's whole state, durably. The first append of a run gives it a negative id, which the journal replaces when it
 * takes the run in. */
int sidefile_append(const char *path, Run *run, const char *note, Error *error);

typedef struct SideLine {
        int64_t at_wall;
        char note[DETAIL_MAX];
        Run run;
} SideLine;

/* Every line that is whole, oldest first; a torn one is left out. A visit that returns other than 0 stops; that is returned. No
 * side file: nothing is visited. */
int sidefile_visit(const char *path, int (*visit)(void *userdata, const SideLine *line), void *userdata, Error *error);

/* The run of the newest line, when it has not ended: 1; 0: none, or no side file. */
int sidefile_open_run(const char *path, Run *ret_run, Error *error);

/* Takes the runs in, each line once even when it is called again after a crash, and renames the file to *.imported (a number is
 * added when that exists). A run the journal knows better already keeps the journal's state. *ret_count (may be NULL): lines
 * taken in. */
int journal_import_sidefile(Journal *journal, const char *path, unsigned *ret_count, Error *error);
