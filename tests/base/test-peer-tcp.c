/* Whose connection it is, asked of the real kernel, with connections of several users. */
#include "base/clock.h"
#include "base/macros.h"
#include "base/peer-tcp.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#define NOBODY 65534
#define DAEMON 1
#define ROOT 0

/* ---- connections ---- */

typedef struct Link {
        int listener, client, server; /* -1: not (any more) */
} Link;

static void link_close(Link *link) {
        const int fds[] = {link->listener, link->client, link->server};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
}
#define AUTO_LINK CLEANUP(link_close) Link

static socklen_t loopback(int family, struct sockaddr_storage *ret_address) {
        *ret_address = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
        if (family == AF_INET) {
                ((struct sockaddr_in *)ret_address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                return sizeof(struct sockaddr_in);
        }
        ((struct sockaddr_in6 *)ret_address)->sin6_addr = in6addr_loopback;
        return sizeof(struct sockaddr_in6);
}

static int listen_at(struct sockaddr_storage *address, socklen_t size) {
        int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
        return fd;
}

static Link link_of(int family) {
        struct sockaddr_storage address;
        socklen_t size = loopback(family, &address);
        Link link = {.listener = listen_at(&address, size)};
        link.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(link.client, (struct sockaddr *)&address, size), 0);
        link.server = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(link.server >= 0);
        return link;
}

/* The user, or -1: nobody can say. */
static int64_t asked(int fd) {
        uid_t uid = 12345;
        Error error = {0};
        int r = peer_tcp_uid(fd, &uid, &error);
        if (r < 0)
                fail_msg("%s", error_text(&error));
        return r > 0 ? (int64_t)uid : -1;
}

/* Until the other end's last word is here. */
static void wait_for(int fd, short events) {
        struct pollfd wait = {.fd = fd, .events = events};
        assert_int_equal(poll(&wait, 1, 5000), 1);
}

/* ---- a client of another user, in a process of its own ---- */

static pid_t client_as(uid_t uid, const struct sockaddr_storage *address, socklen_t size, int *ret_end) {
        int pipe_fds[2];
        assert_int_equal(pipe(pipe_fds), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(pipe_fds[1]);
                if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
                        _exit(1);
                int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (fd < 0 || connect(fd, (const struct sockaddr *)address, size) < 0)
                        _exit(2);
                char byte;
                _exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 3); /* until the test closes it */
        }
        close(pipe_fds[0]);
        *ret_end = pipe_fds[1];
        return pid;
}

static void end_client(pid_t pid, int end) {
        int status;
        close(end);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_several_users(UNUSED void **state) {
        static const uid_t users[] = {ROOT, DAEMON, NOBODY, 4242};
        static const int families[] = {AF_INET, AF_INET6};
        if (geteuid() != 0)
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(users) * ARRAY_SIZE(families); i++) {
                struct sockaddr_storage address;
                int end;
                socklen_t size = loopback(families[i / ARRAY_SIZE(users)], &address);
                AUTO_CLOSE int listener = listen_at(&address, size);
                pid_t pid = client_as(users[i % ARRAY_SIZE(users)], &address, size, &end);
                AUTO_CLOSE int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                assert_int_equal(asked(server), users[i % ARRAY_SIZE(users)]);
                end_client(pid, end);
        }
}

/* An IPv6 socket that listens for IPv4, too, and one that speaks IPv4. */
static void test_mapped_addresses(UNUSED void **state) {
        struct sockaddr_storage any = {.ss_family = AF_INET6}, to;
        AUTO_CLOSE int listener = listen_at(&any, sizeof(struct sockaddr_in6));
        in_port_t port = ((struct sockaddr_in6 *)&any)->sin6_port;
        for (int mapped = 0; mapped < 2; mapped++) {
                socklen_t size = loopback(mapped ? AF_INET6 : AF_INET, &to);
                struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&to;
                if (mapped)
                        memcpy(&to6->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
                to6->sin6_port = port; /* at the same place in both */
                AUTO_CLOSE int client = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(client, (struct sockaddr *)&to, size), 0);
                AUTO_CLOSE int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                assert_int_equal(asked(server), getuid());
        }
        /* and a client of an IPv6 socket with an IPv4 listener */
        socklen_t size = loopback(AF_INET, &to);
        AUTO_CLOSE int plain = listen_at(&to, size);
        struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = ((struct sockaddr_in *)&to)->sin_port};
        memcpy(&mapped.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
        AUTO_CLOSE int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, (struct sockaddr *)&mapped, sizeof mapped), 0);
        AUTO_CLOSE int server = accept4(plain, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(asked(server), getuid());
}

/* ---- those that can't be told ---- */

static void test_sent_and_closed(UNUSED void **state) {
        AUTO_LINK link = link_of(AF_INET);
        assert_int_equal(asked(link.server), getuid());
        assert_int_equal(send(link.client, "POST", 4, 0), 4);
        close(link.client);
        link.client = -1;
        wait_for(link.server, POLLRDHUP);
        assert_int_equal(asked(link.server), -1); /* the kernel would say: root's */
}

static void test_half_closed(UNUSED void **state) {
        AUTO_LINK link = link_of(AF_INET);
        assert_int_equal(shutdown(link.client, SHUT_WR), 0);
        wait_for(link.server, POLLRDHUP);
        assert_int_equal(asked(link.server), -1);
}

/* From an address of our own, where nobody else takes ports. */
static int connect_from(struct sockaddr_in *from, const struct sockaddr_storage *to) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof *from;
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)from, size), 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(struct sockaddr_in)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)from, &size), 0);
        return fd;
}

/* What was sent before a reset can still be read, but the four numbers are free for somebody else. */
static void test_reset(UNUSED void **state) {
        struct sockaddr_storage to;
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f4d0000u | (getpid() & 0xffff))};
        AUTO_LINK link = {.listener = -1, .client = -1, .server = -1};
        link.listener = listen_at(&to, loopback(AF_INET, &to));
        link.client = connect_from(&from, &to);
        link.server = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(send(link.client, "POST", 4, 0), 4);
        assert_int_equal(setsockopt(link.client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)),
                         0);
        close(link.client);
        link.client = -1;
        wait_for(link.server, POLLRDHUP);
        assert_int_equal(asked(link.server), -1);
        link.client = connect_from(&from, &to); /* the same port again, by somebody who may */
        AUTO_CLOSE int second = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC);
        assert_int_equal(asked(second), getuid());
        assert_int_equal(asked(link.server), -1);
        char data[8];
        assert_int_equal(recv(link.server, data, sizeof data, MSG_DONTWAIT), 4); /* a request could have been in it */
}

static void test_not_of_this_machine_s_network(UNUSED void **state) {
        if (geteuid() != 0)
                skip();
        AUTO_LINK link = link_of(AF_INET);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) { /* as if the peer were elsewhere: nothing of it can be found from here */
                uid_t uid;
                Error error = {0};
                _exit(unshare(CLONE_NEWNET) < 0 ? 2 : peer_tcp_uid(link.server, &uid, &error) == 0 ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_not_tcp(UNUSED void **state) {
        int pair[2];
        uid_t uid;
        Error error = {0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(peer_tcp_uid(pair[0], &uid, &error), -EAFNOSUPPORT);
        close(pair[0]);
        close(pair[1]);
        assert_int_equal(peer_tcp_uid(pair[0], &uid, &error), 0);
}

/* A socket that was handed on is whose who made it, as a Unix socket's credentials are. */
static void test_handed_on(UNUSED void **state) {
        if (geteuid() != 0)
                skip();
        AUTO_LINK link = link_of(AF_INET);
        int ready[2], end[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        assert_int_equal(pipe(end), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(end[1]);
                bool changed = setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && write(ready[1], "r", 1) == 1;
                _exit(changed && read(end[0], &byte, 1) == 0 ? 0 : 1);
        }
        close(end[0]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        close(ready[1]);
        close(link.client);
        link.client = -1;
        assert_int_equal(asked(link.server), 0);
        end_client(pid, end[1]);
}

static void test_prints_the_cost_of_a_look_up(UNUSED void **state) {
        AUTO_LINK link = link_of(AF_INET);
        int64_t begun = clock_mono_us();
        for (int i = 0; i < 1000; i++)
                (void)asked(link.server);
        print_message("a look-up takes %.1f us\n", (double)(clock_mono_us() - begun) / 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_several_users),
                cmocka_unit_test(test_mapped_addresses),
                cmocka_unit_test(test_sent_and_closed),
                cmocka_unit_test(test_half_closed),
                cmocka_unit_test(test_reset),
                cmocka_unit_test(test_not_of_this_machine_s_network),
                cmocka_unit_test(test_not_tcp),
                cmocka_unit_test(test_handed_on),
                cmocka_unit_test(test_prints_the_cost_of_a_look_up),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
