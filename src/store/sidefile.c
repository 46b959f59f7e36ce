#include "store/sidefile.h"

#include "base/clock.h"
#include "base/fsio.h"
#include "store/run-json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SIDEFILE_MAX (64 * 1024 * 1024)

static void cleanup_json(json_t **json) {
        json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

int sidefile_prepare(const char *path, Error *error) {
        return fs_reserve(path, SIDEFILE_RESERVE_BYTES, 0600, error);
}

/* ---- appending ---- */

/* Where the text ends and the zeros begin. */
static int find_end(int fd, off_t *ret_end, bool *ret_torn) {
        char block[4096], last = '\n';
        off_t at = 0;
        for (;;) {
                ssize_t got = pread(fd, block, sizeof block, at);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                const char *zero = got > 0 ? memchr(block, '\0', (size_t)got) : NULL;
                size_t used = zero ? (size_t)(zero - block) : (size_t)got;
                if (used > 0)
                        last = block[used - 1];
                at += (off_t)used;
                if (got == 0 || zero)
                        break;
        }
        *ret_end = at;
        *ret_torn = last != '\n';
        return 0;
}

static int write_at(int fd, const char *text, size_t size, off_t at) {
        while (size > 0) {
                ssize_t written = pwrite(fd, text, size, at);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return -errno;
                text += written;
                size -= (size_t)written;
                at += written;
        }
        return 0;
}

static char *compose_line(const Run *run, const char *note) {
        AUTO_JSON json_t *line = json_object();
        if (json_object_set_new(line, "at_wall", json_integer(clock_wall_us())) < 0 ||
            json_object_set_new(line, "note", json_string(note ? note : "")) < 0 ||
            json_object_set_new(line, "run", run_to_json(run)) < 0)
                return NULL;
        return json_dumps(line, JSON_COMPACT);
}

static int append_text(const char *path, const char *text, Error *error) {
        AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        off_t end = 0;
        bool torn = false;
        if (fd < 0)
                return error_set(error, -errno, "can't open side file %s: %s", path, strerror(errno));
        int r = find_end(fd, &end, &torn);
        if (r == 0 && torn) { /* a crash cut the last line: it ends here, so that ours stays readable */
                r = write_at(fd, "\n", 1, end);
                end++;
        }
        if (r == 0)
                r = write_at(fd, text, strlen(text), end);
        if (r == 0)
                r = write_at(fd, "\n", 1, end + (off_t)strlen(text));
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                return error_set(error, r, "can't write side file %s: %s", path, strerror(-r));
        return end == 0 ? fs_sync_directory_of(path, error) : 0;
}

int sidefile_append(const char *path, Run *run, const char *note, Error *error) {
        int64_t id_before = run->id;
        if (run->id == 0)
                run->id = -clock_wall_us();
        AUTO_FREE char *text = compose_line(run, note);
        int r = text ? append_text(path, text, error) : error_set(error, -ENOMEM, "out of memory");
        if (r < 0)
                run->id = id_before;
        return r;
}

/* ---- reading ---- */

static int parse_line(const char *text, size_t size, SideLine *ret_line) {
        AUTO_JSON json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!document)
                return -EBADMSG;
        SideLine line = {.at_wall = json_integer_value(json_object_get(document, "at_wall"))};
        const char *note = json_string_value(json_object_get(document, "note"));
        snprintf(line.note, sizeof line.note, "%s", note ? note : "");
        int r = run_from_json(json_object_get(document, "run"), &line.run, NULL);
        if (r == 0)
                *ret_line = line;
        return r;
}

int sidefile_visit(const char *path, int (*visit)(void *userdata, const SideLine *line), void *userdata, Error *error) {
        AUTO_FREE char *text = NULL;
        Error problem = {0};
        int r = fs_read_file(path, SIDEFILE_MAX, &text, NULL, &problem);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_set(error, r, "side file: %s", error_text(&problem));
        for (char *at = text, *newline; (newline = strchr(at, '\n')) != NULL; at = newline + 1) {
                SideLine line;
                if (parse_line(at, (size_t)(newline - at), &line) < 0)
                        continue;
                r = visit(userdata, &line);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int keep_newest(void *userdata, const SideLine *line) {
        *(Run *)userdata = line->run;
        return 0;
}

int sidefile_open_run(const char *path, Run *ret_run, Error *error) {
        Run newest = {.phase = RUN_SUCCEEDED};
        int r = sidefile_visit(path, keep_newest, &newest, error);
        if (r < 0)
                return r;
        if (newest.phase == RUN_SUCCEEDED || newest.phase == RUN_FAILED || newest.phase == RUN_HOLDING)
                return 0;
        *ret_run = newest;
        return 1;
}
