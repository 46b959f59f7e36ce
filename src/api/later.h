/* Answers that come later: the connection sleeps until its operation replies. */
#pragma once

#include "api/routes.h"
#include "api/server.h"

/* Asks the operation of a ROUTE_SLOW. 0: the reply is outstanding or there already (peer->request), and the connection may sleep;
 * -1: `problem` says why not. Keeps a reference to `arguments`. */
int later_ask(ApiServer *server, struct MHD_Connection *connection, Peer *peer, const Route *route, const char *path,
              json_t *arguments, const Caller *caller, Problem *problem);

/* The request is over: a reply that still comes goes nowhere. */
void later_forget(Peer *peer);

/* The server ends: whoever waits is told so, and replies that still come go nowhere. */
void later_end(ApiServer *server);
