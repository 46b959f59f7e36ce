#include "adapters/tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

struct TreeWalk {
        int root;
        DIR *directory;        /* being read */
        char prefix[PATH_MAX]; /* of what is in it: "bin/", "" for the root */
        char **waiting;        /* directories still to be read, relative to the root */
        size_t waiting_count, waiting_capacity;
};

static int fail(Error *error, const char *path) {
        int code = errno;
        return error_set(error, -code, "%s: %s", path[0] ? path : ".", strerror(code));
}

static int open_directory(TreeWalk *walk, const char *path, Error *error) {
        AUTO_CLOSE int fd = openat(walk->root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fail(error, path);
        walk->directory = fdopendir(fd);
        if (!walk->directory)
                return fail(error, path);
        TAKE_FD(fd);
        snprintf(walk->prefix, sizeof walk->prefix, "%s%s", path, path[0] ? "/" : "");
        return 0;
}

int tree_walk_begin(const char *root, TreeWalk **ret_walk, Error *error) {
        TreeWalk *walk = calloc(1, sizeof *walk);
        if (!walk)
                return error_set(error, -ENOMEM, "out of memory");
        walk->root = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = walk->root < 0 ? fail(error, root) : open_directory(walk, "", error);
        if (r < 0) {
                tree_walk_end(walk);
                return r;
        }
        *ret_walk = walk;
        return 0;
}

TreeWalk *tree_walk_end(TreeWalk *walk) {
        if (!walk)
                return NULL;
        if (walk->directory)
                closedir(walk->directory);
        if (walk->root >= 0)
                close(walk->root);
        for (size_t i = 0; i < walk->waiting_count; i++)
                free(walk->waiting[i]);
        free(walk->waiting);
        free(walk);
        return NULL;
}

int tree_walk_root(const TreeWalk *walk) {
        return walk->root;
}

static int remember(TreeWalk *walk, const char *path, Error *error) {
        if (walk->waiting_count == walk->waiting_capacity) {
                size_t capacity = walk->waiting_capacity ? walk->waiting_capacity * 2 : 16;
                char **waiting = realloc(walk->waiting, capacity * sizeof *waiting);
                if (!waiting)
                        return error_set(error, -ENOMEM, "out of memory");
                walk->waiting = waiting;
                walk->waiting_capacity = capacity;
        }
        char *copy = strdup(path);
        if (!copy)
                return error_set(error, -ENOMEM, "out of memory");
        walk->waiting[walk->waiting_count++] = copy;
        return 0;
}

/* The next directory that waits: 1, or 0 when none does. */
static int next_directory(TreeWalk *walk, Error *error) {
        closedir(walk->directory);
        walk->directory = NULL;
        if (walk->waiting_count == 0)
                return 0;
        AUTO_FREE char *path = walk->waiting[--walk->waiting_count];
        int r = open_directory(walk, path, error);
        return r < 0 ? r : 1;
}

static int hash_link(TreeWalk *walk, const char *path, ManifestEntry *entry, Error *error) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(walk->root, path, target, sizeof target);
        if (length < 0)
                return fail(error, path);
        crypto_hash_sha256(entry->digest, (const unsigned char *)target, (size_t)length);
        return 0;
}

static int add_entry(TreeWalk *walk, const char *path, Manifest *into, Error *error) {
        ManifestEntry entry = {0};
        struct stat st;
        int r = 0;
        if (fstatat(walk->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(error, path);
        if (S_ISREG(st.st_mode)) {
                entry.type = ENTRY_FILE;
                entry.suspect = true;
        } else if (S_ISDIR(st.st_mode)) {
                entry.type = ENTRY_DIRECTORY;
                r = remember(walk, path, error);
        } else if (S_ISLNK(st.st_mode)) {
                entry.type = ENTRY_LINK;
                r = hash_link(walk, path, &entry, error);
        } else
                return error_set(error, -EBADMSG,
                                 "%s is neither a file, a directory nor a symlink: that can't be part of a release",
                                 path);
        manifest_entry_set_stat(&entry, &st);
        return r < 0 ? r : manifest_add(into, &entry, path, error);
}

int tree_walk_step(TreeWalk *walk, unsigned count, Manifest *into, Error *error) {
        while (count-- > 0) {
                char path[PATH_MAX];
                errno = 0;
                assert(walk->directory);
                const struct dirent *found = readdir(walk->directory);
                if (!found && errno != 0)
                        return fail(error, walk->prefix);
                if (!found) {
                        int r = next_directory(walk, error);
                        if (r <= 0)
                                return r;
                        continue;
                }
                if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
                        continue;
                if (snprintf(path, sizeof path, "%s%s", walk->prefix, found->d_name) >= (int)sizeof path)
                        return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", path);
                int r = add_entry(walk, path, into, error);
                if (r < 0)
                        return r;
        }
        return 1;
}
