#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define USEC_IN_SEC INT64_C(1000000)

static int64_t read_clock(clockid_t id) {
        struct timespec now;
        clock_gettime(id, &now);
        return (int64_t)now.tv_sec * USEC_IN_SEC + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void) {
        return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void) {
        return read_clock(CLOCK_REALTIME);
}

char *clock_format_rfc3339(int64_t wall_us, char *buffer, size_t size) {
        int64_t micros = wall_us % USEC_IN_SEC;
        time_t seconds = (time_t)(wall_us / USEC_IN_SEC);
        if (micros < 0) { /* before 1970: the fraction counts upwards all the same */
                micros += USEC_IN_SEC;
                seconds--;
        }
        struct tm tm;
        char date[CLOCK_TEXT_MAX];
        if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
                snprintf(buffer, size, "n/a");
                return buffer;
        }
        snprintf(buffer, size, "%s.%03dZ", date, (int)(micros / 1000));
        return buffer;
}

static bool read_digits(const char **at, int count, int *ret_number) {
        int number = 0;
        for (int i = 0; i < count; i++) {
                char c = (*at)[i];
                if (c < '0' || c > '9')
                        return false;
                number = number * 10 + (c - '0');
        }
        *at += count;
        *ret_number = number;
        return true;
}

static bool read_char(const char **at, const char *allowed) {
        if (**at == '\0' || !strchr(allowed, **at))
                return false;
        (*at)++;
        return true;
}

static bool read_date(const char **at, struct tm *ret_tm) {
        struct tm tm = {0};
        if (!read_digits(at, 4, &tm.tm_year) || !read_char(at, "-") || !read_digits(at, 2, &tm.tm_mon) ||
            !read_char(at, "-") || !read_digits(at, 2, &tm.tm_mday) || !read_char(at, "Tt ") ||
            !read_digits(at, 2, &tm.tm_hour) || !read_char(at, ":") || !read_digits(at, 2, &tm.tm_min) ||
            !read_char(at, ":") || !read_digits(at, 2, &tm.tm_sec))
                return false;
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
            tm.tm_sec > 60)
                return false;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        *ret_tm = tm;
        return true;
}

static bool read_fraction(const char **at, int *ret_micros) {
        int micros = 0, scale = 100000;
        if (read_char(at, ".")) {
                if (**at < '0' || **at > '9')
                        return false;
                for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10) {
                        if (scale == 0)
                                return false;
                        micros += (**at - '0') * scale;
                }
        }
        *ret_micros = micros;
        return true;
}

static bool read_offset(const char **at, int *ret_seconds) {
        if (read_char(at, "Zz")) {
                *ret_seconds = 0;
                return true;
        }
        int sign = **at == '-' ? -1 : 1, hours, minutes;
        if (!read_char(at, "+-") || !read_digits(at, 2, &hours) || !read_char(at, ":") ||
            !read_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret_seconds = sign * (hours * 3600 + minutes * 60);
        return true;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us, Error *error) {
        const char *at = text;
        struct tm tm;
        int micros, offset;
        if (!read_date(&at, &tm) || !read_fraction(&at, &micros) || !read_offset(&at, &offset) || *at != '\0')
                return error_set(error, -EINVAL, "'%.40s' is not a time; write it as 2026-11-22T15:40:36.123Z", text);
        int day = tm.tm_mday, second = tm.tm_sec; /* a leap second is the next minute's first */
        tm.tm_sec = 0;
        time_t minute = timegm(&tm);
        if (tm.tm_mday != day) /* timegm() moved 31 February into March */
                return error_set(error, -EINVAL, "'%.40s' is not a time: that month has no such day", text);
        *ret_wall_us = ((int64_t)minute + second - offset) * USEC_IN_SEC + micros;
        return 0;
}
