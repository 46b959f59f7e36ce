/* Structured log lines to sinks the program registers. Called by daemon, api and cli alone: everybody else returns an Error.
 * A line a sink can't take (full disk, dead pipe) is never fatal: it is counted, and the count is told to that sink as soon as
 * it takes lines again. One thread, as the whole program. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum LogLevel { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR, LEVEL_ALERT } LogLevel;

/* One structured field: {"run", "12"}. Arrays end with a field whose name is NULL. */
typedef struct LogField {
        const char *name;
        const char *value;
} LogField;

typedef struct LogEntry {
        LogLevel level;
        int64_t wall_us;
        const LogField *fields; /* never NULL */
        const char *message;    /* as given: a sink for a text format escapes it, see log_format_line() */
} LogEntry;

typedef struct LogSink LogSink;
struct LogSink {
        int (*write)(LogSink *sink, const LogEntry *entry); /* 0 or negative errno; must not block */
        int (*reopen)(LogSink *sink, Error *error);         /* after log rotation; NULL: nothing to do */
        void (*close)(LogSink *sink);                       /* frees the sink; NULL: nothing to do */
        LogLevel threshold;                                 /* lower levels are not written */
        int64_t lost;                    /* lines it could not take since the last it took; log.c's own */
        int last_errno;                  /* why it lost the newest */
        int64_t written_wall, lost_wall; /* when it took the newest line, and missed the newest; 0: never */
};

/* Of the log file, as its writer knows it: a file's own time also moves when half a line was written. */
typedef struct LogFileState {
        int64_t written_wall; /* of the newest line that was taken; 0: none yet */
        int64_t lost_wall;    /* of the newest that was not; 0: none */
        int64_t lost;         /* lines missed since the newest that was taken */
        int last_errno;
} LogFileState;
bool log_file_state(LogFileState *ret_state); /* false: there is no log file */

int log_add_sink(LogSink *sink, Error *error); /* log.c owns it from now on; -ENOSPC: too many */
void log_remove_sinks(void);                   /* closes them all */
int log_reopen(Error *error);                  /* SIGHUP: the first error, after trying all */

void log_event(LogLevel level, const LogField *fields, const char *format, ...) PRINTF_LIKE(3, 4);
#define log_debug(...) log_event(LEVEL_DEBUG, NULL, __VA_ARGS__)
#define log_info(...) log_event(LEVEL_INFO, NULL, __VA_ARGS__)
#define log_warn(...) log_event(LEVEL_WARN, NULL, __VA_ARGS__)
#define log_error(...) log_event(LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_alert(...) log_event(LEVEL_ALERT, NULL, __VA_ARGS__)

const char *log_level_word(LogLevel level); /* "DEBUG" "INFO" "WARN" "ERROR" "ALERT" */

/* `2026-11-22T15:40:36.123Z INFO run=12 step=drain_traffic message`, newline included, always one line: control characters
 * and broken UTF-8 are escaped, values with spaces quoted. Cut to `size` when too long. Returns the length. */
size_t log_format_line(const LogEntry *entry, char *buffer, size_t size);

/* Text lines to a descriptor somebody else owns (2 for stderr). With `with_time` false the time is left out: systemd adds it. */
int log_sink_text(int fd, bool with_time, LogSink **ret_sink, Error *error);

/* Text lines appended to the file at `path`, created 0640. -errno when it can't be opened. A rotation is followed at once by
 * log_reopen() (SIGHUP), and without being told, as is a removal, by the first line written a second or more after it; while the
 * file can't be made anew the old one is written on. */
int log_sink_file(const char *path, LogSink **ret_sink, Error *error);
