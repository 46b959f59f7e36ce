#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define SINKS_MAX 4
#define MESSAGE_MAX 2048

static LogSink *sinks[SINKS_MAX];
static size_t sink_count;

static const char *const level_words[] = {
        [LEVEL_DEBUG] = "DEBUG", [LEVEL_INFO] = "INFO",   [LEVEL_WARN] = "WARN",
        [LEVEL_ERROR] = "ERROR", [LEVEL_ALERT] = "ALERT",
};

const char *log_level_word(LogLevel level) {
        return level_words[level];
}

int log_add_sink(LogSink *sink, Error *error) {
        if (sink_count == SINKS_MAX)
                return error_set(error, -ENOSPC, "there are already %d log sinks", SINKS_MAX);
        sinks[sink_count++] = sink;
        return 0;
}

void log_remove_sinks(void) {
        while (sink_count > 0) {
                LogSink *sink = sinks[--sink_count];
                if (sink->close)
                        sink->close(sink);
        }
}

int log_reopen(Error *error) {
        int first = 0;
        for (size_t i = 0; i < sink_count; i++) {
                if (!sinks[i]->reopen)
                        continue;
                int r = sinks[i]->reopen(sinks[i], first == 0 ? error : NULL);
                if (first == 0)
                        first = r;
        }
        return first;
}

/* A sink that takes lines again is told first how many it missed. */
static int tell_lost(LogSink *sink, int64_t wall_us) {
        static const LogField none[] = {{0}};
        char message[160];
        snprintf(message, sizeof message, "%" PRId64 " log line%s could not be written here: %s", sink->lost,
                 sink->lost == 1 ? "" : "s", strerror(-sink->last_errno));
        const LogEntry entry = {.level = LEVEL_WARN, .wall_us = wall_us, .fields = none, .message = message};
        int r = sink->write(sink, &entry);
        if (r == 0)
                sink->lost = 0;
        return r;
}

static void write_to(LogSink *sink, const LogEntry *entry) {
        if (entry->level < sink->threshold)
                return;
        int r = sink->lost > 0 ? tell_lost(sink, entry->wall_us) : 0;
        if (r == 0)
                r = sink->write(sink, entry);
        if (r < 0) {
                sink->lost++;
                sink->last_errno = r;
                sink->lost_wall = entry->wall_us;
        } else {
                sink->written_wall = entry->wall_us;
        }
}

bool log_file_state(LogFileState *ret_state) {
        for (size_t i = 0; i < sink_count; i++) {
                const LogSink *sink = sinks[i];
                if (!sink->reopen) /* only a file can be opened again */
                        continue;
                *ret_state = (LogFileState){.written_wall = sink->written_wall,
                                            .lost_wall = sink->lost_wall,
                                            .lost = sink->lost,
                                            .last_errno = sink->last_errno};
                return true;
        }
        return false;
}

void log_event(LogLevel level, const LogField *fields, const char *format, ...) {
        static const LogField none[] = {{0}};
        char message[MESSAGE_MAX];
        int saved_errno = errno; /* so that logging between a call and the look at errno is harmless */
        va_list args;
        va_start(args, format);
        vsnprintf(message, sizeof message, format, args);
        va_end(args);
        const LogEntry entry = {
                .level = level,
                .wall_us = clock_wall_us(),
                .fields = fields ? fields : none,
                .message = message,
        };
        for (size_t i = 0; i < sink_count; i++)
                write_to(sinks[i], &entry);
        errno = saved_errno;
}
