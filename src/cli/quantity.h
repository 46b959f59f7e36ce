/* Numbers as people read them. What isn't known is "unknown". */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define QUANTITY_MAX 64

/* "0.05%" "99.8%" "5.02%"; small and nearly whole ones keep the digits that matter: "0.0012%" "99.9988%". */
char *quantity_percent(const json_t *value, char *buffer, size_t size);
/* "45ms" "250.4ms" "0.8ms" */
char *quantity_ms(const json_t *value, char *buffer, size_t size);
/* Of a number in ms: "0.026 s" "12.3 s" "2m 5s" */
char *quantity_seconds(const json_t *value, char *buffer, size_t size);
/* An RFC 3339 text in UTC, as the log has it: "2026-11-22 16:43:45Z"; "unknown" for none. */
char *quantity_time(const json_t *value, char *buffer, size_t size);
