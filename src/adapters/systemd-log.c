#include "adapters/systemd-log.h"

#include "base/macros.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-journal.h>

#define FIELD_BYTES 4096 /* of a longer message the rest is left out */

static void cleanup_journal(sd_journal **journal) {
        sd_journal_close(*journal);
}

/* What the unit itself has written, and what systemd has said of it. */
static int match_unit(sd_journal *journal, const char *unit) {
        char own[UNIT_NAME_MAX + 16], about[UNIT_NAME_MAX + 16];
        snprintf(own, sizeof own, "_SYSTEMD_UNIT=%s", unit);
        snprintf(about, sizeof about, "UNIT=%s", unit);
        int r = sd_journal_add_match(journal, own, 0);
        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        if (r >= 0)
                r = sd_journal_add_match(journal, about, 0);
        if (r >= 0)
                r = sd_journal_add_match(journal, "_PID=1", 0);
        return r < 0 ? r : sd_journal_add_disjunction(journal);
}

static int open_at_end(const UnitSet *units, sd_journal **ret_journal) {
        int r = sd_journal_open(ret_journal, SD_JOURNAL_LOCAL_ONLY);
        for (unsigned i = 0; r >= 0 && i < units->count; i++)
                r = match_unit(*ret_journal, units->names[i]);
        if (r >= 0)
                r = sd_journal_set_data_threshold(*ret_journal, FIELD_BYTES);
        return r < 0 ? r : sd_journal_seek_tail(*ret_journal);
}

/* "NAME=value": the value, cut to `size`. */
static void read_field(sd_journal *journal, const char *name, char *buffer, size_t size) {
        const void *data;
        size_t length, prefix = strlen(name) + 1;
        buffer[0] = '\0';
        if (sd_journal_get_data(journal, name, &data, &length) < 0 || length < prefix)
                return;
        length -= prefix;
        snprintf(buffer, size, "%.*s", (int)(length < size ? length : size - 1), (const char *)data + prefix);
}

typedef struct Found {
        int64_t at_wall;
        char *text;
} Found;

/* -ENOMEM */
static int read_line(sd_journal *journal, uint64_t at, Found *ret_found) {
        char who[64], pid[16], message[FIELD_BYTES], *text = NULL;
        read_field(journal, "SYSLOG_IDENTIFIER", who, sizeof who);
        read_field(journal, "_PID", pid, sizeof pid);
        read_field(journal, "MESSAGE", message, sizeof message);
        if (asprintf(&text, "%s[%s]: %s", who[0] ? who : "unknown", pid, message) < 0)
                return -ENOMEM;
        *ret_found = (Found){(int64_t)at, text};
        return 0;
}

/* Backwards from the end, as long as there are some that are wanted. */
static int collect(sd_journal *journal, int64_t since_wall, int64_t until_wall, unsigned max, Found *found,
                   unsigned *count) {
        int r = 0;
        while (*count < max && (r = sd_journal_previous(journal)) > 0) {
                uint64_t at = 0;
                r = sd_journal_get_realtime_usec(journal, &at);
                if (r < 0 || (int64_t)at < since_wall)
                        break;
                if ((int64_t)at > until_wall)
                        continue;
                r = read_line(journal, at, &found[*count]);
                if (r < 0)
                        break;
                ++*count;
        }
        return r < 0 ? r : 0;
}

int systemd_last_lines(UNUSED const Settings *settings, const UnitSet *units, int64_t since_wall, int64_t until_wall,
                       unsigned max, UnitsLine visit, void *userdata, Error *error) {
        CLEANUP(cleanup_journal) sd_journal *journal = NULL;
        AUTO_FREE Found *found = calloc(max + 1, sizeof *found);
        unsigned count = 0;
        if (units->count == 0)
                return 0;
        int r = found ? open_at_end(units, &journal) : -ENOMEM;
        if (r >= 0)
                r = collect(journal, since_wall, until_wall, max, found, &count);
        for (unsigned i = count; i-- > 0;) {
                visit(userdata, found[i].at_wall, found[i].text);
                free(found[i].text);
        }
        return r < 0 ? error_set(error, r, "the journal of %s can't be read: %s", units->names[0], strerror(-r)) : 0;
}
