/* A decision in plain words, with a small chart. */
#include "base/macros.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

#define BAR_MAX 40
#define ROW_REST 44 /* what stands in a row besides the bar */

/* What the bars can show. Of the success rate, what is missing of it: a bar is long where it is bad. */
static const struct Chart {
        const char *trigger, *title, *value, *limit;
        bool missing, percent;
} charts[] = {
        {"error_rate", "Error rate", "error_rate_percent", "error_rate_percent", false, true},
        {"latency_p99", "p99 latency", "latency_p99_ms", "latency_p99_ms", false, false},
        {"success_rate", "Requests that did not succeed", "success_rate_percent", "success_rate_percent", true, true},
};

static const struct Chart *choose(const json_t *decision) {
        const json_t *triggers = pick(decision, "triggers"), *trigger;
        size_t index;
        for (size_t i = 0; i < ARRAY_SIZE(charts); i++)
                json_array_foreach((json_t *)triggers, index, trigger)
                        if (json_is_string(trigger) && strcmp(json_string_value(trigger), charts[i].trigger) == 0)
                                return &charts[i];
        return &charts[0];
}

static bool value_of(const struct Chart *chart, const json_t *object, const char *key, double *ret) {
        if (!pick_number(object, key, ret))
                return false;
        if (chart->missing)
                *ret = 100.0 - *ret;
        return true;
}

static void say_value(const struct Chart *chart, double value, char *buffer, size_t size) {
        snprintf(buffer, size, chart->percent ? "%.2f %%" : "%.1f ms", value);
}

/* "#####|####      ": as far as the value, with the limit marked. */
static void draw_bar(const Terminal *out, double value, double limit, double most, int width, bool bad) {
        const char *full = out->utf8 ? "\u2588" : "#", *mark = out->utf8 ? "\u2502" : "|";
        int filled = most > 0 ? (int)(value / most * width + 0.5) : 0, at = most > 0 ? (int)(limit / most * width) : 0;
        if (filled == 0 && value > 0)
                filled = 1;
        for (int i = 0; i < width; i++)
                if (i == at)
                        fputs(mark, out->file);
                else
                        terminal_text(out, bad ? TONE_BAD : TONE_GOOD, i < filled ? full : " ", 0, false);
}

static double find_most(const struct Chart *chart, const json_t *samples, double limit) {
        const json_t *sample;
        size_t index;
        double most = limit * 2, value;
        json_array_foreach((json_t *)samples, index, sample)
                if (value_of(chart, sample, chart->value, &value) && value > most)
                        most = value;
        return most;
}

/* "16:43:45Z" of "2026-11-22 16:43:45Z" */
static const char *hour_of(const json_t *time, char buffer[QUANTITY_MAX]) {
        const char *text = quantity_time(time, buffer, QUANTITY_MAX), *blank = strchr(text, ' ');
        return blank ? blank + 1 : text;
}

static void print_chart(const Terminal *out, const json_t *decision) {
        const struct Chart *chart = choose(decision);
        const json_t *samples = pick(decision, "samples"), *sample;
        double limit = 0, value;
        char text[QUANTITY_MAX], at[QUANTITY_MAX];
        size_t index;
        int width = out->columns - ROW_REST;
        width = width > BAR_MAX ? BAR_MAX : width < 10 ? 10 : width;
        if (json_array_size(samples) == 0 || !value_of(chart, pick(decision, "rules"), chart->limit, &limit))
                return;
        double most = find_most(chart, samples, limit);
        say_value(chart, limit, text, sizeof text);
        fprintf(out->file, "\n  %s; %s marks the threshold, %s\n", chart->title, out->utf8 ? "\u2502" : "|", text);
        json_array_foreach((json_t *)samples, index, sample) {
                bool known = value_of(chart, sample, chart->value, &value);
                fprintf(out->file, "  %-9s  ", hour_of(pick(sample, "end"), at));
                draw_bar(out, known ? value : 0, limit, most, width, known && value > limit);
                if (known)
                        say_value(chart, value, text, sizeof text);
                fprintf(out->file, "  %10s  %s\n", known ? text : "unknown", pick_text(sample, "state"));
        }
}

static void heading(const Terminal *out, const char *text) {
        terminal_say(out, TONE_STRONG, "\n%s\n", text);
}

static void line(const Terminal *out, const char *text) {
        fputs("  ", out->file);
        terminal_wrap(out, TONE_PLAIN, text, 2, 2);
        fputc('\n', out->file);
}

static void print_samples(const Terminal *out, const json_t *explanation) {
        const json_t *samples = pick(explanation, "decision.samples"), *whys = pick(explanation, "samples"), *sample;
        size_t index;
        char at[QUANTITY_MAX];
        heading(out, "The window of samples");
        line(out, pick_text(explanation, "window"));
        print_chart(out, pick(explanation, "decision"));
        if (json_array_size(samples) > 0)
                heading(out, "Each sample");
        json_array_foreach((json_t *)samples, index, sample) {
                const char *why = json_string_value(json_array_get(whys, index));
                fprintf(out->file, "  %-9s  ", hour_of(pick(sample, "end"), at));
                terminal_wrap(out, TONE_PLAIN, why ? why : "", 13, 13);
                fputc('\n', out->file);
        }
}

static void print_guards(const Terminal *out, const json_t *explanation) {
        const json_t *guards = pick(explanation, "guards"), *guard;
        size_t index;
        bool over = false;
        if (json_array_size(guards) == 0)
                return;
        heading(out, "Guards, in the order in which they are asked");
        json_array_foreach((json_t *)guards, index, guard) {
                bool forbids = pick_true(guard, "forbids");
                fputs("  ", out->file);
                terminal_text(out, forbids ? (over ? TONE_DOUBT : TONE_BAD) : TONE_GOOD, forbids ? "[no] " : "[ok] ", 0,
                              false);
                terminal_wrap(out, TONE_PLAIN, pick_text(guard, "answer"), 7, 7);
                fputc('\n', out->file);
                over = over || forbids;
        }
}

static void print_followed(const Terminal *out, const json_t *explanation) {
        const json_t *run = pick(explanation, "run");
        char took[QUANTITY_MAX], text[512];
        heading(out, "What followed");
        if (!run) {
                line(out, pick_is(explanation, "decision.kind", "rollback") ? "no run of it is in the journal"
                                                                            : "nothing was done by itself");
                return;
        }
        const json_t *lasted = pick(run, "duration_ms");
        snprintf(text, sizeof text, "run %" PRId64 ": %s%s%s%s%s%s", pick_int(run, "id", 0), run_outcome_words(run),
                 lasted ? " in " : "", lasted ? quantity_seconds(lasted, took, sizeof took) : "",
                 pick_text(run, "serving")[0] ? "; serving is " : "", pick_text(run, "serving"),
                 run_validation_words(run));
        line(out, text);
        if (pick_text(run, "failure")[0])
                line(out, pick_text(run, "failure"));
}

void print_explanation(const Terminal *out, const json_t *explanation) {
        const json_t *decision = pick(explanation, "decision");
        char at[QUANTITY_MAX];
        terminal_say(out, TONE_STRONG, "Decision %" PRId64 ", %s: ", pick_int(decision, "id", 0),
                     quantity_time(pick(decision, "at"), at, sizeof at));
        terminal_wrap(out, TONE_STRONG, pick_text(explanation, "outcome"), 40, 2);
        fputc('\n', out->file);
        heading(out, "Why");
        line(out, pick_text(decision, "reason"));
        print_samples(out, explanation);
        print_guards(out, explanation);
        if (pick_text(explanation, "target")[0]) {
                heading(out, "The target");
                line(out, pick_text(explanation, "target"));
        }
        print_followed(out, explanation);
        heading(out, "Recomputed");
        fputs("  ", out->file);
        print_replay(out, pick(explanation, "replay"));
}
