/* A raw HTTP client for tests: it sends what it is told, however wrong, and waits for nothing longer than five seconds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_WAIT_MS 5000

/* `where`: a socket's path, or ADDRESS:PORT. -1: refused */
int http_connect(const char *where);
bool http_send(int fd, const char *data, size_t size);
bool http_send_text(int fd, const char *text);
/* Reads until `until` was seen (NULL: until the other side closes), or the time is over. Returns what was read; free() it. */
char *http_read(int fd, const char *until);
/* One request on a connection of its own. `text` needs "Connection: close". */
char *http_ask(const char *where, const char *text);
int http_status(const char *answer); /* 0: no answer at all */
const char *http_body(const char *answer);
