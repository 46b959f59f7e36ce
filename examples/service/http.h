/* HTTP/1.1 as far as a small service behind a balancer needs it: requests with a short body, kept-alive connections. Pure:
 * works on bytes that were read, does no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_MAX 8192 /* head and body together; longer is answered 413 */

typedef struct Request {
        char method[8];
        char path[128];   /* without the query */
        const char *body; /* points into the caller's buffer */
        size_t body_size;
        size_t size; /* of the whole request in the buffer */
        bool keep_alive;
} Request;

/* Returns 1 when a whole request is in the buffer, 0 when more must be read, or the HTTP status (400 and above) to refuse it
 * with; then the connection cannot be used any more. */
int request_parse(const char *buffer, size_t size, Request *ret_request);

/* Writes an answer's head; returns its length. `size` must be at least RESPONSE_HEAD_MAX. */
#define RESPONSE_HEAD_MAX 512
size_t response_head(char *out, size_t size, int status, const char *type, size_t body_size, const char *version,
                     bool keep_alive);
