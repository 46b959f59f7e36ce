#include "adapters/edge-peer.h"

#include "base/macros.h"
#include "base/peer-tcp.h"
#include "base/users.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static bool listed(const char *const *list, const char *word) {
        for (; *list; list++)
                if (strcmp(*list, word) == 0)
                        return true;
        return false;
}

int edge_peers_check(const EdgePeers *peers, Error *error) {
        for (const char *const *user = peers->users; *user; user++) {
                uid_t ignored;
                int r = strcmp(*user, EDGE_ANYONE) == 0 || strcmp(*user, EDGE_DEFAULT_USER) == 0
                                ? 1
                                : users_find(*user, &ignored, error);
                if (r < 0)
                        return r;
                if (r == 0)
                        return error_set(error, -ENOENT,
                                         "edge: /etc/passwd has no user '%.60s', which metrics.edge.from names: write "
                                         "the user that HAProxy runs as",
                                         *user);
        }
        return 0;
}

static bool is_loopback(const struct sockaddr *remote) {
        if (remote->sa_family == AF_INET)
                return ntohl(((const struct sockaddr_in *)remote)->sin_addr.s_addr) >> 24 == 127;
        return remote->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)remote)->sin6_addr);
}

static bool describe_address(const struct sockaddr *remote, char text[static EDGE_WHO_MAX]) {
        const void *number = remote->sa_family == AF_INET6
                                     ? (const void *)&((const struct sockaddr_in6 *)remote)->sin6_addr
                                     : (const void *)&((const struct sockaddr_in *)remote)->sin_addr;
        return inet_ntop(remote->sa_family, number, text, EDGE_WHO_MAX);
}

/* Looked up for each connection: a user may be made, or get another number, while we run. */
static bool user_is_believed(const EdgePeers *peers, uid_t uid) {
        if (uid == 0 || uid == geteuid())
                return true;
        for (const char *const *user = peers->users; *user; user++) {
                uid_t believed;
                Error ignored = {0};
                if (strcmp(*user, EDGE_ANYONE) != 0 && users_find(*user, &believed, &ignored) > 0 && believed == uid)
                        return true;
        }
        return false;
}

EdgeBelief edge_peers_believe(const EdgePeers *peers, int fd, const struct sockaddr *remote,
                              char ret_who[EDGE_WHO_MAX]) {
        Error ignored = {0};
        uid_t uid;
        ret_who[0] = '\0';
        bool named = describe_address(remote, ret_who) && listed(peers->addresses, ret_who);
        if (!named && !is_loopback(remote))
                return EDGE_WRONG_ADDRESS;
        if (named && listed(peers->users, EDGE_ANYONE))
                return EDGE_BELIEVED;
        if (peer_tcp_uid(fd, &uid, &ignored) <= 0)
                return EDGE_USER_UNKNOWN;
        if (user_is_believed(peers, uid))
                return EDGE_BELIEVED;
        users_describe(uid, ret_who, EDGE_WHO_MAX);
        return EDGE_WRONG_USER;
}

static void join(const char *const *list, char *text, size_t size) {
        text[0] = '\0';
        for (const char *const *item = list; *item; item++) {
                size_t used = strlen(text);
                snprintf(text + used, size - used, "%s%s", used ? ", " : "", *item);
        }
}

void edge_peers_explain(const EdgePeers *peers, EdgeBelief belief, const char *who, char *text, size_t size) {
        char users[96];
        switch (belief) {
        case EDGE_BELIEVED:
                text[0] = '\0';
                return;
        case EDGE_WRONG_ADDRESS:
                snprintf(text, size,
                         "a log connection from %s was refused: list the address under metrics.edge.peers if it is "
                         "HAProxy's",
                         who);
                return;
        case EDGE_WRONG_USER:
                join(peers->users, users, sizeof users);
                snprintf(text, size,
                         "a log connection of %s was refused: believed are root, the controller's own user and "
                         "metrics.edge.from (%s); if HAProxy runs as that user, name it there",
                         who, users[0] ? users : "nobody else");
                return;
        case EDGE_USER_UNKNOWN:
                snprintf(
                        text, size,
                        "a log connection from %s was refused, as nobody can tell whose it is: it was closed at once, "
                        "or comes from another machine or network namespace, or the kernel can't be asked (sock_diag). "
                        "If it is HAProxy's and every user there may be believed, put the address under "
                        "metrics.edge.peers and `" EDGE_ANYONE "` under metrics.edge.from",
                        who);
                return;
        }
}
