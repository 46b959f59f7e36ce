#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define RATIO_ALLOWED "a percentage from 0% to 100% with at most four decimals, such as 1.0%"
#define DURATION_ALLOWED                                                                                               \
        "a number with its unit (us, ms, s, m, h, d), such as 100ms, 120s or 24h; only 0 may stand alone"
#define COUNT_ALLOWED "a whole number, 0 or more, such as 100"

typedef struct Unit {
        const char *name;
        int64_t micros;
} Unit;

static const Unit duration_units[] = {
        {"us", 1},
        {"ms", 1000},
        {"s", INT64_C(1000000)},
        {"m", INT64_C(60000000)},
        {"h", INT64_C(3600000000)},
        {"d", INT64_C(86400000000)},
};

/* A decimal number kept as digits: mantissa / 10^decimals. No double ever, 0.1 isn't one. */
typedef struct Decimal {
        int64_t mantissa;
        unsigned decimals;
} Decimal;

static int add_digit(int64_t *number, char digit) {
        return __builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, digit - '0', number)
                       ? -ERANGE
                       : 0;
}

/* Reads "12" or "12.5" and moves *at behind it. -EINVAL: no number there; -ERANGE: more digits than can be counted. */
static int read_decimal(const char **at, Decimal *ret) {
        Decimal number = {0};
        const char *p = *at;
        if (!isdigit((unsigned char)*p))
                return -EINVAL;
        for (; isdigit((unsigned char)*p); p++)
                if (add_digit(&number.mantissa, *p) < 0)
                        return -ERANGE;
        if (*p == '.') {
                p++;
                if (!isdigit((unsigned char)*p))
                        return -EINVAL;
                for (; isdigit((unsigned char)*p); p++, number.decimals++)
                        if (add_digit(&number.mantissa, *p) < 0)
                                return -ERANGE;
        }
        *at = p;
        *ret = number;
        return 0;
}

/* number * factor when that is a whole number. -EDOM: it isn't. */
static int scale_exactly(Decimal number, int64_t factor, int64_t *ret) {
        int64_t scaled;
        if (__builtin_mul_overflow(number.mantissa, factor, &scaled))
                return -ERANGE;
        for (; number.decimals > 0; number.decimals--) {
                if (scaled % 10 != 0)
                        return -EDOM;
                scaled /= 10;
        }
        *ret = scaled;
        return 0;
}

static int refuse(Error *error, const char *text, const char *wrong, const char *allowed) {
        return error_set(error, -EINVAL, "'%.60s' %s; allowed: %s", text, wrong, allowed);
}

int units_parse_ratio(const char *text, int64_t *ret_ppm, Error *error) {
        const char *at = text;
        Decimal number;
        int64_t ppm = 0;
        int r = read_decimal(&at, &number);
        if (r == -EINVAL)
                return refuse(error, text, "is not a percentage", RATIO_ALLOWED);
        if (r == 0 && *at == '\0')
                return refuse(error, text, "has no % sign", RATIO_ALLOWED);
        if (r == 0 && strcmp(at, "%") != 0)
                return refuse(error, text, "has something behind the number that is not %", RATIO_ALLOWED);
        if (r == 0)
                r = scale_exactly(number, 10000, &ppm);
        if (r == -EDOM)
                return refuse(error, text, "has more than four decimals", RATIO_ALLOWED);
        if (r < 0 || ppm > 1000000)
                return error_set(error, -ERANGE, "'%.60s' is more than 100%% or has too many digits; allowed: %s", text,
                                 RATIO_ALLOWED);
        *ret_ppm = ppm;
        return 0;
}

static const Unit *find_unit(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
                if (strcmp(duration_units[i].name, name) == 0)
                        return &duration_units[i];
        return NULL;
}

int units_parse_duration(const char *text, int64_t *ret_us, Error *error) {
        const char *at = text;
        Decimal number;
        int64_t micros = 0;
        int r = read_decimal(&at, &number);
        if (r == -EINVAL)
                return refuse(error, text, "is not a duration", DURATION_ALLOWED);
        if (r == 0 && *at == '\0' && number.mantissa != 0)
                return refuse(error, text, "has no unit", DURATION_ALLOWED);
        if (r == 0 && *at != '\0') {
                const Unit *unit = find_unit(at);
                if (!unit)
                        return refuse(error, text, "has an unknown unit", DURATION_ALLOWED);
                r = scale_exactly(number, unit->micros, &micros);
        }
        if (r == -EDOM)
                return refuse(error, text, "is finer than a microsecond", DURATION_ALLOWED);
        if (r < 0)
                return error_set(error, -ERANGE, "'%.60s' is longer than can be counted; allowed: %s", text,
                                 DURATION_ALLOWED);
        *ret_us = micros;
        return 0;
}

int units_parse_count(const char *text, int64_t *ret_count, Error *error) {
        const char *at = text;
        Decimal number;
        int r = read_decimal(&at, &number);
        if (r == -ERANGE)
                return error_set(error, -ERANGE, "'%.60s' is larger than can be counted; allowed: %s", text,
                                 COUNT_ALLOWED);
        if (r < 0 || *at != '\0' || number.decimals > 0)
                return refuse(error, text, "is not a whole number", COUNT_ALLOWED);
        *ret_count = number.mantissa;
        return 0;
}

/* "250.4ms" of a whole and tenths; no ".0". */
static void print_tenths(char *buffer, size_t size, const char *sign, uint64_t us, uint64_t unit, const char *name) {
        uint64_t tenths = us / (unit / 10);
        if (tenths % 10 != 0)
                snprintf(buffer, size, "%s%" PRIu64 ".%" PRIu64 "%s", sign, tenths / 10, tenths % 10, name);
        else
                snprintf(buffer, size, "%s%" PRIu64 "%s", sign, tenths / 10, name);
}

static void print_pair(char *buffer, size_t size, const char *sign, uint64_t seconds, uint64_t unit, const char *name,
                       uint64_t small_unit, const char *small_name) {
        uint64_t rest = seconds % unit / small_unit;
        if (rest != 0)
                snprintf(buffer, size, "%s%" PRIu64 "%s%" PRIu64 "%s", sign, seconds / unit, name, rest, small_name);
        else
                snprintf(buffer, size, "%s%" PRIu64 "%s", sign, seconds / unit, name);
}

char *units_format_duration(int64_t us, char *buffer, size_t size) {
        const char *sign = us < 0 ? "-" : "";
        uint64_t micros = us < 0 ? -(uint64_t)us : (uint64_t)us, seconds = micros / 1000000;
        if (micros == 0)
                snprintf(buffer, size, "0s");
        else if (micros < 1000)
                snprintf(buffer, size, "%s%" PRIu64 "us", sign, micros);
        else if (seconds < 1)
                print_tenths(buffer, size, sign, micros, 1000, "ms");
        else if (seconds < 60)
                print_tenths(buffer, size, sign, micros, 1000000, "s");
        else if (seconds < 3600)
                print_pair(buffer, size, sign, seconds, 60, "m", 1, "s");
        else if (seconds < 86400)
                print_pair(buffer, size, sign, seconds, 3600, "h", 60, "m");
        else
                print_pair(buffer, size, sign, seconds, 86400, "d", 3600, "h");
        return buffer;
}

char *units_format_percent(int64_t numerator, int64_t denominator, char *buffer, size_t size) {
        if (denominator <= 0) {
                snprintf(buffer, size, "n/a");
                return buffer;
        }
        /* 128 bits: request counts times 10000 may leave 64 */
        bool negative = numerator < 0;
        unsigned __int128 share = (unsigned __int128)(negative ? -(uint64_t)numerator : (uint64_t)numerator) * 10000;
        uint64_t hundredths = (uint64_t)((share + (uint64_t)denominator / 2) / (uint64_t)denominator);
        snprintf(buffer, size, "%s%" PRIu64 ".%02" PRIu64 "%%", negative && hundredths ? "-" : "", hundredths / 100,
                 hundredths % 100);
        return buffer;
}

char *units_format_ratio(int64_t ppm, char *buffer, size_t size) {
        uint64_t amount = ppm < 0 ? -(uint64_t)ppm : (uint64_t)ppm;
        unsigned fraction = (unsigned)(amount % 10000), decimals = 4;
        for (; decimals > 1 && fraction % 10 == 0; decimals--)
                fraction /= 10;
        snprintf(buffer, size, "%s%" PRIu64 ".%0*u%%", ppm < 0 ? "-" : "", amount / 10000, (int)decimals, fraction);
        return buffer;
}

char *units_format_bytes(int64_t bytes, char *buffer, size_t size) {
        static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        const char *sign = bytes < 0 ? "-" : "";
        uint64_t amount = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
        if (amount < 1024) {
                snprintf(buffer, size, "%s%" PRIu64 " B", sign, amount);
                return buffer;
        }
        size_t i = 0;
        for (; amount >= 1024 * 1024 && i + 1 < ARRAY_SIZE(names); i++)
                amount /= 1024;
        snprintf(buffer, size, "%s%" PRIu64 ".%" PRIu64 " %s", sign, amount / 1024, amount % 1024 * 10 / 1024,
                 names[i]);
        return buffer;
}
