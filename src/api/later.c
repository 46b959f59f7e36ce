#include "api/later.h"

#include "api/answer.h"
#include "api/peers.h"
#include "api/problem.h"
#include "base/exit-codes.h"

#include <string.h>

struct ApiReply {
        ApiServer *server; /* NULL: it is no more */
        Peer *peer;        /* NULL: the request is over */
        struct MHD_Connection *connection;
        const Route *route;
        char *path;
        Caller caller;
        json_t *arguments;
        bool sleeping;
        ApiReply *next, **link; /* the server's */
};

static void unlink_reply(ApiReply *reply) {
        *reply->link = reply->next;
        if (reply->next)
                reply->next->link = reply->link;
}

static void reply_free(ApiReply *reply) {
        json_decref(reply->arguments);
        free(reply->path);
        free(reply);
}

/* What the reply is goes into the audit trail and, if anybody still waits, to the connection. */
static void deliver(ApiServer *server, const ApiReply *reply, int status, const json_t *answer, Problem *problem) {
        char outcome[sizeof problem->title];
        if (answer)
                snprintf(outcome, sizeof outcome, "%d", status);
        else
                memcpy(outcome, problem->title, sizeof outcome);
        server->happened++;
        Peer *peer = reply->peer;
        if (peer) {
                peer->request.reply = NULL;
                peer->request.replied = true;
                peer->request.late_status = (unsigned)status;
                peer->request.late =
                        answer ? answer_json(server, answer) : answer_problem(server, reply->path, problem, NULL);
                if (reply->sleeping)
                        MHD_resume_connection(reply->connection);
                server_pump_soon(server);
        }
        if (server->ops->acted)
                server->ops->acted(server->self, &reply->caller, reply->route->method, reply->path, reply->arguments,
                                   status, outcome);
}

void api_reply(ApiReply *reply, int status, json_t *answer, Problem *problem) {
        Problem none = {0};
        if (!answer && !problem) {
                problem_set(&none, 503, EXIT_INTERNAL, "Out of memory",
                            "no memory left for the answer; look at the state");
                problem = &none;
        }
        ApiServer *server = reply->server;
        if (server) {
                unlink_reply(reply);
                deliver(server, reply, answer ? (status != 0 ? status : MHD_HTTP_OK) : problem->status, answer,
                        problem);
        }
        json_decref(answer);
        if (problem)
                problem_clear(problem);
        reply_free(reply);
}

static int no_memory(Problem *problem) {
        return problem_set(problem, 503, EXIT_INTERNAL, "Out of memory", "no memory left for this request; try again");
}

int later_ask(ApiServer *server, struct MHD_Connection *connection, Peer *peer, const Route *route, const char *path,
              json_t *arguments, const Caller *caller, Problem *problem) {
        ApiSlowOperation *operation;
        memcpy(&operation, (const char *)server->ops + route->operation, sizeof operation);
        if (!operation)
                return problem_set(problem, 501, EXIT_INTERNAL, "Not implemented", "this server cannot %s %s",
                                   route->method, route->pattern);
        ApiReply *reply = calloc(1, sizeof *reply);
        if (!reply || !(reply->path = strdup(path))) {
                free(reply);
                return no_memory(problem);
        }
        reply->server = server;
        reply->peer = peer;
        reply->connection = connection;
        reply->route = route;
        reply->caller = *caller;
        reply->arguments = json_incref(arguments);
        reply->next = server->replies;
        reply->link = &server->replies;
        if (server->replies)
                server->replies->link = &reply->next;
        server->replies = reply;
        peer->request.reply = reply;
        peer->request.replied = false;
        if (operation(server->self, arguments, &reply->caller, reply, problem) < 0) {
                peer->request.reply = NULL;
                unlink_reply(reply);
                reply_free(reply);
                return -1;
        }
        if (peer->request.reply) { /* it hasn't replied yet */
                reply->sleeping = true;
                peers_wait(peer);
                MHD_suspend_connection(connection);
        }
        return 0;
}

void later_forget(Peer *peer) {
        Request *request = &peer->request;
        if (request->reply)
                request->reply->peer = NULL;
        if (request->late)
                MHD_destroy_response(request->late);
        request->reply = NULL;
        request->late = NULL;
}

void later_end(ApiServer *server) {
        while (server->replies) {
                ApiReply *reply = server->replies;
                Problem problem = {0};
                problem_set(&problem, 503, EXIT_TRY_LATER, "Controller stopped",
                            "the controller stops while this is under way; ask for the state when it is back");
                unlink_reply(reply);
                deliver(server, reply, problem.status, NULL, &problem);
                problem_clear(&problem);
                reply->server = NULL; /* the operation still has it, and gives it back by api_reply() */
                reply->peer = NULL;
        }
}
