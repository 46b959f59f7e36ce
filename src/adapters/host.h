/* This machine, as the kernel counts it. Plain reads that don't wait: of /proc, or of a directory that looks like it (tests). */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define HOST_PROC "/proc"

/* Ticks since the start, over all processors. */
typedef struct HostCpu {
        int64_t busy, total; /* waiting for a disk isn't busy; time stolen by other guests is */
} HostCpu;

typedef struct HostMemory {
        int64_t total, available; /* bytes; available: what programs could still get without swapping (MemAvailable) */
} HostMemory;

typedef struct HostSegments {
        int64_t sent, again; /* TCP segments since the start: all that were sent, and those that were sent again */
} HostSegments;

int host_cpu(const char *proc, HostCpu *ret_cpu, Error *error);
int host_memory(const char *proc, HostMemory *ret_memory, Error *error);
int host_segments(const char *proc, HostSegments *ret_segments, Error *error);
