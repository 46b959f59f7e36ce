/* The safety dump: all of the database as it was before its schema is taken back, written by pg_dump. It is there whole or not at
 * all: it gets its name when it is on the disk. */
#include "adapters/postgres-schema.h"

#include "base/fsio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define DIRECTORY "dumps"
#define SUFFIX ".dump"
#define UNFINISHED ".part"

struct PgDump {
        const Postgres *postgres;
        PgChild *child;
        int fd;
        char directory[PATH_MAX], path[PATH_MAX], part[PATH_MAX + sizeof UNFINISHED];
        PgDumped done;
        void *userdata;
};

PgDump *pg_dump_cancel(PgDump *dump) {
        if (!dump)
                return NULL;
        dump->child = pg_child_free(dump->child);
        if (dump->fd >= 0) {
                close(dump->fd);
                (void)unlink(dump->part);
        }
        free(dump);
        return NULL;
}

static void finish(PgDump *dump, const Error *error) {
        PgDumped done = dump->done;
        void *userdata = dump->userdata;
        Error copy = error ? *error : (Error){0};
        AUTO_FREE char *path = strdup(dump->path);
        pg_dump_cancel(dump);
        done(userdata, path ? path : "", &copy);
}

char *pg_dump_directory(const Postgres *postgres, char *path, size_t size) {
        snprintf(path, size, "%s/" DIRECTORY, postgres->context.state_directory);
        return path;
}

/* ---- older ones ---- */

static bool is_dump(const char *name) {
        size_t length = strlen(name);
        return strncmp(name, "run-", 4) == 0 && length > sizeof SUFFIX &&
               strcmp(name + length - (sizeof SUFFIX - 1), SUFFIX) == 0;
}

static bool is_unfinished(const char *name) {
        size_t length = strlen(name);
        return strncmp(name, "run-", 4) == 0 && length > sizeof UNFINISHED &&
               strcmp(name + length - (sizeof UNFINISHED - 1), UNFINISHED) == 0;
}

/* Runs are numbered as they come, so the number says which is older. */
static int older_first(const struct dirent **a, const struct dirent **b) {
        long long first = strtoll((*a)->d_name + 4, NULL, 10), second = strtoll((*b)->d_name + 4, NULL, 10);
        return (first > second) - (first < second);
}

static int is_dump_entry(const struct dirent *entry) {
        return is_dump(entry->d_name);
}

static int is_unfinished_entry(const struct dirent *entry) {
        return is_unfinished(entry->d_name);
}

/* All but the newest `keep`. What can't be removed stays: no reason to fail. */
static void prune(const char *directory, int (*which)(const struct dirent *), int keep) {
        struct dirent **entries = NULL;
        int count = scandir(directory, &entries, which, older_first);
        for (int i = 0; i < count; i++) {
                char path[PATH_MAX + 256];
                snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
                if (i < count - keep)
                        (void)unlink(path);
                free(entries[i]);
        }
        free(entries);
}

/* The database's name is the operator's; it must not lead elsewhere. */
static void dump_suffix(const Postgres *postgres, char *text, size_t size) {
        snprintf(text, size, "-%.127s" SUFFIX, postgres->server.database);
        for (char *at = text; *at; at++)
                if (*at == '/')
                        *at = '_';
}

/* ---- room ---- */

static void add_file(PgRoom *room, const char *directory, const char *name, const char *suffix) {
        char path[PATH_MAX + 256];
        struct stat st;
        bool ours = is_dump(name) && strcmp(name + 4 + strspn(name + 4, "0123456789"), suffix) == 0;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if ((!ours && !is_unfinished(name)) || lstat(path, &st) < 0)
                return;
        if (ours)
                room->last = st.st_size;
        else
                room->available += (int64_t)st.st_blocks * 512;
}

static int is_either_entry(const struct dirent *entry) {
        return is_dump(entry->d_name) || is_unfinished(entry->d_name);
}

int pg_dump_room(const Postgres *postgres, PgRoom *ret_room) {
        char directory[PATH_MAX], suffix[160];
        struct dirent **entries = NULL;
        struct statvfs space;
        *ret_room = (PgRoom){.last = -1};
        pg_dump_directory(postgres, directory, sizeof directory);
        dump_suffix(postgres, suffix, sizeof suffix);
        /* it is the first dump that makes the directory */
        if (statvfs(directory, &space) < 0 && statvfs(postgres->context.state_directory, &space) < 0)
                return -errno;
        ret_room->available = (int64_t)space.f_bavail * (int64_t)space.f_frsize;
        int count = scandir(directory, &entries, is_either_entry, older_first);
        for (int i = 0; i < count; i++) {
                add_file(ret_room, directory, entries[i]->d_name, suffix);
                free(entries[i]);
        }
        free(entries);
        return 0;
}

/* ---- this one ---- */

/* As one word of the shell, when that isn't sure. */
static void add_word(char *text, size_t size, const char *word) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,";
        size_t used = strlen(text);
        if (word[0] && strspn(word, plain) == strlen(word)) {
                snprintf(text + used, size - used, "%s", word);
                return;
        }
        used += (size_t)snprintf(text + used, size - used, "'");
        for (; *word && used + 6 < size; word++)
                used += (size_t)snprintf(text + used, size - used, *word == '\'' ? "'\\''" : "%c", *word);
        snprintf(text + used, size - used, "'");
}

char *pg_dump_undo(const Postgres *postgres, const char *path, char *text, size_t size) {
        const PgServer *server = &postgres->server;
        char port[24];
        snprintf(port, sizeof port, "%" PRId64, server->port);
        const char *const words[] = {"-h", server->host, "-p", port, "-U", server->user, "-d", server->database};
        snprintf(text, size, "pg_restore -c --if-exists -1");
        for (size_t i = 0; i < ARRAY_SIZE(words) && strlen(text) + 8 < size; i++) {
                strcat(text, " ");
                add_word(text, size, words[i]);
        }
        strcat(text, " ");
        add_word(text, size, path);
        return text;
}

static int keep_it(PgDump *dump, Error *error) {
        int r = fsync(dump->fd) < 0 ? -errno : 0;
        if (r < 0)
                return error_set(error, r, "%s: %s", dump->part, strerror(-r));
        r = fs_rename_durable(dump->part, dump->path, error);
        if (r < 0)
                return r;
        close(TAKE_FD(dump->fd));
        prune(dump->directory, is_dump_entry, (int)settings_int(dump->postgres->settings, "keep_dumps"));
        return 0;
}

/* pg_dump runs with LC_ALL=C.UTF-8: these are its words, and ours. */
static const char *next_step(const char *why) {
        bool full = strstr(why, strerror(ENOSPC)) || strstr(why, strerror(EDQUOT)) || strstr(why, strerror(EFBIG));
        return full ? "; make room there, and roll back again" : "";
}

static void on_dumped(void *userdata, const ProcessExit *exit, const char *said) {
        PgDump *dump = userdata;
        char text[300];
        unsigned line;
        Error error = {0}, kept = {0};
        if (exit->code != 0) {
                pg_child_error(said, text, sizeof text, &line);
                error_set(&error, -EIO, "the safety dump %s failed, so nothing was changed: %s%s", dump->path, text,
                          next_step(said));
        } else if (keep_it(dump, &kept) < 0)
                error_set(&error, kept.code, "the safety dump could not be kept, so nothing was changed: %s%s",
                          error_text(&kept), next_step(error_text(&kept)));
        finish(dump, error.code ? &error : NULL);
}

static int open_part(PgDump *dump, int64_t run_id, Error *error) {
        char name[300], suffix[160];
        dump_suffix(dump->postgres, suffix, sizeof suffix);
        snprintf(name, sizeof name, "run-%" PRId64 "%s", run_id, suffix);
        int r = pg_state_path(dump->postgres, DIRECTORY, name, dump->path, sizeof dump->path, error);
        if (r == 0)
                r = fs_directory_of(dump->path, dump->directory, sizeof dump->directory, error);
        if (r < 0)
                return r;
        prune(dump->directory, is_unfinished_entry, 0); /* of lives that were killed: one run at a time */
        snprintf(dump->part, sizeof dump->part, "%s" UNFINISHED, dump->path);
        dump->fd = open(dump->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return dump->fd < 0 ? error_set(error, -errno, "%s: %s", dump->part, strerror(errno)) : 0;
}

int pg_dump_begin(const Postgres *postgres, int64_t run_id, const char *extensions, PgDumped done, void *userdata,
                  PgDump **ret_dump, Error *error) {
        PgDump *dump = calloc(1, sizeof *dump);
        if (!dump)
                return error_set(error, -ENOMEM, "out of memory");
        *dump = (PgDump){.postgres = postgres, .fd = -1, .done = done, .userdata = userdata};
        char level[16];
        snprintf(level, sizeof level, "-Z%" PRId64, settings_int(postgres->settings, "dump_compression"));
        const char *const arguments[] = {"-Fc", level, "-w", "-e", extensions, NULL};
        int r = open_part(dump, run_id, error);
        const PgChildSpec spec = {.program = "pg_dump",
                                  .arguments = arguments,
                                  .name = "auto-rollback dump",
                                  .output_fd = dump->fd,
                                  .ended = on_dumped,
                                  .userdata = dump};
        if (r == 0)
                r = pg_child_start(postgres, &spec, &dump->child, error);
        if (r < 0) {
                pg_dump_cancel(dump);
                return r;
        }
        *ret_dump = dump;
        return 0;
}
