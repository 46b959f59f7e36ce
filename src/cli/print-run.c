#include "base/exit-codes.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <string.h>

void print_json(FILE *file, const json_t *answer) {
        json_dumpf(answer, file, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        fputc('\n', file);
}

bool run_ended_json(const json_t *run) {
        return pick_is(run, "phase", "succeeded") || pick_is(run, "phase", "failed") ||
               pick_is(run, "phase", "holding");
}

const char *run_outcome_words(const json_t *run) {
        return pick_is(run, "outcome", "put_back") ? "put back" : pick_text(run, "outcome");
}

const char *run_validation_words(const json_t *run) {
        static const struct {
                const char *verdict, *words;
        } rows[] = {
                {"passed", "; validated"},
                {"failed", "; validation FAILED"},
                {"not_verified", "; not verified"},
                {"pending", "; validating"},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (pick_is(run, "validation", rows[i].verdict))
                        return rows[i].words;
        return "";
}

int run_exit_code(const json_t *run) {
        static const struct {
                const char *outcome;
                int code;
        } rows[] = {
                {"refused", EXIT_REFUSED},   {"cancelled", EXIT_CANCELLED}, {"undone", EXIT_PUT_BACK},
                {"put_back", EXIT_PUT_BACK}, {"held", EXIT_HELD},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (pick_is(run, "outcome", rows[i].outcome))
                        return rows[i].code;
        if (!pick_is(run, "outcome", "succeeded"))
                return EXIT_INTERNAL;
        if (!pick_is(run, "kind", "rollback") || pick_is(run, "validation", "passed"))
                return EXIT_OK;
        return pick_is(run, "validation", "failed") ? EXIT_VALIDATION_FAILED : EXIT_NOT_VERIFIED;
}

static void say_what_happened(const Terminal *out, const json_t *run) {
        bool rollback = pick_is(run, "kind", "rollback");
        const char *what = rollback ? "rollback" : "deployment", *failure = pick_text(run, "failure");
        const char *from = pick_text(run, "from"), *to = pick_text(run, "to"), *outcome = pick_text(run, "outcome");
        const char *because = failure[0] ? ": " : "";
        char took[QUANTITY_MAX];
        quantity_seconds(pick(run, "duration_ms"), took, sizeof took);
        if (strcmp(outcome, "succeeded") == 0 && rollback && from[0] == '\0')
                terminal_say(out, TONE_GOOD, "Started %s again in %s.", to, took);
        else if (strcmp(outcome, "succeeded") == 0 && rollback)
                terminal_say(out, TONE_GOOD, "Rolled back from %s to %s in %s.", from, to, took);
        else if (strcmp(outcome, "succeeded") == 0)
                terminal_say(out, TONE_GOOD, "Deployed %s in %s.", to, took);
        else if (strcmp(outcome, "refused") == 0)
                terminal_say(out, TONE_BAD, "The %s to %s was refused before anything was touched%s%s.", what, to,
                             because, failure);
        else if (strcmp(outcome, "cancelled") == 0)
                terminal_say(out, TONE_DOUBT, "The %s to %s was cancelled before %s was stopped.", what, to,
                             from[0] ? from : "anything");
        else if (strcmp(outcome, "undone") == 0)
                terminal_say(out, TONE_BAD, "The %s to %s failed before %s was stopped%s%s.", what, to,
                             from[0] ? from : "anything", because, failure);
        else if (strcmp(outcome, "put_back") == 0)
                terminal_say(out, TONE_BAD, "The %s to %s failed, and %s was put back%s%s.", what, to, from, because,
                             failure);
        else if (strcmp(outcome, "held") == 0)
                terminal_say(out, TONE_BAD, "HOLDING: the %s to %s can't go on safely%s%s.", what, to, because,
                             failure);
        else
                terminal_say(out, TONE_DOUBT, "The %s to %s is under way (%s).", what, to, pick_text(run, "phase"));
        fputc('\n', out->file);
}

static bool verified(const json_t *steps) {
        const json_t *step;
        size_t index;
        json_array_foreach(steps, index, step)
                if (pick_is(step, "key", "verify_health") && pick_is(step, "state", "done"))
                        return true;
        return false;
}

/* Of a run that holds: the release that was found healthy before it could not go on; "": none was. */
static const char *proven(const json_t *run) {
        if (!pick_is(run, "outcome", "held"))
                return "";
        return verified(pick(run, "recovery")) ? pick_text(run, "from")
               : verified(pick(run, "steps"))  ? pick_text(run, "to")
                                               : "";
}

static void say_what_runs(const Terminal *out, const json_t *run) {
        const char *serving = pick_text(run, "serving"), *outcome = pick_text(run, "outcome");
        bool untouched =
                strcmp(outcome, "refused") == 0 || strcmp(outcome, "undone") == 0 || strcmp(outcome, "cancelled") == 0;
        if (serving[0] == '\0' && untouched)
                serving = pick_text(run, "from");
        if (serving[0])
                terminal_say(out, TONE_PLAIN, "%s %s.", serving, untouched ? "was not stopped" : "is serving");
        else if (proven(run)[0])
                terminal_say(out, TONE_BAD, "%s runs and was found healthy, but traffic could not be given back to it.",
                             proven(run));
        else
                terminal_say(out, TONE_BAD, "No release is proven to serve.");
        fputc('\n', out->file);
}

static void say_what_was_lost(const Terminal *out, const json_t *run, const char *why_unknown) {
        const char *what =
                pick_is(run, "kind", "rollback") ? "rollback" : "deployment"; /* not of what came before it */
        int64_t lost = pick_int(run, "requests_failed", -1), cut = pick_int(run, "in_flight_cut", 0);
        if (lost < 0)
                terminal_say(out, TONE_PLAIN, "Whether requests failed meanwhile is not known%s%s.",
                             why_unknown[0] ? ": " : "", why_unknown);
        else if (lost == 0)
                terminal_say(out, TONE_PLAIN, "No request failed because of the %s.", what);
        else
                terminal_say(out, TONE_DOUBT, "%" PRId64 " request%s failed meanwhile.", lost, lost == 1 ? "" : "s");
        if (cut > 0)
                terminal_say(out, TONE_DOUBT, " %" PRId64 " in flight had to be given up.", cut);
        fputc('\n', out->file);
}

/* What a person is to do. */
static void say_what_next(const Terminal *out, const json_t *run) {
        if (pick_is(run, "outcome", "held")) {
                const char *remedy = pick_text(run, "remedy");
                terminal_say(out, TONE_BAD, "A person is needed. Look at: auto-rollback status, and the log.\n");
                terminal_say(out, TONE_PLAIN, "%s\n",
                             remedy[0] ? remedy : "Mend the cause, then: auto-rollback restore; auto-rollback resume");
        } else if (pick_is(run, "outcome", "refused") && pick_is(run, "kind", "deployment"))
                fprintf(out->file, "Mend what is named, then deploy it again, or deploy another release.\n");
        else if (pick_is(run, "outcome", "refused"))
                fprintf(out->file, "Mend what is named, or choose another release with --to.\n");
}

void print_run_end(const Terminal *out, const json_t *run, const char *why_unknown) {
        say_what_happened(out, run);
        say_what_runs(out, run);
        if (!pick_is(run, "outcome", "refused"))
                say_what_was_lost(out, run, why_unknown);
        say_what_next(out, run);
}

void print_database(const Terminal *out, const json_t *plan) {
        const json_t *database = pick(plan, "database");
        if (!database)
                return;
        bool good = pick_is(database, "verdict", "compatible"), bad = pick_is(database, "verdict", "refused");
        terminal_say(out,
                     good  ? TONE_PLAIN
                     : bad ? TONE_BAD
                           : TONE_DOUBT,
                     "Database: %s", pick_text(database, "detail"));
        fputc('\n', out->file);
}

void print_plan(const Terminal *out, const json_t *plan) {
        const char *from = pick_text(plan, "from"), *state = pick_text(plan, "target_state");
        const json_t *steps = pick(plan, "steps"), *step;
        size_t index;
        if (pick_is(plan, "kind", "rollback"))
                terminal_say(out, TONE_STRONG, "Rollback from %s to %s\n\n", from[0] ? from : "nothing",
                             pick_text(plan, "to"));
        else
                terminal_say(out, TONE_STRONG, "Deployment of %s in place of %s\n\n", pick_text(plan, "to"),
                             from[0] ? from : "nothing");
        json_array_foreach((json_t *)steps, index, step) {
                fprintf(out->file, "  %" PRId64 "  ", pick_int(step, "step", 0));
                terminal_text(out, TONE_PLAIN, pick_text(step, "title"), 26, true);
                fprintf(out->file, "at most %6g s  %s\n", (double)pick_int(step, "budget_ms", 0) / 1000,
                        pick_true(step, "critical") ? "critical" : "goes on when it fails");
        }
        fprintf(out->file, "\nAt most %g s in all, step 0 not counted: a ceiling, not a schedule.\n",
                (double)pick_int(plan, "ceiling_ms", 0) / 1000);
        if (pick_text(plan, "none_left")[0]) {
                terminal_say(out, TONE_DOUBT, "After it no target that is proven ready would be left: %s.",
                             pick_text(plan, "none_left"));
                fputc('\n', out->file);
        }
        const json_t *gate = pick(plan, "gate");
        fprintf(out->file, "%s\n",
                json_is_true(gate)    ? "Requests are parked meanwhile, not refused."
                : json_is_false(gate) ? "Without a parking gate requests are refused while nothing serves."
                                      : "Whether requests can be parked meanwhile is not known.");
        print_database(out, plan);
        const char *warning = pick_text(plan, "target_warning");
        if (state[0] && !warning[0]) { /* a warning names the state itself */
                terminal_say(out, strcmp(state, "good") == 0 ? TONE_GOOD : TONE_DOUBT, "%s is %s.",
                             pick_text(plan, "to"), state);
                fputc('\n', out->file);
        }
        if (warning[0]) {
                terminal_say(out, TONE_DOUBT, "Warning: %s: %s", pick_text(plan, "to"), warning);
                fputc('\n', out->file);
        }
        if (pick_text(plan, "refused")[0]) {
                terminal_say(out, TONE_BAD, "It would be refused now: %s", pick_text(plan, "refused"));
                fputc('\n', out->file);
        }
}
