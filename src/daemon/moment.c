#include "daemon/moment.h"

#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

int moment_parse(const char *text, int64_t now_wall, int64_t *ret_wall, Error *error) {
        int64_t ago = 0;
        if (strcmp(text, "now") != 0 && units_parse_duration(text, &ago, NULL) < 0) {
                char day[CLOCK_TEXT_MAX];
                snprintf(day, sizeof day, "%.16sT00:00:00Z", text);
                if (clock_parse_rfc3339(text, ret_wall, NULL) == 0 || clock_parse_rfc3339(day, ret_wall, NULL) == 0)
                        return 0;
                return error_set(
                        error, -EINVAL,
                        "'%.40s' is no time; allowed: 2026-11-22, 2026-11-22T15:40:36Z, or how long ago, such as 24h or 7d",
                        text);
        }
        *ret_wall = now_wall - ago;
        return 0;
}
