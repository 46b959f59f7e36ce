/* An open-loop client: begins a request every 1/RATE s however long the others take, GET and POST /write/ID in turn, and keeps the
 * ledger of the writes that were acknowledged.
 *   toy-load PORT RATE SECONDS KEEPALIVE(0|1) ACKNOWLEDGED_FILE PREFIX
 * Prints one JSON line. A request fails that isn't answered 200 within 20 s. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 4096
#define PATIENCE_US 20000000

typedef struct Connection {
        int fd; /* -1: free place */
        bool busy;
        long id;
        bool write;
        long long begun_us;
        char request[192], answer[1024];
        size_t request_size, sent, received;
} Connection;

static Connection connections[CONNECTIONS];
static int poller, port;
static bool keep_alive;
static FILE *acknowledged;
static const char *prefix;
static long sent, ok, failed, reused, statuses[600];
static long long longest_us;

static long long now_us(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void drop(Connection *c) {
        close(c->fd);
        c->fd = -1;
        c->busy = false;
}

static void end_request(Connection *c, bool success) {
        long long took = now_us() - c->begun_us;
        if (took > longest_us)
                longest_us = took;
        if (success)
                ok++;
        else
                failed++;
        if (success && c->write)
                fprintf(acknowledged, "%s%ld\n", prefix, c->id);
        c->busy = false;
        if (!keep_alive || !success)
                drop(c);
}

static void push(Connection *c) {
        ssize_t n = send(c->fd, c->request + c->sent, c->request_size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
                c->sent += (size_t)n;
        else if (errno != EAGAIN && errno != ENOTCONN)
                end_request(c, false);
}

static void pull(Connection *c) {
        ssize_t n = recv(c->fd, c->answer + c->received, sizeof c->answer - 1 - c->received, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return;
        if (!c->busy) { /* an idle one that the balancer closed */
                drop(c);
                return;
        }
        if (n <= 0) {
                end_request(c, false);
                return;
        }
        c->received += (size_t)n;
        c->answer[c->received] = '\0';
        char *body = strstr(c->answer, "\r\n\r\n");
        const char *length = strcasestr(c->answer, "content-length:");
        if (!body || !length || c->received < (size_t)(body + 4 - c->answer) + (size_t)atol(length + 15))
                return;
        int status = atoi(c->answer + 9);
        statuses[status >= 0 && status < 600 ? status : 0]++;
        end_request(c, status == 200);
}

static Connection *take_place(void) {
        Connection *vacant = NULL;
        for (int i = 0; i < CONNECTIONS; i++) {
                if (connections[i].fd >= 0 && !connections[i].busy) {
                        reused++;
                        return &connections[i];
                }
                if (connections[i].fd < 0 && !vacant)
                        vacant = &connections[i];
        }
        if (!vacant)
                return NULL;
        vacant->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        setsockopt(vacant->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        (void)!connect(vacant->fd, (struct sockaddr *)&to, sizeof to);
        epoll_ctl(poller, EPOLL_CTL_ADD, vacant->fd,
                  &(struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = vacant});
        return vacant;
}

static void begin_request(void) {
        Connection *c = take_place();
        long id = sent++;
        if (!c) {
                failed++;
                return;
        }
        c->busy = true;
        c->id = id;
        c->write = id % 2;
        c->begun_us = now_us();
        c->sent = c->received = 0;
        const char *close_header = keep_alive ? "" : "Connection: close\r\n";
        int n = c->write ? snprintf(c->request, sizeof c->request,
                                    "POST /write/%s%ld HTTP/1.1\r\nHost: t\r\n%sContent-Length: 5\r\n\r\nhello", prefix,
                                    id, close_header)
                         : snprintf(c->request, sizeof c->request, "GET / HTTP/1.1\r\nHost: t\r\n%s\r\n", close_header);
        c->request_size = (size_t)n;
        push(c);
}

static long busy_count(void) {
        long busy = 0;
        for (int i = 0; i < CONNECTIONS; i++) {
                if (connections[i].fd < 0 || !connections[i].busy)
                        continue;
                if (now_us() - connections[i].begun_us > PATIENCE_US)
                        end_request(&connections[i], false);
                else
                        busy++;
        }
        return busy;
}

static void handle_events(void) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, 1);
        for (int i = 0; i < n; i++) {
                Connection *c = events[i].data.ptr;
                if (c->fd >= 0 && c->busy && c->sent < c->request_size)
                        push(c);
                if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        pull(c);
        }
}

int main(int argc, char **argv) {
        if (argc < 7)
                return 64;
        port = atoi(argv[1]);
        double rate = atof(argv[2]), seconds = atof(argv[3]);
        keep_alive = atoi(argv[4]);
        acknowledged = fopen(argv[5], "we");
        prefix = argv[6];
        poller = epoll_create1(EPOLL_CLOEXEC);
        if (!acknowledged || poller < 0)
                return 1;
        for (int i = 0; i < CONNECTIONS; i++)
                connections[i].fd = -1;
        long long start = now_us();
        for (;;) {
                long long elapsed = now_us() - start;
                bool over = elapsed > (long long)(seconds * 1e6);
                while (!over && (double)sent < (double)elapsed * rate / 1e6)
                        begin_request();
                handle_events();
                if (over && busy_count() == 0)
                        break;
        }
        fclose(acknowledged);
        printf("{\"sent\": %ld, \"ok\": %ld, \"failed\": %ld, \"reused\": %ld, \"longest_ms\": %lld, \"status_503\": %ld, \"status_502\": %ld}\n",
               sent, ok, failed, reused, longest_us / 1000, statuses[503], statuses[502]);
        return 0;
}
