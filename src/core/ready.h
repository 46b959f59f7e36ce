/* Could a release be started right now? A checklist, each item measured elsewhere (daemon/readiness-*.c) and judged here: ready is
 * what is proven, so what could not be measured leaves it unknown. */
#pragma once

#include "core/types.h"

#include <stddef.h>

typedef enum ReadyVerdict { READY_UNKNOWN, READY_OK, READY_FAILED, READY_NOT_APPLICABLE } ReadyVerdict;

typedef enum ReadyItem {
        READY_RELEASE,
        READY_CONFIGURATION,
        READY_UNITS,
        READY_PROGRAMS,
        READY_LIBRARIES,
        READY_DATABASE,
        /* what follows is about this machine; the items above are about the release alone */
        READY_PORT,
        READY_SPACE,
        READY_BALANCER,
        READY_TRIAL,
} ReadyItem;
#define READY_ITEMS 10
#define READY_OF_RELEASE READY_PORT /* the first that isn't */

typedef struct ReadyCheck {
        ReadyVerdict verdict;
        char measured[DETAIL_MAX]; /* in words, with its numbers */
        char next[DETAIL_MAX];     /* what to do; "" when there is nothing to do */
} ReadyCheck;

typedef struct Ready {
        char version[VERSION_MAX];
        int64_t at_wall; /* looked at then; 0: not yet */
        ReadyCheck checks[READY_ITEMS];
} Ready;

const char *ready_item_key(ReadyItem item);   /* "libraries" */
const char *ready_item_title(ReadyItem item); /* "Shared libraries" */
const char *ready_verdict_name(ReadyVerdict verdict);

/* KNOWN_TRUE: every item that applies is ok. `words`: the first that isn't, in words; else that all are. */
Tristate ready_judge(const Ready *ready, char *words, size_t size);
