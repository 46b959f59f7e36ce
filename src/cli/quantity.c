#include "cli/quantity.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char *unknown(char *buffer, size_t size) {
        snprintf(buffer, size, "unknown");
        return buffer;
}

/* "99.80" -> "99.8", "100.00" -> "100" */
static void trim_zeros(char *text) {
        if (!strchr(text, '.'))
                return;
        size_t length = strlen(text);
        while (text[length - 1] == '0')
                text[--length] = '\0';
        if (text[length - 1] == '.')
                text[length - 1] = '\0';
}

char *quantity_percent(const json_t *value, char *buffer, size_t size) {
        if (!json_is_number(value))
                return unknown(buffer, size);
        double percent = json_number_value(value);
        /* 0.001 % isn't nothing, and 99.999 % isn't all */
        bool misleading = (percent > 0 && percent < 0.005) || (percent < 100 && percent >= 99.995);
        char text[QUANTITY_MAX];
        snprintf(text, sizeof text, misleading ? "%.4f" : "%.2f", percent);
        trim_zeros(text);
        snprintf(buffer, size, "%s%%", text);
        return buffer;
}

char *quantity_ms(const json_t *value, char *buffer, size_t size) {
        if (!json_is_number(value))
                return unknown(buffer, size);
        char text[QUANTITY_MAX];
        snprintf(text, sizeof text, "%.1f", json_number_value(value));
        trim_zeros(text);
        snprintf(buffer, size, "%sms", text);
        return buffer;
}

char *quantity_seconds(const json_t *value, char *buffer, size_t size) {
        if (!json_is_number(value))
                return unknown(buffer, size);
        double seconds = json_number_value(value) / 1000;
        if (seconds >= 120)
                snprintf(buffer, size, "%dm %ds", (int)seconds / 60, (int)seconds % 60);
        else
                snprintf(buffer, size, seconds < 10 ? "%.3f s" : "%.1f s", seconds);
        return buffer;
}

char *quantity_time(const json_t *value, char *buffer, size_t size) {
        int64_t wall_us;
        if (!json_is_string(value) || clock_parse_rfc3339(json_string_value(value), &wall_us, NULL) < 0)
                return unknown(buffer, size);
        time_t seconds = (time_t)(wall_us / 1000000);
        struct tm utc;
        if (!gmtime_r(&seconds, &utc) || strftime(buffer, size, "%Y-%m-%d %H:%M:%SZ", &utc) == 0)
                return unknown(buffer, size);
        return buffer;
}
