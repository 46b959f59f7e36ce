#include "adapters/release.h"

#include "adapters/release-internal.h"
#include "base/fsio.h"
#include "core/version.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the store ---- */

static void cleanup_store(ReleaseStore **store) {
        release_store_close(*store);
}

int release_store_open(sd_event *event, const ReleasePaths *paths, ReleaseStore **ret_store, Error *error) {
        CLEANUP(cleanup_store) ReleaseStore *store = calloc(1, sizeof *store);
        if (!store)
                return error_set(error, -ENOMEM, "out of memory");
        if (sodium_init() < 0)
                return error_set(error, -EIO, "libsodium can't be initialised");
        store->event = event ? sd_event_ref(event) : NULL;
        store->versions = strdup(paths->versions);
        store->current = strdup(paths->current);
        store->live_config = strdup(paths->live_config);
        store->saved_config = strdup(paths->saved_config);
        if (!store->versions || !store->current || !store->live_config || !store->saved_config ||
            asprintf(&store->manifests, "%s/manifests", paths->state_directory) < 0)
                return error_set(error, -ENOMEM, "out of memory");
        *ret_store = TAKE_PTR(store);
        return 0;
}

ReleaseStore *release_store_close(ReleaseStore *store) {
        if (!store)
                return NULL;
        sd_event_unref(store->event);
        free(store->versions);
        free(store->current);
        free(store->live_config);
        free(store->saved_config);
        free(store->manifests);
        free(store);
        return NULL;
}

/* ---- paths ---- */

static int too_long(const char *path, Error *error) {
        return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", path);
}

static int check_version(const char *version, Error *error) {
        return version_valid(version) ? 0
                                      : error_set(error, -EINVAL, "'%.80s' is not a version such as v2.4.0", version);
}

int release_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error) {
        int r = check_version(version, error);
        if (r < 0)
                return r;
        return snprintf(buffer, PATH_MAX, "%s/%s", store->versions, version) < PATH_MAX ? 0 : too_long(buffer, error);
}

int release_manifest_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error) {
        int r = check_version(version, error);
        if (r < 0)
                return r;
        return snprintf(buffer, PATH_MAX, "%s/%s.manifest", store->manifests, version) < PATH_MAX
                       ? 0
                       : too_long(buffer, error);
}

int release_saved_config_path(const ReleaseStore *store, const char *version, char buffer[PATH_MAX], Error *error) {
        static const char mark[] = "{version}";
        const char *at = strstr(store->saved_config, mark);
        int r = check_version(version, error);
        buffer[0] = '\0';
        if (r < 0 || store->saved_config[0] == '\0')
                return r;
        int before = at ? (int)(at - store->saved_config) : (int)strlen(store->saved_config);
        int length = snprintf(buffer, PATH_MAX, "%.*s%s%s", before, store->saved_config, at ? version : "",
                              at ? at + strlen(mark) : "");
        return length < PATH_MAX ? 0 : too_long(buffer, error);
}

int release_beside(const char *path, const char *word, const char *suffix, char buffer[PATH_MAX], Error *error) {
        const char *slash = strrchr(path, '/');
        int directory = slash ? (int)(slash - path) + 1 : 0;
        int length = snprintf(buffer, PATH_MAX, "%.*s.%s.%s.%s", directory, path, path + directory, word, suffix);
        return length < PATH_MAX ? 0 : too_long(buffer, error);
}

bool release_store_has_manifest(ReleaseStore *store, const char *version) {
        char path[PATH_MAX];
        return release_manifest_path(store, version, path, NULL) == 0 && access(path, F_OK) == 0;
}

/* ---- the list ---- */

static int compare_versions(const void *a, const void *b) {
        return version_compare(a, b);
}

static int read_versions(DIR *directory, char (**ret_versions)[VERSION_MAX], size_t *ret_count) {
        AUTO_FREE char(*versions)[VERSION_MAX] = NULL;
        size_t count = 0, capacity = 0;
        const struct dirent *found;
        while (errno = 0, (found = readdir(directory)) != NULL) {
                struct stat st;
                if (!version_valid(found->d_name) ||
                    fstatat(dirfd(directory), found->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                if (count == capacity) {
                        capacity = capacity ? capacity * 2 : 16;
                        char(*more)[VERSION_MAX] = realloc(versions, capacity * sizeof *versions);
                        if (!more)
                                return -ENOMEM;
                        versions = more;
                }
                snprintf(versions[count++], VERSION_MAX, "%.*s", VERSION_MAX - 1, found->d_name);
        }
        if (errno != 0)
                return -errno;
        if (count > 1)
                qsort(versions, count, sizeof *versions, compare_versions);
        *ret_versions = TAKE_PTR(versions);
        *ret_count = count;
        return 0;
}

int release_store_list(ReleaseStore *store, char (**ret_versions)[VERSION_MAX], size_t *ret_count, Error *error) {
        DIR *directory = opendir(store->versions);
        if (!directory)
                return error_set(error, -errno, "can't read the releases in %s: %s", store->versions, strerror(errno));
        int r = read_versions(directory, ret_versions, ret_count);
        closedir(directory);
        return r < 0 ? error_set(error, r, "can't read the releases in %s: %s", store->versions, strerror(-r)) : 0;
}

/* ---- current ---- */

static int read_current(const ReleaseStore *store, char target[PATH_MAX], Error *error) {
        struct stat st;
        ssize_t length = readlink(store->current, target, PATH_MAX - 1);
        if (length >= 0) {
                target[length] = '\0';
                return 0;
        }
        int code = errno;
        if (code == ENOENT)
                return error_set(error, -ENOENT,
                                 "%s is missing; point it to the release that runs now: ln -s %s/VERSION %s",
                                 store->current, store->versions, store->current);
        if (code == EINVAL && stat(store->current, &st) == 0 && S_ISDIR(st.st_mode))
                return error_set(
                        error, -EISDIR,
                        "%s is a real directory, not a symlink; move it to %s/VERSION, then: ln -s %s/VERSION %s",
                        store->current, store->versions, store->versions, store->current);
        if (code == EINVAL)
                return error_set(error, -EINVAL, "%s is not a symlink; move it away, then: ln -s %s/VERSION %s",
                                 store->current, store->versions, store->current);
        return error_set(error, -code, "can't read %s: %s", store->current, strerror(code));
}

/* `target` as a path from here: relative ones count from the directory of `current`. Trailing slashes go. */
static int absolute_target(const ReleaseStore *store, const char *target, char buffer[PATH_MAX], Error *error) {
        const char *slash = strrchr(store->current, '/');
        int directory = target[0] != '/' && slash ? (int)(slash - store->current) + 1 : 0;
        if (snprintf(buffer, PATH_MAX, "%.*s%s", directory, store->current, target) >= PATH_MAX)
                return too_long(target, error);
        for (size_t length = strlen(buffer); length > 1 && buffer[length - 1] == '/'; length--)
                buffer[length - 1] = '\0';
        return 0;
}

static bool same_directory(const char *a, const char *b) {
        struct stat first, second;
        return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
               first.st_ino == second.st_ino;
}

int release_store_current(ReleaseStore *store, char ret_version[VERSION_MAX], Error *error) {
        char target[PATH_MAX], path[PATH_MAX], parent[PATH_MAX];
        struct stat st;
        int r = read_current(store, target, error);
        if (r == 0)
                r = absolute_target(store, target, path, error);
        if (r == 0)
                r = fs_directory_of(path, parent, sizeof parent, error);
        if (r < 0)
                return r;
        if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
                return error_set(
                        error, -ENOLINK,
                        "%s points to %s, which is missing; put that release back, or point it to one that is there: "
                        "ln -sfn %s/VERSION %s",
                        store->current, target, store->versions, store->current);
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        if (!same_directory(parent, store->versions) || !version_valid(name) || lstat(path, &st) < 0 ||
            !S_ISDIR(st.st_mode))
                return error_set(error, -EINVAL,
                                 "%s points to %s, which is not a release in %s; mend it with: ln -sfn %s/VERSION %s",
                                 store->current, target, store->versions, store->versions, store->current);
        snprintf(ret_version, VERSION_MAX, "%s", name);
        return 0;
}

int64_t release_store_switched_at(ReleaseStore *store, Error *error) {
        struct stat st;
        if (lstat(store->current, &st) < 0)
                return error_set(error, -errno, "can't look at %s: %s", store->current, strerror(errno));
        return (int64_t)st.st_ctim.tv_sec * USEC_PER_SEC + st.st_ctim.tv_nsec / 1000;
}
