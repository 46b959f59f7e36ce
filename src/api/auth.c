#include "api/auth.h"

#include "base/macros.h"
#include "base/users.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The supplementary groups are asked of the socket: they are what the kernel knew when the peer connected, and need no look-up. */
static int peer_has_group(int fd, gid_t group, bool *ret_has, Error *error) {
        *ret_has = false;
        socklen_t size = 64 * sizeof(gid_t);
        for (;;) {
                AUTO_FREE gid_t *groups = malloc(size);
                if (!groups)
                        return error_set(error, -ENOMEM, "no memory left to look at the caller's groups");
                socklen_t needed = size;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &needed) == 0) {
                        for (size_t i = 0; i < needed / sizeof(gid_t); i++)
                                *ret_has |= groups[i] == group;
                        return 0;
                }
                if (errno != ERANGE || needed <= size)
                        return error_set(error, -errno, "cannot tell the caller's groups: %s", strerror(errno));
                size = needed;
        }
}

int auth_caller(int fd, gid_t act_group, Caller *ret_caller, Error *error) {
        struct ucred peer;
        socklen_t size = sizeof peer;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return error_set(error, -errno, "cannot tell who calls: %s", strerror(errno));
        Caller caller = {.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
        caller.may_act = peer.uid == 0 || peer.uid == geteuid();
        if (!caller.may_act && act_group != (gid_t)-1) {
                caller.may_act = peer.gid == act_group;
                int r = caller.may_act ? 0 : peer_has_group(fd, act_group, &caller.may_act, error);
                if (r < 0)
                        return r;
        }
        users_describe(peer.uid, caller.name, sizeof caller.name);
        *ret_caller = caller;
        return 0;
}
