/* File systems: how full they are, whether they can be written to, and whether they answer at all. A disk that hangs would hang
 * whoever asks it, so a child process asks (a fork without exec; a fraction of a millisecond). When it doesn't come back the
 * disk's silence is the answer, and no second child is sent after it while the first one waits. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define DISK_PATHS_MAX 4

typedef struct DiskState {
        int code;        /* 0: the rest is known; else the negative errno of asking */
        uint64_t device; /* two paths with the same are on one file system */
        bool read_only;
        int64_t size, used, available; /* bytes; available: to who isn't root */
        int64_t inodes, inodes_free;   /* 0 of 0: the file system doesn't count them */
} DiskState;

typedef struct DiskView {
        unsigned count;
        DiskState disks[DISK_PATHS_MAX]; /* in the order of the paths */
        bool written;                    /* a durable write was tried; the two below are of it */
        int write_code;                  /* 0, or the negative errno */
        int64_t write_us;
} DiskView;

/* Of what can be used: as df has it, what is reserved for root is no room. -1: not known. */
int64_t disk_used_ppm(const DiskState *disk);

typedef struct DiskProbe DiskProbe;

/* `view` NULL: no answer; `error` says since when. Comes once for each look, from the loop. */
typedef void (*DiskCallback)(void *userdata, const DiskView *view, const Error *error);

int disk_probe_new(sd_event *event, DiskProbe **ret_probe, Error *error);
DiskProbe *disk_probe_free(DiskProbe *probe); /* no callback any more; NULL allowed; returns NULL */

/* Looks at `paths` (at most DISK_PATHS_MAX), and writes a few bytes durably in `write_directory` (NULL: doesn't), leaving nothing
 * behind. -EBUSY: the child of an earlier look still waits for the disk. */
int disk_probe_look(DiskProbe *probe, const char *const *paths, unsigned count, const char *write_directory,
                    int64_t budget_us, DiskCallback callback, void *userdata, Error *error);
