#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

static Tone tone_of(const json_t *incident) {
        if (pick_is(incident, "state", "resolved"))
                return TONE_FAINT;
        return pick_is(incident, "severity", "P0") ? TONE_BAD : TONE_DOUBT;
}

static void print_row(const Terminal *out, const json_t *incident) {
        char opened[QUANTITY_MAX], state[128];
        const char *by = pick_text(incident, "resolved_by")[0] ? pick_text(incident, "resolved_by")
                                                               : pick_text(incident, "acknowledged_by");
        fprintf(out->file, "%4" PRId64 "  %s  ", pick_int(incident, "id", 0),
                quantity_time(pick(incident, "opened"), opened, sizeof opened));
        terminal_text(out, tone_of(incident), pick_text(incident, "severity"), 4, true);
        snprintf(state, sizeof state, "%s%s%s", pick_text(incident, "state"), by[0] ? " by " : "", by);
        terminal_text(out, TONE_PLAIN, state, 0, false);
        fputs("\n      ", out->file);
        terminal_wrap(out, TONE_PLAIN, pick_text(incident, "title"), 6, 6);
        fputs("\n      ", out->file);
        terminal_wrap(out, TONE_FAINT, pick_text(incident, "outcome"), 6, 6);
        fputc('\n', out->file);
}

void print_incidents(const Terminal *out, const json_t *answer) {
        const json_t *incidents = pick(answer, "incidents"), *incident;
        size_t index;
        if (json_array_size(incidents) == 0) {
                fprintf(out->file, "There has been no incident yet.\n");
                return;
        }
        terminal_say(out, TONE_STRONG, "  ID  OPENED                SEV STATE\n");
        json_array_foreach((json_t *)incidents, index, incident)
                print_row(out, incident);
        fprintf(out->file, "\nAll of one:  auto-rollback incidents show ID\n");
}

/* ---- one ---- */

static void print_line(const Terminal *out, const char *name, const char *text) {
        if (text[0] == '\0')
                return;
        fprintf(out->file, "%-14s", name);
        terminal_wrap(out, TONE_PLAIN, text, 14, 14);
        fputc('\n', out->file);
}

static void print_person(const Terminal *out, const json_t *incident, const char *name, const char *when,
                         const char *who) {
        char at[QUANTITY_MAX], text[256];
        if (!pick(incident, when))
                return;
        snprintf(text, sizeof text, "%s, by %s", quantity_time(pick(incident, when), at, sizeof at),
                 pick_text(incident, who));
        print_line(out, name, text);
}

static void print_head(const Terminal *out, const json_t *incident) {
        char text[256], opened[QUANTITY_MAX];
        snprintf(text, sizeof text, "Incident %" PRId64 ", %s, %s", pick_int(incident, "id", 0),
                 pick_text(incident, "severity"), pick_text(incident, "state"));
        terminal_say(out, tone_of(incident), "%s", text);
        fputc('\n', out->file);
        print_line(out, "What", pick_text(incident, "title"));
        print_line(out, "Outcome", pick_text(incident, "outcome"));
        print_line(out, "Opened", quantity_time(pick(incident, "opened"), opened, sizeof opened));
        print_person(out, incident, "Acknowledged", "acknowledged", "acknowledged_by");
        print_person(out, incident, "Resolved", "resolved", "resolved_by");
        if (pick(incident, "version")) {
                snprintf(text, sizeof text, "%s%s%s", pick_text(incident, "version"),
                         pick(incident, "release_state") ? ", now " : "", pick_text(incident, "release_state"));
                print_line(out, "Release", text);
        }
        print_line(out, "Target", pick_text(incident, "target"));
}

static void print_timeline(const Terminal *out, const json_t *incident) {
        const json_t *entry;
        size_t index;
        terminal_say(out, TONE_STRONG, "\nTimeline\n");
        json_array_foreach((json_t *)pick(incident, "timeline"), index, entry) {
                const char *at = pick_text(entry, "at");
                fprintf(out->file, "%.10s %.12s  ", at, strlen(at) > 11 ? at + 11 : "");
                terminal_wrap(out, TONE_PLAIN, pick_text(entry, "text"), 25, 25);
                fputc('\n', out->file);
        }
}

static Tone tone_of_line(const char *line) {
        return *line == '+' ? TONE_GOOD : *line == '-' ? TONE_BAD : *line == '@' ? TONE_FAINT : TONE_PLAIN;
}

static void print_diff(const Terminal *out, const char *diff) {
        while (*diff) {
                char line[512];
                size_t length = strcspn(diff, "\n");
                snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), diff);
                fputs("  ", out->file);
                terminal_text(out, tone_of_line(line), line, 0, false);
                fputc('\n', out->file);
                diff += length + (diff[length] == '\n');
        }
}

static void print_difference(const Terminal *out, const json_t *difference) {
        const json_t *item;
        size_t index;
        if (!difference)
                return;
        terminal_say(out, TONE_STRONG, "\nWhat %s changed against %s\n", pick_text(difference, "after"),
                     pick_text(difference, "before"));
        json_array_foreach((json_t *)pick(difference, "notes"), index, item)
                print_line(out, "", json_string_value(item) ? json_string_value(item) : "");
        json_array_foreach((json_t *)pick(difference, "files"), index, item) {
                fputs("  ", out->file);
                terminal_text(out, TONE_PLAIN, pick_text(item, "change"), 9, true);
                terminal_text(out, TONE_PLAIN, pick_text(item, "path"), 0, false);
                if (pick(item, "size_before") && pick(item, "size_after"))
                        fprintf(out->file, "  %" PRId64 " -> %" PRId64 " bytes", pick_int(item, "size_before", 0),
                                pick_int(item, "size_after", 0));
                fputc('\n', out->file);
        }
        json_array_foreach((json_t *)pick(difference, "texts"), index, item) {
                terminal_say(out, TONE_FAINT, "\n  %s\n", pick_text(item, "name"));
                print_diff(out, pick_text(item, "diff"));
        }
}

static void print_log(const Terminal *out, const json_t *log) {
        const json_t *line;
        size_t index;
        if (!log)
                return;
        terminal_say(out, TONE_STRONG, "\nThe last lines of %s\n", pick_text(log, "version"));
        json_array_foreach((json_t *)pick(log, "lines"), index, line) {
                const char *at = pick_text(line, "at");
                fputs("  ", out->file);
                if (strlen(at) > 11)
                        fprintf(out->file, "%.12s ", at + 11);
                terminal_text(out, TONE_PLAIN, pick_text(line, "text"), 0, false);
                fputc('\n', out->file);
        }
        if (pick_text(log, "note")[0]) {
                terminal_say(out, TONE_FAINT, "  %s", pick_text(log, "note"));
                fputc('\n', out->file);
        }
}

void print_incident(const Terminal *out, const json_t *incident) {
        print_head(out, incident);
        print_timeline(out, incident);
        print_difference(out, pick(incident, "difference"));
        print_log(out, pick(incident, "log"));
        print_log(out, pick(incident, "target_log"));
        fprintf(out->file, "\nThe report, with pictures:  %s\n", pick_text(incident, "report"));
}

void print_incident_change(const Terminal *out, const json_t *incident, const char *done) {
        char at[QUANTITY_MAX], by_key[32];
        snprintf(by_key, sizeof by_key, "%s_by", done);
        if (!pick(incident, done)) { /* resolved, and never acknowledged */
                fprintf(out->file, "Incident %" PRId64 " is %s already.\n", pick_int(incident, "id", 0),
                        pick_text(incident, "state"));
                return;
        }
        fprintf(out->file, "Incident %" PRId64 " is %s", pick_int(incident, "id", 0), done);
        terminal_say(out, TONE_PLAIN, " since %s, by %s.\n", quantity_time(pick(incident, done), at, sizeof at),
                     pick_text(incident, by_key));
}
