/* The controller's API from the other side: blocking HTTP over its Unix socket. Nothing waits longer than it says. */
#pragma once

#include "api/api.h"
#include "base/error.h"

#include <stdint.h>

#define CLIENT_ANSWER_MAX (16 * 1024 * 1024)
#define CLIENT_TIMEOUT_MS 2000 /* for an answer; longer means that the controller hangs */
#define CLIENT_SILENCE_S 20    /* of an event stream; it has a heartbeat every 15 s */
#define CLIENT_EVENT_ID_MAX 24

typedef struct Client {
        const char *socket;
        int64_t patience_ms;                  /* for an answer that may take long; 0: CLIENT_TIMEOUT_MS */
        char last_event[CLIENT_EVENT_ID_MAX]; /* what the newest answer contains; for client_follow() */
} Client;

typedef enum ClientResult {
        CLIENT_ANSWERED,
        CLIENT_REFUSED, /* the controller said no: `problem` */
        CLIENT_ABSENT,  /* no controller answers; `error` says how that showed. What was asked may have been begun */
} ClientResult;

/* `body`: NULL for GET. `query`: "?limit=5" or "". */
ClientResult client_call(Client *client, const char *path, const char *query, const json_t *body, json_t **ret_answer,
                         Problem *problem, Error *error);

typedef struct ClientListener {
        /* false: enough, stop following. */
        bool (*on_event)(void *userdata, const char *type, const json_t *event);
        /* About ten times a second; false: stop. */
        bool (*on_tick)(void *userdata);
        void *userdata;
} ClientListener;

/* Follows the event stream from last_event on. 1: a callback said enough; 0: the stream ended, broke or fell silent. */
int client_follow(Client *client, const ClientListener *listener, Error *error);
