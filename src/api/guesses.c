#include "api/guesses.h"

#include <stdio.h>
#include <string.h>

unsigned guesses_wait_s(const Guesses *guesses, const char *key, int64_t now_mono) {
        for (unsigned i = 0; i < GUESSES_SOURCES; i++) {
                const struct GuessSource *source = &guesses->sources[i];
                int64_t left = source->since_mono + GUESSES_WINDOW_US - now_mono;
                if (strcmp(source->key, key) == 0)
                        return source->failures >= GUESSES_MAX && left > 0 ? (unsigned)((left + 999999) / 1000000) : 0;
        }
        return 0;
}

/* Its own place, else a free one, else that of who began longest ago. */
static struct GuessSource *place_of(Guesses *guesses, const char *key) {
        struct GuessSource *best = &guesses->sources[0];
        for (unsigned i = 0; i < GUESSES_SOURCES; i++) {
                struct GuessSource *source = &guesses->sources[i];
                if (strcmp(source->key, key) == 0)
                        return source;
                if (best->key[0] != '\0' && (source->key[0] == '\0' || source->since_mono < best->since_mono))
                        best = source;
        }
        *best = (struct GuessSource){0};
        return best;
}

void guesses_failed(Guesses *guesses, const char *key, int64_t now_mono) {
        struct GuessSource *source = place_of(guesses, key);
        if (source->key[0] == '\0' || now_mono - source->since_mono >= GUESSES_WINDOW_US) {
                snprintf(source->key, sizeof source->key, "%s", key);
                source->since_mono = now_mono;
                source->failures = 0;
        }
        source->failures++;
}
