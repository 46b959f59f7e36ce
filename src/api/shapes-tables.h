/* The tables of the shapes, which shapes.c makes one of, and what their rows share. */
#pragma once

#include "api/shapes.h"

#define RELEASE_STATE "=unproven|baking|good|failed"
#define HEALTH_STATE "=healthy|degraded|unhealthy|unknown"
#define SAMPLE_AGE                                                                                                     \
        { "sample_age_s", "number?", "how old the newest measurement behind it is" }
#define DETAIL                                                                                                         \
        { "detail", "text", "in words, for people" }
/* Of a sample: what was counted. */
/* clang-format off */
#define MEASURED \
        {"requests", "integer?", "finished requests that count"}, \
        {"errors", "integer?", "5xx, or cut by the server"}, \
        {"error_rate_percent", "number?", NULL}, \
        {"success_rate_percent", "number?", NULL}, \
        {"latency_p50_ms", "number?", NULL}, \
        {"latency_p99_ms", "number?", NULL}, \
        {"dropped", "integer", "requests the source knows that it lost sight of"}, \
        {"note", "text", NULL}
/* clang-format on */
#define END                                                                                                            \
        { 0 }

/* Its members are in the array of the same name. */
#define OBJECT(name, summary)                                                                                          \
        { #name, summary, name, NULL }

/* Each ends with a row whose name is NULL. */
extern const Shape status_shapes[], run_shapes[], decision_shapes[], incident_shapes[], release_shapes[],
        health_shapes[], cluster_shapes[], acting_shapes[], event_shapes[];
