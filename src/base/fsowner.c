#include "base/fsowner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* A file with a second name may be somebody's file elsewhere: giving it away would be a way to steal it. */
static bool is_roots_own(const struct stat *status) {
        return status->st_uid == 0 && (S_ISDIR(status->st_mode) || (S_ISREG(status->st_mode) && status->st_nlink == 1));
}

/* Takes over `fd`. */
static int give_entries(int fd, const struct stat *owner, bool below) {
        DIR *directory = fdopendir(fd);
        if (!directory) {
                int r = -errno;
                close(fd);
                return r;
        }
        int worst = 0;
        for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
                struct stat status;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                        continue; /* gone meanwhile */
                if (is_roots_own(&status) &&
                    fchownat(dirfd(directory), entry->d_name, owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                        worst = -errno;
                if (!below || !S_ISDIR(status.st_mode))
                        continue;
                int child = openat(dirfd(directory), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int r = child < 0 ? -errno : give_entries(child, owner, false);
                if (r < 0)
                        worst = r;
        }
        closedir(directory);
        return worst;
}

int fs_give_to_owner(const char *directory, Error *error) {
        if (geteuid() != 0)
                return 0;
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat owner;
        if (fd < 0 || fstat(fd, &owner) < 0) {
                int r = -errno;
                if (fd >= 0)
                        close(fd);
                return error_set(error, r, "%s: %s", directory, strerror(-r));
        }
        if (owner.st_uid == 0) {
                close(fd);
                return 0;
        }
        int r = give_entries(fd, &owner, true);
        return r < 0 ? error_set(error, r, "%s: some files stay root's: %s; mend it with: chown -R --reference=%s %s",
                                 directory, strerror(-r), directory, directory)
                     : 0;
}
