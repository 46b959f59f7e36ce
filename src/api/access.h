/* Who asks, and may they? Decided anew for each request, before it is read further. */
#pragma once

#include "api/routes.h"
#include "api/server.h"

/* 0 and the caller; or -1 with `problem` filled: 401 nobody known, 403 known but not allowed (or a browser's page from elsewhere),
 * 421 asked by a name that isn't ours. */
int access_check(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                 Caller *ret_caller, Problem *problem);
