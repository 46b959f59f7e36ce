#include "store/csv-cell.h"

#include "base/macros.h"

#include <string.h>

#define COUNT_MAX INT64_C(1000000000000)

/* Blanks and quotes around a value say nothing. */
static CsvCell trim(CsvCell cell) {
        while (cell.at < cell.end && (*cell.at == ' ' || *cell.at == '"' || *cell.at == '\t'))
                cell.at++;
        while (cell.at < cell.end && (cell.end[-1] == ' ' || cell.end[-1] == '"' || cell.end[-1] == '\t'))
                cell.end--;
        return cell;
}

bool csv_next_cell(const char **at, const char *end, CsvCell *ret_cell) {
        if (!*at)
                return false;
        const char *comma = memchr(*at, ',', (size_t)(end - *at));
        *ret_cell = trim((CsvCell){.at = *at, .end = comma ? comma : end});
        *at = comma ? comma + 1 : NULL;
        return true;
}

const char *csv_shown(CsvCell cell, char buffer[CSV_CELL_MAX]) {
        size_t length =
                (size_t)(cell.end - cell.at) < CSV_CELL_MAX - 1 ? (size_t)(cell.end - cell.at) : CSV_CELL_MAX - 1;
        for (size_t i = 0; i < length; i++)
                buffer[i] = cell.at[i] >= ' ' && cell.at[i] <= '~' ? cell.at[i] : '?';
        buffer[length] = '\0';
        return buffer;
}

bool csv_read_count(CsvCell cell, int64_t *ret) {
        int64_t number = 0;
        if (cell.at == cell.end || cell.end - cell.at > 13)
                return false;
        for (; cell.at < cell.end; cell.at++) {
                if (*cell.at < '0' || *cell.at > '9')
                        return false;
                number = number * 10 + (*cell.at - '0');
        }
        *ret = number;
        return number <= COUNT_MAX;
}

bool csv_read_scaled(CsvCell cell, int64_t unit, int64_t most, int64_t *ret, const char **ret_end) {
        int64_t number = 0;
        const char *at = cell.at;
        for (; at < cell.end && *at >= '0' && *at <= '9'; at++)
                if ((number = number * 10 + (*at - '0')) > most)
                        return false;
        if (at == cell.at || __builtin_mul_overflow(number, unit, &number))
                return false;
        if (at < cell.end && *at == '.') {
                const char *point = at++;
                for (int64_t scale = unit / 10; at < cell.end && *at >= '0' && *at <= '9'; at++, scale /= 10)
                        number += (*at - '0') * scale;
                if (at == point + 1)
                        return false;
        }
        *ret = number;
        *ret_end = at;
        return number <= most;
}

static int64_t unit_of(const char *at, const char *end) {
        static const struct {
                const char *name;
                int64_t us;
        } units[] = {{"ms", USEC_PER_MSEC}, {"us", 1}, {"s", USEC_PER_SEC}};
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if ((size_t)(end - at) == strlen(units[i].name) && memcmp(at, units[i].name, (size_t)(end - at)) == 0)
                        return units[i].us;
        return 0;
}

bool csv_read_latency(CsvCell cell, int64_t unit_us, int64_t *ret) {
        const char *end = cell.end;
        if (unit_us == 0) {
                while (end > cell.at && (end[-1] < '0' || end[-1] > '9') && end[-1] != '.')
                        end--;
                unit_us = unit_of(end, cell.end);
        }
        const char *behind = NULL;
        return unit_us > 0 && csv_read_scaled((CsvCell){cell.at, end}, unit_us, CSV_LATENCY_MAX_US, ret, &behind) &&
               behind == end;
}
