/* A single-threaded HTTP server on epoll: kept-alive connections, answers now or later, a graceful stop. It knows nothing of
 * what the answers say: that is the owner's, who is called through ServerHooks. */
#pragma once

#include "base/error.h"
#include "http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Server Server;
typedef struct Connection Connection;

/* In each hook that gets a connection the owner calls exactly one of the connection_... verbs. */
typedef struct ServerHooks {
        void (*request)(void *userdata, Connection *connection, const Request *request);
        void (*resumed)(void *userdata, Connection *connection, const Request *request); /* its delay has passed */
        void (*answered)(void *userdata, Connection *connection, int status, int64_t duration_us);
        void (*batch_end)(
                void *userdata); /* all that was ready has been handled: commit, and answer who waits for that */
        void (*signalled)(void *userdata, int signal);
        void (*alarm)(void *userdata);
} ServerHooks;

/* Binds and listens at ADDRESS:PORT (numeric). Signals SIGTERM, SIGINT, SIGHUP must be blocked: they arrive as `signalled`. */
int server_new(const char *listen, const char *version, const ServerHooks *hooks, void *userdata, Server **ret_server,
               Error *error);
Server *server_free(Server *server); /* NULL allowed; returns NULL */

int server_run(Server *server, Error *error); /* until the stop is complete */
/* Takes no new connection; what is being answered is finished, idle connections are closed. */
void server_stop(Server *server);
void server_alarm(Server *server, int64_t at_us); /* once; 0: none */

int64_t server_now_us(void);

void connection_answer(Connection *connection, int status, const char *type, const char *body, size_t size);
/* Answers with the first `size` bytes of an open file, which must stay open and keep them. */
void connection_answer_file(Connection *connection, int fd, off_t size);
void connection_delay(Connection *connection, int64_t delay_us); /* `resumed` comes then */
void connection_wait(Connection *connection);                    /* is answered before the batch ends */
void connection_hang(Connection *connection);                    /* is never answered */

/* One number the owner may keep with the request it is answering. */
void connection_note(Connection *connection, int64_t note);
int64_t connection_noted(const Connection *connection);
