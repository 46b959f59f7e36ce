/* A headline, two lines for each component (what it counts, and what was measured against which limit), and the sum. */
#include "cli/print-health.h"

#include "base/clock.h"
#include "base/macros.h"
#include "cli/pick.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

#define LABEL_WIDTH 13
#define WORD_WIDTH 9

static Tone tone_of(const char *state) {
        return strcmp(state, "healthy") == 0 ? TONE_GOOD : strcmp(state, "unhealthy") == 0 ? TONE_BAD : TONE_DOUBT;
}

static const json_t *components_of(const json_t *health) {
        return pick(health, "arithmetic.components");
}

/* ---- the headline ---- */

/* "api, storage": the components in one of these states. */
static void list_names(const json_t *health, const char *state, char *buffer, size_t size) {
        const json_t *list = components_of(health), *component;
        size_t index, used = 0;
        buffer[0] = '\0';
        json_array_foreach((json_t *)list, index, component)
                if (pick_is(component, "status", state) && used < size)
                        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "",
                                                 pick_text(component, "name"));
}

static void headline(const Terminal *out, const json_t *health) {
        const char *status = pick_text(health, "status");
        char score[32] = "", bad[256], worse[256];
        if (pick(health, "score"))
                snprintf(score, sizeof score, ", score %" PRId64 " of 100", pick_int(health, "score", 0));
        list_names(health, "unhealthy", bad, sizeof bad);
        list_names(health, "degraded", worse, sizeof worse);
        if (strcmp(status, "healthy") == 0)
                terminal_say(out, TONE_GOOD, "Healthy%s.", score);
        else if (strcmp(status, "unhealthy") == 0)
                terminal_say(out, TONE_BAD, "UNHEALTHY%s: %s.", score, bad[0] ? bad : worse);
        else if (strcmp(status, "degraded") == 0)
                terminal_say(out, TONE_DOUBT, "Degraded%s: %s%s%s.", score, bad, bad[0] && worse[0] ? ", " : "", worse);
        else
                terminal_say(out, TONE_DOUBT, "Unknown: nothing that counts could be measured.");
        fputs("\n\n", out->file);
}

/* ---- the components ---- */

static int label_width(const json_t *health) {
        const json_t *list = components_of(health), *component;
        size_t index;
        int width = LABEL_WIDTH;
        json_array_foreach((json_t *)list, index, component) {
                int length = (int)strlen(pick_text(component, "name")) + 2;
                width = length > width ? length : width;
        }
        return width;
}

/* "score 50, weight 2: 100 points; critical" */
static void print_points(const Terminal *out, const json_t *component) {
        int64_t score = pick_int(component, "score", 0), weight = pick_int(component, "weight", 0);
        fprintf(out->file, "score %" PRId64 ", weight %" PRId64 ": %" PRId64 " points%s\n", score, weight,
                score * weight, pick_true(component, "critical") ? "; critical" : "");
}

static void print_component(const Terminal *out, const json_t *component, int label) {
        const char *state = pick_text(component, "status"), *reason = pick_text(component, "reason");
        int column = 2 + label + WORD_WIDTH + 1;
        fprintf(out->file, "  ");
        terminal_text(out, TONE_PLAIN, pick_text(component, "name"), label, true);
        bool configured = pick_true(component, "configured");
        bool unknown = strcmp(state, "unknown") == 0;
        terminal_text(out, unknown && !configured ? TONE_FAINT : tone_of(state), state, WORD_WIDTH, true);
        fputc(' ', out->file);
        if (unknown) {
                int at = terminal_wrap(out, TONE_PLAIN, configured ? "not counted: " : "not configured: ", column,
                                       column);
                terminal_wrap(out, TONE_PLAIN, reason, at, column);
                fputc('\n', out->file);
                return;
        }
        print_points(out, component);
        fprintf(out->file, "%*s", column, "");
        terminal_wrap(out, strcmp(state, "healthy") == 0 ? TONE_PLAIN : tone_of(state), reason, column, column);
        fputc('\n', out->file);
        char since[QUANTITY_MAX];
        if (strcmp(state, "healthy") != 0 && pick(component, "since"))
                fprintf(out->file, "%*ssince %s\n", column, "",
                        quantity_time(pick(component, "since"), since, sizeof since));
}

/* ---- the sum ---- */

static void print_sum(const Terminal *out, const json_t *health, int label) {
        int column = 2 + label + WORD_WIDTH + 1;
        const char *status = pick_text(health, "status");
        char score[24];
        fprintf(out->file, "\n  %-*s", label, "Score");
        snprintf(score, sizeof score, "%" PRId64, pick_int(health, "score", 0));
        terminal_text(out, tone_of(status), pick(health, "score") ? score : "unknown", WORD_WIDTH, true);
        fputc(' ', out->file);
        int at = pick(health, "score") ? terminal_wrap(out, TONE_PLAIN, "score = ", column, column) : column;
        terminal_wrap(out, TONE_PLAIN, pick_text(health, "arithmetic.formula"), at, column);
        fputc('\n', out->file);
}

static void print_source(const Terminal *out, const json_t *health, HealthSource source, int label) {
        int64_t checked = 0;
        fprintf(out->file, "  %-*s", label, "Measured");
        if (clock_parse_rfc3339(pick_text(health, "checked"), &checked, NULL) < 0) {
                fputs("not yet\n", out->file);
                return;
        }
        char time[QUANTITY_MAX];
        fprintf(out->file, "%s, by %s\n", quantity_time(pick(health, "checked"), time, sizeof time),
                source == SOURCE_CONTROLLER ? "the controller" : "this program");
}

static void print_advice(const Terminal *out, const json_t *health) {
        if (pick_is(health, "status", "unhealthy"))
                fprintf(out->file, "\nWhat runs, and what to do about it:\n  auto-rollback status\n");
}

void print_health(const Terminal *out, const json_t *health, HealthSource source) {
        const json_t *list = components_of(health), *component;
        size_t index;
        int label = label_width(health);
        headline(out, health);
        json_array_foreach((json_t *)list, index, component)
                print_component(out, component, label);
        print_sum(out, health, label);
        print_source(out, health, source, label);
        print_advice(out, health);
}

/* ---- changes, one a line ---- */

static const json_t *same_component(const json_t *health, const char *name) {
        const json_t *list = components_of(health), *component;
        size_t index;
        json_array_foreach((json_t *)list, index, component)
                if (pick_is(component, "name", name))
                        return component;
        return NULL;
}

static void print_change(const Terminal *out, const json_t *health, const char *name, const json_t *before,
                         const json_t *now, const char *why) {
        char time[QUANTITY_MAX];
        const char *state = pick_text(now, "status"), *was = pick_text(before, "status");
        fprintf(out->file, "%s  ", quantity_time(pick(health, "checked"), time, sizeof time));
        bool longer = strlen(name) >= LABEL_WIDTH;
        terminal_text(out, TONE_STRONG, name, longer ? 0 : LABEL_WIDTH, !longer);
        fputs(longer ? "  " : "", out->file);
        if (was[0] && strcmp(was, state) != 0)
                fprintf(out->file, "%s -> ", was);
        terminal_text(out, tone_of(state), state, 0, false);
        if (pick(now, "score"))
                fprintf(out->file, " %" PRId64, pick_int(now, "score", 0));
        fputs(why[0] ? ": " : "", out->file);
        terminal_text(out, TONE_PLAIN, why, 0, false);
        fputc('\n', out->file);
}

static bool differ(const json_t *before, const json_t *now) {
        return !before || !pick_is(before, "status", pick_text(now, "status")) ||
               pick_int(before, "score", -1) != pick_int(now, "score", -1);
}

void print_health_changes(const Terminal *out, const json_t *before, const json_t *health) {
        const json_t *list = components_of(health), *component;
        size_t index;
        json_array_foreach((json_t *)list, index, component) {
                const char *name = pick_text(component, "name");
                const json_t *old = same_component(before, name);
                bool unknown = pick_is(component, "status", "unknown");
                if ((!before && (unknown || pick_is(component, "status", "healthy"))) ||
                    (before && !differ(old, component)))
                        continue;
                print_change(out, health, name, old, component, pick_text(component, "reason"));
        }
        if (differ(before, health))
                print_change(out, health, "score", before, health, pick_text(health, "arithmetic.formula"));
        fflush(out->file);
}
