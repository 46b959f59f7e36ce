#include "api/session.h"

#include "api/access-decide.h"
#include "api/problem.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/exit-codes.h"

#include <string.h>

static int session_answer(const Caller *caller, int64_t expires_wall, json_t **ret_answer, Problem *problem) {
        json_t *answer =
                json_pack("{s:o, s:b, s:b, s:o}", "who", wire_text(caller->name), "may_read", (int)caller->may_read,
                          "may_act", (int)caller->may_act, "expires", wire_time(expires_wall));
        if (!answer)
                return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory",
                                   "no memory left for this request; try again");
        *ret_answer = answer;
        return 0;
}

static void cookie_text(const Peer *peer, const char *id, int64_t seconds,
                        char ret_set_cookie[SESSION_SET_COOKIE_MAX]) {
        snprintf(ret_set_cookie, SESSION_SET_COOKIE_MAX,
                 SESSION_COOKIE "=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%lld%s", id, (long long)seconds,
                 peer->kind == PEER_TLS ? "; Secure" : "");
}

static int begin(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                 json_t **ret_answer, char ret_set_cookie[SESSION_SET_COOKIE_MAX], Problem *problem) {
        char id[SESSION_ID_MAX];
        Caller caller;
        SessionOwner owner;
        if (access_ask(server, connection, peer, route, &caller, &owner, problem) < 0)
                return -1;
        if (owner.left_us > 0)
                return session_answer(&caller, clock_wall_us() + owner.left_us, ret_answer, problem);
        /* who may do no more than everybody needs none, and so can't fill the table */
        if (peer->kind == PEER_LOOPBACK && !server->settings.readers_group && !caller.may_act)
                return session_answer(&caller, 0, ret_answer, problem);
        if (!session_begin(&server->access->sessions, &owner, clock_mono_us(), id))
                return problem_set(problem, 503, EXIT_TRY_LATER, "Too many sessions",
                                   "%d are open, by others who may act; try again later", SESSIONS_MAX);
        cookie_text(peer, id, SESSION_LIFE_US / 1000000, ret_set_cookie);
        return session_answer(&caller, clock_wall_us() + SESSION_LIFE_US, ret_answer, problem);
}

static int end(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Caller *caller,
               json_t **ret_answer, char ret_set_cookie[SESSION_SET_COOKIE_MAX], Problem *problem) {
        char id[SESSION_ID_MAX];
        const OriginHeaders headers = {
                .cookie = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE)};
        if (origin_cookie(&headers, SESSION_COOKIE, id, sizeof id))
                session_end(&server->access->sessions, id);
        cookie_text(peer, "", 0, ret_set_cookie);
        return session_answer(caller, 0, ret_answer, problem);
}

int session_handle(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                   const Caller *caller, json_t **ret_answer, char ret_set_cookie[SESSION_SET_COOKIE_MAX],
                   Problem *problem) {
        ret_set_cookie[0] = '\0';
        if (peer->kind == PEER_UNIX)
                return problem_set(problem, 400, EXIT_USAGE_ERROR, "No session here",
                                   "sessions are for browsers; on this socket you are known anyway");
        if (strcmp(route->method, "GET") == 0)
                return session_answer(caller, 0, ret_answer, problem);
        return strcmp(route->method, "POST") == 0
                       ? begin(server, connection, peer, route, ret_answer, ret_set_cookie, problem)
                       : end(server, connection, peer, caller, ret_answer, ret_set_cookie, problem);
}
