/* Who showed wrong tokens lately, so that guessing is slow. Bounded: when the table is full, who failed longest ago is forgotten. */
#pragma once

#include <stdint.h>

#define GUESSES_WINDOW_US INT64_C(60000000)
#define GUESSES_MAX 10 /* in a window */
#define GUESSES_SOURCES 256
#define GUESSES_KEY_MAX 64

typedef struct Guesses {
        struct GuessSource {
                char key[GUESSES_KEY_MAX]; /* "": free */
                int64_t since_mono;
                unsigned failures;
        } sources[GUESSES_SOURCES];
} Guesses;

/* Seconds until `key` may try again; 0: now. */
unsigned guesses_wait_s(const Guesses *guesses, const char *key, int64_t now_mono);
void guesses_failed(Guesses *guesses, const char *key, int64_t now_mono);
