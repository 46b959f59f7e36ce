/* The dashboard's sessions: a browser can't be trusted to act for a person only because of where it runs, so it begins a session from
 * our own page, and acting needs the cookie and the header SESSION_HEADER, which a form of another page can't send. Sessions live
 * in memory; a restart of the controller ends them. */
#pragma once

#include "api/routes.h"
#include "api/server.h"

#define SESSION_HEADER "X-Novacron-Session" /* any value; with every request to act that comes from a browser */
#define SESSION_COOKIE "novacron_session"
#define SESSION_SET_COOKIE_MAX 256

/* ROUTE_SESSION, after access_check() let it pass and with the caller from there: GET tells whose it is, POST begins one, DELETE ends it. 0, the
 * answer (shape "session") and the value of a Set-Cookie header ("": none); or -1 with `problem` filled. POST with the cookie of a
 * session, and no token, tells of that one and doesn't prolong it: so a page that is loaded again goes on with it. */
int session_handle(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                   const Caller *caller, json_t **ret_answer, char ret_set_cookie[SESSION_SET_COOKIE_MAX],
                   Problem *problem);
