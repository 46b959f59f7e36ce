/* One unit's main process: started by us, or found again after the controller that started it died. */
#pragma once

#include "adapters/supervisor-record.h"
#include "io/process.h"

#include <systemd/sd-event.h>

typedef struct Child Child;

/* It said READY=1, or it ended. */
typedef void (*ChildChanged)(void *userdata, Child *child);

typedef struct ChildStart {
        const char *version;
        const char *const *argv; /* NULL-terminated */
        const char *directory;   /* NULL: ours */
        int log_fd;              /* stdout and stderr; the caller's */
        bool notifies;           /* ready when it says so; else as soon as it runs */
} ChildStart;

/* Reads the record and looks whether the process still runs. */
int child_new(sd_event *event, const char *directory, const char *unit, ChildChanged changed, void *userdata,
              Child **ret_child, Error *error);
/* Break glass may have stopped it, and started another, while we were hung: then what it wrote is the truth, not what we
 * remember. True: it was so, and the child is now the one of the record. Tells nobody. */
bool child_look_again(Child *child);
Child *child_free(Child *child); /* leaves the process running; NULL allowed */

/* When it returns 0 the process runs, and its record is durable. Must not be alive. */
int child_start(Child *child, const ChildStart *start, Error *error);
/* SIGTERM or SIGKILL to its whole session; its end is then no failure. Nothing when it doesn't live. */
int child_stop(Child *child, int signal, Error *error);

const char *child_unit(const Child *child);
const ChildRecord *child_record(const Child *child);
bool child_is_alive(const Child *child);
bool child_is_ready(const Child *child);
bool child_has_failed(const Child *child); /* ended by itself, in this boot */
/* "novacron-dwcp-v3: failed (exited with status 3)". Returns `buffer`. */
char *child_describe(const Child *child, char *buffer, size_t size);
