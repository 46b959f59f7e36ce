/* What HAProxy's runtime socket answers, read into plain data. Pure. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAPROXY_NAME_MAX 128

typedef enum HaproxyServerState {
        HAPROXY_UP,    /* or not checked at all */
        HAPROXY_DOWN,  /* its health check says so */
        HAPROXY_DRAIN, /* an administrator's: no new request */
        HAPROXY_MAINT, /* an administrator's: no request, no health check */
} HaproxyServerState;

typedef struct HaproxyServer {
        char name[HAPROXY_NAME_MAX];
        HaproxyServerState state;
        bool checked;      /* has a health check */
        int64_t in_flight; /* being served, or assigned to it and waiting for a connection */
        int64_t total;     /* requests given to it since HAProxy started */
        int64_t limit;     /* its maxconn; -1: none */
} HaproxyServer;

typedef struct HaproxyBackend {
        unsigned count;
        HaproxyServer *servers; /* owned */
        int64_t queued;         /* accepted for the backend, not yet given to a server */
} HaproxyBackend;

void haproxy_backend_free(HaproxyBackend *backend); /* what it holds; empty is fine */

/* Reads `show stat <backend> 6 -1`. -ENOENT: no such backend; -EBADMSG: this isn't HAProxy talking. */
int haproxy_backend_parse(const char *text, HaproxyBackend *ret_backend, Error *error);

/* Reads `show servers state <backend>` (somewhere in `text`): a server that is down and drained, too, only shows there that it is.
 * What can't be read there changes nothing. */
void haproxy_backend_note_drained(HaproxyBackend *backend, const char *text);

typedef enum HaproxyMap { HAPROXY_MAP_UNKNOWN, HAPROXY_MAP_NO_KEY, HAPROXY_MAP_VALUE } HaproxyMap;

/* Reads `show map <file>`: whether HAProxy has loaded that file at all, and the number it has for `key` (0 when it isn't one). */
HaproxyMap haproxy_map_parse(const char *text, const char *key, int64_t *ret_value);

/* "Name: 123" of `show info`; -ENOENT when there is no such line, -EBADMSG when it isn't a number. */
int haproxy_info_number(const char *text, const char *name, int64_t *ret_value);

/* The first line that isn't blank, cut and made printable: what HAProxy complained about. "" when it was satisfied. */
const char *haproxy_complaint(const char *text, char *buffer, size_t size);

/* Where the answer to the next command of the same line begins: behind the first blank line. */
const char *haproxy_next_answer(const char *text);
