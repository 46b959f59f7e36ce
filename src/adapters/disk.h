/* File systems: how full they are, whether they can be written to, and whether they answer at all. A disk that hangs would hang
 * whoever asks it, so a child process asks: a fork without exec, begun with the first look and kept for all later ones. When it
 * doesn't answer the disk's silence is the answer: the child is killed, and there is no second one until it has really ended. */
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

/* Will look at `paths` (at most DISK_PATHS_MAX), and write in `write_directory`; both outlive the probe, and don't change. No child
 * yet. */
int disk_probe_new(sd_event *event, const char *const *paths, unsigned count, const char *write_directory,
                   DiskProbe **ret_probe, Error *error);
DiskProbe *disk_probe_free(DiskProbe *probe); /* no callback any more, no child; NULL allowed; returns NULL */

/* `write`: a few bytes are written durably, too, and nothing is left behind. -EBUSY: an earlier look isn't over, or its child still
 * waits for the disk. */
int disk_probe_look(DiskProbe *probe, bool write, int64_t budget_us, DiskCallback callback, void *userdata,
                    Error *error);
