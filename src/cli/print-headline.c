/* The sentence a person reads first: what is true, worst first. web/headline.js says the same in the browser. */
#include "cli/pick.h"
#include "cli/print-status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LINE_MAX_BYTES 1400

bool status_held_back(const json_t *status) {
        return pick_is(status, "traffic.state", "drained") || pick_is(status, "traffic.state", "draining");
}
bool status_traffic_hidden(const json_t *status) {
        return pick_true(status, "traffic.configured") && pick_is(status, "traffic.state", "unknown") &&
               pick_text(status, "traffic.detail")[0]; /* without a reason it just hasn't answered yet */
}
bool status_unwatched(const json_t *status) {
        return pick_is(status, "controller.state", "breakglass");
}
bool status_blind(const json_t *status) {
        return !pick_is(status, "metrics.source", "none") && json_is_false(pick(status, "metrics.connected"));
}
bool status_in_review(const json_t *status) {
        return pick(status, "review") && pick_is(status, "review.version", pick_text(status, "version"));
}

static void say(const Terminal *out, Tone tone, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(const Terminal *out, Tone tone, const char *format, ...) {
        char text[LINE_MAX_BYTES];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        terminal_wrap(out, tone, text, 0, 2);
}

static void say_run(const Terminal *out, const json_t *run) {
        size_t total = json_array_size(pick(run, "steps"));
        const json_t *steps = pick(run, "steps"), *step, *current = NULL;
        size_t index;
        json_array_foreach((json_t *)steps, index, step)
                if (!pick_is(step, "state", "pending"))
                        current = step;
        say(out, TONE_DOUBT, "%s %s -> %s: step %" PRId64 " of %zu, %s.",
            pick_is(run, "kind", "rollback") ? "Rolling back" : "Deploying", pick_text(run, "from"),
            pick_text(run, "to"), pick_int(current, "step", 0), total > 0 ? total - 1 : 0,
            pick_is(run, "phase", "recovery") ? "the original is being put back" : pick_text(current, "title"));
}

/* The trigger that weighs most, without the counts that stand below. */
static void say_review(const Terminal *out, const json_t *status) {
        const char *reason = pick_text(status, "review.reason"), *counts = strstr(reason, " samples over ");
        size_t length = strcspn(reason, ";");
        if (counts && (size_t)(counts - reason) < length)
                length = (size_t)(counts - reason) + strlen(" samples");
        say(out, TONE_BAD, "%s is live, but DEGRADED: %.*s; not rolled back automatically: %s.",
            pick_text(status, "version"), (int)length, reason, pick_text(status, "review.guard_text"));
}

static void say_window(const Terminal *out, const json_t *status) {
        const char *why = pick_text(status, "deployment.automatic.why");
        bool stays = json_is_false(pick(status, "deployment.automatic.possible"));
        say(out, TONE_BAD, "%s is live, but DEGRADED: %" PRId64 " of %" PRId64 " samples are; %" PRId64 " %s%s%s.",
            pick_text(status, "version"), pick_int(status, "window.degraded", 0),
            pick_int(status, "window.expected", 0), pick_int(status, "window.needed", 0),
            stays ? "would trigger a rollback, which isn't possible automatically" : "trigger a rollback",
            stays ? ": " : "", stays ? why : "");
}

static bool say_what_is_bad(const Terminal *out, const json_t *status) {
        const char *version = pick_text(status, "version");
        if (pick_is(status, "units.state", "failed"))
                say(out, TONE_BAD, "%s has FAILED: %s.", version, pick_text(status, "units.detail"));
        else if (pick_is(status, "units.state", "inactive"))
                say(out, TONE_BAD, "%s is live, but NOT RUNNING: %s.", version, pick_text(status, "units.detail"));
        else if (pick_is(status, "health.state", "unhealthy"))
                say(out, TONE_BAD, "%s is live, but UNHEALTHY.", version);
        else if (status_traffic_hidden(status))
                say(out, TONE_BAD, "%s is live, but whether traffic reaches it is NOT KNOWN: %s.", version,
                    pick_text(status, "traffic.detail"));
        else if (status_held_back(status))
                say(out, TONE_BAD, "%s is live, but traffic is DRAINED.", version);
        else if (status_in_review(status))
                say_review(out, status);
        else if (pick_is(status, "score.status", "unhealthy"))
                say(out, TONE_BAD, "%s is live, but UNHEALTHY: %s.", version, pick_text(status, "score.reason"));
        else if (pick_int(status, "window.degraded", 0) > 0)
                say_window(out, status);
        else
                return false;
        return true;
}

static void say_what_is_doubtful(const Terminal *out, const json_t *status) {
        const char *version = pick_text(status, "version");
        if (pick_is(status, "score.status", "degraded"))
                say(out, TONE_DOUBT, "%s is live and answers, but DEGRADED: %s.", version,
                    pick_text(status, "score.reason"));
        else if (!pick_is(status, "health.state", "healthy"))
                say(out, TONE_DOUBT, "%s is live; its health is unknown.", version);
        else if (status_unwatched(status))
                say(out, TONE_DOUBT, "%s is live and answers, but NOBODY WATCHES: no controller runs.", version);
        else if (status_blind(status))
                say(out, TONE_DOUBT,
                    "%s is live and answers, but NOTHING IS MEASURED: the metrics source is not heard.", version);
        else
                say(out, TONE_GOOD, "%s is live and healthy.", version);
}

void print_headline(const Terminal *out, const json_t *status) {
        const json_t *run = pick(status, "run"), *last = pick(status, "last_run");
        if (run)
                say_run(out, run);
        else if (pick_is(last, "phase", "holding") && !pick_true(last, "released"))
                say(out, TONE_BAD, "HOLDING: a person is needed. %s", pick_text(last, "failure"));
        else if (pick_text(status, "version")[0] == '\0')
                say(out, TONE_BAD, "Which release is live is not known: %s", pick_text(status, "version_problem"));
        else if (!say_what_is_bad(out, status))
                say_what_is_doubtful(out, status);
        if (pick_is(status, "mode", "shadow")) {
                fputc('\n', out->file);
                say(out, TONE_DOUBT,
                    "Shadow mode: nothing is rolled back automatically, it is only decided and recorded.");
        }
        fputs("\n\n", out->file);
}
