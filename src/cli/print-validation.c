#include "base/exit-codes.h"
#include "base/macros.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

#define MARK_WIDTH 6   /* "  [x] " */
#define TITLE_WIDTH 28 /* "Database replication healthy" is the longest */
#define MEASURED_COLUMN (MARK_WIDTH + TITLE_WIDTH + 1)

static const struct Mark {
        const char *verdict, *mark;
        Tone tone;
} marks[] = {
        {"passed", "[x]", TONE_GOOD},
        {"failed", "[!]", TONE_BAD},
        {"not_verified", "[?]", TONE_DOUBT},
        {"not_applicable", "[-]", TONE_FAINT},
};

static const struct Mark *mark_of(const json_t *check) {
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                if (pick_is(check, "verdict", marks[i].verdict))
                        return &marks[i];
        return &marks[2]; /* a verdict we don't know says nothing */
}

static bool is_in(const json_t *check, const char *list) {
        const json_t *lists = pick(check, "lists"), *name;
        size_t index;
        json_array_foreach((json_t *)lists, index, name)
                if (strcmp(json_string_value(name) ? json_string_value(name) : "", list) == 0)
                        return true;
        return false;
}

/* "  [x] Error rate                   0.05 % (must be < 0.1 %)" */
static void print_check(const Terminal *out, const json_t *check) {
        const struct Mark *mark = mark_of(check);
        const char *measured = pick_text(check, "measured"), *limit = pick_text(check, "limit");
        char text[512];
        bool applies = strcmp(mark->verdict, "not_applicable") != 0;
        fputs("  ", out->file);
        terminal_text(out, mark->tone, mark->mark, 0, false);
        fputc(' ', out->file);
        terminal_text(out, applies ? TONE_PLAIN : TONE_FAINT, pick_text(check, "title"), TITLE_WIDTH, true);
        fputc(' ', out->file);
        bool limited = applies && limit[0];
        snprintf(text, sizeof text, "%s%s%s%s", measured[0] ? measured : "unknown", limited ? " (must be " : "",
                 limited ? limit : "", limited ? ")" : "");
        terminal_wrap(out, applies ? TONE_PLAIN : TONE_FAINT, text, MEASURED_COLUMN, MEASURED_COLUMN);
        fputc('\n', out->file);
}

static void print_list(const Terminal *out, const json_t *validation, const char *list, const char *title) {
        const json_t *checks = pick(validation, "checks"), *check;
        size_t index;
        bool begun = false;
        json_array_foreach((json_t *)checks, index, check) {
                if (!is_in(check, list))
                        continue;
                if (!begun)
                        fprintf(out->file, "\n%s\n", title);
                begun = true;
                print_check(out, check);
        }
}

/* What the marks mean, by saying how many there are of each. */
static void print_counts(const Terminal *out, const json_t *validation) {
        static const struct {
                const char *path, *words;
        } rows[] = {{"passed", "passed"},
                    {"failed", "failed"},
                    {"not_verified", "not verified"},
                    {"not_applicable", "not applicable"}};
        const char *separator = "\n";
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t count = pick_int(validation, rows[i].path, 0);
                if (count == 0)
                        continue;
                fputs(separator, out->file);
                terminal_say(out, marks[i].tone, "%s %" PRId64 " %s", marks[i].mark, count, rows[i].words);
                separator = ", ";
        }
        if (separator[0] == ',')
                fputc('\n', out->file);
}

static void print_metrics(const Terminal *out, const json_t *validation, const char *title) {
        char text[QUANTITY_MAX];
        fprintf(out->file, "%s:\n", title);
        fprintf(out->file, "  Error Rate: %s\n",
                quantity_percent(pick(validation, "error_rate_percent"), text, sizeof text));
        fprintf(out->file, "  Latency P99: %s\n", quantity_ms(pick(validation, "latency_p99_ms"), text, sizeof text));
        fprintf(out->file, "  Success Rate: %s\n",
                quantity_percent(pick(validation, "success_rate_percent"), text, sizeof text));
}

void print_present_metrics(const Terminal *out, const json_t *validation) {
        print_metrics(out, validation, "Present metrics");
}

int print_validation(const Terminal *out, const json_t *validation) {
        bool passed = pick_is(validation, "verdict", "passed"), failed = pick_is(validation, "verdict", "failed");
        print_metrics(out, validation, "Post-rollback metrics");
        fprintf(out->file, "Rollback validation: ");
        terminal_say(out,
                     passed   ? TONE_GOOD
                     : failed ? TONE_BAD
                              : TONE_DOUBT,
                     passed   ? "PASSED"
                     : failed ? "FAILED"
                              : "NOT VERIFIED");
        fputc('\n', out->file);
        print_list(out, validation, "criteria", "Success criteria");
        print_list(out, validation, "checklist", "Validation checklist");
        print_counts(out, validation);
        if (pick_text(validation, "note")[0]) {
                terminal_say(out, TONE_PLAIN, "Note: %s", pick_text(validation, "note"));
                fputc('\n', out->file);
        }
        return passed ? EXIT_OK : failed ? EXIT_VALIDATION_FAILED : EXIT_NOT_VERIFIED;
}
