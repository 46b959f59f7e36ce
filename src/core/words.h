/* Numbers in sentences for people: a space before the unit, and as many decimals as the number really has. Each returns
 * `buffer`, so that it can be an argument of printf. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX 48

char *words_duration(int64_t us, char buffer[WORDS_MAX]); /* "250.4 ms" "45 ms" "12.3 s" "120 s" */
char *words_ratio(int64_t ppm, char buffer[WORDS_MAX]);   /* "1.0 %" "0.25 %": at least one decimal */
char *words_percent(int64_t ppm, unsigned decimals,
                    char buffer[WORDS_MAX]); /* rounded: "5.02 %"; at most four decimals */

/* Appends to a text that is cut when it is full, but never within a character. */
__attribute__((format(printf, 3, 4))) void words_append(char *text, size_t size, const char *format, ...);
