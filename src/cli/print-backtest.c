#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

/* "90 s", "12.5 min" */
static const char *span(const json_t *seconds, char *buffer, size_t size) {
        json_t *ms = json_is_number(seconds) ? json_real(json_number_value(seconds) * 1000) : NULL;
        quantity_seconds(ms, buffer, size);
        json_decref(ms);
        return buffer;
}

static void print_really(const Terminal *out, const json_t *found) {
        const json_t *really = pick(found, "really");
        if (!really)
                return;
        char at[QUANTITY_MAX];
        quantity_time(pick(really, "at"), at, sizeof at);
        if (pick_is(really, "kind", "rollback"))
                terminal_say(out, TONE_FAINT, "      really: rolled back by decision %" PRId64 " at %s\n",
                             pick_int(really, "id", 0), at);
        else
                terminal_say(out, TONE_FAINT, "      really: manual review, decision %" PRId64 " at %s: %s\n",
                             pick_int(really, "id", 0), at, pick_text(really, "guard_text"));
}

/* When, what, how soon; then the numbers, and what there was to it. */
static void print_found(const Terminal *out, const json_t *found, bool labelled) {
        char at[QUANTITY_MAX], after[QUANTITY_MAX];
        bool rollback = pick_is(found, "kind", "rollback"), right = pick(found, "label") != NULL;
        fprintf(out->file, "  %s  ", quantity_time(pick(found, "at"), at, sizeof at));
        terminal_say(out, rollback ? TONE_BAD : TONE_DOUBT, "%s", rollback ? "rollback" : "review");
        if (pick_text(found, "version")[0]) {
                terminal_say(out, TONE_PLAIN, " of %s", pick_text(found, "version"));
                if (rollback && pick_text(found, "target")[0])
                        terminal_say(out, TONE_PLAIN, " to %s", pick_text(found, "target"));
        }
        fprintf(out->file, ", %s after the %s", span(pick(found, "after_s"), after, sizeof after),
                right ? "incident's beginning" : "onset");
        if (labelled && rollback)
                terminal_say(out, right ? TONE_GOOD : TONE_BAD, "; %s", right ? "right" : "wrong");
        fputc('\n', out->file);
        terminal_say(out, TONE_FAINT, "      %s\n", pick_text(found, "reason"));
        if (!rollback)
                terminal_say(out, TONE_FAINT, "      not automatic: %s\n", pick_text(found, "guard_text"));
        print_really(out, found);
}

static void print_labels(const Terminal *out, const json_t *labels) {
        const json_t *missed = pick(labels, "missed"), *label;
        size_t index;
        char from[QUANTITY_MAX], to[QUANTITY_MAX];
        terminal_say(out, TONE_STRONG, "\nAgainst the labels\n");
        fprintf(out->file,
                "  %" PRId64 " of %" PRId64 " incident%s found; %" PRId64 " rollback%s right, %" PRId64 " wrong\n",
                pick_int(labels, "found", 0), pick_int(labels, "incidents", 0),
                pick_int(labels, "incidents", 0) == 1 ? "" : "s", pick_int(labels, "true_positives", 0),
                pick_int(labels, "true_positives", 0) == 1 ? "" : "s", pick_int(labels, "false_positives", 0));
        json_array_foreach((json_t *)missed, index, label) {
                const char *kind = pick_text(label, "kind");
                terminal_say(out, TONE_BAD, "  missed: ");
                fprintf(out->file, "%s to %s", quantity_time(pick(label, "from"), from, sizeof from),
                        quantity_time(pick(label, "to"), to, sizeof to));
                terminal_say(out, TONE_PLAIN, "%s%s\n", kind[0] ? ", " : "", kind);
        }
}

static void print_reals(const Terminal *out, const json_t *list, const char *why) {
        const json_t *real;
        size_t index;
        char at[QUANTITY_MAX];
        json_array_foreach((json_t *)list, index, real)
                fprintf(out->file, "  decision %" PRId64 " at %s would not have rolled back%s\n",
                        pick_int(real, "id", 0), quantity_time(pick(real, "at"), at, sizeof at), why);
}

static void print_reality(const Terminal *out, const json_t *reality) {
        terminal_say(out, TONE_STRONG, "\nAgainst what was done\n");
        fprintf(out->file, "  %" PRId64 " automatic rollback%s really decided\n", pick_int(reality, "rollbacks", 0),
                pick_int(reality, "rollbacks", 0) == 1 ? " was" : "s were");
        print_reals(out, pick(reality, "not_found"), "");
        print_reals(out, pick(reality, "not_by_samples"), " by samples: something else caused it");
}

void print_backtest(const Terminal *out, const json_t *report) {
        const json_t *list = pick(report, "found"), *found, *labels = pick(report, "labels"),
                     *reality = pick(report, "reality");
        size_t index;
        char from[QUANTITY_MAX], to[QUANTITY_MAX];
        int64_t rollbacks = pick_int(report, "rollbacks", 0), reviews = pick_int(report, "reviews", 0),
                left_out = pick_int(report, "samples.left_out", 0);
        fprintf(out->file, "%s (%s), %s to %s\n", pick_text(report, "source"), pick_text(report, "where"),
                quantity_time(pick(report, "from"), from, sizeof from),
                quantity_time(pick(report, "to"), to, sizeof to));
        fprintf(out->file, "%" PRId64 " samples: %" PRId64 " healthy, %" PRId64 " degraded, %" PRId64 " unknown",
                pick_int(report, "samples.judged", 0), pick_int(report, "samples.healthy", 0),
                pick_int(report, "samples.degraded", 0), pick_int(report, "samples.unknown", 0));
        if (left_out > 0)
                fprintf(out->file, "; %" PRId64 " left out: they overlap, or are too short", left_out);
        fputc('\n', out->file);
        if (!pick_true(report, "deployments_known"))
                terminal_say(out, TONE_FAINT,
                             "No deployment is known: taken as armed, with a good release to go back to.\n");
        terminal_say(out, TONE_STRONG,
                     "\nWould have rolled back %" PRId64 " time%s, and asked for a review %" PRId64 " time%s\n",
                     rollbacks, rollbacks == 1 ? "" : "s", reviews, reviews == 1 ? "" : "s");
        json_array_foreach((json_t *)list, index, found)
                print_found(out, found, labels != NULL);
        if (pick_int(report, "found_more", 0) > 0)
                fprintf(out->file, "  ... and %" PRId64 " more: take a shorter time\n",
                        pick_int(report, "found_more", 0));
        if (labels)
                print_labels(out, labels);
        if (reality)
                print_reality(out, reality);
}
