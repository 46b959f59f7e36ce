/* A service that misbehaves as told, for the tests of the unit drivers. Arguments, in any order:
 *
 *     ready-ms=N    says READY=1 after N ms (default 0); -1: never
 *     exit-ms=N     ends N ms after it was started, with status=N (default 3)
 *     status=N
 *     stop-ms=N     takes N ms to stop after SIGTERM (default 0); -1: ignores it
 *     crash-ms=N    aborts after N ms */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static long argument(char **argv, const char *name, long fallback) {
        size_t length = strlen(name);
        for (; *argv; argv++)
                if (strncmp(*argv, name, length) == 0 && (*argv)[length] == '=')
                        return atol(*argv + length + 1);
        return fallback;
}

static long now_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
        (void)argc;
        const long begun = now_ms();
        long ready = argument(argv, "ready-ms", 0), end = argument(argv, "exit-ms", -1),
             stop = argument(argv, "stop-ms", 0);
        const long crash = argument(argv, "crash-ms", -1), status = argument(argv, "status", 3);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        struct pollfd signals = {.fd = signalfd(-1, &term, SFD_CLOEXEC), .events = POLLIN};
        printf("started, pid %d\n", getpid());
        fflush(stdout);
        for (;;) {
                const long age = now_ms() - begun;
                if (ready >= 0 && age >= ready) {
                        sd_notify(0, "READY=1");
                        ready = -1;
                }
                if (crash >= 0 && age >= crash)
                        abort();
                if (end >= 0 && age >= end)
                        return (int)status;
                const int wait = ready >= 0 || crash >= 0 || end >= 0 ? 1 : -1;
                if (poll(&signals, 1, wait) > 0) {
                        struct signalfd_siginfo info;
                        if (read(signals.fd, &info, sizeof info) > 0 && stop >= 0) {
                                poll(NULL, 0, (int)stop);
                                return 0;
                        }
                }
        }
}
