#include "client.h"

#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#define TICK_US INT64_C(100000)
#define ANSWER_SIZE_MAX 8192

typedef enum LinkState { LINK_IDLE, LINK_CONNECTING, LINK_WAITING } LinkState;

typedef struct Link {
        struct Link *next, *previous; /* in `busy` or `idle` */
        int fd;
        LinkState state;
        bool peer_closed; /* nothing more will come */
        size_t row;
        int64_t sent_us;
        size_t out_size, in_size;
        char out[256], in[ANSWER_SIZE_MAX];
} Link;

typedef struct Client {
        const ClientOptions *options;
        const ClientHooks *hooks;
        void *userdata;
        Tally *tally;
        int epoll, timer, signals;
        Link *busy, *idle;
        int64_t open;       /* links */
        int64_t index;      /* of the next request: due at start + index / rate */
        int64_t start_us;   /* of the schedule */
        int64_t tick_us;    /* next */
        uint32_t writes;    /* begun so far */
        int64_t write_debt; /* in percent: a write is due at 100 */
        unsigned stops;     /* signals to end */
        int64_t offset_us; /* CLOCK_REALTIME - CLOCK_MONOTONIC, taken once: durations do not jump when the clock is set */
} Client;

static int64_t clock_us(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t client_now_us(void) {
        return clock_us(CLOCK_REALTIME);
}

static int64_t now_us(const Client *client) {
        return clock_us(CLOCK_MONOTONIC) + client->offset_us;
}

/* ---- links ---- */

static void unlink_from(Link **list, Link *link) {
        *(link->previous ? &link->previous->next : list) = link->next;
        if (link->next)
                link->next->previous = link->previous;
        link->next = link->previous = NULL;
}

static void put_first(Link **list, Link *link) {
        link->previous = NULL;
        link->next = *list;
        if (*list)
                (*list)->previous = link;
        *list = link;
}

static void link_close(Client *client, Link *link) {
        unlink_from(link->state == LINK_IDLE ? &client->idle : &client->busy, link);
        close(link->fd);
        free(link);
        client->open--;
}

/* The request's end, however it came; the link is closed unless it can be used again. */
static void end_request(Client *client, Link *link, Outcome outcome, const Answer *answer) {
        bool acknowledged = outcome == OUTCOME_ANSWERED && client->tally->rows[link->row].write != 0;
        bool new_version = tally_end(client->tally, link->row, now_us(client), outcome, answer ? answer->status : 0,
                                     answer ? answer->version : "", acknowledged ? answer_number(answer) : 0);
        if (client->hooks->ended)
                client->hooks->ended(client->userdata, link->row, new_version);
        if (!answer || answer->close || link->peer_closed || client->open > client->options->connections) {
                link_close(client, link);
                return;
        }
        unlink_from(&client->busy, link);
        link->state = LINK_IDLE;
        put_first(&client->idle, link);
}

static void end_broken(Client *client, Link *link, int code) {
        Outcome outcome = link->state == LINK_CONNECTING ? OUTCOME_REFUSED : code == 0 ? OUTCOME_CLOSED : OUTCOME_RESET;
        end_request(client, link, outcome, NULL);
}

static void link_send(Client *client, Link *link) {
        ssize_t n = send(link->fd, link->out, link->out_size, MSG_NOSIGNAL);
        if (n == (ssize_t)link->out_size)
                link->state = LINK_WAITING;
        else if (n < 0 && errno == EAGAIN)
                link->state = LINK_CONNECTING; /* EPOLLOUT will come */
        else
                end_broken(client, link, n < 0 ? errno : EPIPE);
}

static void link_receive(Client *client, Link *link) {
        for (;;) {
                ssize_t n = recv(link->fd, link->in + link->in_size, sizeof link->in - link->in_size, 0);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0) {
                        end_broken(client, link, errno);
                        return;
                }
                link->in_size += (size_t)n;
                Answer answer;
                int r = answer_parse(link->in, link->in_size, n == 0, &answer);
                if (r > 0) {
                        bool good = answer.status >= 200 && answer.status < 300;
                        end_request(client, link, good ? OUTCOME_ANSWERED : OUTCOME_STATUS, &answer);
                        return;
                }
                if (r < 0 || link->in_size == sizeof link->in) {
                        end_request(client, link, OUTCOME_GARBLED, NULL);
                        return;
                }
                if (n == 0) {
                        end_broken(client, link, 0);
                        return;
                }
        }
}

static void on_link(Client *client, Link *link, uint32_t events) {
        link->peer_closed = link->peer_closed || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        if (link->state == LINK_IDLE) {
                if (link->peer_closed || (events & EPOLLIN)) /* while nobody used it: not a failure */
                        link_close(client, link);
                return;
        }
        if (link->state == LINK_CONNECTING) {
                int code = 0;
                socklen_t size = sizeof code;
                getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &size);
                if (code != 0)
                        end_broken(client, link, code);
                else if (events & EPOLLOUT)
                        link_send(client, link);
                return;
        }
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
                link_receive(client, link);
}

/* Edge-triggered: a link is told of what changes, and needs no epoll_ctl from request to request. */
static Link *link_open(Client *client) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return NULL;
        Link *link = calloc(1, sizeof *link);
        if (!link)
                abort();
        link->fd = fd;
        link->state = LINK_CONNECTING;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        /* how it ends, even at once, the first event says */
        (void)connect(fd, (const struct sockaddr *)&client->options->address, sizeof client->options->address);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = link};
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event);
        put_first(&client->busy, link);
        client->open++;
        return link;
}

/* ---- the schedule ---- */

static int64_t due_us(const Client *client, int64_t index) {
        return client->start_us + index * 1000000 / client->options->rate;
}

static void write_request(Client *client, Link *link) {
        const ClientOptions *options = client->options;
        uint32_t write = client->tally->rows[link->row].write;
        char body[96];
        int body_size = snprintf(body, sizeof body, "%s %u", options->name, write);
        int size;
        if (write == 0)
                size = snprintf(link->out, sizeof link->out, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", options->host);
        else
                size = snprintf(link->out, sizeof link->out,
                                "POST /write HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\n"
                                "Content-Length: %d\r\n\r\n%s",
                                options->host, body_size, body);
        link->out_size = (size_t)size;
        link->in_size = 0;
}

/* False when no connection may be opened now: the request stays due. */
static bool begin_request(Client *client) {
        Link *link = client->idle;
        if (link) {
                unlink_from(&client->idle, link);
                put_first(&client->busy, link);
        } else if (client->open >= client->options->connections_max || !(link = link_open(client)))
                return false;
        client->write_debt += client->options->write_percent;
        bool write = client->write_debt >= 100;
        client->write_debt -= write ? 100 : 0;
        link->row = tally_add(client->tally, due_us(client, client->index++), write ? ++client->writes : 0);
        link->sent_us = now_us(client);
        write_request(client, link);
        if (link->state == LINK_IDLE) {
                link->state = LINK_WAITING;
                link_send(client, link);
        }
        return true;
}

static bool issuing(const Client *client) {
        int64_t duration = client->options->duration_us;
        return client->stops == 0 && (duration == 0 || due_us(client, client->index) < client->start_us + duration);
}

static void arm(Client *client, int64_t now) {
        int64_t at = client->tick_us;
        if (issuing(client) && due_us(client, client->index) > now && due_us(client, client->index) < at)
                at = due_us(client, client->index);
        at -= client->offset_us;
        struct itimerspec when = {.it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};
        timerfd_settime(client->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void end_late(Client *client, int64_t now) {
        for (Link *next, *link = client->busy; link; link = next) {
                next = link->next;
                if (client->stops > 1 || now - link->sent_us >= client->options->timeout_us)
                        end_request(client, link, client->stops > 1 ? OUTCOME_ABANDONED : OUTCOME_TIMED_OUT, NULL);
        }
}

static void on_time(Client *client) {
        int64_t now = now_us(client);
        while (issuing(client) && due_us(client, client->index) <= now && begin_request(client))
                ;
        if (now >= client->tick_us) {
                end_late(client, now);
                if (client->hooks->tick)
                        client->hooks->tick(client->userdata, now);
                client->tick_us += TICK_US * ((now - client->tick_us) / TICK_US + 1);
        }
        arm(client, now);
}

static void on_signal(Client *client) {
        struct signalfd_siginfo info;
        while (read(client->signals, &info, sizeof info) == sizeof info) {
                if (info.ssi_signo == SIGUSR1) {
                        tally_next_phase(client->tally, now_us(client));
                        if (client->hooks->marked)
                                client->hooks->marked(client->userdata);
                } else
                        client->stops++;
        }
}

static void dispatch(Client *client, const struct epoll_event *event) {
        uint64_t expirations;
        if (event->data.ptr == &client->timer) {
                while (read(client->timer, &expirations, sizeof expirations) > 0)
                        ;
        } else if (event->data.ptr == &client->signals)
                on_signal(client);
        else
                on_link(client, event->data.ptr, event->events);
}

static int loop(Client *client, Error *error) {
        struct epoll_event events[256];
        while (issuing(client) || client->busy) {
                on_time(client);
                int n = epoll_wait(client->epoll, events, ARRAY_SIZE(events), -1);
                if (n < 0 && errno != EINTR)
                        return error_set(error, -errno, "cannot wait for events: %s", strerror(errno));
                for (int i = 0; i < n; i++)
                        dispatch(client, &events[i]);
        }
        return 0;
}

static int open_descriptors(Client *client, Error *error) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGUSR1);
        client->epoll = epoll_create1(EPOLL_CLOEXEC);
        client->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        client->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        struct epoll_event timer = {.events = EPOLLIN, .data.ptr = &client->timer};
        struct epoll_event signal = {.events = EPOLLIN, .data.ptr = &client->signals};
        if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->timer, &timer) < 0 ||
            epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->signals, &signal) < 0)
                return error_set(error, -errno, "cannot watch events: %s", strerror(errno));
        return 0;
}

int client_run(const ClientOptions *options, Tally *tally, const ClientHooks *hooks, void *userdata, Error *error) {
        Client client = {.options = options, .tally = tally, .hooks = hooks, .userdata = userdata};
        client.offset_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
        client.start_us = now_us(&client);
        client.tick_us = client.start_us + TICK_US;
        tally_init(tally, client.start_us);
        int r = open_descriptors(&client, error);
        if (r == 0)
                r = loop(&client, error);
        while (client.idle)
                link_close(&client, client.idle);
        tally->ended_us = now_us(&client);
        int fds[] = {client.signals, client.timer, client.epoll};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                cleanup_close(&fds[i]);
        return r;
}
