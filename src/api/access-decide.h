/* The rules of access.h on plain data: what is known of a request goes in, who asks and whether he may comes out. What costs a
 * system call is asked for only when it matters. */
#pragma once

#include "api/access.h"
#include "api/guesses.h"
#include "api/origin.h"
#include "api/session-table.h"

#define ACCESS_PAGE "/" /* the pattern that stands for the page, to which links may lead */

struct Access {
        const ApiSettings *settings;
        gid_t act_group;
        Tokens *tokens;
        Guesses guesses;
        SessionTable sessions;
        Error tokens_problem;
};

typedef struct AccessRequest {
        PeerKind kind;
        OriginHeaders headers;
        OriginOurs ours;
        const char *authorization;  /* NULL: not sent */
        const char *session_header; /* SESSION_HEADER's value; NULL: not sent */
        const char *address;        /* the client's */
        bool doubled;               /* one of these headers was sent twice */
        int64_t now_mono;
        /* whose connection it is: 1, 0 nobody can say, or negative (peer-tcp.h) */
        int (*peer_uid)(void *userdata, uid_t *ret_uid, Error *error);
        /* the name of a client certificate that is good and one of ours */
        bool (*certificate)(void *userdata, char *ret_name, size_t size, bool *ret_may_act);
        void *userdata;
} AccessRequest;

/* `caller` goes in as access_greet() left it. `ret_owner`: for a session, how the caller was known. Returns as access_check(). */
int access_decide(Access *access, const AccessRequest *request, const Route *route, Caller *caller,
                  SessionOwner *ret_owner, Problem *problem);

/* access_check(), and how the caller was known. */
int access_ask(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
               Caller *ret_caller, SessionOwner *ret_owner, Problem *problem);
