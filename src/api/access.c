#include "api/access.h"

#include "api/problem.h"
#include "base/exit-codes.h"

int access_check(ApiServer *server, struct MHD_Connection *connection, const Peer *peer, const Route *route,
                 Caller *ret_caller, Problem *problem) {
        (void)server;
        (void)connection;
        *ret_caller = peer->caller;
        if (route->right != RIGHT_ACT || peer->caller.may_act)
                return 0;
        return problem_set(
                problem, 403, EXIT_PERMISSION, "Not allowed",
                "you are %s and may only look; root and members of the configured group may act (a new member must log in again): use sudo",
                peer->caller.name);
}
