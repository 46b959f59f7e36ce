#include "api/listen-tcp.h"

#include "api/port-holder.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define BACKLOG 1024

static int bad_address(const char *text, Error *error) {
        return error_set(
                error, -EINVAL,
                "'%.80s' is no address; allowed is a numeric address and port such as 10.0.0.3:8080 or [::1]:8080",
                text);
}

int listen_parse(const char *text, struct sockaddr_storage *ret_address, Error *error) {
        const char *colon = strrchr(text, ':');
        char address[INET6_ADDRSTRLEN + 2];
        int64_t port;
        if (!colon || (size_t)(colon - text) >= sizeof address || units_parse_count(colon + 1, &port, NULL) < 0 ||
            port < 1 || port > 65535)
                return bad_address(text, error);
        size_t length = (size_t)(colon - text);
        memcpy(address, text, length);
        address[length] = '\0';
        struct sockaddr_storage result = {0};
        if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
                struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&result;
                address[length - 1] = '\0';
                *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
                if (inet_pton(AF_INET6, address + 1, &v6->sin6_addr) != 1)
                        return bad_address(text, error);
        } else {
                struct sockaddr_in *v4 = (struct sockaddr_in *)&result;
                *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
                if (inet_pton(AF_INET, address, &v4->sin_addr) != 1)
                        return bad_address(text, error);
        }
        *ret_address = result;
        return 0;
}

bool listen_is_loopback(const struct sockaddr_storage *address) {
        if (address->ss_family == AF_INET)
                return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
        return address->ss_family == AF_INET6 &&
               IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static uint16_t port_of(const struct sockaddr_storage *address) {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        memcpy(&in, address, sizeof in);
        memcpy(&in6, address, sizeof in6);
        return ntohs(address->ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
}

static int taken(bool name_holder, const char *setting, const char *text, const struct sockaddr_storage *address,
                 Error *error) {
        PortHolder holder;
        uint16_t port = port_of(address);
        if (!name_holder || port_holder_find(address->ss_family, port, &holder) < 0)
                return error_set(error, -EADDRINUSE,
                                 "cannot listen on %s: the port is taken already; free it, or change %s", text,
                                 setting);
        if (holder.pid == getpid())
                return error_set(error, -EADDRINUSE,
                                 "cannot listen on %s: another address of this controller has port %u; change %s", text,
                                 port, setting);
        if (holder.pid > 0)
                return error_set(
                        error, -EADDRINUSE,
                        "cannot listen on %s: port %u is taken by process %d (%s, uid %u); stop that, or change %s",
                        text, port, holder.pid, holder.name, holder.uid, setting);
        return error_set(error, -EADDRINUSE,
                         "cannot listen on %s: port %u is taken by a process of uid %u; stop that, or change %s", text,
                         port, holder.uid, setting);
}

static int cannot_bind(int code, bool name_holder, const char *setting, const char *text,
                       const struct sockaddr_storage *address, Error *error) {
        if (code == EADDRINUSE)
                return taken(name_holder, setting, text, address, error);
        const char *hint = code == EADDRNOTAVAIL ? " (no interface of this machine has it)"
                           : code == EACCES      ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
                                                 : "";
        return error_set(error, -code, "cannot listen on %s: %s%s; change %s", text, strerror(code), hint, setting);
}

int listen_tcp(const char *setting, const char *text, bool loopback, bool name_holder, Error *error) {
        struct sockaddr_storage address = {0};
        const int on = 1;
        int r = listen_parse(text, &address, error);
        if (r < 0)
                return error_prefix(error, "%s", setting);
        if (loopback && !listen_is_loopback(&address))
                return error_set(error, -EPERM,
                                 "%s is %s, which is no loopback address: anybody on the network could ask there; use "
                                 "127.0.0.1 or [::1] here, api.health_listen for the health alone, or api.tls_listen",
                                 setting, text);
        AUTO_CLOSE int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(error, -errno, "cannot make a socket for %s: %s", text, strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* connections of before may still linger */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited by what is accepted */
        if (address.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on); /* [::] must not take IPv4's port */
        socklen_t size = address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
        if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
                return cannot_bind(errno, name_holder, setting, text, &address, error);
        return TAKE_FD(fd);
}
