/* The journal's reserve: everything a run will write to is there beforehand, written with zeros (not only promised by fallocate(),
 * whose extents need metadata later). */
#include "store/journal-internal.h"

#include "base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

#define ROOM_LEFT_BYTES (64 * 1024) /* what the file system itself may want besides */

static int side_path(const Journal *journal, const char *suffix, char *buffer, size_t size, Error *error) {
        int length = snprintf(buffer, size, "%s%s", journal->path, suffix);
        return (size_t)length < size ? 0 : error_set(error, -ENAMETOOLONG, "path is too long: %.200s", journal->path);
}

bool journal_release_spare(Journal *journal) {
        char path[PATH_MAX];
        if (side_path(journal, "-spare", path, sizeof path, NULL) < 0)
                return false;
        return truncate(path, 0) == 0;
}

static int reserve_spare(Journal *journal, Error *error) {
        char path[PATH_MAX];
        int r = side_path(journal, "-spare", path, sizeof path, error);
        return r < 0 ? r : fs_reserve(path, SPARE_BYTES, 0600, error);
}

/* Zeros behind the log's last frame are no frames to SQLite: its checksums and salts tell. The write lock keeps others from
 * appending to the file meanwhile. */
static int reserve_log(Journal *journal, Error *error) {
        char path[PATH_MAX];
        int r = side_path(journal, "-wal", path, sizeof path, error);
        if (r == 0)
                r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = fs_reserve(path, WAL_RESERVE_BYTES, 0600, error);
        sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

/* Everything that isn't held up by a reader goes to the database, so that the next write begins the log anew. */
static int checkpoint(Journal *journal, Error *error) {
        int result = sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return result == SQLITE_OK || result == SQLITE_BUSY
                       ? 0
                       : journal_fail(journal, "move its log into the database", error);
}

int journal_checkpoint_if_long(Journal *journal, Error *error) {
        return journal->wal_frames < CHECKPOINT_FRAMES ? 0 : checkpoint(journal, error);
}

int journal_free_pages(Journal *journal, int64_t *ret_pages, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "PRAGMA freelist_count", &statement, error);
        if (r == 0)
                r = journal_step(journal, statement, "count its free pages", error);
        if (r < 0)
                return r;
        *ret_pages = sqlite3_column_int64(statement, 0);
        return 0;
}

/* A filler that can't be written to the file would be worse than none: its pages would be missing twice. */
static int check_room(Journal *journal, int64_t pages, Error *error) {
        char directory[PATH_MAX];
        struct statvfs space;
        int64_t needed = pages * 4096 + ROOM_LEFT_BYTES;
        int r = fs_directory_of(journal->path, directory, sizeof directory, error);
        if (r < 0 || statvfs(directory, &space) < 0 || (int64_t)(space.f_bavail * space.f_frsize) >= needed)
                return r;
        return error_set(error, -ENOSPC, "journal %s: can't reserve space: the disk is full; free %" PRId64 " bytes",
                         journal->path, needed);
}

/* Pages are made by filling a table, written to the file by a checkpoint, and freed by emptying it. */
static int reserve_pages(Journal *journal, Error *error) {
        int64_t pages = 0;
        char fill[128];
        int r = journal_execute(journal, "DELETE FROM reserve", "empty its reserve", error);
        if (r == 0)
                r = journal_free_pages(journal, &pages, error);
        if (r < 0 || pages >= FREE_PAGES_RESERVE)
                return r;
        r = check_room(journal, FREE_PAGES_RESERVE + 8 - pages, error);
        if (r < 0)
                return r;
        /* as large as the whole reserve: the filler takes the pages that are free already first */
        snprintf(fill, sizeof fill, "INSERT INTO reserve VALUES (zeroblob(%d * 4096))", FREE_PAGES_RESERVE + 8);
        r = journal_execute(journal, fill, "reserve space", error);
        if (r == 0)
                r = checkpoint(journal, error);
        int emptied = journal_execute(journal, "DELETE FROM reserve", "empty its reserve", r < 0 ? NULL : error);
        return r < 0 ? r : emptied;
}

int journal_prepare_space(Journal *journal, Error *error) {
        Error problem = {0};
        int r = checkpoint(journal, &problem);
        if (r == 0)
                r = reserve_log(journal, &problem);
        if (r == 0)
                r = reserve_spare(journal, &problem);
        if (r == 0)
                r = reserve_pages(journal, &problem);
        if (r == 0)
                r = checkpoint(journal, &problem);
        snprintf(journal->space_problem, sizeof journal->space_problem, "%s", r < 0 ? error_text(&problem) : "");
        return r < 0 ? error_set(error, r, "%s", error_text(&problem)) : 0;
}

const char *journal_space_problem(const Journal *journal) {
        return journal->space_problem;
}

#define FREE_PAGES_KEPT (FREE_PAGES_RESERVE * 3 / 4)

int journal_keep_reserve(Journal *journal, Error *error) {
        int64_t pages = 0;
        int r = journal_free_pages(journal, &pages, error);
        return r < 0 || pages >= FREE_PAGES_KEPT ? r : journal_prepare_space(journal, error);
}
