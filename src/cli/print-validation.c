#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <string.h>

static void print_checks(const Terminal *out, const json_t *validation, const char *verdict, const char *title) {
        const json_t *checks = pick(validation, "checks"), *check;
        size_t index;
        bool begun = false;
        json_array_foreach((json_t *)checks, index, check) {
                if (!pick_is(check, "verdict", verdict))
                        continue;
                if (!begun)
                        fprintf(out->file, "%s\n", title);
                begun = true;
                const char *measured = pick_text(check, "measured"), *limit = pick_text(check, "limit");
                terminal_say(out, TONE_PLAIN, "  %s: %s%s%s%s", pick_text(check, "title"),
                             measured[0] ? measured : "unknown", limit[0] ? " (must be " : "", limit,
                             limit[0] ? ")" : "");
                fputc('\n', out->file);
        }
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
        print_checks(out, validation, "failed", "Failed:");
        print_checks(out, validation, "not_verified", "Not verified:");
        if (pick_text(validation, "note")[0]) {
                terminal_say(out, TONE_PLAIN, "Note: %s", pick_text(validation, "note"));
                fputc('\n', out->file);
        }
        return passed ? EXIT_OK : failed ? EXIT_VALIDATION_FAILED : EXIT_NOT_VERIFIED;
}
