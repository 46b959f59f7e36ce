/* An HTTP/1.1 service for the balancer's tests: a thread for each connection, keep-alive, and a ledger of every write it received.
 *   toy-server PORT LEDGER [START_DELAY_MS]
 * GET any path: 200. POST /write/ID: appends ID to the ledger, 200. /sleep/MS: answers after it. /status/N: that status.
 * Prints "ready" when it listens; the kernel ends it on SIGTERM, idle connections and all. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int ledger;

static void sleep_ms(long ms) {
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int answer(int fd, const char *head) {
        char path[128] = "/", out[256];
        int status = 200;
        sscanf(head, "%*15s %127s", path);
        if (strncmp(path, "/sleep/", 7) == 0)
                sleep_ms(atol(path + 7));
        if (strncmp(path, "/status/", 8) == 0)
                status = atoi(path + 8);
        if (strncmp(path, "/write/", 7) == 0) {
                int n = snprintf(out, sizeof out, "%s\n", path + 7);
                if (write(ledger, out, (size_t)n) != n)
                        status = 500;
        }
        int n = snprintf(out, sizeof out, "HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\nok\n", status);
        return send(fd, out, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

/* Reads one request, head and body; returns the head's end, NULL at the end of the connection. */
static char *read_request(int fd, char *buffer, size_t size) {
        size_t used = 0;
        for (;;) {
                ssize_t n = recv(fd, buffer + used, size - 1 - used, 0);
                if (n <= 0)
                        return NULL;
                used += (size_t)n;
                buffer[used] = '\0';
                char *end = strstr(buffer, "\r\n\r\n");
                if (!end)
                        continue;
                const char *length = strcasestr(buffer, "content-length:");
                if (used >= (size_t)(end + 4 - buffer) + (length && length < end ? (size_t)atol(length + 15) : 0))
                        return end;
        }
}

static void *serve(void *argument) {
        int fd = (int)(long)argument;
        char buffer[16384];
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        while (read_request(fd, buffer, sizeof buffer))
                if (answer(fd, buffer) < 0)
                        break;
        close(fd);
        return NULL;
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 64;
        signal(SIGPIPE, SIG_IGN);
        sleep_ms(argc > 3 ? atol(argv[3]) : 0);
        ledger = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)atoi(argv[1])),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (ledger < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
            listen(listener, 4096) < 0) {
                perror("toy-server");
                return 1;
        }
        puts("ready");
        fflush(stdout);
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                pthread_t thread;
                if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0)
                        pthread_detach(thread);
        }
}
