/* storage: the file systems that a rollback needs (of paths.state, current, versions and log): room, inodes, not read-only; a
 * durable write now and then; and the journal: in its place, its reserve complete. Asked by a child process, because a disk that hangs
 * must not hang the controller (adapters/disk.h). The score is the share of these that are well. */
#include "adapters/disk.h"
#include "base/clock.h"
#include "base/fsio.h"
#include "base/units.h"
#include "core/words.h"
#include "daemon/component.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define WRITE_EVERY_US (60 * USEC_PER_SEC)
#define INODES_LEAST_SHARE 20 /* a twentieth must be free: else a release may not fit whatever its size */

enum { PLACE_STATE, PLACE_CURRENT, PLACE_VERSIONS, PLACE_LOG, PLACES };

/* What it means when it is read-only: of state and current, that nothing can be rolled back; where the releases lie nothing is
 * written. */
static const struct Place {
        const char *key;
        bool written, needed;
} places[PLACES] = {
        [PLACE_STATE] = {"paths.state", true, true},
        [PLACE_CURRENT] = {"paths.current", true, true},
        [PLACE_VERSIONS] = {"paths.versions", false, false},
        [PLACE_LOG] = {"paths.log", true, false},
};
_Static_assert(PLACES <= DISK_PATHS_MAX, "all are asked at once");

typedef struct Storage {
        const ComponentContext *context;
        DiskProbe *probe;
        const char *paths[PLACES];
        char log_directory[PATH_MAX], current_directory[PATH_MAX];
        int64_t written_mono; /* the newest durable write was tried then; 0: never */
        bool written;         /* one has come back: */
        int write_code;       /* 0, or the negative errno */
        int64_t write_us;
        unsigned total, well;
        bool broken; /* beyond being nearly full: nothing can be written */
        char problems[DETAIL_MAX];
} Storage;

static int open_storage(const ComponentContext *context, void **ret_self, Error *error) {
        const Config *config = context->world->config;
        Storage *storage = calloc(1, sizeof *storage);
        if (!storage)
                return error_set(error, -ENOMEM, "out of memory");
        storage->context = context;
        storage->paths[PLACE_STATE] = config->state;
        storage->paths[PLACE_CURRENT] = storage->current_directory;
        storage->paths[PLACE_VERSIONS] = config->versions;
        storage->paths[PLACE_LOG] = storage->log_directory;
        int r = fs_directory_of(config->log, storage->log_directory, sizeof storage->log_directory, error);
        if (r >= 0)
                r = fs_directory_of(config->current, storage->current_directory, sizeof storage->current_directory,
                                    error);
        if (r >= 0)
                r = disk_probe_new(context->world->event, &storage->probe, error);
        if (r < 0) {
                free(storage);
                return r;
        }
        *ret_self = storage;
        return 0;
}

static void close_storage(void *self) {
        Storage *storage = self;
        if (storage)
                disk_probe_free(storage->probe);
        free(storage);
}

static void note(Storage *storage, bool well, bool breaks, const char *format, ...) PRINTF_LIKE(4, 5);
static void note(Storage *storage, bool well, bool breaks, const char *format, ...) {
        char text[DETAIL_MAX];
        va_list args;
        storage->total++;
        storage->well += well;
        storage->broken |= !well && breaks;
        if (well)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        words_append(storage->problems, sizeof storage->problems, "%s%s", storage->problems[0] ? "; " : "", text);
}

/* The room of a file system is judged once, whatever lies on it. */
static bool judged_before(const DiskView *view, unsigned i) {
        for (unsigned k = 0; k < i; k++)
                if (view->disks[k].code == 0 && view->disks[k].device == view->disks[i].device)
                        return true;
        return false;
}

static void judge_disk(Storage *storage, const DiskView *view, unsigned i) {
        const DiskState *disk = &view->disks[i];
        const char *key = places[i].key, *path = storage->paths[i];
        char used[WORDS_MAX], limit[WORDS_MAX];
        int64_t most = storage->context->world->config->system_disk_ppm;
        if (disk->code < 0) {
                note(storage, false, places[i].needed, "%s (%.60s) can't be asked: %s", key, path,
                     strerror(-disk->code));
                return;
        }
        if (places[i].written)
                note(storage, !disk->read_only, places[i].needed, "%s (%.60s) is read-only", key, path);
        if (judged_before(view, i))
                return;
        note(storage, disk_used_ppm(disk) <= most, false, "%s (%.60s) is %s full (limit %s)", key, path,
             words_percent(disk_used_ppm(disk), 1, used), words_ratio(most, limit));
        if (disk->inodes > 0)
                note(storage, disk->inodes_free >= disk->inodes / INODES_LEAST_SHARE, false,
                     "%s (%.60s) has only %lld free inodes of %lld", key, path, (long long)disk->inodes_free,
                     (long long)disk->inodes);
}

static void judge_write(Storage *storage, const DiskView *view) {
        if (view->written) {
                storage->written = true;
                storage->write_code = view->write_code;
                storage->write_us = view->write_us;
        }
        if (storage->written)
                note(storage, storage->write_code == 0, true, "nothing can be written in %.80s: %s", storage->paths[0],
                     strerror(-storage->write_code));
}

static void judge_journal(Storage *storage) {
        const Journal *journal = storage->context->journal;
        if (storage->context->journal_problem)
                note(storage, false, true, "%.200s", storage->context->journal_problem);
        if (!journal)
                return;
        const char *problem = journal_space_problem(journal);
        note(storage, problem[0] == '\0', false, "the journal's reserve: %.120s", problem);
        note(storage, journal_is_in_place(journal), true, "the journal was removed or replaced");
}

static void describe(const Storage *storage, const DiskView *view, char *text, size_t size) {
        char free_text[UNITS_TEXT_MAX], used[WORDS_MAX], limit[WORDS_MAX], took[WORDS_MAX];
        const DiskState *fullest = &view->disks[0];
        unsigned at = 0;
        if (storage->problems[0]) {
                words_append(text, size, "%s", storage->problems);
                return;
        }
        for (unsigned i = 1; i < view->count; i++)
                if (disk_used_ppm(&view->disks[i]) > disk_used_ppm(fullest)) {
                        fullest = &view->disks[i];
                        at = i;
                }
        words_append(text, size, "%s full (limit %s), %s free (%.60s)", words_percent(disk_used_ppm(fullest), 1, used),
                     words_ratio(storage->context->world->config->system_disk_ppm, limit),
                     units_format_bytes(fullest->available, free_text, sizeof free_text), storage->paths[at]);
        if (storage->written)
                words_append(text, size, "; a durable write took %s", words_duration(storage->write_us, took));
        if (storage->context->journal)
                words_append(text, size, "; the journal's reserve is complete");
}

static void on_view(void *userdata, const DiskView *view, const Error *error) {
        Storage *storage = userdata;
        ComponentFinding finding = {0};
        storage->total = storage->well = 0;
        storage->broken = false;
        storage->problems[0] = '\0';
        if (!view) {
                finding.state = HEALTH_UNHEALTHY;
                snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(error));
        } else {
                for (unsigned i = 0; i < view->count; i++)
                        judge_disk(storage, view, i);
                judge_write(storage, view);
                judge_journal(storage);
                finding.score = 100 * storage->well / storage->total;
                finding.state = storage->broken                  ? HEALTH_UNHEALTHY
                                : storage->well < storage->total ? HEALTH_DEGRADED
                                                                 : HEALTH_HEALTHY;
                finding.at_once = storage->broken;
                describe(storage, view, finding.reason, sizeof finding.reason);
        }
        storage->context->found(storage->context->userdata, &finding);
}

static void check_storage(void *self) {
        Storage *storage = self;
        int64_t now = clock_mono_us();
        bool write =
                storage->written_mono == 0 || storage->write_code != 0 || now - storage->written_mono >= WRITE_EVERY_US;
        Error error = {0};
        if (write)
                storage->written_mono = now;
        if (disk_probe_look(storage->probe, storage->paths, ARRAY_SIZE(storage->paths),
                            write ? storage->context->world->config->state : NULL,
                            settings_int(storage->context->settings, "timeout"), on_view, storage, &error) < 0)
                on_view(storage, NULL, &error);
}

const ComponentKind component_storage = {
        .name = "storage", .open = open_storage, .close = close_storage, .check = check_storage};
