#include "api/peers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/peer-tcp.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS_ELSE 256 /* journal, log, child processes, drivers' connections ... */

/* Those who are counted together: a user, or an address (of IPv6 the network: everybody has many addresses there). */
struct PeerGroup {
        PeerGroup *next;
        PeerKind kind;
        uid_t uid;
        unsigned char address[16];
        unsigned count;
};

/* ---- places ---- */

static void read_address(const struct sockaddr_storage *from, unsigned char ret_address[16]) {
        memset(ret_address, 0, 16);
        if (from->ss_family == AF_INET)
                memcpy(ret_address, &((const struct sockaddr_in *)from)->sin_addr, 4);
        else if (from->ss_family == AF_INET6)
                memcpy(ret_address, &((const struct sockaddr_in6 *)from)->sin6_addr, 8);
}

static PeerGroup *find_group(ApiServer *server, const PeerGroup *wanted) {
        for (PeerGroup *group = server->groups; group; group = group->next)
                if (group->kind == wanted->kind && group->uid == wanted->uid &&
                    memcmp(group->address, wanted->address, sizeof group->address) == 0)
                        return group;
        return NULL;
}

static bool is_reader(const Peer *peer) {
        return peer->kind != PEER_HEALTH && !(peer->kind == PEER_UNIX && peer->caller.may_act);
}

/* How many places those who may only read have, and one user of them, or one address: a part of all of them. */
static unsigned readers_max(const ApiServer *server) {
        return server->connections - (server->connections / 16 + 1);
}

static unsigned each_max(const ApiServer *server, PeerKind kind) {
        if (kind == PEER_HEALTH)
                return HEALTH_CONNECTIONS_EACH_MAX;
        return kind == PEER_TLS ? server->connections / 4 : server->connections - (server->connections / 8 + 1);
}

static bool has_place(const ApiServer *server, const Peer *peer, unsigned same) {
        if (same >= each_max(server, peer->kind))
                return false;
        if (peer->kind == PEER_HEALTH)
                return server->peer_count[PEER_HEALTH] < HEALTH_CONNECTIONS_MAX;
        if (peer->kind == PEER_TLS && server->peer_count[PEER_TLS] >= server->connections / 2)
                return false;
        return server->reader_count < readers_max(server);
}

/* Asked only when there is no place left: who it is that comes in by loopback. */
static bool is_operator(const Peer *peer) {
        uid_t uid;
        return peer->kind == PEER_LOOPBACK && peer_tcp_uid(peer->fd, &uid, NULL) > 0 && (uid == 0 || uid == geteuid());
}

static unsigned open_connections(const ApiServer *server) {
        return server->peer_count[PEER_UNIX] + server->peer_count[PEER_LOOPBACK] + server->peer_count[PEER_TLS];
}

bool peers_enter(ApiServer *server, Peer *peer) {
        PeerGroup wanted = {.kind = peer->kind, .uid = peer->kind == PEER_UNIX ? peer->caller.uid : (uid_t)-1};
        if (peer->kind == PEER_HEALTH || peer->kind == PEER_TLS)
                read_address(&peer->remote, wanted.address);
        if (peer->kind != PEER_HEALTH && open_connections(server) >= server->connections)
                return false;
        PeerGroup *group = find_group(server, &wanted);
        bool operates = peer->kind == PEER_UNIX && peer->caller.may_act;
        if (!operates && !has_place(server, peer, group ? group->count : 0) && !is_operator(peer))
                return false;
        if (!group) {
                group = malloc(sizeof *group);
                if (!group)
                        return false;
                *group = wanted;
                group->next = server->groups;
                server->groups = group;
        }
        group->count++;
        peer->group = group;
        server->peer_count[peer->kind]++;
        server->reader_count += is_reader(peer);
        return true;
}

static void take_out(Peer *peer) {
        ApiServer *server = peer->server;
        if (peer->deadline_mono == 0)
                return;
        *(peer->previous ? &peer->previous->next : &server->first_late) = peer->next;
        *(peer->next ? &peer->next->previous : &server->last_late) = peer->previous;
        peer->next = peer->previous = NULL;
        peer->deadline_mono = 0;
}

void peers_leave(Peer *peer) {
        ApiServer *server = peer->server;
        take_out(peer);
        if (!peer->group)
                return;
        server->peer_count[peer->kind]--;
        server->reader_count -= is_reader(peer);
        if (--peer->group->count > 0)
                return;
        PeerGroup **link = &server->groups;
        while (*link != peer->group)
                link = &(*link)->next;
        *link = peer->group->next;
        free(peer->group);
        peer->group = NULL;
}

/* ---- deadlines: all are equally long, so whoever gets a new one goes to the end ---- */

void peers_expect(Peer *peer) {
        ApiServer *server = peer->server;
        take_out(peer);
        peer->deadline_mono = clock_mono_us() + REQUEST_TIMEOUT_US;
        peer->previous = server->last_late;
        *(server->last_late ? &server->last_late->next : &server->first_late) = peer;
        server->last_late = peer;
}

void peers_wait(Peer *peer) {
        take_out(peer);
}

void peers_cut(ApiServer *server, int64_t now_mono) {
        while (server->first_late && now_mono >= server->first_late->deadline_mono) {
                shutdown(server->first_late->fd, SHUT_RDWR); /* MHD notices, and closes */
                take_out(server->first_late);
        }
}

/* ---- room ---- */

void peers_make_room(ApiServer *server) {
        unsigned wanted = server->settings.connections > 0 ? server->settings.connections : CONNECTIONS_DEFAULT;
        rlim_t needed = wanted + HEALTH_CONNECTIONS_MAX + DESCRIPTORS_ELSE;
        struct rlimit limit;
        server->connections = wanted;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
                return;
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed)
                return;
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        rlim_t left = limit.rlim_cur > HEALTH_CONNECTIONS_MAX + DESCRIPTORS_ELSE + 16
                              ? limit.rlim_cur - HEALTH_CONNECTIONS_MAX - DESCRIPTORS_ELSE
                              : 16;
        server->connections = (unsigned)left;
        log_warn("api.connections is %u, but there are descriptors for %u alone: raise LimitNOFILE= to %llu", wanted,
                 server->connections, (unsigned long long)needed);
}
