#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

/* Id, when, what, from -> to, outcome, how long; the reason on its own line, as it is what people look for. */
static void print_run_row(const Terminal *out, const json_t *run) {
        char created[QUANTITY_MAX], took[QUANTITY_MAX], versions[160], what[64];
        const char *outcome = pick_text(run, "outcome"), *validation = pick_text(run, "validation");
        bool good = strcmp(outcome, "succeeded") == 0 && strcmp(validation, "failed") != 0;
        snprintf(versions, sizeof versions, "%s -> %s", pick_text(run, "from")[0] ? pick_text(run, "from") : "nothing",
                 pick_text(run, "to"));
        snprintf(what, sizeof what, "%s %s", pick_text(run, "mode"), pick_text(run, "kind"));
        fprintf(out->file, "%4" PRId64 "  %s  ", pick_int(run, "id", 0),
                quantity_time(pick(run, "created"), created, sizeof created));
        terminal_text(out, TONE_PLAIN, what, 19, true);
        fputc(' ', out->file);
        terminal_text(out, TONE_PLAIN, versions, 18, true);
        fputc(' ', out->file);
        terminal_text(out,
                      good                           ? TONE_GOOD
                      : strcmp(outcome, "open") == 0 ? TONE_DOUBT
                                                     : TONE_BAD,
                      run_outcome_words(run), 0, false);
        fprintf(out->file, "\n      ");
        terminal_say(out, TONE_FAINT, "%s%s%s%s%s%s", pick_text(run, "reason"),
                     pick(run, "duration_ms") ? "; took " : "",
                     pick(run, "duration_ms") ? quantity_seconds(pick(run, "duration_ms"), took, sizeof took) : "",
                     run_validation_words(run), pick_text(run, "failure")[0] ? "; " : "", pick_text(run, "failure"));
        fputc('\n', out->file);
}

void print_history(const Terminal *out, const json_t *history) {
        const json_t *runs = pick(history, "runs"), *deployments = pick(history, "deployments"), *item;
        size_t index;
        char at[QUANTITY_MAX];
        if (json_array_size(runs) == 0)
                fprintf(out->file, "There has been no run yet.\n");
        else
                terminal_say(out, TONE_STRONG,
                             "  ID  BEGUN                 WHAT                FROM -> TO         OUTCOME\n");
        json_array_foreach((json_t *)runs, index, item)
                print_run_row(out, item);
        bool begun = false;
        json_array_foreach((json_t *)deployments, index, item) {
                if (!pick_true(item, "observed"))
                        continue; /* it stands above already, as a run */
                if (!begun)
                        terminal_say(out, TONE_STRONG, "\nMade by others, and noticed\n");
                begun = true;
                fprintf(out->file, "      %s  ", quantity_time(pick(item, "at"), at, sizeof at));
                terminal_say(out, TONE_PLAIN, "%s -> %s",
                             pick_text(item, "previous")[0] ? pick_text(item, "previous") : "nothing",
                             pick_text(item, "version"));
                fputc('\n', out->file);
        }
}

/* When, what came of it, who and whence; then what was asked for. */
static void print_audit_row(const Terminal *out, const json_t *entry) {
        char at[QUANTITY_MAX], what[256];
        int64_t status = pick_int(entry, "status", 0);
        char *arguments = json_dumps(pick(entry, "arguments"), JSON_COMPACT | JSON_SORT_KEYS);
        snprintf(what, sizeof what, "%s %s", pick_text(entry, "method"), pick_text(entry, "path"));
        fprintf(out->file, "%s  %3" PRId64 "  ", quantity_time(pick(entry, "at"), at, sizeof at), status);
        terminal_text(out, TONE_PLAIN, pick_text(entry, "who"), 24, true);
        fputs("  ", out->file);
        terminal_text(out, TONE_PLAIN, pick_text(entry, "whence"), 0, false);
        fputs("\n      ", out->file);
        terminal_text(out, TONE_PLAIN, what, 0, false);
        terminal_say(out, TONE_FAINT, "%s%s", arguments ? " " : "", arguments ? arguments : "");
        if (status >= 400)
                terminal_say(out, TONE_BAD, ": %s", pick_text(entry, "outcome"));
        fputc('\n', out->file);
        free(arguments);
}

void print_audit(const Terminal *out, const json_t *audit) {
        const json_t *entries = pick(audit, "entries"), *entry;
        size_t index;
        if (json_array_size(entries) == 0)
                fprintf(out->file, "Nobody has asked for anything yet.\n");
        json_array_foreach((json_t *)entries, index, entry)
                print_audit_row(out, entry);
}

void print_releases(const Terminal *out, const json_t *answer) {
        const json_t *releases = pick(answer, "releases"), *release;
        size_t index;
        if (json_array_size(releases) == 0)
                fprintf(out->file, "No releases were found.\n");
        json_array_foreach((json_t *)releases, index, release) {
                fputs("  ", out->file);
                terminal_text(out, TONE_PLAIN, pick_text(release, "version"), 20, true);
                terminal_text(out, TONE_PLAIN, pick_text(release, "state"), 10, true);
                int64_t files = pick_int(release, "files", -1);
                if (files >= 0)
                        fprintf(out->file, " %" PRId64 " files", files);
                terminal_say(out, TONE_FAINT, "%s%s", pick_text(release, "detail")[0] ? "  " : "",
                             pick_text(release, "detail"));
                fputc('\n', out->file);
        }
}
