#include "base/nearest.h"

#include "base/macros.h"

#include <string.h>

#define WORD_MAX 64

bool word_listed(const char *words, const char *word) {
        size_t length = strlen(word);
        if (length == 0 || strchr(word, ' '))
                return false;
        for (const char *at = words; at; at = strchr(at, ' ')) {
                at += *at == ' ';
                if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
                        return true;
        }
        return false;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
        unsigned least = a < b ? a : b;
        return least < c ? least : c;
}

unsigned edit_distance(const char *a, const char *b) {
        size_t a_length = strnlen(a, WORD_MAX), b_length = strnlen(b, WORD_MAX);
        unsigned cost[WORD_MAX + 1][WORD_MAX + 1];
        for (size_t i = 0; i <= a_length; i++)
                cost[i][0] = (unsigned)i;
        for (size_t j = 0; j <= b_length; j++)
                cost[0][j] = (unsigned)j;
        for (size_t i = 1; i <= a_length; i++)
                for (size_t j = 1; j <= b_length; j++) {
                        unsigned replace = a[i - 1] == b[j - 1] ? 0 : 1;
                        cost[i][j] = smallest(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + replace);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            cost[i - 2][j - 2] + 1 < cost[i][j])
                                cost[i][j] = cost[i - 2][j - 2] + 1;
                }
        return cost[a_length][b_length];
}

const char *nearer_word(const char *word, const char *best, const char *candidate) {
        unsigned distance = edit_distance(word, candidate);
        unsigned allowed = (unsigned)(strnlen(word, WORD_MAX) + 2) / 3;
        if (distance > (allowed ? allowed : 1))
                return best;
        return best && edit_distance(word, best) <= distance ? best : candidate;
}
