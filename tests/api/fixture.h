/* A server in a process of its own, with operations that show what they were given:
 *
 * GET health                    { asked: how often it was }; 503 after "unhealthy"
 * GET status                    { asked }
 * GET history                   { pending, acted [ { caller, method, path, arguments, status, outcome } ], looked { source: message } }
 * GET plan                      { arguments, caller, whence }
 * POST deploy {version}         "calm" and "busy" switch; "unhealthy"; "look" looks; "publish" publishes an
 *                               event; "release" replies to all drains
 * POST traffic/drain            replies at "release", or after the server is gone
 * POST traffic/restore          replies at once
 * POST cache/clear              refuses at once
 * POST consensus/force-election replies with a problem, a moment later
 * POST receivers/one/test       replies only after the server is gone */
#pragma once

#include "api/api.h"

#include <netinet/in.h>

#define FIXTURE_CLOSE "Host: localhost\r\nConnection: close\r\n"

extern char fixture_directory[64];
extern char fixture_socket[96];
extern pid_t fixture_pid;

/* `settings` without socket_path. 0, or -1. */
int fixture_start(const ApiSettings *settings);
/* The same without a descriptor of the test's. */
int fixture_start_without(const ApiSettings *settings, int fd);
/* -1 when the server didn't end well: a leak, a complaint of a sanitizer, its socket left behind. */
int fixture_stop(void);
/* How long the server's process has computed, in microseconds. */
int64_t fixture_cpu_us(void);

/* A port of `address` ("127.0.0.1") that was free a moment ago, as "ADDRESS:PORT". */
void fixture_pick(const char *address, char *ret_address, size_t size);

/* Asserts that `text` holds `wanted`. */
void assert_holds(const char *text, const char *wanted);
