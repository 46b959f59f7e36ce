#include "store/samples-csv.h"

#include "base/clock.h"
#include "store/csv-cell.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define BUFFER_SIZE ((size_t)1024 * 1024)
#define LINE_MAX_BYTES 4096
#define COLUMNS_MAX 16
#define TIME_MAX_US (INT64_C(253402300800) * USEC_PER_SEC) /* the year 10000 */

typedef enum CellKind { CELL_COUNT, CELL_TIME, CELL_LATENCY } CellKind;

/* What a column may be called, and what it gives. */
static const struct ColumnName {
        const char *name;
        CellKind kind;
        size_t member;
        int64_t unit_us; /* of a bare number; 0: it must carry its unit */
} column_names[] = {
        {"end", CELL_TIME, offsetof(Sample, end_wall), USEC_PER_SEC},
        {"time", CELL_TIME, offsetof(Sample, end_wall), USEC_PER_SEC},
        {"timestamp", CELL_TIME, offsetof(Sample, end_wall), USEC_PER_SEC},
        {"time_ms", CELL_TIME, offsetof(Sample, end_wall), USEC_PER_MSEC},
        {"time_us", CELL_TIME, offsetof(Sample, end_wall), 1},
        {"start", CELL_TIME, offsetof(Sample, start_mono), USEC_PER_SEC},
        {"requests", CELL_COUNT, offsetof(Sample, requests), 0},
        {"errors", CELL_COUNT, offsetof(Sample, errors), 0},
        {"successes", CELL_COUNT, offsetof(Sample, successes), 0},
        {"dropped", CELL_COUNT, offsetof(Sample, dropped), 0},
        {"p99", CELL_LATENCY, offsetof(Sample, latency_p99_us), 0},
        {"p99_us", CELL_LATENCY, offsetof(Sample, latency_p99_us), 1},
        {"p99_ms", CELL_LATENCY, offsetof(Sample, latency_p99_us), USEC_PER_MSEC},
        {"p99_s", CELL_LATENCY, offsetof(Sample, latency_p99_us), USEC_PER_SEC},
        {"p50", CELL_LATENCY, offsetof(Sample, latency_p50_us), 0},
        {"p50_us", CELL_LATENCY, offsetof(Sample, latency_p50_us), 1},
        {"p50_ms", CELL_LATENCY, offsetof(Sample, latency_p50_us), USEC_PER_MSEC},
        {"p50_s", CELL_LATENCY, offsetof(Sample, latency_p50_us), USEC_PER_SEC},
};

struct SamplesCsv {
        int fd; /* -1: all of it is in memory */
        char *name, *buffer;
        const char *at, *end; /* what was read and not yet taken */
        bool at_end;          /* nothing more comes */
        int64_t line, interval_us, previous_us;
        unsigned column_count;
        const struct ColumnName *columns[COLUMNS_MAX];
        bool has_start, has_successes, first;
        char day[11]; /* the newest row's date, and its beginning: the next is mostly the same */
        int64_t day_us;
};

/* ---- lines ---- */

static int refill(SamplesCsv *csv, Error *error) {
        size_t left = (size_t)(csv->end - csv->at);
        memmove(csv->buffer, csv->at, left);
        csv->at = csv->buffer;
        csv->end = csv->buffer + left;
        ssize_t n;
        do
                n = read(csv->fd, csv->buffer + left, BUFFER_SIZE - left);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set(error, -errno, "%s: %s", csv->name, strerror(errno));
        csv->at_end = n == 0;
        csv->end += n;
        return 0;
}

/* 1: a line, without what ends it; 0: there is none left. */
static int next_line(SamplesCsv *csv, CsvCell *ret_line, Error *error) {
        for (;;) {
                const char *feed = memchr(csv->at, '\n', (size_t)(csv->end - csv->at));
                if (!feed && !csv->at_end && csv->end - csv->at <= LINE_MAX_BYTES) {
                        int r = refill(csv, error);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (!feed && csv->at == csv->end)
                        return 0;
                const char *end = feed ? feed : csv->end;
                csv->line++;
                if (end - csv->at > LINE_MAX_BYTES)
                        return error_set(error, -EBADMSG,
                                         "%s:%" PRId64 ": longer than %d bytes: that is no row of samples", csv->name,
                                         csv->line, LINE_MAX_BYTES);
                *ret_line = (CsvCell){.at = csv->at, .end = end > csv->at && end[-1] == '\r' ? end - 1 : end};
                csv->at = feed ? feed + 1 : csv->end;
                if (ret_line->at < ret_line->end) /* else an empty line */
                        return 1;
        }
}

static int refuse_cell(const SamplesCsv *csv, const struct ColumnName *column, CsvCell cell, const char *wrong,
                       Error *error) {
        char text[CSV_CELL_MAX];
        return error_set(error, -EBADMSG, "%s:%" PRId64 ": column '%s': '%s' %s", csv->name, csv->line, column->name,
                         csv_shown(cell, text), wrong);
}

/* ---- values ---- */

static bool two_digits(const char *at, int below, int64_t *ret) {
        if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
                return false;
        *ret = (at[0] - '0') * 10 + (at[1] - '0');
        return *ret < below;
}

/* "2026-11-22T15:40:36.123Z" on the same day as the row before it. */
static bool read_time_of_day(const SamplesCsv *csv, CsvCell cell, int64_t *ret) {
        int64_t hour, minute, second, fraction = 0;
        const char *at = cell.at + 11;
        if (cell.end - cell.at < 20 || cell.end[-1] != 'Z' || memcmp(cell.at, csv->day, 10) != 0 || at[-1] != 'T' ||
            !two_digits(at, 24, &hour) || at[2] != ':' || !two_digits(at + 3, 60, &minute) || at[5] != ':' ||
            !two_digits(at + 6, 60, &second))
                return false;
        at += 8;
        if (*at == '.') {
                int64_t scale = 100000;
                for (at++; *at >= '0' && *at <= '9' && scale > 0; at++, scale /= 10)
                        fraction += (*at - '0') * scale;
                if (at[-1] == '.')
                        return false;
        }
        *ret = csv->day_us + (hour * 3600 + minute * 60 + second) * USEC_PER_SEC + fraction;
        return at + 1 == cell.end;
}

static bool read_time(SamplesCsv *csv, CsvCell cell, int64_t unit_us, int64_t *ret) {
        char text[CSV_CELL_MAX];
        const char *behind;
        if (read_time_of_day(csv, cell, ret))
                return true;
        if (csv_read_scaled(cell, unit_us, TIME_MAX_US, ret, &behind) && behind == cell.end)
                return true;
        if (cell.end - cell.at >= CSV_CELL_MAX)
                return false;
        memcpy(text, cell.at, (size_t)(cell.end - cell.at));
        text[cell.end - cell.at] = '\0';
        if (clock_parse_rfc3339(text, ret, NULL) < 0 || *ret < 0)
                return false;
        char midnight[] = "YYYY-MM-DDT00:00:00Z";
        memcpy(midnight, text, 10);
        if (clock_parse_rfc3339(midnight, &csv->day_us, NULL) == 0)
                memcpy(csv->day, text, 10);
        return true;
}

/* ---- the first line ---- */

static const struct ColumnName *find_column(CsvCell cell) {
        static const char prefix[] = "latency_";
        size_t length = (size_t)(cell.end - cell.at), skip = sizeof prefix - 1;
        if (length > skip && strncasecmp(cell.at, prefix, skip) == 0) {
                cell.at += skip;
                length -= skip;
        }
        for (size_t i = 0; i < ARRAY_SIZE(column_names); i++)
                if (strlen(column_names[i].name) == length && strncasecmp(column_names[i].name, cell.at, length) == 0)
                        return &column_names[i];
        return NULL;
}

static bool has_member(const SamplesCsv *csv, size_t member) {
        for (unsigned i = 0; i < csv->column_count; i++)
                if (csv->columns[i]->member == member)
                        return true;
        return false;
}

static int add_column(SamplesCsv *csv, CsvCell cell, Error *error) {
        char text[CSV_CELL_MAX];
        const struct ColumnName *column = find_column(cell);
        if (!column)
                return error_set(error, -EBADMSG,
                                 "%s:%" PRId64
                                 ": there is no column '%s'; allowed: end or time (also time_ms, time_us), start, "
                                 "requests, errors, successes, dropped, p99 and p50 (also p99_ms, p99_us, p99_s)",
                                 csv->name, csv->line, csv_shown(cell, text));
        if (csv->column_count == COLUMNS_MAX || has_member(csv, column->member))
                return error_set(error, -EBADMSG, "%s:%" PRId64 ": column '%s' is there twice", csv->name, csv->line,
                                 csv_shown(cell, text));
        csv->columns[csv->column_count++] = column;
        return 0;
}

static int read_header(SamplesCsv *csv, Error *error) {
        static const struct {
                size_t member;
                const char *name;
        } needed[] = {
                {offsetof(Sample, end_wall), "end"},
                {offsetof(Sample, requests), "requests"},
                {offsetof(Sample, errors), "errors"},
                {offsetof(Sample, latency_p99_us), "p99"},
        };
        CsvCell line, cell;
        int r = next_line(csv, &line, error);
        if (r == 0)
                r = error_set(error, -EBADMSG, "%s: empty; its first line must name the columns", csv->name);
        if (r < 0)
                return r;
        if (line.end - line.at >= 3 && memcmp(line.at, "\xEF\xBB\xBF", 3) == 0)
                line.at += 3; /* a byte order mark */
        for (const char *at = line.at; csv_next_cell(&at, line.end, &cell);)
                if ((r = add_column(csv, cell, error)) < 0)
                        return r;
        for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
                if (!has_member(csv, needed[i].member))
                        return error_set(error, -EBADMSG,
                                         "%s:%" PRId64
                                         ": the column '%s' is missing; its first line must name the columns",
                                         csv->name, csv->line, needed[i].name);
        csv->has_start = has_member(csv, offsetof(Sample, start_mono));
        csv->has_successes = has_member(csv, offsetof(Sample, successes));
        return 0;
}

/* ---- rows ---- */

static int read_cell(SamplesCsv *csv, const struct ColumnName *column, CsvCell cell, Sample *sample, Error *error) {
        int64_t *value = (int64_t *)((char *)sample + column->member);
        bool empty = cell.at == cell.end;
        switch (column->kind) {
        case CELL_TIME:
                return read_time(csv, cell, column->unit_us, value)
                               ? 0
                               : refuse_cell(csv, column, cell,
                                             "is no time; allowed: 2026-11-22T15:40:36Z, or seconds since 1970", error);
        case CELL_LATENCY:
                if (empty)
                        return 0;
                return csv_read_latency(cell, column->unit_us, value)
                               ? 0
                               : refuse_cell(
                                         csv, column, cell,
                                         column->unit_us
                                                 ? "is no latency; allowed: a number, or nothing"
                                                 : "is no latency with its unit; allowed: 85ms, 1.5s, 900us, or nothing",
                                         error);
        case CELL_COUNT:
                break;
        }
        if (empty) {
                sample->measured = sample->measured && column->member == offsetof(Sample, dropped);
                return 0;
        }
        return csv_read_count(cell, value) ? 0 : refuse_cell(csv, column, cell, "is no whole number", error);
}

static int set_start(SamplesCsv *csv, Sample *sample, Error *error) {
        int64_t end = sample->end_wall;
        if (!csv->first && end <= csv->previous_us)
                return error_set(error, -EBADMSG,
                                 "%s:%" PRId64 ": ends no later than the row before it; sort them by time", csv->name,
                                 csv->line);
        bool gap = csv->first || end - csv->previous_us > csv->interval_us + csv->interval_us / 2;
        if (!csv->has_start)
                sample->start_mono = gap ? end - csv->interval_us : csv->previous_us;
        else if (sample->start_mono > end)
                return error_set(error, -EBADMSG, "%s:%" PRId64 ": starts after its end", csv->name, csv->line);
        sample->end_mono = end;
        csv->previous_us = end;
        csv->first = false;
        return 0;
}

int samples_csv_next(SamplesCsv *csv, Sample *sample, Error *error) {
        CsvCell line, cell;
        unsigned count = 0;
        int r = next_line(csv, &line, error);
        if (r <= 0)
                return r;
        sample->measured = true;
        sample->latency_p50_us = sample->latency_p99_us = -1;
        sample->dropped = 0;
        for (const char *at = line.at; csv_next_cell(&at, line.end, &cell); count++) {
                if (count == csv->column_count)
                        return error_set(error, -EBADMSG, "%s:%" PRId64 ": more than the %u columns of the first line",
                                         csv->name, csv->line, csv->column_count);
                r = read_cell(csv, csv->columns[count], cell, sample, error);
                if (r < 0)
                        return r;
        }
        if (count < csv->column_count)
                return error_set(error, -EBADMSG, "%s:%" PRId64 ": the column '%s' is missing", csv->name, csv->line,
                                 csv->columns[count]->name);
        if (!csv->has_successes)
                sample->successes = sample->requests - sample->errors;
        if (sample->measured && sample->errors > sample->requests)
                return error_set(error, -EBADMSG, "%s:%" PRId64 ": %" PRId64 " errors of %" PRId64 " requests",
                                 csv->name, csv->line, sample->errors, sample->requests);
        if (sample->measured && sample->errors + sample->successes > sample->requests)
                return error_set(error, -EBADMSG,
                                 "%s:%" PRId64 ": %" PRId64 " errors and %" PRId64 " successes of %" PRId64 " requests",
                                 csv->name, csv->line, sample->errors, sample->successes, sample->requests);
        r = set_start(csv, sample, error);
        return r < 0 ? r : 1;
}

/* ---- life ---- */

static SamplesCsv *csv_new(int fd, const char *name, int64_t interval_us) {
        SamplesCsv *csv = calloc(1, sizeof *csv);
        if (!csv) {
                if (fd >= 0)
                        close(fd);
                return NULL;
        }
        csv->fd = fd;
        csv->interval_us = interval_us;
        csv->first = true;
        csv->name = strdup(name);
        csv->buffer = malloc(fd >= 0 ? BUFFER_SIZE : 1);
        csv->at = csv->end = csv->buffer;
        return csv->name && csv->buffer ? csv : samples_csv_close(csv);
}

static int begin(SamplesCsv *csv, SamplesCsv **ret_csv, Error *error) {
        int r = read_header(csv, error);
        if (r < 0) {
                samples_csv_close(csv);
                return r;
        }
        *ret_csv = csv;
        return 0;
}

int samples_csv_open(int fd, const char *name, int64_t interval_us, SamplesCsv **ret_csv, Error *error) {
        SamplesCsv *csv = csv_new(fd, name, interval_us);
        return csv ? begin(csv, ret_csv, error) : error_set(error, -ENOMEM, "out of memory");
}

int samples_csv_open_text(const char *text, size_t size, const char *name, int64_t interval_us, SamplesCsv **ret_csv,
                          Error *error) {
        SamplesCsv *csv = csv_new(-1, name, interval_us);
        if (!csv)
                return error_set(error, -ENOMEM, "out of memory");
        csv->at = text;
        csv->end = text + size;
        csv->at_end = true;
        return begin(csv, ret_csv, error);
}

SamplesCsv *samples_csv_close(SamplesCsv *csv) {
        if (!csv)
                return NULL;
        if (csv->fd >= 0)
                close(csv->fd);
        free(csv->name);
        free(csv->buffer);
        free(csv);
        return NULL;
}
