/* Recorded samples as comma-separated values, one a line, as an export of any monitoring gives them. The first line names the columns,
 * in any order:
 *   end or time      when the sample ended: RFC 3339, or seconds since the epoch; time_ms, time_us: in that unit
 *   start            optional; else the end before it, or `interval` earlier where there is a gap
 *   requests, errors whole numbers; left empty: not measured
 *   successes        optional; else requests without errors
 *   dropped          optional
 *   p99, p50         "85ms"; p99_us, p99_ms, p99_s: a number in that unit; p50 is optional. Left empty: not known
 * latency_p99_ms and the like are understood, too; other columns are refused, so that nothing is overlooked for a typing error.
 * Times must rise. Read with big reads and no copy of a row: it is the slower half of a backtest. */
#pragma once

#include "base/error.h"
#include "core/types.h"

#include <stddef.h>

typedef struct SamplesCsv SamplesCsv;

/* `name` is what errors call it: "NAME:17: column 'errors': '12x' is no whole number". Takes over `fd`, also when it fails. */
int samples_csv_open(int fd, const char *name, int64_t interval_us, SamplesCsv **ret_csv, Error *error);
/* From memory, which is borrowed. */
int samples_csv_open_text(const char *text, size_t size, const char *name, int64_t interval_us, SamplesCsv **ret_csv,
                          Error *error);
SamplesCsv *samples_csv_close(SamplesCsv *csv); /* NULL allowed; returns NULL */

/* 1: *sample is the next one (its `mono` times are the wall's); 0: that was the last. `sample` must be the same at each call. */
int samples_csv_next(SamplesCsv *csv, Sample *sample, Error *error);
