/* Who asks, and may they? Decided anew for each request, before it is read further.
 *
 * The listener says what is believed: on the Unix socket the kernel's word for the peer's user; on loopback TCP the kernel's word,
 * too, asked for when it matters (peer-tcp.h), or a token; with TLS a token or a client certificate; on the health listeners
 * nothing, so that only the health can be read there. What a browser sends along (origin.h) must show that the page is ours, and
 * acting from one needs a session (session.h). */
#pragma once

#include "api/routes.h"
#include "api/server.h"

typedef struct Access Access; /* tokens, sessions, and who guessed wrong */

/* For ApiServer's `access`. `settings` is borrowed. A tokens file that can't be used is no error: access_tokens_problem(). */
int access_new(const ApiSettings *settings, gid_t act_group, Access **ret_access, Error *error);
Access *access_free(Access *access); /* NULL allowed; returns NULL */

/* To be called when a connection was accepted, with kind, local and remote set, and of the Unix kind the caller from auth.h: fills in
 * the rest of the caller (whence, and the rights that need no look-up). */
void access_greet(const Access *access, Peer *peer);

/* 0 and the caller; or -1 with `problem` filled: 401 nobody known, 403 known but not allowed (or a browser's page from elsewhere),
 * 421 asked by a name that isn't ours, 400 no or contradictory headers, 429 too many wrong tokens. */
int access_check(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                 Caller *ret_caller, Problem *problem);

/* The same for the dashboard's files, which have no route: anybody may read them, but only by our names, and from our pages or by a
 * link. */
int access_check_page(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, Problem *problem);

/* The headers that belong to a problem of access_check(): WWW-Authenticate to a 401, Retry-After to a 429; none to others. */
void access_add_headers(struct MHD_Response *response, const Problem *problem);

/* Why the tokens file isn't in force as it is now; "" when all is well. Looks at the file again: for api_server_look() (source
 * "tokens"). */
const char *access_tokens_problem(Access *access);

/* Another number whenever other tokens are in force. */
unsigned access_changes(const Access *access);
