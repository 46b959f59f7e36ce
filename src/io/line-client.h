/* One command on a Unix socket, answered by text until the other side closes: how HAProxy's runtime socket talks. Every command
 * has its own connection, a budget for all of it, and a bound on the answer's size, so that a peer that hangs, refuses, drips or
 * floods costs its budget and no more. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct LineAnswer {
        Error error;      /* code 0: none; else it names the socket and what went wrong, and `text` is "" */
        const char *text; /* NUL-terminated; valid during the callback only */
        size_t size;
        int64_t elapsed_us;
} LineAnswer;

typedef void (*LineCallback)(void *userdata, const LineAnswer *answer);
typedef struct LineCall LineCall;

/* Sends `command` (a newline is added) and collects the answer, at most `answer_max` bytes (0: 256 KiB). The callback comes once,
 * from the loop, with whatever there is to say, a refused connection included. Both texts are copied. */
int line_begin(sd_event *event, const char *socket_path, const char *command, size_t answer_max, int64_t budget_us,
               LineCallback callback, void *userdata, LineCall **ret_call, Error *error);
LineCall *line_cancel(LineCall *call); /* no callback any more; NULL allowed; returns NULL */
