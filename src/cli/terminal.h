/* What we print on: a terminal, or something that keeps the text. Colours only where they are wanted, and never needed to
 * understand. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

typedef enum Tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_DOUBT, TONE_FAINT, TONE_STRONG } Tone;

typedef struct Terminal {
        FILE *file;
        bool live;   /* a terminal whose lines can be drawn again */
        bool colour; /* and NO_COLOR isn't set */
        bool utf8;
        int columns, rows;
} Terminal;

void terminal_init(Terminal *terminal, FILE *file);
void terminal_measure(Terminal *terminal); /* its size may have changed */

/* Prints `text` in a tone, at most `width` columns of it (0: all), padded to `width` with spaces when `pad`. Text from
 * elsewhere can't steer the terminal: control characters are shown as '?'. */
void terminal_text(const Terminal *terminal, Tone tone, const char *text, int width, bool pad);
/* `text` from `column` on, wrapped at the terminal's width between words; the lines that follow begin at column `indent`. Returns
 * the column it ended at. */
int terminal_wrap(const Terminal *terminal, Tone tone, const char *text, int column, int indent);
/* All of it in a tone. Line breaks only at the ends of `format`. */
void terminal_say(const Terminal *terminal, Tone tone, const char *format, ...) __attribute__((format(printf, 3, 4)));
