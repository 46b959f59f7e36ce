/* network: the other nodes are reached (network.peers), and little of what this machine sends must be sent again: TCP segments
 * retransmitted, of all sent, over network.window. */
#include "adapters/host.h"
#include "base/clock.h"
#include "core/rate.h"
#include "core/words.h"
#include "daemon/component.h"
#include "io/tcp-connect.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SEGMENTS_LEAST 100 /* of fewer a share says nothing */

typedef struct Network Network;

typedef struct Peer {
        Network *network;
        const char *address;
        HttpCall *call;
        Op *op;
        bool reached;
        char problem[DETAIL_MAX];
} Peer;

struct Network {
        const ComponentContext *context;
        Rate loss;
        Error loss_error; /* of reading the kernel's counters */
        bool looked;
        unsigned waiting, count; /* peers that haven't answered yet, of all */
        Peer peers[];
};

static int open_network(const ComponentContext *context, void **ret_self, Error *error) {
        const char *const *addresses = context->world->config->network_peers;
        unsigned count = 0;
        while (addresses[count])
                count++;
        Network *network = calloc(1, sizeof *network + count * sizeof network->peers[0]);
        if (!network)
                return error_set(error, -ENOMEM, "out of memory");
        network->context = context;
        network->loss.window_us = context->world->config->network_window_us;
        network->count = count;
        for (unsigned i = 0; i < count; i++)
                network->peers[i] = (Peer){.network = network, .address = addresses[i]};
        *ret_self = network;
        return 0;
}

static void close_network(void *self) {
        Network *network = self;
        for (unsigned i = 0; network && i < network->count; i++) {
                http_cancel(network->peers[i].call);
                op_cancel(network->peers[i].op);
        }
        free(network);
}

/* ---- what it comes to ---- */

static void look_at_loss(Network *network) {
        HostSegments segments;
        network->loss_error = (Error){0};
        if (host_segments(HOST_PROC, &segments, &network->loss_error) < 0)
                return;
        const RatePoint point = {.mono = clock_mono_us(), .part = segments.again, .whole = segments.sent};
        rate_add(&network->loss, &point);
}

/* True: more is sent again than the limit. */
static Tristate judge_loss(const Network *network, char *text, size_t size) {
        int64_t limit = network->context->world->config->network_loss_ppm;
        char share[WORDS_MAX], most[WORDS_MAX], over[WORDS_MAX];
        RatePoint between = {0};
        if (network->loss_error.code < 0) {
                words_append(text, size, "loss unknown: %s", error_text(&network->loss_error));
                return KNOWN_NOT;
        }
        if (!rate_between(&network->loss, &between) || between.whole < SEGMENTS_LEAST) {
                words_append(text, size, "loss unknown: only %" PRId64 " segments sent", between.whole);
                return KNOWN_NOT;
        }
        int64_t ppm = between.part * PPM / between.whole;
        words_append(text, size, "%s of %" PRId64 " segments sent again in %s (limit %s)", words_percent(ppm, 2, share),
                     between.whole,
                     words_duration((between.mono + USEC_PER_SEC / 2) / USEC_PER_SEC * USEC_PER_SEC, over),
                     words_ratio(limit, most));
        return ppm > limit ? KNOWN_TRUE : KNOWN_FALSE;
}

static unsigned describe_peers(const Network *network, char *text, size_t size) {
        unsigned reached = 0;
        for (unsigned i = 0; i < network->count; i++)
                reached += network->peers[i].reached;
        if (network->count == 0)
                words_append(text, size, "network.peers names none");
        else
                words_append(text, size, "%u of %u peers reached", reached, network->count);
        for (unsigned i = 0; i < network->count; i++)
                if (!network->peers[i].reached) {
                        words_append(text, size, ", not %s", network->peers[i].problem);
                        break; /* the first tells enough, and the rest must fit, too */
                }
        return reached;
}

static void finish(Network *network) {
        ComponentFinding finding = {.partial = !network->looked};
        char loss[DETAIL_MAX] = "";
        network->looked = true;
        look_at_loss(network);
        Tristate lossy = judge_loss(network, loss, sizeof loss);
        size_t kept = strlen(loss) + 2; /* for the loss, but the half at most */
        if (kept > sizeof finding.reason / 2)
                kept = sizeof finding.reason / 2;
        unsigned reached = describe_peers(network, finding.reason, sizeof finding.reason - kept);
        words_append(finding.reason, sizeof finding.reason, "; %s", loss);
        if (network->count > 0) {
                finding.score = 100 * reached / network->count;
                finding.state = reached == 0                                      ? HEALTH_UNHEALTHY
                                : reached < network->count || lossy == KNOWN_TRUE ? HEALTH_DEGRADED
                                                                                  : HEALTH_HEALTHY;
        } else if (lossy == KNOWN_NOT) {
                finding.not_configured = !finding.partial;
        } else {
                finding.score = lossy == KNOWN_TRUE ? HEALTH_SCORE_LOW : 100;
                finding.state = lossy == KNOWN_TRUE ? HEALTH_DEGRADED : HEALTH_HEALTHY;
        }
        network->context->found(network->context->userdata, &finding);
}

/* ---- asking ---- */

static void answered(Peer *peer, bool reached, const char *problem) {
        peer->reached = reached;
        snprintf(peer->problem, sizeof peer->problem, "%s", problem);
        if (--peer->network->waiting == 0)
                finish(peer->network);
}

static void on_http(void *userdata, const HttpAnswer *answer) {
        Peer *peer = userdata;
        char problem[DETAIL_MAX] = "";
        bool well = answer->code >= 200 && answer->code < 300;
        peer->call = NULL;
        if (answer->code == 0)
                snprintf(problem, sizeof problem, "%.*s", DETAIL_MAX - 1, error_text(&answer->error));
        else if (!well)
                snprintf(problem, sizeof problem, "%.150s: it answered %d", peer->address, answer->code);
        answered(peer, well, problem);
}

static void on_tcp(void *userdata, const OpResult *result) {
        Peer *peer = userdata;
        char problem[DETAIL_MAX];
        peer->op = NULL;
        snprintf(problem, sizeof problem, "%.*s", DETAIL_MAX - 1,
                 result->status == OP_DONE ? "" : error_text(&result->error));
        answered(peer, result->status == OP_DONE, problem);
}

static int ask(Peer *peer, Error *error) {
        const ComponentContext *context = peer->network->context;
        int64_t timeout = settings_int(context->settings, "timeout");
        if (!strstr(peer->address, "://"))
                return tcp_connect_begin(context->world->event, peer->address, timeout, on_tcp, peer, &peer->op, error);
        const HttpRequest request = {.url = peer->address, .answer_max = 1024 * 1024, .reuse = true};
        return http_begin(context->world->http, &request, timeout, on_http, peer, &peer->call, error);
}

static void check_network(void *self) {
        Network *network = self;
        network->waiting = network->count + 1; /* the one is us: so that it can't be over before all are asked */
        for (unsigned i = 0; i < network->count; i++) {
                Error error = {0};
                if (ask(&network->peers[i], &error) < 0) {
                        network->waiting--;
                        network->peers[i].reached = false;
                        snprintf(network->peers[i].problem, sizeof network->peers[i].problem, "%.*s", DETAIL_MAX - 1,
                                 error_text(&error));
                }
        }
        if (--network->waiting == 0)
                finish(network);
}

const ComponentKind component_network = {
        .name = "network", .open = open_network, .close = close_network, .check = check_network};

bool component_network_peer(const void *self, unsigned index, PeerState *ret_peer) {
        const Network *network = self;
        if (!network || index >= network->count)
                return false;
        const Peer *peer = &network->peers[index];
        *ret_peer = (PeerState){.address = peer->address,
                                .reached = !network->looked ? KNOWN_NOT
                                           : peer->reached  ? KNOWN_TRUE
                                                            : KNOWN_FALSE,
                                .problem = peer->problem};
        return true;
}
