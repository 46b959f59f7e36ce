/* What differs between two texts, line by line, in as few changes as there are (Myers, "An O(ND) Difference Algorithm"). Texts that
 * differ in more than TEXT_DIFF_CHANGES lines are told as one replaced by the other. */
#pragma once

#include <stddef.h>

#define TEXT_DIFF_CHANGES 400

typedef struct DiffLine {
        char kind;        /* '@' a hunk begins, ' ' in both, '-' only in the old text, '+' only in the new one */
        size_t at, count; /* lines of the old text: of a hunk its first (from 0) and their number; else the line */
        size_t new_at, new_count; /* the same of the new one */
} DiffLine;

/* Visits the hunks with `context` lines around each change. 0; -ENOMEM; a visit that returns other than 0 stops, with that value. */
int text_diff(const char *const *old_lines, size_t old_count, const char *const *new_lines, size_t new_count,
              size_t context, int (*visit)(void *userdata, const DiffLine *line), void *userdata);

/* Splits in place, at newlines: the lines point into `text`, free(*ret_lines). The last one may lack its newline. -ENOMEM. */
int text_lines(char *text, char ***ret_lines, size_t *ret_count);
