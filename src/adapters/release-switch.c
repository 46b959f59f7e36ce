/* The switch: what is laid ready beforehand (`.current.next.VERSION` and the next configuration), and the renames that make it
 * live. Every function here may be interrupted anywhere and called again. */
#include "adapters/release-internal.h"
#include "base/fsio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int check_release(const ReleaseStore *store, const char *version, char path[PATH_MAX], Error *error) {
        struct stat st;
        int r = release_path(store, version, path, error);
        if (r < 0)
                return r;
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return error_set(error, -ENOENT, "release %s: %s is not a directory; put the release back", version,
                                 path);
        return 0;
}

static int ensure_next_link(ReleaseStore *store, const char *version, Error *error) {
        char target[PATH_MAX], next[PATH_MAX];
        int r = check_release(store, version, target, error);
        if (r == 0)
                r = release_beside(store->current, "next", version, next, error);
        return r < 0 ? r : fs_symlink_prepare(target, next, error);
}

int release_store_prepare(ReleaseStore *store, const char *version, Error *error) {
        int r = ensure_next_link(store, version, error);
        return r < 0 || !release_has_config(store) ? r : release_config_prepare(store, version, error);
}

/* A `current` that is missing or leads nowhere may be replaced; what isn't ours to understand stays. */
static int check_switchable(ReleaseStore *store, const char *version, Error *error) {
        char path[PATH_MAX], current[VERSION_MAX];
        Error problem = {0};
        int r = check_release(store, version, path, error);
        if (r < 0)
                return r;
        r = release_store_current(store, current, &problem);
        return r == 0 || r == -ENOENT || r == -ENOLINK ? 0 : error_set(error, r, "%s", error_text(&problem));
}

static int switch_link(ReleaseStore *store, const char *version, Error *error) {
        char current[VERSION_MAX], next[PATH_MAX];
        if (release_store_current(store, current, NULL) == 0 && strcmp(current, version) == 0)
                return fs_sync_directory_of(store->current, error); /* a rename before a crash may not be durable yet */
        int r = ensure_next_link(store, version, error);
        if (r == 0)
                r = release_beside(store->current, "next", version, next, error);
        return r < 0 ? r : fs_rename_durable(next, store->current, error);
}

int release_store_switch(ReleaseStore *store, const char *version, Error *error) {
        int r = check_switchable(store, version, error); /* before the configuration is touched */
        if (r == 0 && release_has_config(store))
                r = release_config_switch(store, version, error);
        return r < 0 ? r : switch_link(store, version, error);
}

int release_store_switched(ReleaseStore *store, const char *version, Error *error) {
        char current[VERSION_MAX];
        int r = release_store_current(store, current, error);
        if (r < 0)
                return r == -ENOENT || r == -ENOLINK ? 0 : r;
        if (strcmp(current, version) != 0)
                return 0;
        return release_has_config(store) ? release_config_in_effect(store, version, error) : 1;
}
