#include "http.h"

#include "base/clock.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const void *address, socklen_t size) {
        int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, address, size) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

int http_connect(const char *where) {
        char address[64] = "";
        unsigned port = 0;
        if (where[0] == '/') {
                struct sockaddr_un local = {.sun_family = AF_UNIX};
                snprintf(local.sun_path, sizeof local.sun_path, "%s", where);
                return connect_to(&local, sizeof local);
        }
        if (sscanf(where, "[%63[^]]]:%u", address, &port) == 2) {
                struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
                return inet_pton(AF_INET6, address, &v6.sin6_addr) == 1 ? connect_to(&v6, sizeof v6) : -1;
        }
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        if (sscanf(where, "%63[^:]:%u", address, &port) != 2 || inet_pton(AF_INET, address, &v4.sin_addr) != 1)
                return -1;
        v4.sin_port = htons((uint16_t)port);
        return connect_to(&v4, sizeof v4);
}

bool http_send(int fd, const char *data, size_t size) {
        while (size > 0) {
                struct pollfd writable = {.fd = fd, .events = POLLOUT};
                if (poll(&writable, 1, HTTP_WAIT_MS) <= 0)
                        return false;
                ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (sent < 0 && errno != EAGAIN)
                        return false;
                if (sent > 0) {
                        data += sent;
                        size -= (size_t)sent;
                }
        }
        return true;
}

bool http_send_text(int fd, const char *text) {
        return http_send(fd, text, strlen(text));
}

char *http_read(int fd, const char *until) {
        char *text = calloc(1, 1);
        size_t used = 0;
        int64_t deadline = clock_mono_us() + HTTP_WAIT_MS * 1000;
        while (text && !(until && strstr(text, until))) {
                int64_t left = (deadline - clock_mono_us()) / 1000;
                struct pollfd readable = {.fd = fd, .events = POLLIN};
                if (left <= 0 || poll(&readable, 1, (int)left) <= 0)
                        break;
                char *larger = realloc(text, used + 65536 + 1);
                if (!larger)
                        break;
                text = larger;
                ssize_t got = recv(fd, text + used, 65536, 0);
                if (got <= 0)
                        break;
                used += (size_t)got;
                text[used] = '\0';
        }
        return text;
}

char *http_ask(const char *where, const char *text) {
        AUTO_CLOSE int fd = http_connect(where);
        if (fd < 0)
                return strdup("");
        (void)http_send_text(fd, text); /* an answer may come before all of it was taken */
        return http_read(fd, NULL);
}

int http_status(const char *answer) {
        return strncmp(answer, "HTTP/1.1 ", 9) == 0 || strncmp(answer, "HTTP/1.0 ", 9) == 0 ? atoi(answer + 9) : 0;
}

const char *http_body(const char *answer) {
        const char *body = strstr(answer, "\r\n\r\n");
        return body ? body + 4 : "";
}
