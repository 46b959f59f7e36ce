/* What psql is fed: a file in memory, which needs no disk, and which nobody else can change. */
#include "adapters/postgres-child.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

int pg_feed_open(PgFeed *feed, Error *error) {
        *feed = (PgFeed){.fd = memfd_create("sql", MFD_CLOEXEC)};
        if (feed->fd < 0)
                return error_set(error, -errno, "no memory for what psql is to be fed: %s", strerror(errno));
        return 0;
}

void pg_feed_close(PgFeed *feed) {
        if (feed->fd > 0)
                close(feed->fd);
        *feed = (PgFeed){0};
}

void pg_feed_text(PgFeed *feed, const char *text, size_t size) {
        while (size > 0 && feed->failed == 0) {
                ssize_t n = write(feed->fd, text, size);
                if (n < 0 && errno != EINTR)
                        feed->failed = -errno;
                if (n > 0) {
                        text += n;
                        size -= (size_t)n;
                }
        }
}

void pg_feed_format(PgFeed *feed, const char *format, ...) {
        AUTO_FREE char *text = NULL;
        va_list args;
        va_start(args, format);
        int length = vasprintf(&text, format, args);
        va_end(args);
        if (length < 0) {
                text = NULL;
                feed->failed = feed->failed ? feed->failed : -ENOMEM;
        } else
                pg_feed_text(feed, text, (size_t)length);
}

static unsigned count_newlines(const char *text, size_t size) {
        unsigned count = 0;
        for (const char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))); at++)
                count++;
        return count;
}

/* Of what is there; pg_dump may have written a part of it. */
static unsigned count_lines(PgFeed *feed) {
        char data[16384];
        unsigned count = 0;
        off_t at = 0;
        ssize_t n;
        while ((n = pread(feed->fd, data, sizeof data, at)) > 0) {
                count += count_newlines(data, (size_t)n);
                at += n;
        }
        return count;
}

void pg_feed_script(PgFeed *feed, const char *script, size_t size) {
        feed->script_from = count_lines(feed) + 1;
        feed->script_lines = count_newlines(script, size) + 1;
        pg_feed_text(feed, script, size);
        pg_feed_text(feed, "\n;\n", 3); /* ends what the script may have left open */
}

int pg_feed_check(const PgFeed *feed, Error *error) {
        if (feed->failed == 0 && lseek(feed->fd, 0, SEEK_SET) < 0)
                return error_set(error, -errno, "what psql is to be fed: %s", strerror(errno));
        return feed->failed < 0 ? error_set(error, feed->failed, "no memory for what psql is to be fed: %s",
                                            strerror(-feed->failed))
                                : 0;
}

void pg_feed_error(const PgFeed *feed, const char *script, const char *said, const ProcessExit *exit, Error *error) {
        char text[400], how[96];
        unsigned line = 0;
        pg_child_error(said, text, sizeof text, &line);
        if (line >= feed->script_from && line < feed->script_from + feed->script_lines)
                error_set(error, -EPROTO, "%s line %u: %s", script, line - feed->script_from + 1, text);
        else if (text[0])
                error_set(error, -EPROTO, "%s", text);
        else
                error_set(error, -EPROTO, "psql %s", process_exit_format(exit, how, sizeof how));
}
