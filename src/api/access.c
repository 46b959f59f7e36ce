#include "api/access-decide.h"

#include "api/session.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/peer-tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

int access_new(const ApiSettings *settings, gid_t act_group, Access **ret_access, Error *error) {
        Access *access = calloc(1, sizeof *access);
        if (!access)
                return error_set(error, -ENOMEM, "no memory left for the control interface");
        access->settings = settings;
        access->act_group = act_group;
        int r = tokens_new(settings->tokens, &access->tokens, error);
        if (r < 0) {
                access_free(access);
                return r;
        }
        (void)access_tokens_problem(access);
        *ret_access = access;
        return 0;
}

Access *access_free(Access *access) {
        if (!access)
                return NULL;
        tokens_free(access->tokens);
        explicit_bzero(&access->sessions, sizeof access->sessions);
        free(access);
        return NULL;
}

const char *access_tokens_problem(Access *access) {
        return tokens_look(access->tokens, &access->tokens_problem) < 0 ? error_text(&access->tokens_problem) : "";
}

unsigned access_changes(const Access *access) {
        return tokens_changes(access->tokens);
}

/* ---- what is known of a connection ---- */

/* Without brackets; IPv4 that is written as IPv6 is shown as IPv4. Returns the port. */
static unsigned address_text(const struct sockaddr_storage *address, char *text, size_t size) {
        text[0] = '\0';
        if (address->ss_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)address;
                inet_ntop(AF_INET, &in->sin_addr, text, (socklen_t)size);
                return ntohs(in->sin_port);
        }
        if (address->ss_family != AF_INET6)
                return 0;
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
                inet_ntop(AF_INET, in->sin6_addr.s6_addr + 12, text, (socklen_t)size);
        else
                inet_ntop(AF_INET6, &in->sin6_addr, text, (socklen_t)size);
        return ntohs(in->sin6_port);
}

void access_greet(const Access *access, Peer *peer) {
        Caller *caller = &peer->caller;
        if (peer->kind == PEER_UNIX) {
                snprintf(caller->whence, sizeof caller->whence, "unix socket");
                caller->may_read = caller->may_act || !access->settings->readers_group;
                return;
        }
        char address[INET6_ADDRSTRLEN];
        unsigned port = address_text(&peer->remote, address, sizeof address);
        peer->port = address_text(&peer->local, peer->address, sizeof peer->address);
        *caller = (Caller){.uid = (uid_t)-1,
                           .gid = (gid_t)-1,
                           .name = "anonymous",
                           .may_read = peer->kind == PEER_LOOPBACK && !access->settings->readers_group};
        snprintf(caller->whence, sizeof caller->whence, strchr(address, ':') ? "[%s]:%u%s" : "%s:%u%s", address, port,
                 peer->kind == PEER_TLS ? " (TLS)" : "");
}

/* ---- what is known of a request ---- */

static enum MHD_Result on_header(void *userdata, UNUSED enum MHD_ValueKind kind, const char *key, const char *value) {
        AccessRequest *request = userdata;
        const struct {
                const char *name, **value;
        } wanted[] = {
                {"Host", &request->headers.host},
                {"Origin", &request->headers.origin},
                {"Sec-Fetch-Site", &request->headers.fetch_site},
                {"Sec-Fetch-Mode", &request->headers.fetch_mode},
                {"Sec-Fetch-Dest", &request->headers.fetch_dest},
                {"Cookie", &request->headers.cookie},
                {"Authorization", &request->authorization},
                {SESSION_HEADER, &request->session_header},
        };
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                if (strcasecmp(key, wanted[i].name) == 0) {
                        request->doubled |= *wanted[i].value != NULL;
                        *wanted[i].value = value ? value : "";
                }
        return MHD_YES;
}

typedef struct Connection {
        ApiServer *server;
        struct MHD_Connection *mhd;
        const Peer *peer;
} Connection;

static int connection_uid(void *userdata, uid_t *ret_uid, Error *error) {
        const Connection *connection = userdata;
        return peer_tcp_uid(connection->peer->fd, ret_uid, error);
}

/* It is verified against the authority whose certificates we asked for; one made for servers is refused. */
static bool certificate_is_good(gnutls_session_t session) {
        gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                         .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
        unsigned status = ~0u, count = 0;
        return gnutls_certificate_get_peers(session, &count) && count > 0 &&
               gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}

static bool certificate_name(gnutls_session_t session, char *ret_name, size_t size) {
        unsigned count = 0;
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
        gnutls_x509_crt_t certificate;
        if (!chain || count == 0 || gnutls_x509_crt_init(&certificate) < 0)
                return false;
        int r = gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER);
        if (r == 0)
                r = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret_name, &size);
        gnutls_x509_crt_deinit(certificate);
        return r == 0 && strlen(ret_name) == size; /* a zero byte inside would make it another's */
}

static bool connection_certificate(void *userdata, char *ret_name, size_t size, bool *ret_may_act) {
        const Connection *connection = userdata;
        const ApiServer *server = connection->server;
        const ApiSettings *settings = &server->settings;
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (!info || !info->tls_session || !settings->tls_client || !settings->tls_client_ca ||
            settings->tls_client_ca[0] == '\0')
                return false;
        return certificate_is_good(info->tls_session) && certificate_name(info->tls_session, ret_name, size) &&
               settings->tls_client(server->self, ret_name, ret_may_act);
}

/* One customer of IPv6 has 2^64 addresses: they count as one. */
static void guesser_text(const struct sockaddr_storage *remote, char *text, size_t size) {
        struct sockaddr_storage network = *remote;
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&network;
        if (remote->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
                memset(in->sin6_addr.s6_addr + 8, 0, 8);
        (void)address_text(&network, text, size);
}

int access_ask(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
               Caller *ret_caller, SessionOwner *ret_owner, Problem *problem) {
        char remote[INET6_ADDRSTRLEN] = "";
        Connection asked = {server, connection, peer};
        AccessRequest request = {.kind = peer->kind,
                                 .address = remote,
                                 .now_mono = clock_mono_us(),
                                 .peer_uid = connection_uid,
                                 .certificate = connection_certificate,
                                 .userdata = &asked};
        *ret_caller = peer->caller;
        if (peer->kind == PEER_UNIX)
                ret_caller->may_read = ret_caller->may_act || !server->settings.readers_group;
        else {
                request.ours.scheme = peer->kind == PEER_TLS ? "https" : "http";
                request.ours.address = peer->address;
                request.ours.hosts = server->settings.hosts;
                request.ours.port = peer->port;
                MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &request);
                if (request.authorization)
                        guesser_text(&peer->remote, remote, sizeof remote);
        }
        return access_decide(server->access, &request, route, ret_caller, ret_owner, problem);
}

int access_check(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                 Caller *ret_caller, Problem *problem) {
        SessionOwner owner;
        return access_ask(server, connection, peer, route, ret_caller, &owner, problem);
}

int access_check_page(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, Problem *problem) {
        static const Route page = {.method = "GET", .pattern = ACCESS_PAGE, .right = RIGHT_ANYBODY};
        Caller caller;
        return access_check(server, connection, peer, &page, &caller, problem);
}

void access_add_headers(struct MHD_Response *response, const Problem *problem) {
        if (problem->status == 401)
                MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"novacron\"");
        if (problem->status == 429) {
                char seconds[24];
                snprintf(seconds, sizeof seconds, "%lld",
                         (long long)json_integer_value(json_object_get(problem->extra, "retry_after_s")));
                MHD_add_response_header(response, "Retry-After", seconds);
        }
}
