/* One line of HAProxy's log, as data/haproxy/haproxy.cfg.example has it written, and the frames lines come in. Pure: whoever
 * can reach the log port can send anything, so this file is fuzzed (tests/fuzz) and never trusts a length.
 *
 *   novacron1 end=1795363687051 backend=app status=200 state=-- TR=0 Tr=12 Ta=13 gate=- key=- parked=-
 *
 * end: when the request ended, epoch ms. status: %ST, -1 when nothing was answered. state: the first two letters of %ts.
 * TR: ms until the request's head was read, parked time included. Tr: ms the server took to answer, -1: it didn't. Ta: ms
 * of it all. gate, key, parked: set by novacron-gate.lua for a request that had to wait. Fields may come in any order; keys we
 * don't know are ignored, and so is everything behind " | ", where the operator may append fields of their own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDGE_NAME_MAX 128
#define EDGE_FRAME_MAX 8192 /* HAProxy's `maxlen` is 1200 in our example; more than this is not a log line */
#define EDGE_MS_MAX (INT64_C(7) * 24 * 3600 * 1000)

typedef enum EdgeGate {
        EDGE_GATE_NONE,    /* the request never waited */
        EDGE_GATE_PASSED,  /* waited, then went on */
        EDGE_GATE_PARKED,  /* its client left while it waited: it was never sent */
        EDGE_GATE_REFUSED, /* waited park_max, was answered 503 by the gate */
} EdgeGate;

typedef struct EdgeRecord {
        int64_t end_ms;
        char backend[EDGE_NAME_MAX]; /* the frontend's name when the request never got to a backend */
        int status;
        char cause, phase; /* the two letters of %ts: who ended it, and in which phase; '-' '-' is normal */
        int64_t request_ms, response_ms, active_ms; /* TR, Tr, Ta; -1: not reached */
        EdgeGate gate;
        char gate_key[EDGE_NAME_MAX];
        int64_t parked_ms;
} EdgeRecord;

typedef enum EdgeLine {
        EDGE_LINE_REQUEST,  /* *ret_record is filled */
        EDGE_LINE_NOTICE,   /* HAProxy's own remark ("Server app/s1 is DOWN, ..."): of no interest here */
        EDGE_LINE_NONSENSE, /* anything else */
} EdgeLine;

EdgeLine edge_log_parse(const char *line, size_t size, EdgeRecord *ret_record);

typedef enum EdgeFrame {
        EDGE_FRAME_LINE,    /* *ret_line, *ret_size: one line; *ret_used bytes are done with */
        EDGE_FRAME_PARTIAL, /* more bytes are needed; *ret_used may still be more than 0 (line ends that are skipped) */
        EDGE_FRAME_BROKEN, /* no frame can begin like this, or it is too long: the stream can't be followed any further */
} EdgeFrame;

/* Takes the next frame from the bytes at hand: "<decimal length> <that many bytes>" (log-proto octet-count), or, where no number
 * leads, a line ended by a newline (log-proto legacy). `data` needs to hold EDGE_FRAME_MAX + 8 bytes to see the longest. */
EdgeFrame edge_frame_next(const char *data, size_t size, const char **ret_line, size_t *ret_size, size_t *ret_used);
