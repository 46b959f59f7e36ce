/* The switch: what is laid ready beforehand, and the renames that make it live. Every function here may be interrupted anywhere and
 * called again. Beside the live configuration and `current` there may stand:
 *   .NAME.next.VERSION                what the next switch to VERSION will rename into place
 *   .NAME.replaced.VERSION.DIGEST     what was live when VERSION was left: named by its content, so that nothing is ever overwritten
 *   .NAME.aside.DIGEST                a prepared copy that had become stale */
#include "adapters/release-internal.h"
#include "base/fsio.h"
#include "core/version.h"

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
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        return r;
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

/* ---- where a release's configuration comes from ---- */

/* The configuration that was live when `version` was left last: 1, or 0 when none was kept. */
static int find_kept(const ReleaseStore *store, const char *version, char ret_path[PATH_MAX], Error *error) {
        char directory[PATH_MAX], prefix[PATH_MAX];
        const struct dirent *found;
        struct timespec newest = {0};
        int r = fs_directory_of(store->live_config, directory, sizeof directory, error);
        if (r == 0)
                r = release_beside(store->live_config, "replaced", version, prefix, error);
        if (r < 0)
                return r;
        const char *name = strrchr(prefix, '/') ? strrchr(prefix, '/') + 1 : prefix;
        size_t length = strlen(name);
        DIR *stream = opendir(directory);
        if (!stream)
                return error_set(error, -errno, "can't read %s: %s", directory, strerror(errno));
        while ((found = readdir(stream)) != NULL) {
                struct stat st;
                /* exactly the digest behind it: v2.4.0 must not find what belongs to v2.4.0-rc.1 */
                if (strncmp(found->d_name, name, length) != 0 || found->d_name[length] != '.' ||
                    strspn(found->d_name + length + 1, "0123456789abcdef") != SHORT_DIGEST ||
                    found->d_name[length + 1 + SHORT_DIGEST] != '\0' ||
                    fstatat(dirfd(stream), found->d_name, &st, 0) < 0)
                        continue;
                if (r == 1 && (st.st_ctim.tv_sec < newest.tv_sec ||
                               (st.st_ctim.tv_sec == newest.tv_sec && st.st_ctim.tv_nsec <= newest.tv_nsec)))
                        continue;
                newest = st.st_ctim;
                r = snprintf(ret_path, PATH_MAX, "%s/%s", directory, found->d_name) < PATH_MAX ? 1 : r;
        }
        closedir(stream);
        return r;
}

/* The saved one; for a release that was never given one, what was live when it was left, or is live while it is current (so that a
 * release that is put back has the configuration it ran with). */
static int read_source(ReleaseStore *store, const char *version, Content *ret_content, Error *error) {
        char path[PATH_MAX], kept[PATH_MAX], current[VERSION_MAX];
        int r = release_saved_config_path(store, version, path, error);
        if (r == 0)
                r = read_content(path, ret_content, error);
        if (r < 0 || ret_content->data)
                return r;
        r = find_kept(store, version, kept, error);
        if (r > 0)
                r = read_content(kept, ret_content, error);
        else if (r == 0 && release_store_current(store, current, NULL) == 0 && strcmp(current, version) == 0)
                r = read_content(store->live_config, ret_content, error);
        if (r == 0 && !ret_content->data)
                return error_set(error, -ENOENT,
                                 "saved configuration %s is missing; put it back, then run: auto-rollback adopt", path);
        return r;
}

/* ---- laying ready ---- */

static bool has_config(const ReleaseStore *store) {
        return store->saved_config[0] != '\0';
}

/* The copy gets the owner and mode of the file it will replace, as if that had been written over. */
static int match_owner(const char *path, const struct stat *wanted, Error *error) {
        if (chown(path, wanted->st_uid, wanted->st_gid) < 0) {
                if (errno != EPERM)
                        return error_set(error, -errno, "can't give %s its owner: %s", path, strerror(errno));
                if (chown(path, (uid_t)-1, wanted->st_gid) < 0 && (wanted->st_mode & S_IROTH) == 0)
                        return error_set(
                                error, -EPERM,
                                "can't give %s the owner of the live configuration (uid %u, gid %u), and others may not read it; "
                                "make it readable for the service's group",
                                path, (unsigned)wanted->st_uid, (unsigned)wanted->st_gid);
        }
        /* after chown(), which clears some bits */
        return chmod(path, wanted->st_mode & 0777) < 0
                       ? error_set(error, -errno, "can't set the mode of %s: %s", path, strerror(errno))
                       : 0;
}

static int write_next(const ReleaseStore *store, const char *version, const Content *source, const char *next,
                      Error *error) {
        char saved[PATH_MAX];
        struct stat wanted;
        int r = release_saved_config_path(store, version, saved, error);
        if (r < 0)
                return r;
        if (stat(store->live_config, &wanted) < 0 && stat(saved, &wanted) < 0)
                wanted = (struct stat){.st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid()};
        r = fs_write_atomic(next, source->data, source->size, 0600, error);
        return r < 0 ? r : match_owner(next, &wanted, error);
}

static void current_or_unknown(ReleaseStore *store, char version[VERSION_MAX]) {
        if (release_store_current(store, version, NULL) < 0)
                snprintf(version, VERSION_MAX, "unknown");
}

static int kept_path(ReleaseStore *store, const Content *content, char path[PATH_MAX], Error *error) {
        char from[VERSION_MAX], digest[SHORT_DIGEST + 1], suffix[VERSION_MAX + SHORT_DIGEST + 2];
        current_or_unknown(store, from);
        short_digest(content, digest);
        snprintf(suffix, sizeof suffix, "%s.%s", from, digest);
        return release_beside(store->live_config, "replaced", suffix, path, error);
}

/* What stands in the next configuration's place and isn't it: either a copy that has become stale, or, when the source is live
 * already, the replaced configuration of a switch that was killed inside fs_replace_keeping()'s exchange. Neither is lost. */
static int set_aside(ReleaseStore *store, const char *next, const Content *found, bool switched, Error *error) {
        char path[PATH_MAX], digest[SHORT_DIGEST + 1];
        int r;
        if (switched)
                r = kept_path(store, found, path, error);
        else {
                short_digest(found, digest);
                r = release_beside(store->live_config, "aside", digest, path, error);
        }
        return r < 0 ? r : fs_rename_durable(next, path, error);
}

static int ensure_next_config(ReleaseStore *store, const char *version, const Content *source, const Content *live,
                              Error *error) {
        AUTO_CONTENT Content found = {0};
        char next[PATH_MAX];
        int r = release_beside(store->live_config, "next", version, next, error);
        if (r == 0)
                r = read_content(next, &found, error);
        if (r < 0 || same_content(&found, source))
                return r;
        if (found.data)
                r = set_aside(store, next, &found, same_content(live, source), error);
        return r < 0 ? r : write_next(store, version, source, next, error);
}

static int ensure_next_link(ReleaseStore *store, const char *version, Error *error) {
        char target[PATH_MAX], next[PATH_MAX];
        struct stat st;
        int r = release_path(store, version, target, error);
        if (r == 0)
                r = release_beside(store->current, "next", version, next, error);
        if (r < 0)
                return r;
        if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
                return error_set(error, -ENOENT, "release %s: %s is not a directory; put the release back", version,
                                 target);
        return fs_symlink_prepare(target, next, error);
}

int release_store_prepare(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0}, live = {0};
        int r = ensure_next_link(store, version, error);
        if (r < 0 || !has_config(store))
                return r;
        r = read_source(store, version, &source, error);
        if (r == 0)
                r = read_content(store->live_config, &live, error);
        return r < 0 ? r : ensure_next_config(store, version, &source, &live, error);
}

/* ---- the switch ---- */

static int switch_config(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0}, live = {0};
        char next[PATH_MAX], kept[PATH_MAX] = "";
        if (!has_config(store))
                return 0;
        int r = read_source(store, version, &source, error);
        if (r == 0)
                r = read_content(store->live_config, &live, error);
        if (r < 0)
                return r;
        if (same_content(&live, &source)) /* the rename may not be durable yet: the power may go after a crash */
                return fs_sync_directory_of(store->live_config, error);
        r = ensure_next_config(store, version, &source, &live, error);
        if (r == 0)
                r = release_beside(store->live_config, "next", version, next, error);
        if (r == 0 && live.data)
                r = kept_path(store, &live, kept, error);
        if (r < 0)
                return r;
        return live.data ? fs_replace_keeping(next, store->live_config, kept, error)
                         : fs_rename_durable(next, store->live_config, error);
}

static int switch_link(ReleaseStore *store, const char *version, Error *error) {
        char current[VERSION_MAX], next[PATH_MAX];
        Error problem = {0};
        int r = release_store_current(store, current, &problem);
        if (r == 0 && strcmp(current, version) == 0)
                return fs_sync_directory_of(store->current, error);
        /* a symlink that leads nowhere may be replaced; what isn't ours to understand stays */
        if (r < 0 && r != -ENOENT && r != -ENOLINK)
                return error_set(error, r, "%s", error_text(&problem));
        r = ensure_next_link(store, version, error);
        if (r == 0)
                r = release_beside(store->current, "next", version, next, error);
        return r < 0 ? r : fs_rename_durable(next, store->current, error);
}

int release_store_switch(ReleaseStore *store, const char *version, Error *error) {
        char path[PATH_MAX];
        struct stat st;
        int r = release_path(store, version, path, error);
        if (r < 0)
                return r;
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) /* before the configuration is touched */
                return error_set(error, -ENOENT, "release %s: %s is not a directory; put the release back", version,
                                 path);
        r = switch_config(store, version, error);
        return r < 0 ? r : switch_link(store, version, error);
}

int release_store_switched(ReleaseStore *store, const char *version, Error *error) {
        AUTO_CONTENT Content source = {0}, live = {0};
        char current[VERSION_MAX];
        int r = release_store_current(store, current, error);
        if (r == -ENOENT || r == -ENOLINK)
                return 0;
        if (r < 0)
                return r;
        if (strcmp(current, version) != 0)
                return 0;
        if (!has_config(store))
                return 1;
        r = read_source(store, version, &source, error);
        if (r == 0)
                r = read_content(store->live_config, &live, error);
        return r < 0 ? r : same_content(&source, &live);
}
