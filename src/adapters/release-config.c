/* The configuration's part of the switch. Every function here may be interrupted anywhere and called again. Beside the live
 * configuration there may stand:
 *   .NAME.next.VERSION             what the next switch to VERSION will rename into place
 *   .NAME.replaced.VERSION.DIGEST  what was live when VERSION was left: named by its content, so that nothing is ever overwritten
 *   .NAME.aside.DIGEST             what belongs to no release: a prepared copy that had become stale, and the like */
#include "adapters/release-internal.h"
#include "base/fsio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_MAX (4 * 1024 * 1024)
#define SHORT_DIGEST 16

/* A file's content; `data` NULL: there is no such file. */
typedef struct Content {
        char *data;
        size_t size;
} Content;

static void cleanup_content(Content *content) {
        free(content->data);
}
#define AUTO_CONTENT CLEANUP(cleanup_content)

static int read_content(const char *path, Content *ret_content, Error *error) {
        int r = fs_read_file(path, CONFIG_MAX, &ret_content->data, &ret_content->size, error);
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static bool same_content(const Content *a, const Content *b) {
        return a->data && b->data && a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void short_digest(const Content *content, char buffer[SHORT_DIGEST + 1]) {
        uint8_t digest[DIGEST_BYTES];
        char text[DIGEST_TEXT_MAX];
        crypto_hash_sha256(digest, (const unsigned char *)content->data, content->size);
        snprintf(buffer, SHORT_DIGEST + 1, "%.*s", SHORT_DIGEST, digest_format(digest, text));
}

static void current_or_unknown(ReleaseStore *store, char version[VERSION_MAX]) {
        if (release_store_current(store, version, NULL) < 0)
                snprintf(version, VERSION_MAX, "unknown");
}

bool release_has_config(const ReleaseStore *store) {
        return store->saved_config[0] != '\0';
}

/* ---- where a release's configuration comes from ---- */

/* The prefix and exactly a digest behind it: v2.4.0 must not find what belongs to v2.4.0-rc.1. */
static bool is_kept_name(const char *name, const char *prefix) {
        size_t length = strlen(prefix);
        return strncmp(name, prefix, length) == 0 && name[length] == '.' && strlen(name + length + 1) == SHORT_DIGEST &&
               strspn(name + length + 1, "0123456789abcdef") == SHORT_DIGEST;
}

static bool is_later(struct timespec a, struct timespec b) {
        return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static void newest_kept(DIR *directory, const char *prefix, char ret_name[NAME_MAX + 1]) {
        struct timespec newest = {0};
        const struct dirent *found;
        struct stat st;
        ret_name[0] = '\0';
        while ((found = readdir(directory)) != NULL) {
                if (!is_kept_name(found->d_name, prefix) || fstatat(dirfd(directory), found->d_name, &st, 0) < 0)
                        continue;
                /* ctime: when it got this name */
                if (ret_name[0] != '\0' && !is_later(st.st_ctim, newest))
                        continue;
                newest = st.st_ctim;
                snprintf(ret_name, NAME_MAX + 1, "%s", found->d_name);
        }
}

/* What was live when `version` was left last; no data when nothing was kept. */
static int read_kept(const ReleaseStore *store, const char *version, Content *ret_content, Error *error) {
        char directory[PATH_MAX], prefix[PATH_MAX], name[NAME_MAX + 1], path[PATH_MAX + NAME_MAX + 2];
        int r = fs_directory_of(store->live_config, directory, sizeof directory, error);
        if (r == 0)
                r = release_beside(store->live_config, "replaced", version, prefix, error);
        if (r < 0)
                return r;
        DIR *stream = opendir(directory);
        if (!stream)
                return error_set(error, -errno, "can't read %s: %s", directory, strerror(errno));
        newest_kept(stream, strrchr(prefix, '/') ? strrchr(prefix, '/') + 1 : prefix, name);
        closedir(stream);
        if (name[0] == '\0')
                return 0;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        return read_content(path, ret_content, error);
}

/* The saved one; for a release that was never given one, what was live when it was left, or is live while it is current: a release
 * that is put back gets the configuration it ran with. */
static int read_source(ReleaseStore *store, const char *version, Content *ret_content, Error *error) {
        char path[PATH_MAX], current[VERSION_MAX];
        int r = release_saved_config_path(store, version, path, error);
        if (r == 0)
                r = read_content(path, ret_content, error);
        if (r == 0 && !ret_content->data)
                r = read_kept(store, version, ret_content, error);
        if (r < 0 || ret_content->data)
                return r;
        current_or_unknown(store, current);
        if (strcmp(current, version) == 0)
                r = read_content(store->live_config, ret_content, error);
        if (r == 0 && !ret_content->data)
                return error_set(error, -ENOENT,
                                 "saved configuration %s is missing; put it back, then run: auto-rollback adopt", path);
        return r;
}

/* The source and what is live, which every step compares. */
static int read_both(ReleaseStore *store, const char *version, Content *ret_source, Content *ret_live, Error *error) {
        int r = read_source(store, version, ret_source, error);
        return r < 0 ? r : read_content(store->live_config, ret_live, error);
}

/* ---- the copy laid ready ---- */

/* Its owner and mode should be those of the file it will replace, as if that had been written over. */
static void wanted_owner(const ReleaseStore *store, const char *version, struct stat *ret) {
        char saved[PATH_MAX];
        bool known = stat(store->live_config, ret) == 0 ||
                     (release_saved_config_path(store, version, saved, NULL) == 0 && stat(saved, ret) == 0);
        if (!known)
                *ret = (struct stat){.st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid()};
        ret->st_mode &= 0777;
}

static int set_owner(int fd, const char *path, const struct stat *wanted, Error *error) {
        if (fchown(fd, wanted->st_uid, wanted->st_gid) == 0)
                return 0;
        if (errno != EPERM)
                return error_set(error, -errno, "can't give %s its owner: %s", path, strerror(errno));
        if (fchown(fd, (uid_t)-1, wanted->st_gid) == 0 || (wanted->st_mode & S_IROTH) != 0)
                return 0; /* not the same owner, but who has to read it can */
        return error_set(
                error, -EPERM,
                "can't give %s the owner of the live configuration (uid %u, gid %u), and others may not read it; "
                "make that readable for the service's group",
                path, (unsigned)wanted->st_uid, (unsigned)wanted->st_gid);
}

/* Durable, too: a power cut must not leave a copy that the service can't read. */
static int match_owner(const ReleaseStore *store, const char *version, const char *path, Error *error) {
        struct stat wanted, found;
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &found) < 0)
                return error_set(error, -errno, "can't look at %s: %s", path, strerror(errno));
        wanted_owner(store, version, &wanted);
        if (found.st_uid == wanted.st_uid && found.st_gid == wanted.st_gid && (found.st_mode & 07777) == wanted.st_mode)
                return 0;
        int r = set_owner(fd, path, &wanted, error);
        if (r == 0 &&
            (fchmod(fd, wanted.st_mode) < 0 || fsync(fd) < 0)) /* mode after owner: chown() clears some bits */
                return error_set(error, -errno, "can't set the mode of %s: %s", path, strerror(errno));
        return r;
}

static int aside_path(const ReleaseStore *store, const Content *content, char path[PATH_MAX], Error *error) {
        char digest[SHORT_DIGEST + 1];
        short_digest(content, digest);
        return release_beside(store->live_config, "aside", digest, path, error);
}

/* Where what is live goes when `version` comes: to the name of the release that is left. When `version` is current all the same (an
 * interrupted switch is taken back), what is live isn't that release's own, and must not be found as such later. */
static int kept_path(ReleaseStore *store, const char *version, const Content *content, char path[PATH_MAX],
                     Error *error) {
        char from[VERSION_MAX], digest[SHORT_DIGEST + 1], suffix[VERSION_MAX + SHORT_DIGEST + 2];
        current_or_unknown(store, from);
        if (strcmp(from, version) == 0)
                return aside_path(store, content, path, error);
        short_digest(content, digest);
        snprintf(suffix, sizeof suffix, "%s.%s", from, digest);
        return release_beside(store->live_config, "replaced", suffix, path, error);
}

/* What stands in the next configuration's place and isn't it. Usually a copy that has become stale; but when the source is live
 * already, a switch was killed inside fs_replace_keeping()'s exchange, and it is what was replaced. Neither is lost. */
static int set_aside(ReleaseStore *store, const char *version, const char *next, const Content *found, bool replaced,
                     Error *error) {
        char path[PATH_MAX];
        int r = replaced ? kept_path(store, version, found, path, error) : aside_path(store, found, path, error);
        return r < 0 ? r : fs_rename_durable(next, path, error);
}

static int ensure_next(ReleaseStore *store, const char *version, const Content *source, const Content *live,
                       Error *error) {
        AUTO_CONTENT Content found = {0};
        char next[PATH_MAX];
        int r = release_beside(store->live_config, "next", version, next, error);
        if (r == 0)
                r = read_content(next, &found, error);
        if (r < 0)
                return r;
        bool ready = same_content(&found, source);
        if (found.data && !ready)
                r = set_aside(store, version, next, &found, same_content(live, source), error);
        if (r == 0 && !ready)
                r = fs_write_atomic(next, source->data, source->size, 0600, error);
        return r < 0 ? r : match_owner(store, version, next, error);
}

int release_config_prepare(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0};
        AUTO_CONTENT Content live = {0};
        int r = read_both(store, version, &source, &live, error);
        return r < 0 ? r : ensure_next(store, version, &source, &live, error);
}

/* ---- the switch ---- */

/* The source is live: what a killed exchange left in the next one's place is given its name. Needs no space, unlike ensure_next(). */
static int settle_next(ReleaseStore *store, const char *version, const Content *source, Error *error) {
        AUTO_CONTENT Content found = {0};
        char next[PATH_MAX];
        int r = release_beside(store->live_config, "next", version, next, error);
        if (r == 0)
                r = read_content(next, &found, error);
        if (r < 0 || !found.data || same_content(&found, source))
                return r;
        return set_aside(store, version, next, &found, true, error);
}

int release_config_switch(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0};
        AUTO_CONTENT Content live = {0};
        char next[PATH_MAX], kept[PATH_MAX];
        int r = read_both(store, version, &source, &live, error);
        if (r < 0)
                return r;
        if (same_content(&live, &source)) {
                r = settle_next(store, version, &source, error);
                /* a rename before a crash may not be durable yet */
                return r < 0 ? r : fs_sync_directory_of(store->live_config, error);
        }
        r = ensure_next(store, version, &source, &live, error);
        if (r == 0)
                r = release_beside(store->live_config, "next", version, next, error);
        if (r < 0)
                return r;
        if (!live.data)
                return fs_rename_durable(next, store->live_config, error);
        r = kept_path(store, version, &live, kept, error);
        return r < 0 ? r : fs_replace_keeping(next, store->live_config, kept, error);
}

int release_config_in_effect(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0};
        AUTO_CONTENT Content live = {0};
        int r = read_both(store, version, &source, &live, error);
        return r < 0 ? r : same_content(&source, &live);
}
