/* The cells of a line of comma-separated values, and the numbers in them: read where they lie, without a copy. */
#pragma once

#include "core/types.h"

#include <stddef.h>

#define CSV_CELL_MAX 64 /* of one that is shown */
#define CSV_LATENCY_MAX_US (INT64_C(86400) * USEC_PER_SEC)

typedef struct CsvCell {
        const char *at, *end;
} CsvCell;

/* The next one of a line that ends at `end`, without the blanks and quotes around it. *at NULL: that was the last; then false. */
bool csv_next_cell(const char **at, const char *end, CsvCell *ret_cell);
/* For a message: what isn't printable is no help in it. Returns `buffer`. */
const char *csv_shown(CsvCell cell, char buffer[CSV_CELL_MAX]);

bool csv_read_count(CsvCell cell, int64_t *ret); /* whole, at most 10^12 */
/* A number with or without decimals, times `unit`; what is finer than a microsecond is cut off. *ret_end is behind it. */
bool csv_read_scaled(CsvCell cell, int64_t unit, int64_t most, int64_t *ret, const char **ret_end);
/* `unit_us` 0: it carries its unit, "85ms". */
bool csv_read_latency(CsvCell cell, int64_t unit_us, int64_t *ret);
