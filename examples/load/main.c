/* demo-load: an open-loop client that keeps a ledger: every failed request, every acknowledged write, and whether each of
 * those is stored exactly once at the end. */
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#define EXIT_LEDGER_BROKEN 1

static const char usage[] =
        "Usage: demo-load [options] http://ADDRESS:PORT\n"
        "\n"
        "Sends requests at a fixed rate and keeps the ledger of what failed and what was acknowledged.\n"
        "\n"
        "  --rate N             requests per second (200)\n"
        "  --write-share N      percent of them that write (33)\n"
        "  --connections N      kept alive (16)\n"
        "  --connections-max N  at most open while those are busy (2000)\n"
        "  --timeout MS         of one request (30000)\n"
        "  --duration MS        0, the default: until SIGTERM\n"
        "  --client NAME        in the writes' ids; another for each run (load-<time>)\n"
        "  --verify URL         read the service's writes there at the end: is each acknowledged one stored once?\n"
        "  --summary FILE       JSON, at the end (standard output)\n"
        "  --requests FILE      CSV, at the end: a line for each request (see load/report.h)\n"
        "  --events FILE        JSON lines as they come: each failure, each change of the release, a count every 100 ms\n"
        "  --progress           a line each second on standard error\n"
        "\n"
        "Signals: SIGUSR1 begins a new phase in the summary; SIGTERM ends, waiting for what is outstanding.\n"
        "Exit: 0 measured; 1 an acknowledged write is lost or stored twice; 64 usage; 69 could not be verified.\n";

typedef struct Load {
        ClientOptions client;
        struct sockaddr_in verify_address;
        char verify_host[64];
        bool verify, progress;
        const char *summary_path, *requests_path, *events_path;
        FILE *events;
        Tally tally;
        TickCount tick, second;
        int64_t ticks;
} Load;

static bool parse_url(const char *url, struct sockaddr_in *ret_address, char ret_host[64]) {
        char ip[32];
        unsigned port;
        int end = 0;
        if (sscanf(url, "http://%31[0-9.]:%5u%n", ip, &port, &end) != 2 || port == 0 || port > 65535)
                return false;
        if (url[end] != '\0' && strcmp(url + end, "/") != 0)
                return false;
        *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        snprintf(ret_host, 64, "%s:%u", ip, port);
        return inet_pton(AF_INET, ip, &ret_address->sin_addr) == 1;
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *ret_number) {
        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || number < min || number > max)
                return false;
        *ret_number = number;
        return true;
}

static bool parse_name(const char *text, char *name, size_t size) {
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
        if (length == 0 || text[length] != '\0' || length >= size)
                return false;
        memcpy(name, text, length + 1);
        return true;
}

enum {
        OPTION_HELP = 'h',
        OPTION_RATE = 256,
        OPTION_WRITE_SHARE,
        OPTION_CONNECTIONS,
        OPTION_CONNECTIONS_MAX,
        OPTION_TIMEOUT,
        OPTION_DURATION,
        OPTION_CLIENT,
        OPTION_VERIFY,
        OPTION_SUMMARY,
        OPTION_REQUESTS,
        OPTION_EVENTS,
        OPTION_PROGRESS,
};

static const struct option option_table[] = {
        {"rate", required_argument, NULL, OPTION_RATE},
        {"write-share", required_argument, NULL, OPTION_WRITE_SHARE},
        {"connections", required_argument, NULL, OPTION_CONNECTIONS},
        {"connections-max", required_argument, NULL, OPTION_CONNECTIONS_MAX},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"duration", required_argument, NULL, OPTION_DURATION},
        {"client", required_argument, NULL, OPTION_CLIENT},
        {"verify", required_argument, NULL, OPTION_VERIFY},
        {"summary", required_argument, NULL, OPTION_SUMMARY},
        {"requests", required_argument, NULL, OPTION_REQUESTS},
        {"events", required_argument, NULL, OPTION_EVENTS},
        {"progress", no_argument, NULL, OPTION_PROGRESS},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
};

static bool parse_ms(const char *text, int64_t min, int64_t *ret_us) {
        if (!parse_number(text, min, 86400000, ret_us))
                return false;
        *ret_us *= 1000;
        return true;
}

static bool apply_option(Load *load, int option, const char *value) {
        ClientOptions *client = &load->client;
        switch (option) {
        case OPTION_RATE:
                return parse_number(value, 1, 100000, &client->rate);
        case OPTION_WRITE_SHARE:
                return parse_number(value, 0, 100, &client->write_percent);
        case OPTION_CONNECTIONS:
                return parse_number(value, 1, 20000, &client->connections);
        case OPTION_CONNECTIONS_MAX:
                return parse_number(value, 1, 20000, &client->connections_max);
        case OPTION_TIMEOUT:
                return parse_ms(value, 1, &client->timeout_us);
        case OPTION_DURATION:
                return parse_ms(value, 0, &client->duration_us);
        case OPTION_CLIENT:
                return parse_name(value, client->name, sizeof client->name);
        case OPTION_VERIFY:
                load->verify = true;
                return parse_url(value, &load->verify_address, load->verify_host);
        case OPTION_SUMMARY:
                load->summary_path = value;
                return true;
        case OPTION_REQUESTS:
                load->requests_path = value;
                return true;
        case OPTION_EVENTS:
                load->events_path = value;
                return true;
        case OPTION_PROGRESS:
                load->progress = true;
                return true;
        default:
                return false;
        }
}

/* Returns -1 when there is something to do, else the exit code. */
static int parse_options(int argc, char **argv, Load *load) {
        int index = 0;
        for (int option; (option = getopt_long(argc, argv, "h", option_table, &index)) != -1;) {
                if (option == OPTION_HELP)
                        return fputs(usage, stdout), EX_OK;
                if (option != '?' && apply_option(load, option, optarg))
                        continue;
                if (option != '?')
                        fprintf(stderr, "demo-load: --%s %s: not allowed\n", option_table[index].name, optarg);
                return fputs(usage, stderr), EX_USAGE;
        }
        if (optind + 1 != argc || !parse_url(argv[optind], &load->client.address, load->client.host)) {
                fprintf(stderr, "demo-load: say where to: http://ADDRESS:PORT with a numeric address\n");
                return EX_USAGE;
        }
        return -1;
}

/* ---- while it runs ---- */

static void count_row(TickCount *count, const Row *row) {
        count->requests++;
        count->failed += row->outcome != OUTCOME_ANSWERED;
        count->longest_us = row->latency_us > count->longest_us ? row->latency_us : count->longest_us;
}

static void on_ended(void *userdata, size_t index, bool new_version) {
        Load *load = userdata;
        const Row *row = &load->tally.rows[index];
        count_row(&load->tick, row);
        count_row(&load->second, row);
        if (!load->events)
                return;
        if (row->outcome != OUTCOME_ANSWERED)
                report_failure(load->events, &load->tally, index);
        if (new_version)
                report_change(load->events, &load->tally);
}

static void on_tick(void *userdata, int64_t now_us) {
        Load *load = userdata;
        if (load->events) {
                report_tick(load->events, now_us, &load->tick);
                fflush(load->events); /* somebody may be reading along */
        }
        load->tick = (TickCount){0};
        if (++load->ticks % 10 != 0)
                return;
        if (load->progress)
                report_progress(stderr, &load->tally, now_us, &load->second);
        load->second = (TickCount){0};
}

static void on_marked(void *userdata) {
        Load *load = userdata;
        if (load->events)
                fprintf(load->events, "{\"event\": \"phase\", \"phase\": %u, \"t_us\": %lld}\n", load->tally.phase,
                        (long long)load->tally.phase_began_us[load->tally.phase]);
}

/* ---- the end ---- */

static FILE *create(const char *path) {
        FILE *file = fopen(path, "we");
        if (!file)
                fprintf(stderr, "demo-load: cannot write %s: %s\n", path, strerror(errno));
        return file;
}

static int finish(Load *load, Error *error) {
        Verification verification;
        int r = 0, code = EX_OK;
        if (load->verify)
                r = verify_ledger(&load->verify_address, load->verify_host, load->client.name, &load->tally,
                                  &verification, error);
        bool verified = load->verify && r == 0;
        if (r < 0) {
                fprintf(stderr, "demo-load: the ledger could not be verified: %s\n", error_text(error));
                code = EX_UNAVAILABLE;
        } else if (verified && (verification.lost > 0 || verification.duplicated > 0 || verification.misnumbered > 0))
                code = EXIT_LEDGER_BROKEN;
        AUTO_FCLOSE FILE *file = load->summary_path ? create(load->summary_path) : NULL;
        AUTO_FCLOSE FILE *requests = load->requests_path ? create(load->requests_path) : NULL;
        if ((load->summary_path && !file) || (load->requests_path && !requests))
                return EX_CANTCREAT;
        if (requests)
                report_requests(requests, &load->tally);
        report_summary(file ? file : stdout, &load->client, &load->tally, verified ? &verification : NULL);
        return code;
}

static int run(Load *load) {
        static const ClientHooks hooks = {.ended = on_ended, .tick = on_tick, .marked = on_marked};
        Error error = {0};
        if (load->events_path && !(load->events = create(load->events_path)))
                return EX_CANTCREAT;
        int r = client_run(&load->client, &load->tally, &hooks, load, &error);
        if (load->events)
                fclose(load->events);
        if (r < 0) {
                fprintf(stderr, "demo-load: %s\n", error_text(&error));
                return EX_OSERR;
        }
        return finish(load, &error);
}

int main(int argc, char **argv) {
        static Load load = {.client = {.rate = 200,
                                       .write_percent = 33,
                                       .connections = 16,
                                       .connections_max = 2000,
                                       .timeout_us = 30000000}};
        snprintf(load.client.name, sizeof load.client.name, "load-%lld", (long long)client_now_us());
        int code = parse_options(argc, argv, &load);
        if (code >= 0)
                return code;
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGUSR1);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        code = run(&load);
        tally_done(&load.tally);
        return code;
}
