#include "daemon/log-journald.h"

#include <ctype.h>
#include <errno.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#define FIELDS_MAX 12
#define FIELD_SIZE 768

static int priority(LogLevel level) {
        switch (level) {
        case LEVEL_DEBUG:
                return LOG_DEBUG;
        case LEVEL_INFO:
                return LOG_INFO;
        case LEVEL_WARN:
                return LOG_WARNING;
        case LEVEL_ERROR:
                return LOG_ERR;
        case LEVEL_ALERT:
                return LOG_ALERT;
        }
        return LOG_INFO;
}

static int write_entry(LogSink *sink, const LogEntry *entry) {
        static char texts[FIELDS_MAX][FIELD_SIZE]; /* one thread; too large for the stack of a library call */
        struct iovec fields[FIELDS_MAX];
        int count = 0;
        (void)sink;
        fields[count++].iov_len = (size_t)snprintf(texts[0], FIELD_SIZE, "PRIORITY=%d", priority(entry->level));
        fields[count++].iov_len = (size_t)snprintf(texts[1], FIELD_SIZE, "MESSAGE=%.700s", entry->message);
        for (const LogField *field = entry->fields; field->name && count < FIELDS_MAX; field++, count++) {
                fields[count].iov_len =
                        (size_t)snprintf(texts[count], FIELD_SIZE, "NOVACRON_%.32s=%.700s", field->name, field->value);
                for (char *c = texts[count]; *c != '=' && *c; c++)
                        *c = (char)toupper((unsigned char)*c);
        }
        for (int i = 0; i < count; i++)
                fields[i].iov_base = texts[i];
        return sd_journal_sendv(fields, count);
}

static void close_sink(LogSink *sink) {
        free(sink);
}

int log_sink_journald(LogSink **ret_sink, Error *error) {
        LogSink *sink = calloc(1, sizeof *sink);
        if (!sink)
                return error_set(error, -ENOMEM, "out of memory");
        *sink = (LogSink){.write = write_entry, .close = close_sink, .threshold = LEVEL_INFO};
        *ret_sink = sink;
        return 0;
}
