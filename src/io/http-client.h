/* HTTP requests on the event loop (libcurl multi). Every request has a budget for all of it, a bound on the answer's size, and
 * follows no redirect: a health check that was sent elsewhere is not an answer. */
#pragma once

#include "base/error.h"
#include "io/op.h"

#include <stddef.h>
#include <systemd/sd-event.h>

typedef struct HttpClient HttpClient;

/* Whom to trust and who we are, for https; PEM files. Each may be NULL or "". */
typedef struct HttpTls {
        const char *ca;                /* the authorities that are trusted instead of the system's */
        const char *certificate, *key; /* ours, where the other side wants to know us */
} HttpTls;

typedef struct HttpRequest {
        const char *method; /* NULL: GET */
        const char *url;
        const char *unix_socket;    /* NULL: TCP */
        const char *const *headers; /* NULL-terminated "Name: value"; may be NULL */
        const char *body;           /* NULL: none */
        size_t body_size;
        const HttpTls *tls; /* NULL: the system's authorities, and no certificate of ours */
        size_t answer_max;  /* bytes; 0: 64 KiB. A longer answer is a failure */
        bool reuse; /* keep the connection for the next request. Not for a POST that must not be sent twice: a kept
                            * connection that turns out to be dead is silently replaced */
} HttpRequest;

typedef struct HttpAnswer {
        int code;         /* 0: none, `error` is set */
        int said;         /* the status line's, also when the answer did not come whole; 0: none came */
        Error error;      /* names the URL and what went wrong */
        const char *body; /* NUL-terminated; valid during the callback only */
        size_t size;
        const char *content_type; /* "" when absent */
        int64_t retry_after_us;   /* Retry-After; -1: not said */
        int64_t elapsed_us;
} HttpAnswer;

typedef void (*HttpCallback)(void *userdata, const HttpAnswer *answer);
typedef struct HttpCall HttpCall;

int http_client_new(sd_event *event, HttpClient **ret_client, Error *error);
HttpClient *http_client_free(HttpClient *client); /* cancels what is under way; NULL allowed; returns NULL */

/* The callback comes once, from the loop. Everything in `request` is copied. */
int http_begin(HttpClient *client, const HttpRequest *request, int64_t budget_us, HttpCallback callback, void *userdata,
               HttpCall **ret_call, Error *error);
HttpCall *http_cancel(HttpCall *call); /* no callback any more; NULL allowed; returns NULL */
