#include "cli/progress.h"

#include "base/clock.h"
#include "base/macros.h"
#include "cli/pick.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define BAR_WIDTH 10
#define TELL_ACTING_AFTER_MS 1000 /* plain lines: a step that is done sooner gets one line, not two */

static bool acting(const json_t *step) {
        return pick_is(step, "state", "acting");
}

static bool failed(const json_t *step) {
        return pick_is(step, "state", "failed") || pick_is(step, "state", "timed_out");
}

/* Nothing was touched: that the other steps were left out goes without saying, and why stands at the end. */
static bool refused(const json_t *run) {
        return failed(json_array_get(pick(run, "steps"), 0));
}

static bool hidden(const json_t *run, const json_t *step) {
        return refused(run) && pick_is(step, "state", "skipped");
}

static const char *shown_detail(const json_t *run, const json_t *step) {
        return refused(run) ? "" : pick_text(step, "detail");
}

/* What the step has taken so far, in ms; -1: it hasn't begun. */
static double taken_ms(const json_t *step) {
        double ms;
        int64_t started;
        if (pick_number(step, "duration_ms", &ms))
                return ms;
        if (!acting(step) || clock_parse_rfc3339(pick_text(step, "started"), &started, NULL) < 0)
                return -1;
        int64_t passed = clock_wall_us() - started;
        return passed > 0 ? (double)passed / 1000 : 0;
}

static char *seconds_text(double ms, char *buffer, size_t size) {
        json_t *value = json_real(ms);
        quantity_seconds(value, buffer, size);
        json_decref(value);
        return buffer;
}

/* "30 s", "0.5 s" */
static char *budget_text(const json_t *step, char *buffer, size_t size) {
        snprintf(buffer, size, "%g s", (double)pick_int(step, "budget_ms", 0) / 1000);
        return buffer;
}

/* ---- plain lines ---- */

static void lower_first(char *text) {
        if (text[0] >= 'A' && text[0] <= 'Z')
                text[0] = (char)(text[0] - 'A' + 'a');
}

static void tell_step(const Progress *progress, const json_t *step, bool recovery, size_t last) {
        char title[64], taken[QUANTITY_MAX], budget[QUANTITY_MAX];
        const char *detail = shown_detail(progress->run, step), *state = pick_text(step, "state");
        snprintf(title, sizeof title, "%s", pick_text(step, "title"));
        lower_first(title);
        terminal_say(&progress->terminal, TONE_PLAIN, "%sstep %" PRId64 "/%zu %s: ", recovery ? "putting back: " : "",
                     pick_int(step, "step", 0), last, title);
        if (acting(step))
                terminal_say(&progress->terminal, TONE_PLAIN, "under way, up to %s",
                             budget_text(step, budget, sizeof budget));
        else if (taken_ms(step) < 0)
                terminal_say(&progress->terminal, TONE_PLAIN, "%s", state);
        else
                terminal_say(&progress->terminal, TONE_PLAIN, "%s %s %s of %s",
                             strcmp(state, "timed_out") == 0 ? "timed out" : state,
                             strcmp(state, "done") == 0 ? "in" : "after",
                             seconds_text(taken_ms(step), taken, sizeof taken),
                             budget_text(step, budget, sizeof budget));
        terminal_say(&progress->terminal, TONE_PLAIN, "%s%s", detail[0] ? ": " : "", detail);
        fputc('\n', progress->terminal.file);
}

static void tell_changes(Progress *progress, const char *list, bool recovery) {
        const json_t *steps = pick(progress->run, list), *step;
        size_t index, last = json_array_size(pick(progress->run, "steps"));
        json_array_foreach((json_t *)steps, index, step) {
                int64_t id = pick_int(step, "step", -1);
                const char *state = pick_text(step, "state");
                if (id < 0 || id >= STEP_COUNT || strcmp(state, "pending") == 0 || hidden(progress->run, step))
                        continue;
                ProgressSeen *seen = &progress->seen[recovery][id];
                const char *detail = pick_text(step, "detail");
                bool same = strcmp(seen->state, state) == 0 && seen->attempt == pick_int(step, "attempt", 0);
                bool further = acting(step) && strcmp(seen->detail, detail) != 0;
                if (same && (!acting(step) || seen->told_acting) && !further)
                        continue;
                bool tell = !acting(step) || taken_ms(step) >= TELL_ACTING_AFTER_MS;
                snprintf(seen->state, sizeof seen->state, "%s", state);
                seen->attempt = pick_int(step, "attempt", 0);
                seen->told_acting = acting(step) && tell;
                if (tell)
                        snprintf(seen->detail, sizeof seen->detail, "%s", detail);
                if (tell)
                        tell_step(progress, step, recovery, last > 0 ? last - 1 : 0);
        }
}

static void tell_header(const Progress *progress) {
        bool rollback = pick_is(progress->run, "kind", "rollback");
        const char *from = pick_text(progress->run, "from");
        terminal_say(&progress->terminal, TONE_STRONG, "%s %" PRId64 ": %s%s%s (%s, by %s)",
                     rollback ? "rollback" : "deployment", pick_int(progress->run, "id", 0), from,
                     from[0] ? " -> " : "", pick_text(progress->run, "to"), pick_text(progress->run, "mode"),
                     pick_text(progress->run, "initiator"));
        fputc('\n', progress->terminal.file);
}

static void tell(Progress *progress) {
        if (!progress->begun)
                tell_header(progress);
        progress->begun = true;
        tell_changes(progress, "steps", false);
        tell_changes(progress, "recovery", true);
        fflush(progress->terminal.file);
}

/* ---- the live view ---- */

static Tone step_tone(const json_t *step) {
        return pick_is(step, "state", "done") ? TONE_GOOD
               : failed(step)                 ? TONE_BAD
               : acting(step)                 ? TONE_STRONG
                                              : TONE_FAINT;
}

static const char *step_mark(const Progress *progress, const json_t *step) {
        bool utf8 = progress->terminal.utf8;
        if (pick_is(step, "state", "done"))
                return utf8 ? "✓" : "+";
        if (failed(step))
                return utf8 ? "✗" : "x";
        if (acting(step))
                return utf8 ? "▸" : ">";
        return pick_is(step, "state", "skipped") ? "-" : " ";
}

/* How much of its budget a step has taken. */
static void draw_bar(const Progress *progress, const json_t *step) {
        double budget = (double)pick_int(step, "budget_ms", 0), taken = taken_ms(step);
        int filled = taken < 0 || budget <= 0 ? 0
                     : taken >= budget        ? BAR_WIDTH
                                              : (int)(taken / budget * BAR_WIDTH + 0.5);
        char bar[BAR_WIDTH * 4 + 1] = "";
        for (int i = 0; i < BAR_WIDTH; i++)
                strcat(bar, progress->terminal.utf8 ? (i < filled ? "━" : "─") : (i < filled ? "=" : "-"));
        terminal_text(&progress->terminal, taken < 0 ? TONE_FAINT : step_tone(step), bar, BAR_WIDTH, true);
}

static void end_line(Progress *progress) {
        fputs("\033[K\n", progress->terminal.file);
        progress->drawn++;
}

/* " ✓ 2 Drain traffic              0.026 s of 30 s   3 in flight finished"
 * " ▸ 3 Stop current version        3.100 s of 10 s   ━━━───────" */
static void draw_step(Progress *progress, const json_t *step) {
        const Terminal *terminal = &progress->terminal;
        char text[96], taken[QUANTITY_MAX] = "", budget[QUANTITY_MAX];
        fputc(' ', terminal->file);
        terminal_text(terminal, step_tone(step), step_mark(progress, step), 1, true);
        snprintf(text, sizeof text, " %" PRId64 " %s", pick_int(step, "step", 0), pick_text(step, "title"));
        terminal_text(terminal, failed(step) ? TONE_BAD : acting(step) ? TONE_STRONG : TONE_PLAIN, text, 28, true);
        if (taken_ms(step) >= 0)
                seconds_text(taken_ms(step), taken, sizeof taken);
        snprintf(text, sizeof text, "%9s of %-5s ", taken, budget_text(step, budget, sizeof budget));
        terminal_text(terminal, taken_ms(step) < 0 ? TONE_FAINT : TONE_PLAIN, text, 0, false);
        int left = terminal->columns - 1 - 1 - 1 - 28 - (int)strlen(text) - 1;
        if (acting(step) && left >= BAR_WIDTH + 1) { /* of what is over, what it came to says more than a bar */
                fputc(' ', terminal->file);
                draw_bar(progress, step);
                left -= BAR_WIDTH + 1;
        }
        if (left > 3 && shown_detail(progress->run, step)[0]) {
                fputc(' ', terminal->file);
                terminal_text(terminal, failed(step) ? TONE_BAD : TONE_FAINT, shown_detail(progress->run, step),
                              left - 1, false);
        }
        end_line(progress);
}

static void draw_header(Progress *progress) {
        const json_t *run = progress->run;
        char text[1024];
        const char *from = pick_text(run, "from");
        snprintf(text, sizeof text, "%s %s%s%s", pick_is(run, "kind", "rollback") ? "Rolling back" : "Deploying", from,
                 from[0] ? (progress->terminal.utf8 ? " → " : " -> ") : "", pick_text(run, "to"));
        terminal_text(&progress->terminal, TONE_STRONG, text, progress->terminal.columns - 1, false);
        end_line(progress);
        snprintf(text, sizeof text, "%s, by %s: %s", pick_text(run, "mode"), pick_text(run, "initiator"),
                 pick_text(run, "reason"));
        terminal_text(&progress->terminal, TONE_FAINT, text, progress->terminal.columns - 1, false);
        end_line(progress);
}

static void draw(Progress *progress) {
        FILE *file = progress->terminal.file;
        const json_t *run = progress->run, *steps = pick(run, "steps"), *recovery = pick(run, "recovery"), *step;
        size_t index;
        terminal_measure(&progress->terminal);
        if (progress->drawn > 0)
                fprintf(file, "\033[%dA", progress->drawn);
        progress->drawn = 0;
        draw_header(progress);
        json_array_foreach((json_t *)steps, index, step)
                if (!hidden(run, step))
                        draw_step(progress, step);
        if (json_array_size(recovery) > 0) {
                terminal_text(&progress->terminal, TONE_DOUBT, "Putting the original back", 0, false);
                end_line(progress);
        }
        json_array_foreach((json_t *)recovery, index, step)
                draw_step(progress, step);
        if (progress->note[0]) {
                terminal_text(&progress->terminal, TONE_DOUBT, progress->note, progress->terminal.columns - 1, false);
                end_line(progress);
        }
        fputs("\033[J", file);
        fflush(file);
}

/* ---- both ---- */

/* A view that is taller than the terminal can't be drawn again in place. */
static bool drawable(Progress *progress) {
        size_t lines =
                json_array_size(pick(progress->run, "steps")) + json_array_size(pick(progress->run, "recovery")) + 5;
        terminal_measure(&progress->terminal);
        return progress->terminal.live && lines < (size_t)progress->terminal.rows;
}

static void show(Progress *progress) {
        if (!progress->run)
                return;
        if (drawable(progress))
                draw(progress);
        else
                tell(progress);
}

void progress_init(Progress *progress, FILE *file) {
        *progress = (Progress){0};
        terminal_init(&progress->terminal, file);
}

void progress_update(Progress *progress, const json_t *run) {
        json_t *copy = json_incref((json_t *)run);
        json_decref(progress->run);
        progress->run = copy;
        show(progress);
}

void progress_tick(Progress *progress) {
        show(progress);
}

void progress_note(Progress *progress, const char *format, ...) {
        char note[sizeof progress->note];
        va_list args;
        va_start(args, format);
        vsnprintf(note, sizeof note, format, args);
        va_end(args);
        if (strcmp(note, progress->note) == 0)
                return;
        memcpy(progress->note, note, sizeof note);
        if (progress->run && drawable(progress))
                draw(progress);
        else if (note[0])
                fprintf(progress->terminal.file, "%s\n", note);
}

void progress_end(Progress *progress) {
        progress->note[0] = '\0';
        if (progress->drawn > 0)
                draw(progress);
        progress->drawn = 0;
        json_decref(progress->run);
        progress->run = NULL;
}
