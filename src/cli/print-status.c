/* `status` for people: a headline, one line for each thing that matters, and what to do when something is off. */
#include "cli/print-status.h"
#include "cli/pick.h"
#include "cli/print.h"
#include "cli/quantity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LABEL_WIDTH 13
#define WORD_WIDTH 9
#define TEXT_COLUMN (2 + LABEL_WIDTH + WORD_WIDTH + 1)

static Tone tone_of(const char *word) {
        static const char *const good[] = {"active", "healthy",  "flowing", "ready",
                                           "good",   "watching", "passed",  "succeeded"};
        static const char *const bad[] = {"failed",   "unhealthy", "not ready",     "degraded", "HOLDING",
                                          "inactive", "drained",   "not possible:", "failing"};
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
                if (strcmp(word, good[i]) == 0)
                        return TONE_GOOD;
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                if (strcmp(word, bad[i]) == 0)
                        return TONE_BAD;
        return TONE_DOUBT;
}

/* "  Health       healthy    since ..." */
static void row(const Terminal *out, const char *label, const char *word, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
static void row(const Terminal *out, const char *label, const char *word, const char *format, ...) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        fprintf(out->file, "  %-*s", LABEL_WIDTH, label);
        bool longer = strlen(word) > WORD_WIDTH;
        terminal_text(out, tone_of(word), word, longer || !text[0] ? 0 : WORD_WIDTH, !longer && text[0]);
        int gap = longer && word[strlen(word) - 1] != ':' ? 2 : 1; /* a colon goes on with the sentence */
        fputs(!longer && !text[0] ? "" : gap == 2 ? "  " : " ", out->file);
        terminal_wrap(out, TONE_PLAIN, text, longer ? 2 + LABEL_WIDTH + (int)strlen(word) + gap : TEXT_COLUMN,
                      TEXT_COLUMN);
        fputc('\n', out->file);
}

/* What follows below a row. */
static void row_more(const Terminal *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row_more(const Terminal *out, const char *format, ...) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        fprintf(out->file, "%*s", TEXT_COLUMN, "");
        terminal_wrap(out, TONE_PLAIN, text, TEXT_COLUMN, TEXT_COLUMN);
        fputc('\n', out->file);
}

/* ---- the rows ---- */

static void service_row(const Terminal *out, const json_t *status) {
        const char *detail = pick_text(status, "units.detail");
        char names[256] = "";
        const json_t *list = pick(status, "units.names"), *name;
        size_t index;
        json_array_foreach((json_t *)list, index, name)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", index ? ", " : "",
                         json_string_value(name));
        row(out, "Service", pick_text(status, "units.state"), "%s", detail[0] ? detail : names);
}

static void health_row(const Terminal *out, const json_t *status) {
        char since[QUANTITY_MAX];
        const char *detail = pick_text(status, "health.detail"), *state = pick_text(status, "health.state");
        bool timed = pick(status, "health.since") != NULL;
        quantity_time(pick(status, "health.since"), since, sizeof since);
        row(out, "Health", state, "%s%s%s%s", timed ? "since " : "", timed ? since : pick_text(status, "health.url"),
            detail[0] && strcmp(state, "healthy") != 0 ? ": " : "", strcmp(state, "healthy") != 0 ? detail : "");
}

static void traffic_row(const Terminal *out, const json_t *status) {
        char text[256] = "";
        int64_t in_flight = pick_int(status, "traffic.in_flight", -1), parked = pick_int(status, "traffic.parked", -1);
        const json_t *gate = pick(status, "traffic.gate");
        if (in_flight >= 0)
                snprintf(text, sizeof text, "%" PRId64 " in flight", in_flight);
        if (parked > 0)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%" PRId64 " parked", text[0] ? ", " : "",
                         parked);
        if (json_is_boolean(gate))
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? "; " : "",
                         json_is_true(gate) ? "parking gate" : "no parking gate: a switch refuses requests");
        const char *by = pick_text(status, "traffic.by"), *known = text[0] ? text : pick_text(status, "traffic.detail");
        row(out, "Traffic", pick_text(status, "traffic.state"), "%s%s%s%s", known, known[0] && by[0] ? "; " : "",
            by[0] ? "held by " : "", by);
}

static void metrics_row(const Terminal *out, const json_t *status) {
        const json_t *sample = pick(status, "metrics.sample");
        char errors[QUANTITY_MAX], p99[QUANTITY_MAX], success[QUANTITY_MAX];
        double age = 0;
        if (!sample || !pick_true(sample, "measured")) {
                const char *detail = pick_text(status, "metrics.detail"), *note = pick_text(sample, "note");
                row(out, "Metrics", "unknown", "%s", note[0] ? note : detail[0] ? detail : "no sample yet");
                return;
        }
        pick_number(sample, "age_s", &age);
        row(out, "Metrics", pick_text(sample, "state"), "errors %s, p99 %s, success %s",
            quantity_percent(pick(sample, "error_rate_percent"), errors, sizeof errors),
            quantity_ms(pick(sample, "latency_p99_ms"), p99, sizeof p99),
            quantity_percent(pick(sample, "success_rate_percent"), success, sizeof success));
        row_more(out, "%" PRId64 " requests, measured %.0f s ago%s%s", pick_int(sample, "requests", 0), age,
                 pick_text(sample, "note")[0] ? "; " : "", pick_text(sample, "note"));
}

static void window_row(const Terminal *out, const json_t *status) {
        const json_t *window = pick(status, "window");
        int64_t degraded = pick_int(window, "degraded", 0), needed = pick_int(window, "needed", 0),
                unknown = pick_int(window, "unknown", 0);
        if (!window || pick_is(status, "metrics.source", "none"))
                return;
        char word[32], more[64] = "";
        snprintf(word, sizeof word, "%" PRId64 " of %" PRId64, degraded, pick_int(window, "expected", 0));
        if (unknown > 0)
                snprintf(more, sizeof more, "; %" PRId64 " unknown", unknown);
        fprintf(out->file, "  %-*s", LABEL_WIDTH, "Window");
        terminal_text(out,
                      degraded == 0        ? TONE_GOOD
                      : degraded >= needed ? TONE_BAD
                                           : TONE_DOUBT,
                      word, WORD_WIDTH, true);
        fprintf(out->file, " samples degraded, %" PRId64 " needed for a rollback%s\n", needed, more);
}

static void deployment_row(const Terminal *out, const json_t *status) {
        const json_t *deployment = pick(status, "deployment");
        char at[QUANTITY_MAX], time[QUANTITY_MAX], until[QUANTITY_MAX + 16] = "";
        if (!deployment)
                return;
        const char *why = pick_text(deployment, "automatic.why");
        bool armed = pick_true(deployment, "automatic.possible");
        if (armed && pick(deployment, "armed_until"))
                snprintf(until, sizeof until, "until %s; ",
                         quantity_time(pick(deployment, "armed_until"), time, sizeof time));
        row(out, "Release", pick_text(deployment, "state"), "%s, %s %s", pick_text(deployment, "version"),
            pick_true(deployment, "observed") ? "found in place" : "deployed",
            quantity_time(pick(deployment, "at"), at, sizeof at));
        if (pick_int(status, "rollbacks_per_day", -1) == 0) {
                row(out, "Automatic", "off", "%s", why);
                return;
        }
        row(out, "Automatic",
            armed                           ? "armed"
            : pick(deployment, "automatic") ? "not possible:"
                                            : "unknown",
            "%s%s%" PRId64 " of %" PRId64 " rollbacks used today", armed ? until : why, !armed && why[0] ? "; " : "",
            pick_int(status, "rollbacks_today", 0), pick_int(status, "rollbacks_per_day", 0));
        if (armed && why[0])
                row_more(out, "%s", why);
}

static void target_row(const Terminal *out, const json_t *status) {
        const json_t *target = pick(status, "target"), *ready = pick(target, "ready");
        if (!target) {
                row(out, "Roll back to", "nothing", "no earlier release is fit for it");
                return;
        }
        row(out, "Roll back to",
            json_is_true(ready)    ? "ready"
            : json_is_false(ready) ? "not ready"
                                   : "unknown",
            "%s (%s)%s%s", pick_text(target, "version"), pick_text(target, "state"),
            !json_is_true(ready) && pick_text(target, "detail")[0] ? ": " : "",
            json_is_true(ready) ? "" : pick_text(target, "detail"));
}

static void run_row(const Terminal *out, const char *label, const char *word, const json_t *run) {
        row(out, label, word, "%" PRId64 ": %s %s %s -> %s", pick_int(run, "id", 0), pick_text(run, "mode"),
            pick_text(run, "kind"), pick_text(run, "from")[0] ? pick_text(run, "from") : "nothing",
            pick_text(run, "to"));
}

/* The run under way, or the newest. */
static void last_run_row(const Terminal *out, const json_t *status) {
        const json_t *current = pick(status, "run"), *run = current ? current : pick(status, "last_run");
        char at[QUANTITY_MAX], took[QUANTITY_MAX];
        if (!run)
                return;
        if (current || pick_is(run, "outcome", "open")) {
                run_row(out, "Run", current ? "under way" : "not ended", run);
                row_more(out, "begun %s", quantity_time(pick(run, "created"), at, sizeof at));
        } else {
                run_row(out, "Last run", run_outcome_words(run), run);
                row_more(out, "%s, in %s%s", quantity_time(pick(run, "ended"), at, sizeof at),
                         quantity_seconds(pick(run, "duration_ms"), took, sizeof took), run_validation_words(run));
        }
        row_more(out, "reason: %s", pick_text(run, "reason"));
}

static void controller_row(const Terminal *out, const json_t *status) {
        char since[QUANTITY_MAX];
        quantity_time(pick(status, "controller.since"), since, sizeof since);
        if (pick_is(status, "controller.state", "breakglass"))
                row(out, "Controller", "absent", "none answers; this was found out without it");
        else
                row(out, "Controller", pick_text(status, "controller.state"), "pid %" PRId64 ", since %s, version %s",
                    pick_int(status, "controller.pid", 0), since, pick_text(status, "controller.version"));
}

/* ---- what is off ---- */

/* "Incidents    open      1 (P1): auto-rollback incidents"; several: the worst of them. */
static void incidents_row(const Terminal *out, const json_t *status) {
        const json_t *list = pick(status, "incidents.incidents"), *incident;
        int64_t unresolved = pick_int(status, "incidents.unresolved", 0);
        const char *worst = "";
        bool open = false;
        size_t index;
        json_array_foreach((json_t *)list, index, incident) {
                const char *severity = pick_text(incident, "severity");
                if (pick_is(incident, "state", "resolved"))
                        continue;
                open |= pick_is(incident, "state", "open");
                if (!worst[0] || strcmp(severity, worst) < 0)
                        worst = severity;
        }
        if (unresolved > 0)
                row(out, "Incidents", open ? "open" : "unresolved", "%" PRId64 "%s%s%s%s: auto-rollback incidents",
                    unresolved, worst[0] ? " (" : "", worst[0] && unresolved > 1 ? "worst " : "", worst,
                    worst[0] ? ")" : "");
}

static void receivers_row(const Terminal *out, const json_t *status) {
        const json_t *list = pick(status, "receivers.receivers"), *receiver;
        char names[256] = "";
        size_t index;
        json_array_foreach((json_t *)list, index, receiver)
                if (pick_is(receiver, "state", "failing"))
                        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", names[0] ? ", " : "",
                                 pick_text(receiver, "name"));
        if (names[0])
                row(out, "Receivers", "failing", "%s: auto-rollback receivers", names);
}

static void print_alerts(const Terminal *out, const json_t *status) {
        const json_t *alerts = pick(status, "alerts"), *alert;
        size_t index;
        char since[QUANTITY_MAX];
        if (json_array_size(alerts) > 0)
                fprintf(out->file, "\nAlerts\n");
        json_array_foreach((json_t *)alerts, index, alert) {
                int column = fprintf(out->file, "  %s  ", quantity_time(pick(alert, "since"), since, sizeof since));
                int after = terminal_wrap(out, TONE_BAD, pick_text(alert, "source"), column, column);
                after = terminal_wrap(out, TONE_BAD, ": ", after, column);
                terminal_wrap(out, TONE_BAD, pick_text(alert, "message"), after, column);
                fputc('\n', out->file);
        }
}

void print_status(const Terminal *out, const json_t *status) {
        print_headline(out, status);
        service_row(out, status);
        health_row(out, status);
        traffic_row(out, status);
        metrics_row(out, status);
        window_row(out, status);
        deployment_row(out, status);
        target_row(out, status);
        if (pick_true(status, "deployments.paused"))
                row(out, "Deployments", "paused", "by %s%s%s", pick_text(status, "deployments.by"),
                    pick_text(status, "deployments.why")[0] ? ": " : "", pick_text(status, "deployments.why"));
        last_run_row(out, status);
        controller_row(out, status);
        incidents_row(out, status);
        receivers_row(out, status);
        print_alerts(out, status);
        print_hints(out, status);
}
