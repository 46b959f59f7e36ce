#include "base/peer-tcp.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define ALL_STATES 0xFFFFFFFFu

/* The kernel's numbers; <netinet/tcp.h> has them, too, but not everywhere. */
static bool state_is_alive(unsigned state) {
        return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

/* An address as sock_diag has it: four words in network order, of which IPv4 uses the first. */
typedef struct End {
        uint32_t address[4];
        uint16_t port; /* network order */
} End;

/* IPv4 that is written as IPv6 (::ffff:127.0.0.1) is made IPv4. Returns the family, or negative. */
static int end_of(const struct sockaddr_storage *address, End *ret_end) {
        End end = {0};
        if (address->ss_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)address;
                end.address[0] = in->sin_addr.s_addr;
                end.port = in->sin_port;
                *ret_end = end;
                return AF_INET;
        }
        if (address->ss_family != AF_INET6)
                return -EAFNOSUPPORT;
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);
        memcpy(end.address, in->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        end.port = in->sin6_port;
        *ret_end = end;
        return mapped ? AF_INET : AF_INET6;
}

/* The peer's socket has our ends the other way round. It is compared with what the kernel tells, as that also finds listening sockets.
 * An IPv4 connection may be one of an IPv6 socket, which then tells mapped addresses. */
static bool is_of(const struct inet_diag_msg *found, int family, const End *theirs, const End *ours) {
        struct sockaddr_in6 source = {.sin6_family = AF_INET6, .sin6_port = found->id.idiag_sport};
        struct sockaddr_in6 destination = {.sin6_family = AF_INET6, .sin6_port = found->id.idiag_dport};
        End from = {.port = found->id.idiag_sport}, to = {.port = found->id.idiag_dport};
        if (found->idiag_family == AF_INET) {
                from.address[0] = found->id.idiag_src[0];
                to.address[0] = found->id.idiag_dst[0];
                if (family != AF_INET)
                        return false;
        } else {
                memcpy(&source.sin6_addr, found->id.idiag_src, sizeof source.sin6_addr);
                memcpy(&destination.sin6_addr, found->id.idiag_dst, sizeof destination.sin6_addr);
                struct sockaddr_storage one = {0}, two = {0};
                memcpy(&one, &source, sizeof source);
                memcpy(&two, &destination, sizeof destination);
                if (end_of(&one, &from) != family || end_of(&two, &to) != family)
                        return false;
        }
        return memcmp(from.address, theirs->address, sizeof from.address) == 0 && from.port == theirs->port &&
               memcmp(to.address, ours->address, sizeof to.address) == 0 && to.port == ours->port;
}

static int send_question(int diag, int family, const End *theirs, const End *ours, Error *error) {
        struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 body;
        } question = {
                .header = {.nlmsg_len = sizeof question,
                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                           .nlmsg_flags = NLM_F_REQUEST},
                .body = {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ALL_STATES},
        };
        struct inet_diag_sockid *id = &question.body.id;
        id->idiag_sport = theirs->port;
        id->idiag_dport = ours->port;
        memcpy(id->idiag_src, theirs->address, sizeof id->idiag_src);
        memcpy(id->idiag_dst, ours->address, sizeof id->idiag_dst);
        id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
        const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
        if (sendto(diag, &question, sizeof question, 0, (const struct sockaddr *)&kernel, sizeof kernel) ==
            (ssize_t)sizeof question)
                return 0;
        return error_set(error, -errno, "the kernel cannot be asked whose connection it is: %s", strerror(errno));
}

/* The answer lies ready when the question was sent: the kernel answers in that call. */
static ssize_t receive(int diag, void *buffer, size_t size, Error *error) {
        struct pollfd wait = {.fd = diag, .events = POLLIN};
        if (poll(&wait, 1, PEER_TCP_WAIT_MS) != 1)
                return error_set(error, -ETIMEDOUT, "the kernel did not say whose connection it is");
        struct sockaddr_nl from = {0};
        socklen_t from_size = sizeof from;
        ssize_t got = recvfrom(diag, buffer, size, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (got < 0)
                return error_set(error, -errno, "the kernel did not say whose connection it is: %s", strerror(errno));
        return from.nl_pid == 0 ? got : error_set(error, -EBADMSG, "somebody else than the kernel answered");
}

static int look_up(int family, const End *theirs, const End *ours, uid_t *ret_uid, Error *error) {
        _Alignas(struct nlmsghdr) char buffer[4096] = {0};
        AUTO_CLOSE int diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        if (diag < 0)
                return error_set(error, -errno, "the kernel cannot be asked whose connection it is: %s",
                                 strerror(errno));
        int r = send_question(diag, family, theirs, ours, error);
        if (r < 0)
                return r;
        ssize_t got = receive(diag, buffer, sizeof buffer, error);
        if (got < 0)
                return (int)got;
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
        if (!NLMSG_OK(header, (size_t)got))
                return error_set(error, -EBADMSG, "the kernel's answer is cut");
        if (header->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *refusal = NLMSG_DATA(header);
                if (header->nlmsg_len < NLMSG_LENGTH(sizeof *refusal) || refusal->error == -ENOENT)
                        return 0; /* there is no such socket */
                return error_set(error, refusal->error ? refusal->error : -EBADMSG,
                                 "the kernel cannot say whose connection it is: %s", strerror(-refusal->error));
        }
        const struct inet_diag_msg *found = NLMSG_DATA(header);
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len < NLMSG_LENGTH(sizeof *found) ||
            !is_of(found, family, theirs, ours))
                return 0;
        /* a closed socket has neither file nor owner, and says it is root's */
        if (!state_is_alive(found->idiag_state) || found->idiag_inode == 0)
                return 0;
        *ret_uid = found->idiag_uid;
        return 1;
}

/* While our end is alive no other connection can have these four numbers. After a reset it isn't, and what was sent before can still
 * be read: then somebody else's connection may have got them. */
static bool is_still_ours(int fd) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

int peer_tcp_uid(int fd, uid_t *ret_uid, Error *error) {
        struct sockaddr_storage local = {0}, remote = {0};
        socklen_t local_size = sizeof local, remote_size = sizeof remote;
        End ours, theirs;
        uid_t uid;
        if (getsockname(fd, (struct sockaddr *)&local, &local_size) < 0 ||
            getpeername(fd, (struct sockaddr *)&remote, &remote_size) < 0)
                return 0; /* it is closed already */
        int family = end_of(&local, &ours);
        if (family < 0 || end_of(&remote, &theirs) != family)
                return error_set(error, -EAFNOSUPPORT, "not a TCP connection");
        int r = look_up(family, &theirs, &ours, &uid, error);
        if (r <= 0)
                return r;
        if (!is_still_ours(fd))
                return 0;
        *ret_uid = uid;
        return 1;
}
