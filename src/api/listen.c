#include "api/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int make_address(const char *path, const char *suffix, struct sockaddr_un *ret_address, Error *error) {
        *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
        int length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s%s", path, suffix);
        if (length < 0 || (size_t)length >= sizeof ret_address->sun_path)
                return error_set(error, -ENAMETOOLONG, "the socket path %s is longer than %zu bytes", path,
                                 sizeof ret_address->sun_path - 1 - strlen(suffix));
        return 0;
}

/* 0: what is at the path may be replaced. A listener with a full queue (EAGAIN) is alive as well. */
static int check_stale(const char *path, Error *error) {
        struct stat found;
        if (lstat(path, &found) < 0)
                return errno == ENOENT ? 0 : error_set(error, -errno, "cannot look at %s: %s", path, strerror(errno));
        if (!S_ISSOCK(found.st_mode))
                return error_set(error, -EEXIST, "%s exists and is no socket; move it away", path);
        struct sockaddr_un address;
        int r = make_address(path, "", &address, error);
        if (r < 0)
                return r;
        AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(error, -errno, "cannot make a socket: %s", strerror(errno));
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EAGAIN)
                return errno == ECONNREFUSED ? 0
                                             : error_set(error, -errno, "cannot tell whether %s is served: %s", path,
                                                         strerror(errno));
        struct ucred owner = {0};
        socklen_t size = sizeof owner;
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size);
        return error_set(error, -EADDRINUSE, "%s is served already, by process %d (uid %u)", path, owner.pid,
                         owner.uid);
}

/* Made under another name, given its mode, and then put in place. */
static int bind_at(int fd, const char *path, mode_t mode, struct stat *ret_stat, Error *error) {
        struct sockaddr_un address;
        int r = make_address(path, ".new", &address, error);
        if (r < 0)
                return r;
        if (unlink(address.sun_path) < 0 && errno != ENOENT)
                return error_set(error, -errno, "cannot remove %s: %s", address.sun_path, strerror(errno));
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return error_set(error, -errno, "cannot make the socket %s: %s%s", path, strerror(errno),
                                 errno == ENOENT ? "; make its directory, for this user" : "");
        if (chmod(address.sun_path, mode) == 0 && listen(fd, 128) == 0 && rename(address.sun_path, path) == 0 &&
            lstat(path, ret_stat) == 0)
                return 0;
        r = error_set(error, -errno, "cannot make the socket %s: %s", path, strerror(errno));
        (void)unlink(address.sun_path);
        return r;
}

int listen_unix(const char *path, mode_t mode, struct stat *ret_stat, Error *error) {
        int r = check_stale(path, error);
        if (r < 0)
                return r;
        AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(error, -errno, "cannot make a socket: %s", strerror(errno));
        r = bind_at(fd, path, mode, ret_stat, error);
        return r < 0 ? r : TAKE_FD(fd);
}

bool listen_in_place(const char *path, const struct stat *ours) {
        struct stat found;
        return lstat(path, &found) == 0 && found.st_dev == ours->st_dev && found.st_ino == ours->st_ino;
}

void listen_remove(const char *path, const struct stat *ours) {
        if (listen_in_place(path, ours))
                (void)unlink(path);
}
