/* storage: the file systems that a rollback needs (of paths.state, current, versions and log): room, inodes, not read-only; a
 * durable write now and then; and the journal: in its place, its reserve complete. Asked by a child process, because a disk that hangs
 * must not hang the controller (disks.h). The score is the share of these that are well. */
#include "base/clock.h"
#include "base/units.h"
#include "core/words.h"
#include "daemon/component.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define INODES_LEAST_SHARE 20 /* a twentieth must be free: else a release may not fit whatever its size */

/* What it means when it is read-only: of state and current, that nothing can be rolled back; where the releases lie nothing is
 * written. */
static const struct Place {
        const char *key;
        bool written, needed;
} places[DISK_PLACES] = {
        [DISK_STATE] = {"paths.state", true, true},
        [DISK_CURRENT] = {"paths.current", true, true},
        [DISK_VERSIONS] = {"paths.versions", false, false},
        [DISK_LOG] = {"paths.log", true, false},
};

typedef struct Storage {
        const ComponentContext *context;
        unsigned total, well;
        bool broken; /* beyond being nearly full: nothing can be written */
        char problems[DETAIL_MAX];
} Storage;

static int open_storage(const ComponentContext *context, void **ret_self, Error *error) {
        Storage *storage = calloc(1, sizeof *storage);
        if (!storage)
                return error_set(error, -ENOMEM, "out of memory");
        storage->context = context;
        *ret_self = storage;
        return 0;
}

static void close_storage(void *self) {
        free(self);
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
        const char *key = places[i].key, *path = disks_path(storage->context->disks, (DiskPlace)i);
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

static void judge_write(Storage *storage, const DisksSeen *seen) {
        if (seen->written)
                note(storage, seen->write_code == 0, true, "nothing can be written in %.80s: %s",
                     disks_path(storage->context->disks, DISK_STATE), strerror(-seen->write_code));
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

static void describe(const Storage *storage, const DisksSeen *seen, char *text, size_t size) {
        const DiskView *view = &seen->view;
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
                     units_format_bytes(fullest->available, free_text, sizeof free_text),
                     disks_path(storage->context->disks, (DiskPlace)at));
        if (seen->written)
                words_append(text, size, "; a durable write took %s", words_duration(seen->write_us, took));
        if (storage->context->journal)
                words_append(text, size, "; the journal's reserve is complete");
}

static void on_disks(void *userdata, const DisksSeen *seen) {
        Storage *storage = userdata;
        ComponentFinding finding = {0};
        storage->total = storage->well = 0;
        storage->broken = false;
        storage->problems[0] = '\0';
        if (!seen->answered) {
                finding.state = HEALTH_UNHEALTHY;
                snprintf(finding.reason, sizeof finding.reason, "%.*s", DETAIL_MAX - 1, error_text(&seen->error));
        } else {
                for (unsigned i = 0; i < seen->view.count; i++)
                        judge_disk(storage, &seen->view, i);
                judge_write(storage, seen);
                judge_journal(storage);
                finding.score = 100 * storage->well / storage->total;
                finding.state = storage->broken                  ? HEALTH_UNHEALTHY
                                : storage->well < storage->total ? HEALTH_DEGRADED
                                                                 : HEALTH_HEALTHY;
                finding.at_once = storage->broken;
                describe(storage, seen, finding.reason, sizeof finding.reason);
        }
        storage->context->found(storage->context->userdata, &finding);
}

static void check_storage(void *self) {
        const Storage *storage = self;
        disks_look(storage->context->disks, settings_int(storage->context->settings, "timeout"), on_disks, self);
}

const ComponentKind component_storage = {
        .name = "storage", .open = open_storage, .close = close_storage, .check = check_storage};
