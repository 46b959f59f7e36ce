/* What to do: the next line to type for each thing that is off. */
#include "cli/pick.h"
#include "cli/print-status.h"

#include <string.h>

static bool has_alert(const json_t *status, const char *source) {
        const json_t *alerts = pick(status, "alerts"), *alert;
        size_t index;
        json_array_foreach((json_t *)alerts, index, alert)
                if (pick_is(alert, "source", source))
                        return true;
        return false;
}
static bool has_target(const json_t *status) {
        return pick(status, "target") != NULL;
}
static bool live_known(const json_t *status) {
        return pick_text(status, "version")[0] != '\0';
}
static bool at_rest(const json_t *status) {
        return !pick(status, "run");
}
static bool holds(const json_t *status) {
        return at_rest(status) && pick_is(status, "last_run.phase", "holding") &&
               !pick_true(status, "last_run.released");
}
static bool is_ill(const json_t *status) {
        return at_rest(status) && !holds(status) && live_known(status) &&
               (pick_is(status, "health.state", "unhealthy") || pick_is(status, "units.state", "failed") ||
                pick_is(status, "units.state", "inactive"));
}

static bool is_ill_with_target(const json_t *status) {
        return is_ill(status) && has_target(status);
}
static bool is_ill_without_target(const json_t *status) {
        return is_ill(status) && !has_target(status);
}
static bool is_paused(const json_t *status) {
        return pick_true(status, "deployments.paused") && at_rest(status);
}
static bool is_drained(const json_t *status) {
        return status_held_back(status) && at_rest(status);
}
static bool has_no_target(const json_t *status) {
        return !has_target(status) && at_rest(status) && live_known(status);
}
static bool has_no_live(const json_t *status) {
        return !live_known(status) && at_rest(status); /* nothing can be rolled back then, whatever is named */
}
static bool is_not_ready(const json_t *status) {
        return json_is_false(pick(status, "target.ready"));
}
/* Being ill has hints of its own, and a run that can't be gone on with is in the way of any other. */
static bool in_review(const json_t *status) {
        return at_rest(status) && !holds(status) && !is_ill(status) && !has_alert(status, "recovery") &&
               (status_in_review(status) || has_alert(status, "decision"));
}
static bool in_review_with_target(const json_t *status) {
        return in_review(status) && has_target(status);
}
static bool in_review_without_target(const json_t *status) {
        return in_review(status) && !has_target(status);
}
static bool is_unsound(const json_t *status) {
        return at_rest(status) && has_alert(status, "recovery");
}
static bool has_bad_component(const json_t *status) {
        const json_t *alerts = pick(status, "alerts"), *alert;
        size_t index;
        json_array_foreach((json_t *)alerts, index, alert)
                if (strncmp(pick_text(alert, "source"), "component ", strlen("component ")) == 0)
                        return true; /* healing has given up */
        return pick_is(status, "score.status", "unhealthy") || pick_is(status, "score.status", "degraded") ||
               has_alert(status, "cpu") || has_alert(status, "memory") || has_alert(status, "disk");
}
static bool has_not_helped(const json_t *status) {
        return at_rest(status) && has_alert(status, "validation");
}

/* `line`: what to type, kept in one piece. */
static const struct {
        bool (*applies)(const json_t *status);
        const char *advice, *line;
} hints[] = {
        {holds, "A run holds: mend what the headline names, do what the alert 'holding' says, then release it:",
         "auto-rollback resume"},
        {status_unwatched, "Start the controller:", "systemctl start novacron-auto-rollback"},
        {is_ill_with_target, "The service is not well. To go back at once:", "auto-rollback emergency \"REASON\""},
        {is_ill_without_target,
         "The service is not well. Name the release that is to run; the one that is live is started again:",
         "auto-rollback emergency --to VERSION \"REASON\""},
        {is_unsound, "A run was left open that can't be gone on with. When you have looked at it, put it aside:",
         "auto-rollback resume"},
        {in_review_with_target,
         "A person has to decide. To go back, after a look at what would be done:", "auto-rollback manual \"REASON\""},
        {in_review_without_target, "A person has to decide. To go back, name the release that is to run:",
         "auto-rollback manual --to VERSION \"REASON\""},
        {has_not_helped,
         "The last rollback did not help. What was measured, against which limit:", "auto-rollback validate"},
        {has_bad_component, "A component is not well. Which, and what was measured:", "health-checker status"},
        {is_drained, "Traffic is drained and no run is under way. To give it back:", "auto-rollback restore"},
        {is_paused, "Deployments are paused. To allow them:", "auto-rollback resume"},
        {has_no_target,
         "No earlier release is fit to be chosen. One that is known can be named: emergency --to VERSION, or deploy. Releases on this machine are taken in by:",
         "auto-rollback adopt"},
        {has_no_live,
         "Mend what keeps the live release from being known. When none was deployed yet, take in those on this machine, and deploy one:",
         "auto-rollback adopt"},
        {is_not_ready, "The rollback target could not be started now: mend what is named beside it.", ""},
        {status_blind, "The metrics source is not heard: nothing is decided on samples until it is.", ""},
        {status_traffic_hidden,
         "The balancer doesn't answer. Look at it, and whether its socket is where the configuration has it:",
         "systemctl status haproxy"},
};

static void print_hint(const Terminal *out, const char *advice, const char *line) {
        fputs("  ", out->file);
        int column = terminal_wrap(out, TONE_PLAIN, advice, 2, 4);
        bool fits = column + 1 + (int)strlen(line) <= out->columns;
        if (line[0])
                fprintf(out->file, "%s%s", fits ? " " : "\n    ", line);
        fputc('\n', out->file);
}

void print_hints(const Terminal *out, const json_t *status) {
        bool begun = false;
        for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
                if (!hints[i].applies(status))
                        continue;
                fputs(begun ? "" : "\nWhat to do\n", out->file);
                print_hint(out, hints[i].advice, hints[i].line);
                begun = true;
        }
}
