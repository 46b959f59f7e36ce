/* Words a person typed: whether one is allowed, and which was probably meant. For "unknown key" and "unknown verb". */
#pragma once

#include <stdbool.h>

/* `words` are separated by single spaces: "auto system private". */
bool word_listed(const char *words, const char *word);

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. Words longer
 * than 64 bytes are compared by their beginning. */
unsigned edit_distance(const char *a, const char *b);

/* Of two candidates the one nearer to `word`; NULL for neither. `best` may be NULL. A candidate counts only within a third of
 * the word's length (at least one edit): a far-fetched guess helps nobody. */
const char *nearer_word(const char *word, const char *best, const char *candidate);
