/* The text form of a log line, and the sinks that write it. */
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 4096 /* at most PIPE_BUF: a pipe takes such a line whole or not at all */
#define PATIENCE_MS 100
#define FOLLOW_EVERY_US INT64_C(1000000)

/* ---- the line ---- */

/* A line being put together. Keeps one byte for the newline; what doesn't fit is left out. */
typedef struct Line {
        char *text;
        size_t size, used;
} Line;

static bool put(Line *line, const char *bytes, size_t count) {
        if (line->used + count + 1 > line->size)
                return false;
        memcpy(line->text + line->used, bytes, count);
        line->used += count;
        return true;
}

static bool put_text(Line *line, const char *text) {
        return put(line, text, strlen(text));
}

static bool is_tail(unsigned char byte) {
        return (byte & 0xc0) == 0x80;
}

/* Bytes of the harmless UTF-8 character at `p`, or 0 when it must be escaped: control characters (also the C1 ones, which
 * terminals obey), broken sequences, and line separators. */
static size_t harmless_length(const unsigned char *p) {
        if (p[0] < 0x80)
                return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                return is_tail(p[1]) && !(p[0] == 0xc2 && p[1] < 0xa0) ? 2 : 0;
        if ((p[0] & 0xf0) == 0xe0) {
                if (!is_tail(p[1]) || !is_tail(p[2]) || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))
                        return 0;
                bool separator = p[0] == 0xe2 && p[1] == 0x80 &&
                                 (p[2] == 0xa8 || p[2] == 0xa9 || (p[2] >= 0xaa && p[2] <= 0xae));
                return separator ? 0 : 3;
        }
        if (p[0] >= 0xf0 && p[0] <= 0xf4)
                return is_tail(p[1]) && is_tail(p[2]) && is_tail(p[3]) && !(p[0] == 0xf0 && p[1] < 0x90) &&
                                       !(p[0] == 0xf4 && p[1] >= 0x90)
                               ? 4
                               : 0;
        return 0;
}

static void put_escaped(Line *line, const char *text, const char *also) {
        for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
                size_t length = harmless_length(p);
                char escape[8];
                if (length == 1 && strchr(also, *p))
                        length = 0;
                if (length > 0) {
                        if (!put(line, (const char *)p, length))
                                return;
                        p += length;
                        continue;
                }
                if (*p == '\n')
                        snprintf(escape, sizeof escape, "\\n");
                else if (*p == '\t')
                        snprintf(escape, sizeof escape, "\\t");
                else if (*p == '"' || *p == '\\')
                        snprintf(escape, sizeof escape, "\\%c", *p);
                else
                        snprintf(escape, sizeof escape, "\\x%02x", *p);
                if (!put_text(line, escape))
                        return;
                p++;
        }
}

static void put_field(Line *line, const LogField *field) {
        const char *value = field->value ? field->value : "";
        bool quote = value[0] == '\0' || strpbrk(value, " \"=\\") != NULL;
        put_text(line, field->name);
        put_text(line, quote ? "=\"" : "=");
        put_escaped(line, value, quote ? "\"\\" : "");
        put_text(line, quote ? "\" " : " ");
}

static size_t format_line(const LogEntry *entry, bool with_time, char *buffer, size_t size) {
        Line line = {.text = buffer, .size = size};
        char when[CLOCK_TEXT_MAX];
        if (with_time) {
                put_text(&line, clock_format_rfc3339(entry->wall_us, when, sizeof when));
                put_text(&line, " ");
        }
        put_text(&line, log_level_word(entry->level));
        put_text(&line, " ");
        for (const LogField *field = entry->fields; field->name; field++)
                put_field(&line, field);
        put_escaped(&line, entry->message, "");
        buffer[line.used++] = '\n';
        return line.used;
}

size_t log_format_line(const LogEntry *entry, char *buffer, size_t size) {
        return format_line(entry, true, buffer, size);
}

/* ---- the sinks ---- */

typedef struct TextSink {
        LogSink sink;
        int fd;
        bool with_time;
        bool torn;             /* the last line was cut by a full disk: the next begins with a newline */
        char *path;            /* NULL: the descriptor is somebody else's */
        int64_t followed_mono; /* when it was last looked whether the path still leads to our file; 0: never */
} TextSink;

/* A reader that sleeps must not stop us; one that is only busy gets a moment, until it has cost us a line. */
static int wait_writable(const TextSink *text) {
        struct pollfd poll_fd = {.fd = text->fd, .events = POLLOUT};
        int r = poll(&poll_fd, 1, text->sink.lost > 0 ? 0 : PATIENCE_MS);
        if (r < 0)
                return -errno;
        if (r == 0)
                return -EAGAIN;
        return poll_fd.revents & POLLNVAL ? -EBADF : 0;
}

static int text_reopen(LogSink *sink, Error *error);

static bool is_in_place(const TextSink *text) {
        struct stat at_path, ours;
        return stat(text->path, &at_path) == 0 && fstat(text->fd, &ours) == 0 && at_path.st_dev == ours.st_dev &&
               at_path.st_ino == ours.st_ino;
}

/* Somebody may have removed the file, or rotated it without telling us. */
static void follow_path(TextSink *text) {
        int64_t now = clock_mono_us();
        if (text->followed_mono != 0 && now - text->followed_mono < FOLLOW_EVERY_US)
                return;
        text->followed_mono = now;
        if (!is_in_place(text))
                (void)text_reopen(&text->sink, NULL); /* tried again in a second */
}

static int text_write(LogSink *sink, const LogEntry *entry) {
        TextSink *text = (TextSink *)sink;
        if (text->path)
                follow_path(text);
        char line[LINE_MAX_BYTES];
        size_t start = text->torn ? 1 : 0;
        line[0] = '\n';
        size_t size = start + format_line(entry, text->with_time, line + start, sizeof line - start);
        int r = wait_writable(text);
        if (r < 0)
                return r;
        ssize_t written = write(text->fd, line, size);
        if (written < 0)
                return -errno;
        if (written > 0)
                text->torn = (size_t)written < size;
        return (size_t)written < size ? -ENOSPC : 0;
}

static void text_close(LogSink *sink) {
        TextSink *text = (TextSink *)sink;
        if (text->path && text->fd >= 0)
                close(text->fd);
        free(text->path);
        free(text);
}

static int open_log(const char *path, int *ret_fd, Error *error) {
        /* O_NONBLOCK: a FIFO without a reader must not hold us */
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
        if (fd < 0)
                return error_set(error, -errno, "log file %s: %s", path, strerror(errno));
        *ret_fd = fd;
        return 0;
}

/* Keeps the old descriptor when the new one can't be had: lines in a rotated file are better than none. */
static int text_reopen(LogSink *sink, Error *error) {
        TextSink *text = (TextSink *)sink;
        int fd = -1, r = open_log(text->path, &fd, error);
        if (r < 0)
                return r;
        close(text->fd);
        text->fd = fd;
        text->torn = false;
        return 0;
}

int log_sink_text(int fd, bool with_time, LogSink **ret_sink, Error *error) {
        TextSink *text = calloc(1, sizeof *text);
        if (!text)
                return error_set(error, -ENOMEM, "out of memory");
        *text = (TextSink){.sink = {.write = text_write, .close = text_close}, .fd = fd, .with_time = with_time};
        *ret_sink = &text->sink;
        return 0;
}

int log_sink_file(const char *path, LogSink **ret_sink, Error *error) {
        AUTO_CLOSE int fd = -1;
        int r = open_log(path, &fd, error);
        if (r < 0)
                return r;
        r = log_sink_text(fd, true, ret_sink, error);
        if (r < 0)
                return r;
        TextSink *text = (TextSink *)*ret_sink;
        text->path = strdup(path);
        if (!text->path) {
                free(text);
                *ret_sink = NULL;
                return error_set(error, -ENOMEM, "out of memory");
        }
        text->fd = TAKE_FD(fd);
        text->sink.reopen = text_reopen;
        return 0;
}
