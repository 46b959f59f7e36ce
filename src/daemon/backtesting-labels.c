/* The incidents that people remember, from a file. */
#include "base/clock.h"
#include "base/fsio.h"
#include "daemon/backtesting.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX ((size_t)4 * 1024 * 1024)

static char *trimmed(char *text) {
        text += strspn(text, " \t\"");
        for (size_t length = strlen(text); length > 0 && strchr(" \t\r\"", text[length - 1]); length--)
                text[length - 1] = '\0';
        return text;
}

static bool read_time(const char *text, int64_t *ret_wall) {
        char *end;
        if (clock_parse_rfc3339(text, ret_wall, NULL) == 0)
                return true;
        errno = 0;
        double seconds = strtod(text, &end);
        *ret_wall = seconds >= 0 && seconds < 1e11 ? (int64_t)(seconds * 1e6) : -1;
        return end != text && *end == '\0' && errno == 0 && *ret_wall >= 0;
}

/* 1: a label; 0: nothing stands there, or it is the line that names the columns. */
static int read_line(char *line, const char *path, unsigned number, BacktestLabel *label, Error *error) {
        char *cells[4] = {0};
        unsigned count = 0;
        if (*trimmed(line) == '\0')
                return 0;
        for (char *rest = line; rest && count < ARRAY_SIZE(cells);)
                cells[count++] = trimmed(strsep(&rest, ","));
        if (count < 2 || count > 3)
                return error_set(error, -EBADMSG, "%s:%u: not FROM,TO or FROM,TO,KIND", path, number);
        if (number == 1 && strcasecmp(cells[0], "from") == 0)
                return 0;
        for (unsigned i = 0; i < 2; i++)
                if (!read_time(cells[i], i == 0 ? &label->from_wall : &label->to_wall))
                        return error_set(error, -EBADMSG,
                                         "%s:%u: column '%s': '%.40s' is no time; allowed: 2026-11-22T15:40:36Z, or "
                                         "seconds since 1970",
                                         path, number, i == 0 ? "from" : "to", cells[i]);
        if (label->to_wall < label->from_wall)
                return error_set(error, -EBADMSG, "%s:%u: it ends before it begins", path, number);
        snprintf(label->kind, sizeof label->kind, "%s", count > 2 ? cells[2] : "");
        return 1;
}

int backtesting_read_labels(const char *path, BacktestLabel **ret_labels, unsigned *ret_count, Error *error) {
        AUTO_FREE char *text = NULL;
        AUTO_FREE BacktestLabel *labels = NULL;
        size_t size;
        unsigned count = 0, number = 0;
        int r = fs_read_file(path, FILE_MAX, &text, &size, error);
        if (r < 0)
                return r;
        if (strlen(text) != size)
                return error_set(error, -EBADMSG, "%s: binary data instead of from,to lines", path);
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                BacktestLabel label = {0};
                r = read_line(line, path, ++number, &label, error);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                if (count == BACKTEST_LABELS_MAX)
                        return error_set(error, -E2BIG, "%s: more than %d labels", path, BACKTEST_LABELS_MAX);
                BacktestLabel *grown = count % 64 ? labels : reallocarray(labels, count + 64, sizeof *labels);
                if (!grown)
                        return error_set(error, -ENOMEM, "out of memory");
                labels = grown;
                labels[count++] = label;
        }
        *ret_labels = TAKE_PTR(labels);
        *ret_count = count;
        return 0;
}
