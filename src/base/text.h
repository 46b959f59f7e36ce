/* Text that somebody typed or another program said: what of it is UTF-8, and how to make it harmless. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The length of the well-formed UTF-8 character at `text`, of which `left` bytes are there, or 0. Overlong forms, surrogates and
 * what lies beyond U+10FFFF aren't well-formed (Unicode 15, table 3-7). */
size_t utf8_length(const char *text, size_t left);

/* One line of UTF-8 made of `text`: control characters become spaces, bytes that aren't UTF-8 '?', and what doesn't fit into
 * `size` bytes is cut off between two characters. true: that changed it. */
bool text_to_line(const char *text, char *buffer, size_t size);
