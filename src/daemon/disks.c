#include "daemon/disks.h"

#include "base/clock.h"
#include "base/fsio.h"
#include "base/macros.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define WRITE_EVERY_US (60 * USEC_PER_SEC)
#define WAITING_MAX 2

typedef struct Waiting {
        DisksCallback callback;
        void *userdata;
} Waiting;

struct Disks {
        DiskProbe *probe;
        const char *paths[DISK_PLACES];
        char log_directory[PATH_MAX], current_directory[PATH_MAX];
        int64_t begun_mono, written_mono; /* the newest look; the newest that was to write */
        DisksSeen seen;
        unsigned count; /* that wait for an answer */
        Waiting waiting[WAITING_MAX];
};

_Static_assert(DISK_PLACES <= DISK_PATHS_MAX, "all are asked at once");

int disks_new(sd_event *event, const Config *config, Disks **ret_disks, Error *error) {
        Disks *disks = calloc(1, sizeof *disks);
        if (!disks)
                return error_set(error, -ENOMEM, "out of memory");
        disks->paths[DISK_STATE] = config->state;
        disks->paths[DISK_CURRENT] = disks->current_directory;
        disks->paths[DISK_VERSIONS] = config->versions;
        disks->paths[DISK_LOG] = disks->log_directory;
        int r = fs_directory_of(config->log, disks->log_directory, sizeof disks->log_directory, error);
        if (r >= 0)
                r = fs_directory_of(config->current, disks->current_directory, sizeof disks->current_directory, error);
        if (r >= 0)
                r = disk_probe_new(event, disks->paths, DISK_PLACES, config->state, &disks->probe, error);
        if (r < 0) {
                free(disks);
                return r;
        }
        *ret_disks = disks;
        return 0;
}

Disks *disks_free(Disks *disks) {
        if (disks)
                disk_probe_free(disks->probe);
        free(disks);
        return NULL;
}

static void on_view(void *userdata, const DiskView *view, const Error *error) {
        Disks *disks = userdata;
        DisksSeen *seen = &disks->seen;
        Waiting waiting[WAITING_MAX];
        unsigned count = disks->count;
        seen->at_mono = disks->begun_mono;
        seen->answered = view;
        if (view)
                seen->view = *view;
        else
                seen->error = *error;
        if (view && view->written) {
                seen->written = true;
                seen->write_code = view->write_code;
                seen->write_us = view->write_us;
        }
        memcpy(waiting, disks->waiting, sizeof waiting); /* they may ask again at once */
        disks->count = 0;
        for (unsigned i = 0; i < count; i++)
                waiting[i].callback(waiting[i].userdata, seen);
}

void disks_look(Disks *disks, int64_t timeout_us, DisksCallback callback, void *userdata) {
        int64_t now = clock_mono_us();
        bool write =
                disks->written_mono == 0 || disks->seen.write_code != 0 || now - disks->written_mono >= WRITE_EVERY_US;
        Error error = {0};
        assert(disks->count < WAITING_MAX);
        disks->waiting[disks->count++] = (Waiting){callback, userdata};
        if (disks->count > 1)
                return;
        disks->begun_mono = now;
        if (write)
                disks->written_mono = now;
        if (disk_probe_look(disks->probe, write, timeout_us, on_view, disks, &error) < 0)
                on_view(disks, NULL, &error);
}

void disks_outdate(Disks *disks) {
        disks->seen.at_mono = 0;
}

const DisksSeen *disks_seen(const Disks *disks) {
        return &disks->seen;
}

const char *disks_path(const Disks *disks, DiskPlace place) {
        return disks->paths[place];
}
