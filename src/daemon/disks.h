/* Disks: the file systems a rollback needs, of paths.state, current, versions and log. Asked for whoever wants to know, all at once and
 * by one child process (adapters/disk.h); who asks while an answer is awaited gets the same. */
#pragma once

#include "adapters/disk.h"
#include "daemon/config.h"

typedef struct Disks Disks;

typedef enum DiskPlace { DISK_STATE, DISK_CURRENT, DISK_VERSIONS, DISK_LOG, DISK_PLACES } DiskPlace;

/* The newest look that is over. */
typedef struct DisksSeen {
        int64_t at_mono; /* begun then; 0: none yet, or it doesn't count any more */
        bool answered;
        DiskView view;    /* by DiskPlace; without an answer, the one before */
        Error error;      /* why there was no answer */
        bool written;     /* a durable write has been tried, and come back: */
        int write_code;   /* 0, or the negative errno */
        int64_t write_us; /* it took */
} DisksSeen;

/* May come before disks_look() returns. */
typedef void (*DisksCallback)(void *userdata, const DisksSeen *seen);

int disks_new(sd_event *event, const Config *config, Disks **ret_disks, Error *error); /* `config` outlives it */
Disks *disks_free(Disks *disks); /* no callback any more; NULL allowed; returns NULL */

/* Now and then something is written in paths.state, too. Two may wait at a time; a time-out is that of who began. */
void disks_look(Disks *disks, int64_t timeout_us, DisksCallback callback, void *userdata);
void disks_outdate(Disks *disks); /* what was seen doesn't count any more */
const DisksSeen *disks_seen(const Disks *disks);
const char *disks_path(const Disks *disks, DiskPlace place);
