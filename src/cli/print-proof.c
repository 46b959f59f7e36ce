/* What came of replaying, of verifying, and of shadow mode. */
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

void print_replay(const Terminal *out, const json_t *replay) {
        bool same = pick_is(replay, "verdict", "identical"), differs = pick_is(replay, "verdict", "differs");
        fprintf(out->file, "decision %" PRId64 ": ", pick_int(replay, "id", 0));
        if (same)
                terminal_say(out, TONE_GOOD, "identical (rules of version %" PRId64 ")",
                             pick_int(replay, "rule_version", 0));
        else
                terminal_say(out, differs ? TONE_BAD : TONE_DOUBT, "%s: %s",
                             differs ? "differs" : "can't be recomputed", pick_text(replay, "detail"));
        fputc('\n', out->file);
}

void print_chain(const Terminal *out, const json_t *chain) {
        char since[QUANTITY_MAX];
        const char *newest = pick_text(chain, "newest");
        int64_t records = pick_int(chain, "records", 0);
        quantity_time(pick(chain, "since"), since, sizeof since);
        if (!pick_true(chain, "whole"))
                terminal_say(out, TONE_BAD, "NOT AS RECORDED: %s (after %" PRId64 " records that are, since %s)\n",
                             pick_text(chain, "fault"), records, since);
        else if (newest[0] == '\0')
                terminal_say(out, TONE_DOUBT, "No record is in the chain yet: it begins with the next.\n");
        else
                terminal_say(out, TONE_GOOD, "%" PRId64 " records, whole since %s; newest link %s\n", records, since,
                             newest);
}

/* ---- shadow mode ---- */

static const char *verdict_words(const json_t *one) {
        return pick_is(one, "verdict", "right")    ? "right: an operator rolled it back, too"
               : pick_is(one, "verdict", "wrong")  ? "wrong: nobody rolled it back, and it lived"
               : pick_is(one, "verdict", "missed") ? "missed: an operator rolled it back, nothing was decided before"
               : pick_is(one, "verdict", "automatic")
                       ? "automatic: shadow mode was off, and the controller rolled it back"
                       : "undecided: not old enough, or replaced by another release";
}

static void print_case(const Terminal *out, const json_t *one) {
        char at[QUANTITY_MAX];
        double sooner;
        bool good = pick_is(one, "verdict", "right"),
             open = pick_is(one, "verdict", "undecided") || pick_is(one, "verdict", "automatic");
        fputs("  ", out->file);
        terminal_text(out, TONE_PLAIN, pick_text(one, "version"), 16, true);
        fputs("  ", out->file);
        terminal_text(out, good ? TONE_GOOD : open ? TONE_DOUBT : TONE_BAD, verdict_words(one), 0, false);
        if (pick(one, "decision"))
                fprintf(out->file, "\n                    decision %" PRId64 ", %s", pick_int(one, "decision", 0),
                        quantity_time(pick(one, "decided"), at, sizeof at));
        if (pick(one, "rolled_back"))
                fprintf(out->file, "\n                    rolled back %s",
                        quantity_time(pick(one, "rolled_back"), at, sizeof at));
        if (pick_number(one, "sooner_s", &sooner))
                fprintf(out->file, ": %.0f s after the decision", sooner);
        fputc('\n', out->file);
}

void print_shadow(const Terminal *out, const json_t *report) {
        const json_t *cases = pick(report, "cases"), *one;
        char from[QUANTITY_MAX], to[QUANTITY_MAX], precision[QUANTITY_MAX];
        double sooner;
        size_t index;
        terminal_say(out, TONE_STRONG, "%" PRId64 " deployment%s from %s to %s\n", pick_int(report, "deployments", 0),
                     pick_int(report, "deployments", 0) == 1 ? "" : "s",
                     quantity_time(pick(report, "from"), from, sizeof from),
                     quantity_time(pick(report, "to"), to, sizeof to));
        fprintf(out->file,
                "  right %" PRId64 ", wrong %" PRId64 ", missed %" PRId64 ", undecided %" PRId64
                "; neither decided nor rolled back %" PRId64 "\n",
                pick_int(report, "right", 0), pick_int(report, "wrong", 0), pick_int(report, "missed", 0),
                pick_int(report, "undecided", 0), pick_int(report, "quiet", 0));
        if (pick_int(report, "automatic", 0) > 0)
                fprintf(out->file, "  rolled back automatically, while shadow mode was off %" PRId64 "\n",
                        pick_int(report, "automatic", 0));
        fprintf(out->file, "  precision %s",
                quantity_percent(pick(report, "precision_percent"), precision, sizeof precision));
        if (pick_number(report, "sooner_median_s", &sooner))
                fprintf(out->file, "; where it was right, %.0f s sooner than the operators (median)", sooner);
        fputs("\n", out->file);
        json_array_foreach((json_t *)cases, index, one)
                print_case(out, one);
}
