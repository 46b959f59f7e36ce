/* What about this machine could keep the target from being started: its port, the disk, the balancer. */
#include "daemon/readiness.h"

#include "api/port-holder.h"
#include "core/words.h"
#include "store/sidefile.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the port ---- */

typedef struct Address {
        int family;
        uint16_t port;
        char host[256];
} Address;

/* Of health.url: where the service listens, as far as it is known. */
static bool parse_url(const char *url, Address *ret) {
        CURLU *parsed = curl_url();
        char *host = NULL, *port = NULL;
        bool good = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                    curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                    curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
        if (good) {
                size_t length = strlen(host);
                bool bracketed = host[0] == '[' && length > 2;
                ret->family = bracketed ? AF_INET6 : AF_INET;
                ret->port = (uint16_t)strtoul(port, NULL, 10);
                snprintf(ret->host, sizeof ret->host, "%.*s", (int)(bracketed ? length - 2 : length),
                         bracketed ? host + 1 : host);
        }
        curl_free(host);
        curl_free(port);
        curl_url_cleanup(parsed);
        return good;
}

static bool is_ours(const struct sockaddr *own, const Address *address) {
        char text[INET6_ADDRSTRLEN] = "";
        if (!own || own->sa_family != address->family)
                return false;
        const void *bytes = own->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)own)->sin_addr
                                                      : (const void *)&((const struct sockaddr_in6 *)own)->sin6_addr;
        return inet_ntop(own->sa_family, bytes, text, sizeof text) && strcmp(text, address->host) == 0;
}

static bool on_this_machine(const Address *address) {
        struct ifaddrs *all = NULL;
        bool found = strcmp(address->host, "localhost") == 0 || strncmp(address->host, "127.", 4) == 0;
        if (found || getifaddrs(&all) < 0)
                return found;
        for (const struct ifaddrs *one = all; one && !found; one = one->ifa_next)
                found = is_ours(one->ifa_addr, address);
        freeifaddrs(all);
        return found;
}

/* "0::/system.slice/novacron-dwcp-v2.service"; "" when it can't be told, or when everything is in one group. */
static void read_group(pid_t pid, char group[PATH_MAX]) {
        char path[64], line[PATH_MAX];
        group[0] = '\0';
        snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file))
                if (strncmp(line, "0::/", 4) == 0 && strcmp(line, "0::/\n") != 0)
                        snprintf(group, PATH_MAX, "%.*s", (int)strcspn(line, "\n"), line);
}

static pid_t parent_of(pid_t pid) {
        char path[64], line[512], *after;
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (!file || !fgets(line, sizeof line, file) || !(after = strrchr(line, ')')) ||
            sscanf(after, ") %*c %d", &parent) != 1)
                return 0;
        return parent;
}

#define ANCESTORS_MAX 32

/* The service's main process, what it has started, or whatever else is in its control group. */
static bool belongs_to(pid_t pid, pid_t main_pid) {
        char group[PATH_MAX], main_group[PATH_MAX];
        unsigned steps = 0;
        for (pid_t at = pid; at > 1 && steps < ANCESTORS_MAX; at = parent_of(at), steps++)
                if (at == main_pid)
                        return true;
        read_group(pid, group);
        read_group(main_pid, main_group);
        return group[0] && strcmp(group, main_group) == 0;
}

static bool same_user(uid_t uid, pid_t pid) {
        char path[64];
        struct stat st;
        snprintf(path, sizeof path, "/proc/%d", (int)pid);
        return stat(path, &st) == 0 && st.st_uid == uid;
}

static void judge_holder(ReadyRound *round, const Address *address, const PortHolder *holder) {
        const Controller *controller = round->controller;
        const UnitsState *live = controller->watcher ? watcher_units(controller->watcher) : NULL;
        pid_t main_pid = live ? (pid_t)live->main_pid : 0;
        char next[DETAIL_MAX];
        if (holder->pid == 1) {
                ready_ok(round, "%u is held by the supervisor itself (a socket unit)", address->port);
                return;
        }
        if (!live) {
                ready_unknown(round, "", "%u is in use, and what runs the service isn't known yet", address->port);
                return;
        }
        if (main_pid > 0 && (holder->pid ? belongs_to(holder->pid, main_pid) : same_user(holder->uid, main_pid))) {
                ready_ok(round, "%u is held by %s, which leaves it", address->port, controller->version);
                return;
        }
        if (holder->pid == 0 && main_pid == 0) {
                ready_unknown(round, "look who it is: ss -ltnp",
                              "%u is held by a process of user %u, which may be the service's", address->port,
                              (unsigned)holder->uid);
                return;
        }
        if (holder->pid)
                snprintf(next, sizeof next, "stop process %d, or give it another port", (int)holder->pid);
        else
                snprintf(next, sizeof next, "look who it is: ss -ltnp 'sport = :%u'", address->port);
        ready_failed(round, next, "%u is taken by a stranger: %s (process %d, user %u)", address->port,
                     holder->name[0] ? holder->name : "unknown", (int)holder->pid, (unsigned)holder->uid);
}

void ready_check_port(ReadyRound *round) {
        const char *url = round->controller->config->health_url;
        Address address = {0};
        PortHolder holder = {0};
        if (!parse_url(url, &address))
                ready_unknown(round, "mend health.url", "no port can be told from %s", url);
        else if (!on_this_machine(&address))
                ready_not_applicable(round, "%.160s (health.url) is no address of this machine", address.host);
        else if (port_holder_find(address.family, address.port, &holder) == -ENOENT)
                ready_ok(round, "%u is free", address.port);
        else
                judge_holder(round, &address, &holder);
}

/* ---- the disk ---- */

#define BYTES_MIB (INT64_C(1) << 20)

/* The first that is wrong; 0: none. */
static int judge_disk(ReadyRound *round, const Disks *disks, const DisksSeen *seen, DiskPlace place) {
        const DiskState *disk = &seen->view.disks[place];
        const char *path = disks_path(disks, place);
        if (disk->code < 0)
                ready_failed(round, "mend or mount it", "%s: %s", path, strerror(-disk->code));
        else if (disk->read_only)
                ready_failed(round, "make it writable: mount -o remount,rw",
                             "%s lies on a file system that is read-only", path);
        else
                return 0;
        return 1;
}

/* The journal's reserve and the emergency's side file are made by readiness_check(), the switch by the release's check: what a run
 * writes has its place, and a disk that is full besides doesn't stop it. */
void ready_check_space(ReadyRound *round) {
        const Controller *controller = round->controller;
        const Disks *disks = controller->checkup ? checkup_disks(controller->checkup) : NULL;
        const DisksSeen *seen = disks ? disks_seen(disks) : NULL;
        if (controller->readiness.space[0]) {
                ready_failed(round, "free some space there", "%s", controller->readiness.space);
                return;
        }
        if (!seen || !seen->answered) {
                ready_unknown(round, "", "%s",
                              seen && seen->error.code ? error_text(&seen->error) : "not yet looked at");
                return;
        }
        if (judge_disk(round, disks, seen, DISK_STATE) || judge_disk(round, disks, seen, DISK_CURRENT))
                return;
        int64_t left = seen->view.disks[DISK_STATE].available;
        ready_ok(round, "%" PRId64 " %s left in %s; the run's own writes have their reserve",
                 left >> (left >= BYTES_MIB ? 20 : 10), left >= BYTES_MIB ? "MiB" : "KiB",
                 disks_path(disks, DISK_STATE));
}

/* ---- the balancer ---- */

#define BALANCER_BUDGET_US (2 * USEC_PER_SEC)

static void on_balancer(void *userdata, const OpResult *result) {
        ReadyRound *round = userdata;
        const char *name = round->controller->config->traffic_driver->name;
        round->child = NULL;
        if (result->status != OP_DONE)
                ready_failed(round, "start it, or mend its settings: traffic could not be drained", "%s",
                             error_text(&result->error));
        else if (result->traffic.drained)
                ready_ok(round, "%s answers; traffic is drained now", name);
        else if (result->traffic.gated)
                ready_ok(round, "%s answers; requests wait at its gate during a switch", name);
        else
                ready_ok(round, "%s answers; it has no gate, so requests are refused during a switch", name);
}

void ready_check_balancer(ReadyRound *round) {
        World *world = round->controller->world;
        const TrafficDriver *driver = world->config->traffic_driver;
        Error error = {0};
        if (!driver)
                ready_not_applicable(round, "none is configured (traffic.driver)");
        else if (driver->query(world->traffic, BALANCER_BUDGET_US, on_balancer, round, &round->child, &error) < 0)
                ready_failed(round, "mend its settings: traffic could not be drained", "%s", error_text(&error));
}
