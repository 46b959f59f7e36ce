/* A decision in plain words, with its arithmetic: for people who ask why. Nothing is decided here; what is said comes from the same
 * functions that decided. Texts are cut where they don't fit. */
#pragma once

#include "core/replay.h"

/* "4 of 5 samples degraded, 4 needed (75.0 % of 5 is 3.75, rounded up); 1 unknown" */
void explain_window(const Decision *decision, char *text, size_t size);

/* "6000 requests, 300 failed; error rate 5.0 % is more than 1.0 %; p99 latency 80 ms is at most 100 ms; ..." or why it says nothing. */
void explain_sample(const Rules *rules, const Sample *sample, char *text, size_t size);

/* What the guard was asked, what it found, and with which numbers: "armed: deployed 90 s ago, armed for 24 h". */
void explain_guard(const PolicyInput *input, const Decision *decision, const GuardAnswer *answer, char *text,
                   size_t size);

/* "v2.3.1: it was current before v2.4.0, and it is good" */
void explain_target(const PolicyInput *input, const Decision *decision, char *text, size_t size);

/* "it was done", or which guard forbade it. */
void explain_outcome(const Decision *decision, char *text, size_t size);
