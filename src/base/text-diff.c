#include "base/text-diff.h"

#include "base/macros.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int text_lines(char *text, char ***ret_lines, size_t *ret_count) {
        size_t count = 0, room = 1;
        for (const char *at = text; *at; at++)
                room += *at == '\n';
        char **lines = calloc(room, sizeof *lines);
        if (!lines)
                return -ENOMEM;
        for (char *at = text; *at;) {
                char *end = strchr(at, '\n');
                lines[count++] = at;
                if (!end)
                        break;
                *end = '\0';
                at = end + 1;
        }
        *ret_lines = lines;
        *ret_count = count;
        return 0;
}

typedef struct Texts {
        const char *const *old_lines, *const *new_lines;
        size_t old_count, new_count;
} Texts;

static bool same(const Texts *texts, size_t old_at, size_t new_at) {
        return strcmp(texts->old_lines[old_at], texts->new_lines[new_at]) == 0;
}

/* ---- the shortest way ---- */

/* Marks which lines are changed. `trace` has, for each number of changes, how far each diagonal was reached: to walk back on. */
typedef struct Way {
        int64_t trace[TEXT_DIFF_CHANGES + 1][2 * TEXT_DIFF_CHANGES + 3];
} Way;

static bool comes_from_above(const int64_t *reached, int64_t k, int64_t changes) {
        return k == -changes || (k != changes && reached[k - 1] < reached[k + 1]);
}

/* The number of changes; -1: more than are looked for. The texts are what lies between their common beginning and end. */
static int64_t find_way(const Texts *texts, Way *way) {
        int64_t n = (int64_t)texts->old_count, m = (int64_t)texts->new_count;
        for (int64_t changes = 0; changes <= TEXT_DIFF_CHANGES; changes++) {
                int64_t *reached = way->trace[changes] + TEXT_DIFF_CHANGES + 1;
                if (changes > 0)
                        memcpy(way->trace[changes], way->trace[changes - 1], sizeof way->trace[0]);
                for (int64_t k = -changes; k <= changes; k += 2) {
                        int64_t x = changes == 0                            ? 0
                                    : comes_from_above(reached, k, changes) ? reached[k + 1]
                                                                            : reached[k - 1] + 1;
                        int64_t y = x - k;
                        while (x < n && y < m && x >= 0 && y >= 0 && same(texts, (size_t)x, (size_t)y)) {
                                x++;
                                y++;
                        }
                        reached[k] = x;
                        if (x >= n && y >= m)
                                return changes;
                }
        }
        return -1;
}

static void walk_back(const Texts *texts, const Way *way, int64_t changes, bool *removed, bool *added) {
        int64_t x = (int64_t)texts->old_count, y = (int64_t)texts->new_count;
        for (; changes > 0; changes--) {
                const int64_t *before = way->trace[changes - 1] + TEXT_DIFF_CHANGES + 1;
                int64_t k = x - y;
                bool above = comes_from_above(before, k, changes);
                int64_t from_k = above ? k + 1 : k - 1, from_x = before[from_k], from_y = from_x - from_k;
                if (above)
                        added[from_y] = true;
                else
                        removed[from_x] = true;
                x = from_x;
                y = from_y;
        }
}

static int mark_changes(const Texts *texts, bool *removed, bool *added) {
        size_t head = 0, tail = 0;
        while (head < texts->old_count && head < texts->new_count && same(texts, head, head))
                head++;
        while (tail < texts->old_count - head && tail < texts->new_count - head &&
               same(texts, texts->old_count - tail - 1, texts->new_count - tail - 1))
                tail++;
        const Texts middle = {texts->old_lines + head, texts->new_lines + head, texts->old_count - head - tail,
                              texts->new_count - head - tail};
        AUTO_FREE Way *way = calloc(1, sizeof *way);
        if (!way)
                return -ENOMEM;
        int64_t changes = find_way(&middle, way);
        if (changes >= 0)
                walk_back(&middle, way, changes, removed + head, added + head);
        for (size_t i = 0; changes < 0 && i < middle.old_count; i++)
                removed[head + i] = true;
        for (size_t i = 0; changes < 0 && i < middle.new_count; i++)
                added[head + i] = true;
        return 0;
}

/* ---- hunks ---- */

typedef struct Hunks {
        const Texts *texts;
        const bool *removed, *added;
        size_t context;
        int (*visit)(void *userdata, const DiffLine *line);
        void *userdata;
} Hunks;

typedef struct Place {
        size_t old_at, new_at;
} Place;

static bool changed_at(const Hunks *hunks, Place place) {
        return (place.old_at < hunks->texts->old_count && hunks->removed[place.old_at]) ||
               (place.new_at < hunks->texts->new_count && hunks->added[place.new_at]);
}

static bool at_end(const Hunks *hunks, Place place) {
        return place.old_at >= hunks->texts->old_count && place.new_at >= hunks->texts->new_count;
}

/* Moves over one line; its kind. */
static char next_line(const Hunks *hunks, Place *place) {
        if (place->old_at < hunks->texts->old_count && hunks->removed[place->old_at]) {
                place->old_at++;
                return '-';
        }
        if (place->new_at < hunks->texts->new_count && hunks->added[place->new_at]) {
                place->new_at++;
                return '+';
        }
        place->old_at++;
        place->new_at++;
        return ' ';
}

/* Behind the change at `place`, and all that follow it within twice the context. */
static Place hunk_end(const Hunks *hunks, Place place) {
        Place end = place;
        size_t quiet = 0;
        while (!at_end(hunks, place) && quiet <= 2 * hunks->context) {
                bool changed = next_line(hunks, &place) != ' ';
                quiet = changed ? 0 : quiet + 1;
                if (changed)
                        end = place;
        }
        for (size_t i = 0; i < hunks->context && !at_end(hunks, end); i++)
                (void)next_line(hunks, &end);
        return end;
}

static int tell_hunk(const Hunks *hunks, Place place, Place end) {
        DiffLine line = {'@', place.old_at, end.old_at - place.old_at, place.new_at, end.new_at - place.new_at};
        int r = hunks->visit(hunks->userdata, &line);
        while (r == 0 && (place.old_at < end.old_at || place.new_at < end.new_at)) {
                line = (DiffLine){.at = place.old_at, .new_at = place.new_at};
                line.kind = next_line(hunks, &place);
                r = hunks->visit(hunks->userdata, &line);
        }
        return r;
}

static int tell_hunks(const Hunks *hunks) {
        int r = 0;
        for (Place place = {0}; r == 0 && !at_end(hunks, place);) {
                if (!changed_at(hunks, place)) {
                        (void)next_line(hunks, &place);
                        continue;
                }
                size_t before = hunks->context;
                Place begin = place;
                while (before > 0 && begin.old_at > 0 && begin.new_at > 0) {
                        begin.old_at--;
                        begin.new_at--;
                        before--;
                }
                Place end = hunk_end(hunks, place);
                r = tell_hunk(hunks, begin, end);
                place = end;
        }
        return r;
}

int text_diff(const char *const *old_lines, size_t old_count, const char *const *new_lines, size_t new_count,
              size_t context, int (*visit)(void *userdata, const DiffLine *line), void *userdata) {
        const Texts texts = {old_lines, new_lines, old_count, new_count};
        AUTO_FREE bool *removed = calloc(old_count + 1, sizeof *removed);
        AUTO_FREE bool *added = calloc(new_count + 1, sizeof *added);
        if (!removed || !added)
                return -ENOMEM;
        int r = mark_changes(&texts, removed, added);
        const Hunks hunks = {&texts, removed, added, context, visit, userdata};
        return r < 0 ? r : tell_hunks(&hunks);
}
