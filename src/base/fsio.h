/* Files that must survive a power cut and a full disk. Everything here is durable when it returns 0 (data and directory synced),
 * and either wholly done or not done at all. Errors name the path. Paths should be absolute. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* The whole regular file, NUL-terminated for convenience (not counted in *ret_size); free() it. -EFBIG when it is larger than
 * `max`; -EINVAL when it isn't a regular file (so that a FIFO can't make us wait). `ret_size` may be NULL. */
int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size, Error *error);

/* Replaces or creates `path` by a temporary file in the same directory, fsync, rename, fsync of the directory. */
int fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode, Error *error);

/* Makes `path` a symlink to `target`, durably; one that is already so is left alone (no disk space needed then). */
int fs_symlink_prepare(const char *target, const char *path, Error *error);

/* rename(2), then syncs the directory of `to` (and that of `from` when it is another one). */
int fs_rename_durable(const char *from, const char *to, Error *error);

/* Puts `prepared` in the place of `live`, and what was there under the name `kept` (replacing an older one of that name): a hard
 * link and a rename; where links are refused an exchange (RENAME_EXCHANGE) and a rename; where that is missing too, two renames.
 * Nothing is lost wherever it is interrupted. A missing `live` is simply filled. All three in one directory. */
int fs_replace_keeping(const char *prepared, const char *live, const char *kept, Error *error);

/* Swaps two names of one directory at once. -EOPNOTSUPP when the file system can't. */
int fs_exchange(const char *first, const char *second, Error *error);

int fs_sync_directory(const char *directory, Error *error);
int fs_sync_directory_of(const char *path, Error *error); /* the directory that holds `path` */

/* mkdir -p; existing directories are left as they are. */
int fs_make_directories(const char *path, mode_t mode, Error *error);

/* Fills `buffer` with the directory of `path` ("/a/b" -> "/a"; "b" -> "."). -ENAMETOOLONG. */
int fs_directory_of(const char *path, char *buffer, size_t size, Error *error);

/* What runs as root must not be writable by others: `path` (followed if a symlink) and its directory belong to root or to us
 * and aren't writable by group or others. -EPERM: `error` has the command that mends it. */
int fs_check_trusted(const char *path, Error *error);

/* Makes sure that `path` is at least `size` bytes of written (not sparse) space, extending it with zeros. */
int fs_reserve(const char *path, off_t size, mode_t mode, Error *error);
