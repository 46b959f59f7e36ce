/* Taking the side file into the journal: one transaction, in which the journal also notes which file that was, so that a crash
 * before the rename doesn't take it in twice. */
#include "base/fsio.h"
#include "store/journal-internal.h"
#include "store/sidefile.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define TAKEN_KEY "sidefile.taken"

typedef struct Import {
        Journal *journal;
        Error *error;
        unsigned count;
} Import;

/* What tells one side file, and one length of it, from another. */
static int file_mark(const char *path, char *buffer, size_t size, Error *error) {
        struct stat st;
        if (stat(path, &st) < 0)
                return error_set(error, -errno, "can't look at side file %s: %s", path, strerror(errno));
        snprintf(buffer, size, "%llu/%lld/%lld.%09ld", (unsigned long long)st.st_ino, (long long)st.st_size,
                 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        return 0;
}

/* The journal may have gone on with the run after the side file's line. */
static int newest_record(Journal *journal, int64_t run_id, int64_t *ret_wall, Error *error) {
        AUTO_STATEMENT sqlite3_stmt *statement = NULL;
        int r = journal_prepare(journal, "SELECT coalesce(max(at_wall), 0) FROM records WHERE run_id = ?1", &statement,
                                error);
        if (r < 0)
                return r;
        sqlite3_bind_int64(statement, 1, run_id);
        r = journal_step(journal, statement, "read the records", error);
        if (r < 0)
                return r;
        *ret_wall = sqlite3_column_int64(statement, 0);
        return 0;
}

/* The id the run has, or gets, in the journal: a positive one of the side file is trusted only when it is the same run. */
static int resolve_id(Journal *journal, Run *run, Error *error) {
        int64_t id = 0;
        Run known;
        int r;
        if (run->id < 0) {
                r = journal_find_alias(journal, run->id, &id, error);
                if (r > 0)
                        run->id = id;
                return r < 0 ? r : 0;
        }
        r = journal_run(journal, run->id, &known, error);
        if (r < 0)
                return r;
        if (r == 0 || known.created_wall != run->created_wall) {
                /* a new journal begun after the damaged one was moved away: the id means nothing in it */
                int64_t side_id = -run->created_wall;
                r = journal_find_alias(journal, side_id, &id, error);
                run->id = r > 0 ? id : side_id;
        }
        return r < 0 ? r : 0;
}

static int import_line(void *userdata, const SideLine *line) {
        Import *import = userdata;
        Run run = line->run;
        int64_t newest = 0;
        int r = resolve_id(import->journal, &run, import->error);
        if (r == 0 && run.id > 0)
                r = newest_record(import->journal, run.id, &newest, import->error);
        if (r == 0 && newest <= line->at_wall)
                r = journal_keep_run(import->journal, &run, import->error);
        if (r == 0)
                r = journal_keep_record(import->journal, &run, line->at_wall, line->note, import->error);
        if (r == 0)
                import->count++;
        return r;
}

static int import_lines(Journal *journal, const char *path, unsigned *ret_count, Error *error) {
        Import import = {.journal = journal, .error = error};
        char mark[128], taken[128];
        int r = file_mark(path, mark, sizeof mark, error);
        if (r == 0)
                r = journal_begin(journal, error);
        if (r < 0)
                return r;
        r = journal_get_value(journal, TAKEN_KEY, taken, sizeof taken, error);
        if (r <= 0 || strcmp(taken, mark) != 0) {
                if (r >= 0)
                        r = sidefile_visit(path, import_line, &import, error);
                if (r == 0)
                        r = journal_set_value(journal, TAKEN_KEY, mark, error);
        } else
                r = 0;
        r = journal_end(journal, r, "take the side file in", error);
        *ret_count = r == 0 ? import.count : 0;
        return r;
}

static int move_away(const char *path, Error *error) {
        char name[PATH_MAX];
        int length = snprintf(name, sizeof name, "%s.imported", path);
        for (unsigned i = 2; (size_t)length < sizeof name && access(name, F_OK) == 0; i++)
                length = snprintf(name, sizeof name, "%s.imported.%u", path, i);
        if ((size_t)length >= sizeof name)
                return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", path);
        return fs_rename_durable(path, name, error);
}

int journal_import_sidefile(Journal *journal, const char *path, unsigned *ret_count, Error *error) {
        unsigned count = 0;
        char first = '\0';
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (ret_count)
                *ret_count = 0;
        if (!file)
                return errno == ENOENT ? 0
                                       : error_set(error, -errno, "can't open side file %s: %s", path, strerror(errno));
        if (fread(&first, 1, 1, file) == 0 || first == '\0')
                return 0; /* nothing but its reserve: it stays for the next emergency */
        int r = import_lines(journal, path, &count, error);
        if (r == 0)
                r = move_away(path, error);
        if (r == 0 && ret_count)
                *ret_count = count;
        return r;
}
