/* The renames of base/fsio.h. */
#include "base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int fail(Error *error, const char *doing, const char *from, const char *to) {
        int code = errno;
        return error_set(error, -code, "can't %s %s to %s: %s", doing, from, to, strerror(code));
}

int fs_rename_durable(const char *from, const char *to, Error *error) {
        char source[PATH_MAX], target[PATH_MAX];
        int r = fs_directory_of(from, source, sizeof source, error);
        if (r == 0)
                r = fs_directory_of(to, target, sizeof target, error);
        if (r < 0)
                return r;
        if (rename(from, to) < 0)
                return fail(error, "rename", from, to);
        r = fs_sync_directory(target, error);
        if (r == 0 && strcmp(source, target) != 0)
                r = fs_sync_directory(source, error);
        return r;
}

int fs_exchange(const char *first, const char *second, Error *error) {
        if (renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE) == 0)
                return fs_sync_directory_of(first, error);
        if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
                return error_set(error, -EOPNOTSUPP,
                                 "the file system of %s can't exchange two names at once (renameat2)", first);
        return fail(error, "exchange", first, second);
}

static bool link_is_refused(int code) {
        /* EPERM: the file system has no links, or fs.protected_hardlinks and the file isn't ours */
        return code == EPERM || code == EACCES || code == EOPNOTSUPP || code == ENOSYS || code == EMLINK;
}

/* Gives the live file a second name, replacing an older one of that name. 1: links are refused here. */
static int link_as(const char *live, const char *kept, Error *error) {
        char temporary[PATH_MAX];
        if (snprintf(temporary, sizeof temporary, "%s.tmp", kept) >= (int)sizeof temporary)
                return error_set(error, -ENAMETOOLONG, "path is too long: %.200s", kept);
        if (link(live, kept) == 0)
                return 0;
        if (link_is_refused(errno))
                return 1;
        if (errno != EEXIST)
                return fail(error, "link", live, kept);
        if (unlink(temporary) < 0 && errno != ENOENT)
                return fail(error, "remove", temporary, "make room");
        if (link(live, temporary) < 0)
                return link_is_refused(errno) ? 1 : fail(error, "link", live, temporary);
        if (rename(temporary, kept) < 0)
                return fail(error, "rename", temporary, kept);
        /* rename() of two names of one file does nothing: then the second is still there */
        if (unlink(temporary) < 0 && errno != ENOENT)
                return fail(error, "remove", temporary, "tidy up");
        return 0;
}

int fs_replace_keeping(const char *prepared, const char *live, const char *kept, Error *error) {
        struct stat st;
        if (lstat(live, &st) < 0) {
                if (errno != ENOENT)
                        return fail(error, "look at", live, "replace it");
                return fs_rename_durable(prepared, live, error);
        }
        int r = link_as(live, kept, error);
        if (r < 0)
                return r;
        if (r == 0) {
                /* the second name must be durable before the first one goes */
                r = fs_sync_directory_of(kept, error);
                return r < 0 ? r : fs_rename_durable(prepared, live, error);
        }
        r = fs_exchange(prepared, live, error);
        if (r == 0)
                return fs_rename_durable(prepared, kept, error);
        if (r != -EOPNOTSUPP)
                return r;
        r = fs_rename_durable(live, kept, error);
        return r < 0 ? r : fs_rename_durable(prepared, live, error);
}
